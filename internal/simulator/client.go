// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha1" // x5t is a SHA-1 digest
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// This file authenticates the client of the OAuth2 server without a secret: by an assertion of RFC 7523, section 2.2, and by
// a certificate of RFC 8705, section 2.

const (
	assertionType        = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxAssertionLifetime = 5 * time.Minute
	clientKeyID          = "lab-key-1"
)

// Client is what the client of the OAuth2 server has registered beside its secret.
type Client struct {
	// KeyPEM is a private key on the curve P-256. Its assertions are signed with ES256.
	KeyPEM string
	// KeyID is the key's ID (kid).
	KeyID string
	// CertificatePEM is the certificate of the key.
	CertificatePEM string
	// PublicID is the ID of a client that does not authenticate. It may exchange tokens.
	PublicID string
	// MutualURL is the URL of the token endpoint that asks for a certificate (RFC 8705, section 5). It has https always.
	MutualURL string
	// CAPEM is the certificate of the authority that signed the certificate of MutualURL.
	CAPEM string
}

// registration is what the server knows of the client.
type registration struct {
	Client

	key         *ecdsa.PrivateKey
	certificate []byte // in DER
	used        map[string]bool
	again       bool // an ID is accepted more than once
	received    []string
}

// register generates a key and a certificate that the authority signs.
func register(by authority) (*registration, error) {
	template := template("lab client")
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	key, der, err := sign(template, by.root, by.rootKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return &registration{
		Client: Client{
			KeyPEM:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})),
			KeyID:          clientKeyID,
			CertificatePEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
			PublicID:       "lab-public",
			CAPEM:          by.certificatePEM,
		},
		key: key, certificate: der, used: map[string]bool{},
	}, nil
}

// Client returns what the client of the OAuth2 server has registered.
func (s *Simulator) Client() Client { return s.client.Client }

// Asserted returns all assertions that the OAuth2 server has received.
func (s *Simulator) Asserted() []string {
	s.OAuth2.mu.Lock()
	defer s.OAuth2.mu.Unlock()
	return slices.Clone(s.client.received)
}

// AcceptAssertionsAgain lets the OAuth2 server accept an assertion more than once, as Entra ID does.
func (s *Simulator) AcceptAssertionsAgain() {
	s.OAuth2.mu.Lock()
	defer s.OAuth2.mu.Unlock()
	s.client.again = true
}

// authenticate returns the refusal of a client; nil: it is known, or it is a token exchange without a client.
func (o *oauth2) authenticate(q request, sent parameters) *answer {
	ways := 0
	for _, used := range []bool{q.authenticates(), sent.has("client_secret"), sent["client_assertion"] != "" || sent["client_assertion_type"] != ""} {
		if used {
			ways++
		}
	}
	exchanges := sent["grant_type"] == grantTokenExchange
	unknown := oauth2Refusal("invalid_client", "The client is not known.").reject()
	switch {
	case ways > 1:
		refusal := oauth2Refusal("invalid_request", "The client authenticates in two ways.")
		return &refusal
	case q.authenticates() && !o.isBasicClient(q):
		refusal := unknown.with("WWW-Authenticate", `Basic realm="lab"`)
		refusal.status = 401
		return &refusal
	case q.authenticates() || exchanges && ways == 0 && (sent["client_id"] == "" || sent["client_id"] == o.client.PublicID):
		return nil
	case sent.has("client_assertion", "client_assertion_type"):
		if description := o.client.rejects(o, sent); description != "" {
			refusal := oauth2Refusal("invalid_client", description).reject()
			return &refusal
		}
		return nil
	case ways == 0 && sent["client_id"] == o.account.ClientID && q.TLS != nil && len(q.TLS.PeerCertificates) > 0 && bytes.Equal(q.TLS.PeerCertificates[0].Raw, o.client.certificate):
		return nil
	case !o.isClient(sent):
		return &unknown
	}
	return nil
}

// assertionClaims are those of RFC 7523, section 3. The audience is one string.
type assertionClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// rejects says what is wrong with the assertion in a request; "": nothing. Each ID is accepted once.
func (r *registration) rejects(o *oauth2, sent parameters) string {
	text := sent["client_assertion"]
	r.received = append(r.received, text)
	var claims assertionClaims
	payload, err := r.verify(o.trust, text)
	now := o.now()
	switch {
	case sent["client_assertion_type"] != assertionType:
		return "The type of the assertion is not known."
	case sent["client_id"] != o.account.ClientID:
		return "The client is not known."
	case err != nil || json.Unmarshal(payload, &claims) != nil:
		return "The signature of the assertion is not valid."
	case claims.Issuer == o.trust.issuer.URL() && (claims.Subject != Subject || claims.Audience != Audience):
		return "The subject or the audience of the assertion is not registered."
	case claims.Issuer != o.trust.issuer.URL() && (claims.Issuer != o.account.ClientID || claims.Subject != o.account.ClientID):
		return "The assertion is not that of the client."
	case claims.Issuer == o.account.ClientID && claims.Audience != o.URL()+oauth2TokenPath && claims.Audience != r.MutualURL:
		return "The audience of the assertion is not the token endpoint."
	case now.Unix() >= claims.Expires || claims.IssuedAt > now.Unix()+60:
		return "The assertion has expired, or is not valid yet."
	case claims.Issuer == o.account.ClientID && time.Unix(claims.Expires, 0).Sub(now) > maxAssertionLifetime:
		return "The assertion is valid for too long."
	case claims.ID == "" || r.used[claims.ID] && !r.again:
		return "The assertion was used before, or has no ID."
	}
	r.used[claims.ID] = true
	return ""
}

// verify returns the payload of an assertion of the client's key, or of an identity token that the issuer has signed.
func (r *registration) verify(by trust, text string) ([]byte, error) {
	parts := strings.Split(text, ".")
	var head struct {
		Algorithm  string  `json:"alg"`
		KeyID      *string `json:"kid"`
		Short      *string `json:"x5t"`
		Thumbprint *string `json:"x5t#S256"`
	}
	first, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(first, &head) != nil || len(parts) != 3 {
		return nil, errSignature
	}
	if head.Algorithm == "RS256" {
		return by.verify(text)
	}
	short, long := sha1.Sum(r.certificate), sha256.Sum256(r.certificate)
	for _, named := range []struct {
		got  *string
		want string
	}{{head.KeyID, clientKeyID}, {head.Short, encode(short[:])}, {head.Thumbprint, encode(long[:])}} {
		if named.got != nil && *named.got != named.want {
			return nil, errSignature
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || head.Algorithm != "ES256" || len(signature) != 64 ||
		!ecdsa.Verify(&r.key.PublicKey, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return nil, errSignature
	}
	return base64.RawURLEncoding.DecodeString(parts[1])
}
