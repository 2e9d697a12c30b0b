// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

func tlsCause(err error, at place) *cause {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		operation   *net.OpError
	)
	description := ""
	switch {
	case errors.As(err, &certificate):
		description = describeCertificate(certificate, at.peer)
	case errors.As(err, &operation) && operation.Op == "remote error":
		description = at.peer + " refused the TLS connection: " + describeAlert(operation.Err)
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		description = at.peer + " speaks http on this port, not https"
	case errors.As(err, &record):
		description = at.peer + " does not speak TLS on this port"
	case strings.HasPrefix(root(err).Error(), "tls: "):
		description = "no TLS connection: " + at.peer + " and this client share no version (1.2 or newer) or cipher"
	default:
		return nil
	}
	return &cause{Untrusted, description, false}
}

// describeAlert names a TLS alert. crypto/tls has a fixed text for each.
func describeAlert(alert error) string {
	name := strings.TrimPrefix(alert.Error(), "tls: ")
	if name == "no application protocol" {
		return "it does not speak HTTP/1.1"
	}
	return name
}

func describeCertificate(err *tls.CertificateVerificationError, peer string) string {
	var (
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("%s's certificate is valid from %s to %s only, and this machine's clock says %s",
			peer, invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
	case errors.As(err, &hostname):
		return fmt.Sprintf("%s's certificate is for %s, not for %s", peer, certificateNames(hostname.Certificate), clip(oneLine(hostname.Host), 255))
	case errors.As(err, &unknown):
		return peer + "'s certificate is signed by an authority that this machine does not trust"
	}
	return peer + "'s certificate is not valid"
}

func certificateNames(certificate *x509.Certificate) string {
	names := slices.Clone(certificate.DNSNames) // crypto/tls shares certificates among connections
	for _, address := range certificate.IPAddresses {
		names = append(names, address.String())
	}
	if len(names) == 0 {
		return "no host"
	}
	return clip(oneLine(strings.Join(names, ", ")), 200)
}
