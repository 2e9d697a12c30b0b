// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // x5t is a SHA-1 digest; it only names the certificate
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// This file signs the assertions with which a client authenticates (RFC 7523, section 2.2; OpenID Connect Core 1.0, section
// 9, private_key_jwt).

// assertionLifetime is how long an assertion is valid. It is made for one attempt, and servers refuse long lifetimes.
const assertionLifetime = time.Minute

// SigningAlgorithms are the algorithms of RFC 7518, section 3.1, and RFC 8037 with which assertions can be signed.
var SigningAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// ClientKey is a private key that signs assertions, and what they say. PEM and File are the two ways to give the key, and
// so are those of the certificate: at most one of each is set. The zero value: there is no key.
type ClientKey struct {
	// PEM is the private key in PEM: PKCS #8, PKCS #1 or SEC 1, not encrypted.
	PEM Secret
	// File is the path of a file that holds it. The file is read for each request.
	File string
	// CertificatePEM holds the certificate of the key in PEM. Its thumbprints go into the header, as Entra ID wants it.
	CertificatePEM Secret
	// CertificateFile is the path of a file that holds it. The file is read for each request.
	CertificateFile string
	// ID is the header kid. It is empty if there is none.
	ID string
	// Algorithm is one of SigningAlgorithms. If it is empty, it follows from the key.
	Algorithm string
	// Audience is the claim aud. If it is empty, it is the URL of the token endpoint.
	Audience string
}

// IsZero reports whether there is no key.
func (k ClientKey) IsZero() bool { return k.PEM.IsZero() && k.File == "" }

// key identifies the settings without the key itself.
func (k ClientKey) key() string {
	return fmt.Sprintf("%q %x %q %x %q %q %q", k.File, digestOf(k.PEM.Reveal()), k.CertificateFile, digestOf(k.CertificatePEM.Reveal()), k.ID, k.Algorithm, k.Audience)
}

// signer signs the assertions of one client.
type signer struct {
	key       privateKey
	algorithm jwt.SigningMethod
	header    map[string]string // besides alg and typ
	client    string
	audience  string
}

// signer reads the key and its certificate. audience is that of the assertions if the settings name none.
func (k ClientKey) signer(client, audience string) (*signer, error) {
	key, err := readPEM("the client key", k.PEM, k.File, parsePrivateKey)
	if err != nil {
		return nil, err
	}
	name := cmp.Or(k.Algorithm, algorithmOf(key.Signer))
	if !signsWith(key.Signer, name) {
		return nil, fmt.Errorf("client_signing_alg %s does not fit the client key, which signs with %s", name, algorithmsOf(key.Signer))
	}
	header := map[string]string{}
	if k.ID != "" {
		header["kid"] = k.ID
	}
	if !k.CertificatePEM.IsZero() || k.CertificateFile != "" {
		thumbprints, err := k.thumbprints(key)
		if err != nil {
			return nil, err
		}
		maps.Copy(header, thumbprints)
	}
	return &signer{key, jwt.GetSigningMethod(name), header, client, cmp.Or(k.Audience, audience)}, nil
}

// thumbprints returns the headers that name the certificate (RFC 7515, sections 4.1.7 and 4.1.8).
func (k ClientKey) thumbprints(key privateKey) (map[string]string, error) {
	chain, err := readPEM("the certificate of the client key", k.CertificatePEM, k.CertificateFile, parseCertificates)
	if err != nil {
		return nil, err
	}
	if err := key.fits(chain); err != nil {
		return nil, fmt.Errorf("the certificate of the client key %w", err)
	}
	short, long := sha1.Sum(chain[0].Raw), sha256.Sum256(chain[0].Raw) //nolint:gosec // as above
	encode := base64.RawURLEncoding.EncodeToString
	return map[string]string{"x5t": encode(short[:]), "x5t#S256": encode(long[:])}, nil
}

// readPEM parses text or, if that is zero, the content of the file. what names it in an error.
func readPEM[T any](what string, text Secret, file string, parse func(Secret) (T, error)) (found T, err error) {
	if text.IsZero() {
		content, err := readFile(file)
		what = what + " in the file " + printable.Path(file)
		if err != nil {
			return found, fmt.Errorf("%s %w", what, err)
		}
		text = NewSecret(content)
	}
	if found, err = parse(text); err != nil {
		return found, fmt.Errorf("%s %w", what, err)
	}
	return found, nil
}

// sign returns a new assertion. Each has an ID of its own, because servers accept an ID once.
func (s *signer) sign(now time.Time) (Secret, error) {
	token := jwt.NewWithClaims(s.algorithm, jwt.MapClaims{
		"iss": s.client, "sub": s.client, "aud": s.audience,
		"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(assertionLifetime).Unix(),
	})
	for name, value := range s.header {
		token.Header[name] = value
	}
	text, err := token.SignedString(s.key.Signer)
	return NewSecret(text), err
}

// stableID identifies the assertions of the signer: what is the same in all of them.
func (s *signer) stableID() string {
	text := fmt.Sprintf("%x %q %q %q", s.key.thumbprint, s.algorithm.Alg(), s.client, s.audience)
	for _, name := range slices.Sorted(maps.Keys(s.header)) {
		text += fmt.Sprintf(" %s %q", name, s.header[name])
	}
	return text
}

// algorithmOf returns the algorithm that is the default for the key, or "" if none fits.
func algorithmOf(key crypto.Signer) string {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return "RS256" // the one that OpenID Connect Core 1.0, section 15.1, demands of every server
	case *ecdsa.PrivateKey:
		return map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[key.Params().Name]
	case ed25519.PrivateKey:
		return "EdDSA"
	}
	return ""
}

// signsWith reports whether the key can sign with the algorithm.
func signsWith(key crypto.Signer, algorithm string) bool {
	if _, ok := key.(*rsa.PrivateKey); ok {
		return slices.Contains(SigningAlgorithms[:6], algorithm)
	}
	return algorithm == algorithmOf(key)
}

func algorithmsOf(key crypto.Signer) string {
	if _, ok := key.(*rsa.PrivateKey); ok {
		return "RS256 to RS512 and PS256 to PS512"
	}
	return algorithmOf(key)
}
