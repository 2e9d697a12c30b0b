// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	grantTokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693, section 2.1
	idTokenType        = "urn:ietf:params:oauth:token-type:id_token"       // section 3
	accessTokenType    = "urn:ietf:params:oauth:token-type:access_token"
)

// Audience and Subject are the claims aud and sub of the identity tokens that the platforms accept.
const (
	Audience = "interconnection-lab"
	Subject  = "repo:example/network:ref:refs/heads/main"
)

const (
	issuerRequestPath   = "/identity/request"
	issuerKeysPath      = "/.well-known/jwks"
	issuerDiscoveryPath = "/.well-known/openid-configuration"
)

// idTokenLifetime is the lifetime of GitHub's identity tokens.
const idTokenLifetime = 5 * time.Minute

// Issuer is the identity provider of a pipeline (OpenID Connect Discovery 1.0). It issues identity tokens as GitHub Actions
// does ("OpenID Connect reference"), and to tests.
type Issuer struct {
	server  *server
	signer  signer
	now     func() time.Time
	request string // the bearer token of a job's requests

	mu     sync.Mutex
	issued []string
	asked  int
}

func newIssuer(now func() time.Time) (*Issuer, error) {
	signer, err := newSigner()
	if err != nil {
		return nil, err
	}
	return &Issuer{signer: signer, now: now, request: randomSecret(40)}, nil
}

// URL is the issuer's name (iss).
func (i *Issuer) URL() string { return i.server.url }

// Issued returns all identity tokens, and the bearer token with which a job asks for them.
func (i *Issuer) Issued() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append(slices.Clone(i.issued), i.request)
}

// Asked returns how often a job has asked for an identity token.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// Environment returns the variables of a job of GitHub Actions that may request identity tokens, as "NAME=value".
func (i *Issuer) Environment() []string {
	return []string{
		"ACTIONS_ID_TOKEN_REQUEST_URL=" + i.URL() + issuerRequestPath + "?api-version=2.0",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + i.request,
	}
}

// Token returns an identity token that the platforms accept, for the lifetime.
func (i *Issuer) Token(lifetime time.Duration) (string, error) {
	return i.TokenFor(Audience, Subject, lifetime)
}

// TokenFor returns an identity token for an audience and a subject.
func (i *Issuer) TokenFor(audience, subject string, lifetime time.Duration) (string, error) {
	now := i.now()
	text, err := i.signer.sign("JWT", map[string]any{
		"iss": i.URL(), "aud": audience, "sub": subject, "jti": randomString(16),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(lifetime).Unix(),
	})
	if err == nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.issued = append(i.issued, text)
	}
	return text, err
}

// ServeHTTP answers the discovery of keys, and a job's requests.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case r.URL.Path == issuerDiscoveryPath:
		writeJSON(w, map[string]any{"issuer": i.URL(), "jwks_uri": i.URL() + issuerKeysPath, "id_token_signing_alg_values_supported": []string{"RS256"}})
	case r.URL.Path == issuerKeysPath:
		writeJSON(w, i.signer.keySet())
	case r.URL.Path == issuerRequestPath && r.URL.Query().Get("api-version") == "2.0":
		i.answer(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (i *Issuer) answer(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.asked++
	i.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+i.request {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	text, err := i.TokenFor(r.URL.Query().Get("audience"), Subject, idTokenLifetime)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	writeJSON(w, map[string]any{"value": text, "count": len(text)})
}

func writeJSON(w http.ResponseWriter, body any) {
	answer{status: http.StatusOK, header: map[string]string{"Content-Type": jsonType}, body: body}.write(w)
}

// trust is what a platform knows about an issuer.
type trust struct {
	issuer *Issuer
	client *http.Client
}

// accepts reports whether text is an identity token of the issuer for the platform, still valid, and signed with one of the
// keys that the issuer publishes.
func (t trust) accepts(text string) bool {
	var claims struct {
		Issuer   string `json:"iss"`
		Audience string `json:"aud"`
		Subject  string `json:"sub"`
		Expires  int64  `json:"exp"`
	}
	payload, err := t.verify(text)
	return err == nil && json.Unmarshal(payload, &claims) == nil &&
		claims.Issuer == t.issuer.URL() && claims.Audience == Audience && claims.Subject == Subject &&
		t.issuer.now().Before(time.Unix(claims.Expires, 0))
}

var errSignature = errors.New("the signature is not the issuer's")

// verify returns the payload of a JSON Web Token.
func (t trust) verify(text string) ([]byte, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errSignature
	}
	var head header
	first, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(first, &head) != nil || head.Algorithm != "RS256" {
		return nil, errSignature
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, errSignature
	}
	key, err := t.key(head.KeyID)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) != nil {
		return nil, errSignature
	}
	return base64.RawURLEncoding.DecodeString(parts[1])
}

// key asks the issuer for its public keys.
func (t trust) key(id string) (*rsa.PublicKey, error) {
	response, err := t.client.Get(t.issuer.URL() + issuerKeysPath)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var keys keySet
	if err := json.NewDecoder(response.Body).Decode(&keys); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	for _, key := range keys.Keys {
		modulus, badModulus := base64.RawURLEncoding.DecodeString(key.Modulus)
		exponent, badExponent := base64.RawURLEncoding.DecodeString(key.Exponent)
		if key.KeyID == id && badModulus == nil && badExponent == nil {
			return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(new(big.Int).SetBytes(exponent).Int64())}, nil
		}
	}
	return nil, errSignature
}

// exchange answers a request of RFC 8693, section 2.1, whose client has been authenticated, if it has one. Equinix's security
// token service and OAuth2's authorization server share it.
func (p *Platform) exchange(sent parameters, issue func() string) answer {
	refusal := func(code, description string) answer {
		a := oauth2Refusal(code, description)
		a.rejected = code == "invalid_request"
		return a
	}
	switch {
	case sent["subject_token_type"] != idTokenType || !sent.has("subject_token"):
		return refusal("invalid_request", "A token exchange has a subject_token and a subject_token_type.")
	case !p.trust.accepts(sent["subject_token"]):
		return refusal("invalid_request", "The subject_token is not trusted.")
	}
	return oauth2Answer(http.StatusOK, exchangeToken{
		AccessToken: issue(), IssuedTokenType: accessTokenType, TokenType: "Bearer",
		ExpiresIn: p.ledger.accessLifetime.Seconds(),
	})
}

// exchangeToken is the answer of RFC 8693, section 2.2.1. Equinix writes the lifetime as a number that may have a fraction.
type exchangeToken struct {
	AccessToken     string  `json:"access_token"`
	IssuedTokenType string  `json:"issued_token_type"`
	TokenType       string  `json:"token_type"`
	ExpiresIn       float64 `json:"expires_in"`
}
