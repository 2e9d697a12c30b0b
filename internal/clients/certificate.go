// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// ClientCertificate is the certificate of the connection to the token endpoint (RFC 8705), with its key. Certificate and
// key are each given in PEM or as the path of a file. Files are read for each request. The zero value: there is none.
type ClientCertificate struct {
	// PEM holds the certificate of the client and those that lead to an authority.
	PEM Secret
	// File is the path of a file that holds them.
	File string
	// KeyPEM is the private key: PKCS #8, PKCS #1 or SEC 1, not encrypted.
	KeyPEM Secret
	// KeyFile is the path of a file that holds it. It may be the file with the certificate.
	KeyFile string
}

// IsZero reports whether there is no certificate.
func (c ClientCertificate) IsZero() bool { return c == ClientCertificate{} }

// key identifies the settings without the key itself.
func (c ClientCertificate) key() string {
	return fmt.Sprintf("%q %x %q %x", c.File, digestOf(c.PEM.Reveal()), c.KeyFile, digestOf(c.KeyPEM.Reveal()))
}

// keyPair is a certificate with its key, as a connection uses it.
type keyPair struct {
	*tls.Certificate
	secret     Secret // see privateKey
	thumbprint digest // of the certificate
}

// Format writes [redacted] for every verb.
func (keyPair) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// load reads the certificate and the key.
func (c ClientCertificate) load() (keyPair, error) {
	chain, err := readPEM("the client certificate", c.PEM, c.File, parseCertificates)
	if err != nil {
		return keyPair{}, err
	}
	key, err := readPEM("the key of the client certificate", c.KeyPEM, c.KeyFile, parsePrivateKey)
	if err != nil {
		return keyPair{}, err
	}
	if err := key.fits(chain); err != nil {
		return keyPair{}, fmt.Errorf("the client certificate %w", err)
	}
	certificate := &tls.Certificate{PrivateKey: key.Signer, Leaf: chain[0]}
	for _, each := range chain {
		certificate.Certificate = append(certificate.Certificate, each.Raw)
	}
	return keyPair{certificate, key.secret, sha256.Sum256(chain[0].Raw)}, nil
}

// describeSubject names a certificate in a message.
func describeSubject(certificate *x509.Certificate) string {
	return fmt.Sprintf("%q, valid until %s", printable.Clip(printable.OneLine(cmp.Or(certificate.Subject.String(), "(no subject)")), maxDescription), certificate.NotAfter.UTC().Format(time.RFC3339))
}
