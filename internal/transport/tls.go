// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// tlsFaults are errors of crypto/tls, recognised by the beginning of their texts. In the message, the description
// follows the peer's name.
var tlsFaults = []struct{ text, description string }{
	{"failed to parse certificate from server: x509: negative serial number", "sent a certificate with a negative serial number"},
	{"failed to parse certificate from server: ", "sent a certificate that this client cannot parse"},
	{"server selected unsupported protocol version ", "chose a TLS version that this client does not offer; it offers 1.2 and 1.3"},
	{"server chose an unconfigured cipher suite", "chose a cipher suite that this client does not offer"},
	{"no renegotiation", "asks for another TLS handshake after the first, as IIS and AD FS do to get a client certificate; this client makes only one"},
	{"first record does not look like a TLS handshake", "does not speak TLS on this port"},
}

func tlsCause(err error, at reached) *Fault {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		operation   *net.OpError
	)
	description := ""
	text, ofTLS := strings.CutPrefix(root(err).Error(), "tls: ")
	switch {
	case errors.As(err, &certificate):
		description = describeCertificate(certificate, at.peer)
	case errors.As(err, &operation) && operation.Op == "remote error" && at.refusesCertificate(operation.Err):
		return &Fault{Refused, at.peer + " does not accept the client certificate: " + describeAlert(operation.Err), false}
	case errors.As(err, &operation) && operation.Op == "remote error":
		description = at.peer + " refused the TLS connection: " + describeAlert(operation.Err)
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		description = at.peer + " speaks http on this port, not https"
	case ofTLS:
		description = describeTLS(text, at.peer)
	default:
		return nil
	}
	return &Fault{Untrusted, description, false}
}

// describeTLS returns the message for an error of crypto/tls. Any error outside tlsFaults has a fixed text. If the text
// has quotation marks, they hold what the peer sent, so the text is not shown.
func describeTLS(text, peer string) string {
	for _, fault := range tlsFaults {
		if strings.HasPrefix(text, fault.text) {
			return peer + " " + fault.description
		}
	}
	if strings.Contains(text, `"`) {
		return "TLS failed"
	}
	return "TLS failed: " + printable.Clip(printable.OneLine(text), 150)
}

// certificateAlerts are the alerts of a server about the certificate of the client (RFC 8446, section 6.2).
var certificateAlerts = []string{
	"bad certificate", "unsupported certificate", "revoked certificate", "expired certificate", "unknown certificate", "unknown certificate authority", "access denied",
}

// refusesCertificate reports whether an alert is about the certificate that was shown to the server.
func (r reached) refusesCertificate(alert error) bool {
	return r.shown && r.peer == peerServer && slices.Contains(certificateAlerts, strings.TrimPrefix(alert.Error(), "tls: "))
}

// describeAlert names a TLS alert. crypto/tls has a fixed text for each.
func describeAlert(alert error) string {
	switch name := strings.TrimPrefix(alert.Error(), "tls: "); name {
	case "no application protocol":
		return "it does not speak HTTP/1.1"
	case "handshake failure":
		return name + " (no TLS version, cipher suite or key exchange in common, or it demands a client certificate)"
	case "certificate required":
		return "it demands a client certificate"
	default:
		return name
	}
}

// invalidCertificates describe what is wrong with a certificate, or with a certificate above it.
var invalidCertificates = map[x509.InvalidReason]string{
	x509.NotAuthorizedToSign:           "is signed with a certificate that is no authority's",
	x509.CANotAuthorizedForThisName:    "is signed by an authority that may not sign for its names (name constraints)",
	x509.UnconstrainedName:             "is signed by an authority that may not sign for its names (name constraints)",
	x509.TooManyConstraints:            "is signed by an authority with too many name constraints",
	x509.TooManyIntermediates:          "has more authorities above it than one of them allows (path length)",
	x509.IncompatibleUsage:             "is not meant for a server, or one above it is not (extended key usage)",
	x509.CANotAuthorizedForExtKeyUsage: "is not meant for a server, or one above it is not (extended key usage)",
	x509.NameMismatch:                  "is signed by an authority with another name than it says",
}

// hints describe what crypto/x509 found wrong with a signature while it looked for an authority. crypto/x509 reports
// that only in the text of its error. The text comes before the name in the authority's certificate.
var hints = []struct{ text, description string }{
	{"x509: cannot verify signature: insecure algorithm ", "is signed with an algorithm that is no longer safe, such as SHA-1, or one above it is"},
	{"x509: cannot verify signature: algorithm unimplemented", "is signed with an algorithm that this client does not know, or one above it is"},
	{"x509: invalid signature: parent certificate cannot sign this kind of certificate", "is signed with a certificate that is no authority's"},
	{"x509: ECDSA verification failure", otherKey},
	{"x509: Ed25519 verification failure", otherKey},
	{"crypto/rsa: verification error", otherKey},
	{"x509: signature algorithm specifies an ", otherKey},
}

const otherKey = "is signed with another key than that of the authority of this name"

// describeCertificate says why a certificate was not accepted.
func describeCertificate(err *tls.CertificateVerificationError, peer string) string {
	var (
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
		insecure x509.InsecureAlgorithmError
		critical x509.UnhandledCriticalExtension
		roots    x509.SystemRootsError
	)
	what := "is not accepted"
	switch {
	case errors.As(err, &roots):
		return describeRoots(roots)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		what = describeValidity(invalid.Cert, time.Now())
		if len(err.UnverifiedCertificates) > 0 && !invalid.Cert.Equal(err.UnverifiedCertificates[0]) {
			what = "is signed by an authority whose certificate " + what
		}
	case errors.As(err, &invalid) && invalidCertificates[invalid.Reason] != "":
		what = invalidCertificates[invalid.Reason]
	case errors.As(err, &hostname):
		what = describeNames(hostname)
	case errors.As(err, &unknown):
		what = describeAuthority(unknown, err.UnverifiedCertificates)
	case errors.As(err, &insecure):
		what = hints[0].description
	case errors.As(err, &critical):
		what = "has a critical extension that this client does not know, or one above it has"
	}
	return peer + "'s certificate " + what
}

// describeRoots returns the message for certificate authorities of this machine that cannot be read. It may name their
// path, which comes from the environment or is fixed.
func describeRoots(err x509.SystemRootsError) string {
	const what = "the certificate authorities of this machine cannot be read"
	var path *fs.PathError
	if errors.As(err.Err, &path) {
		return fmt.Sprintf("%s: %s: %v", what, printable.Path(path.Path), path.Err)
	}
	return what
}

// describeValidity describes a certificate that has expired. Windows and macOS name the server's certificate, even if
// it is one above that has expired.
func describeValidity(certificate *x509.Certificate, now time.Time) string {
	clock := "this machine's clock says " + now.UTC().Format(time.RFC3339)
	if !now.Before(certificate.NotBefore) && !now.After(certificate.NotAfter) {
		return "is signed by an authority whose certificate has expired or is not yet valid; " + clock
	}
	return fmt.Sprintf("is valid from %s to %s only, and %s", certificate.NotBefore.UTC().Format(time.RFC3339), certificate.NotAfter.UTC().Format(time.RFC3339), clock)
}

func describeNames(err x509.HostnameError) string {
	subjectAltName := asn1.ObjectIdentifier{2, 5, 29, 17}
	for _, extension := range err.Certificate.Extensions {
		if extension.Id.Equal(subjectAltName) {
			return fmt.Sprintf("is for %s, not for %s", certificateNames(err.Certificate), printable.Clip(printable.OneLine(err.Host), 255))
		}
	}
	return "has no subject alternative name; its common name does not count"
}

func certificateNames(certificate *x509.Certificate) string {
	names := slices.Clone(certificate.DNSNames) // crypto/tls shares certificates among connections
	for _, address := range certificate.IPAddresses {
		names = append(names, address.String())
	}
	if len(names) == 0 {
		return "no host"
	}
	return printable.Clip(printable.OneLine(strings.Join(names, ", ")), 200)
}

// describeAuthority describes a certificate of an unknown authority. sent are the certificates that the peer sent.
func describeAuthority(err x509.UnknownAuthorityError, sent []*x509.Certificate) string {
	const what = "is signed by an authority that this machine does not trust"
	if hint, some := strings.CutPrefix(err.Error(), `x509: certificate signed by unknown authority (possibly because of "`); some {
		for _, known := range hints {
			if strings.HasPrefix(hint, known.text) {
				return known.description
			}
		}
		return "is not accepted"
	}
	if system, err := x509.SystemCertPool(); err == nil && system.Equal(x509.NewCertPool()) {
		return what + "; this machine has no certificate authorities"
	}
	if issuer := missingIssuer(sent); issuer != "" {
		return fmt.Sprintf("is signed by %q, which is not among the certificates that came with it: an intermediate certificate is missing there, or this machine does not trust that authority", printable.Clip(printable.OneLine(issuer), 100))
	}
	return what
}

// missingIssuer returns the name of the authority at which the certificates end that a peer sent, the first one being the
// peer's own; empty: they end at a root, which signs itself.
func missingIssuer(sent []*x509.Certificate) string {
	for top, left := 0, len(sent); left > 0; left-- { // a root is above itself
		last := sent[top]
		top = slices.IndexFunc(sent, func(above *x509.Certificate) bool { return bytes.Equal(above.RawSubject, last.RawIssuer) })
		if top < 0 {
			return cmp.Or(last.Issuer.CommonName, last.Issuer.String())
		}
	}
	return ""
}
