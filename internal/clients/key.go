// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// This file reads private keys and certificates in PEM (RFC 7468). Its errors are the rest of a sentence that begins with
// the name of the setting or of the file. They do not contain what was read.

// minRSABits is the least size of an RSA key that RFC 7518, sections 3.3 and 3.5, allows.
const minRSABits = 2048

// privateKey is a private key that was read.
type privateKey struct {
	crypto.Signer
	// secret is a digest of the key, the same for each form in PEM. Only those who have the key can compute it.
	secret Secret
	// thumbprint identifies the public key: the SHA-256 digest of its SubjectPublicKeyInfo.
	thumbprint digest
}

// Format writes [redacted] for every verb.
func (privateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// The types of PEM blocks that hold a private key, and what is wrong with the others.
var (
	keyBlocks = map[string]func(der []byte) (any, error){
		"PRIVATE KEY":     x509.ParsePKCS8PrivateKey,
		"RSA PRIVATE KEY": func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		"EC PRIVATE KEY":  func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) }, // SEC 1
	}
	wrongBlocks = map[string]string{
		"ENCRYPTED PRIVATE KEY": encryptedKey,
		"OPENSSH PRIVATE KEY":   "is a key in the format of OpenSSH: convert it with ssh-keygen -p -m PKCS8",
		"PUBLIC KEY":            "is a public key: use the private key",
		"RSA PUBLIC KEY":        "is a public key: use the private key",
		"CERTIFICATE":           "is a certificate: use its private key",
		"CERTIFICATE REQUEST":   "is a certificate request: use its private key",
	}
)

const encryptedKey = "is encrypted with a password: decrypt it with openssl pkey"

// CheckPrivateKey checks a private key in PEM.
func CheckPrivateKey(text Secret) string { return faultOf(parsePrivateKey(text)) }

// CheckCertificate checks the certificates in PEM of a client. A private key among them would be shown as a certificate is.
func CheckCertificate(text Secret) string {
	for block := range pemBlocks(text) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return "holds a private key: put it into the setting for the key"
		}
	}
	return faultOf(parseCertificates(text))
}

func faultOf[T any](_ T, err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// pemBlocks yields the blocks of PEM in text.
func pemBlocks(text Secret) func(yield func(*pem.Block) bool) {
	return func(yield func(*pem.Block) bool) {
		block, rest := pem.Decode([]byte(text.Reveal()))
		for block != nil && yield(block) {
			block, rest = pem.Decode(rest)
		}
	}
}

// parsePrivateKey reads the only private key in text.
func parsePrivateKey(text Secret) (found privateKey, err error) {
	keys, wrong := 0, ""
	for block := range pemBlocks(text) {
		parse := keyBlocks[block.Type]
		switch {
		case parse == nil:
			wrong = cmp.Or(wrong, wrongBlocks[block.Type])
			continue
		case strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"): // RFC 1421, section 4.6.1.1
			return privateKey{}, errors.New(encryptedKey)
		}
		key, problem := parse(block.Bytes)
		if problem != nil {
			return privateKey{}, fmt.Errorf("holds a %s that cannot be read", block.Type)
		}
		if found, err = usableKey(key); err != nil {
			return privateKey{}, err
		}
		keys++
	}
	switch {
	case keys == 1:
		return found, nil
	case keys > 1:
		return privateKey{}, errors.New("holds more than one private key")
	}
	return privateKey{}, errors.New(cmp.Or(wrong, notPEM(text, "private key")))
}

// notPEM says what text is in the place of PEM.
func notPEM(text Secret, want string) string {
	switch trimmed := strings.TrimSpace(text.Reveal()); {
	case trimmed == "":
		return "is empty"
	case trimmed[0] == '{':
		return "is JSON, such as a JSON Web Key: write the " + want + " in PEM"
	case strings.Contains(trimmed, "-----BEGIN") && !strings.Contains(trimmed, "\n"):
		return `has no line breaks: they may have become blanks or the text \n`
	case strings.Contains(trimmed, "-----BEGIN"):
		return "is damaged: PEM ends with the line that begins with -----END"
	}
	return "holds no " + want + ` in PEM, which begins with "-----BEGIN"`
}

// usableKey accepts the keys with which RFC 7518 and RFC 8037 sign.
func usableKey(key any) (privateKey, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return privateKey{}, fmt.Errorf("is an RSA key of %d bits, and servers accept none with less than %d", bits, minRSABits)
		}
	case *ecdsa.PrivateKey:
		if algorithmOf(key) == "" {
			return privateKey{}, fmt.Errorf("is a key on the curve %s; use P-256, P-384 or P-521", key.Params().Name)
		}
	case ed25519.PrivateKey:
	default:
		return privateKey{}, errors.New("is a key that cannot sign; use RSA, EC or Ed25519")
	}
	signing, _ := key.(crypto.Signer)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	public, problem := x509.MarshalPKIXPublicKey(signing.Public())
	if err != nil || problem != nil {
		return privateKey{}, errors.New("is a key that cannot be used")
	}
	own := sha256.Sum256(der)
	return privateKey{signing, NewSecret(string(own[:])), sha256.Sum256(public)}, nil
}

// parseCertificates reads the certificates in text: that of the client first, then those that lead to an authority. A
// private key beside them is skipped.
func parseCertificates(text Secret) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	wrong := ""
	for block := range pemBlocks(text) {
		if block.Type != "CERTIFICATE" {
			wrong = "holds no certificate, but a " + printable.Clip(printable.OneLine(block.Type), 40)
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("holds a certificate that cannot be read")
		}
		found = append(found, certificate)
	}
	if found == nil {
		return nil, errors.New(cmp.Or(wrong, notPEM(text, "certificate")))
	}
	return found, nil
}

// fits returns an error if the first certificate is not that of the key.
func (k privateKey) fits(chain []*x509.Certificate) error {
	for i, certificate := range chain {
		public, err := x509.MarshalPKIXPublicKey(certificate.PublicKey)
		switch same := err == nil && k.thumbprint == sha256.Sum256(public); {
		case same && i == 0:
			return nil
		case same:
			return errors.New("has the certificate of the key behind another one: it must come first")
		}
	}
	return errors.New("is not the certificate of the key: their public keys differ")
}
