// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"sync"
)

// signingKey returns the RSA key of all signers. Generating it takes longer than the rest of Start, so it is generated once.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// claims are the claims of an IdentityServer's access token (RFC 7519 and RFC 9068, except that scope is a list).
type claims struct {
	Issuer    string   `json:"iss"`
	NotBefore int64    `json:"nbf"` // Unix seconds
	IssuedAt  int64    `json:"iat"` // Unix seconds
	Expires   int64    `json:"exp"` // Unix seconds
	Audience  string   `json:"aud"`
	Scope     []string `json:"scope"`
	ClientID  string   `json:"client_id"`
	ID        string   `json:"jti"`
}

// header is the first part of a JSON Web Token (RFC 7515, section 4.1).
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// keySet is a JSON Web Key Set (RFC 7517, section 5).
type keySet struct {
	Keys []publicKey `json:"keys"`
}

type publicKey struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	KeyID     string `json:"kid"`
	Exponent  string `json:"e"`
	Modulus   string `json:"n"`
	Algorithm string `json:"alg"`
}

// signer makes JSON Web Tokens that are signed with RS256 (RFC 7518, section 3.3).
type signer struct {
	key *rsa.PrivateKey
}

func newSigner() (signer, error) {
	key, err := signingKey()
	if err != nil {
		return signer{}, fmt.Errorf("simulator: %w", err)
	}
	return signer{key: key}, nil
}

// signed returns a signed JSON Web Token with the claims.
func signed(c claims) (string, error) {
	s, err := newSigner()
	if err != nil {
		return "", err
	}
	return s.sign("at+jwt", c)
}

// sign returns a JSON Web Token of the type (RFC 7519, section 5.1).
func (s signer) sign(kind string, c any) (string, error) {
	head, err := encodePart(header{Algorithm: "RS256", KeyID: s.keyID(), Type: kind})
	if err != nil {
		return "", err
	}
	body, err := encodePart(c)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(head + "." + body))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("simulator: %w", err)
	}
	return strings.Join([]string{head, body, encode(signature)}, "."), nil
}

func (s signer) keySet() keySet {
	return keySet{Keys: []publicKey{{
		Type:      "RSA",
		Use:       "sig",
		KeyID:     s.keyID(),
		Exponent:  encode(big.NewInt(int64(s.key.E)).Bytes()),
		Modulus:   encode(s.key.N.Bytes()),
		Algorithm: "RS256",
	}}}
}

// keyID returns an id with the shape of a certificate's thumbprint, like the kid in "Requesting Client Credentials".
func (s signer) keyID() string {
	digest := sha256.Sum256(s.key.N.Bytes())
	return strings.ToUpper(hex.EncodeToString(digest[:20]))
}

func encodePart(part any) (string, error) {
	text, err := json.Marshal(part)
	if err != nil {
		return "", fmt.Errorf("simulator: %w", err)
	}
	return encode(text), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
