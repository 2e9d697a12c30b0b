// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// InterxionScopes are the scopes that the client may request, in the order in which Interxion grants all of them.
const InterxionScopes = "ixapi.read ixapi.write"

// The paths of Interxion. The page "Requesting Client Credentials" names the first; the others are IdentityServer's
// key set, and two collections of the IX-API.
const (
	interxionTokenPath    = "/connect/token"
	interxionKeysPath     = "/.well-known/openid-configuration/jwks"
	interxionAccountsPath = "/api/v2/accounts"
	interxionContactsPath = "/api/v2/contacts"
)

// interxionScopeLength is the limit for the list of scopes, in characters, in IdentityServer's InputLengthRestrictions. Its
// limits for ids and secrets (100) need no code: the client's own are shorter.
const interxionScopeLength = 300

// interxion behaves like an IdentityServer, which is what the path /connect/token and the platform's errors suggest.
type interxion struct {
	*Platform
	signer   signer
	contacts map[string]interxionContact // by id
}

// interxionToken is the answer of "Requesting Client Credentials". The members have the same order.
type interxionToken struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	TokenType   string `json:"token_type"`
	Scope       string `json:"scope"`
}

// interxionError has no error_description, because IdentityServer sends none in these cases.
type interxionError struct {
	Error string `json:"error"`
}

// interxionProblem is an error of the IX-API (RFC 9457).
type interxionProblem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
}

type interxionAccount struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Name  string `json:"name"`
}

// interxionContact has the members that the IX-API requires of a contact, and all other members of the request.
type interxionContact map[string]any

func newInterxion(now func() time.Time) (*Platform, error) {
	signer, err := newSigner()
	if err != nil {
		return nil, err
	}
	p := &Platform{
		name:      "Interxion",
		apiPath:   interxionAccountsPath,
		variables: variables{url: "INTERXION_LOGIN_URL", clientID: "INTERXION_CLIENT_ID", clientSecret: "INTERXION_CLIENT_SECRET"},
		now:       now,
		// "Default: 1 hour". Interxion issues no refresh tokens.
		ledger: newLedger(now, time.Hour, 0),
		account: Credentials{
			// The customer chooses the client id.
			ClientID:     "Jupiter-12 & Co+" + randomString(6),
			ClientSecret: randomSecret(44),
		},
	}
	p.service = &interxion{Platform: p, signer: signer, contacts: map[string]interxionContact{}}
	return p, nil
}

func (ix *interxion) grant(q request) string { return q.grantType() }

func (ix *interxion) answer(q request) answer {
	switch q.URL.EscapedPath() {
	case interxionTokenPath:
		return ix.token(q)
	case interxionKeysPath:
		return route(q, http.MethodGet, ix.keys, answer{status: http.StatusMethodNotAllowed})
	case interxionAccountsPath:
		return route(q, http.MethodGet, ix.accounts, interxionProblemAnswer(http.StatusMethodNotAllowed))
	}
	if path := q.URL.EscapedPath(); path == interxionContactsPath || strings.HasPrefix(path, interxionContactsPath+"/") {
		return ix.protect(q, ix.contact)
	}
	return answer{status: http.StatusNotFound}
}

// token checks a token request in IdentityServer's order: the HTTP request, the client, the grant, the scope.
func (ix *interxion) token(q request) answer {
	// IdentityServer answers a wrong method or content type like any other invalid request.
	if q.Method != http.MethodPost || q.mediaType() != formType || q.queries() {
		return interxionRefusal("invalid_request")
	}
	sent, err := q.parameters()
	if err != nil || !sent.only("grant_type", "client_id", "client_secret", "scope") {
		return interxionRefusal("invalid_request")
	}
	if q.authenticates() || !ix.isClient(sent) {
		return interxionRefusal("invalid_client").reject()
	}
	if code := interxionGrantError(sent["grant_type"]); code != "" {
		return interxionRefusal(code)
	}
	scope, ok := interxionScope(sent["scope"])
	if !ok {
		return interxionRefusal("invalid_scope")
	}
	return ix.issue(scope)
}

// interxionGrantError returns IdentityServer's error for a grant type; empty: the client may use it.
func interxionGrantError(grant string) string {
	switch grant {
	case grantClientCredentials:
		return ""
	case grantPassword, grantAuthorizationCode:
		return "unauthorized_client"
	case grantRefreshToken:
		return "invalid_request" // the parameter refresh_token is missing
	}
	return "unsupported_grant_type" // also if grant_type is missing
}

// interxionScope returns the granted scopes: the requested ones, or all allowed ones if the request names none.
// offline_access is not allowed, because IdentityServer issues no refresh token for client credentials.
func interxionScope(asked string) (granted string, ok bool) {
	scopes := strings.Fields(asked)
	if len(scopes) == 0 {
		return InterxionScopes, true
	}
	if len(asked) > interxionScopeLength {
		return "", false
	}
	allowed := strings.Fields(InterxionScopes)
	for _, scope := range scopes {
		if !slices.Contains(allowed, scope) {
			return "", false
		}
	}
	slices.Sort(scopes)
	return strings.Join(slices.Compact(scopes), " "), true
}

func (ix *interxion) issue(scope string) answer {
	value, err := ix.signer.sign("at+jwt", ix.claims(scope))
	if err != nil {
		return interxionAnswer(http.StatusInternalServerError, interxionError{"server_error"})
	}
	ix.ledger.issueAccess(value, &family{})
	return interxionAnswer(http.StatusOK, interxionToken{
		AccessToken: value,
		ExpiresIn:   int64(ix.ledger.accessLifetime / time.Second),
		TokenType:   "Bearer",
		Scope:       scope,
	})
}

func (ix *interxion) claims(scope string) claims {
	now := ix.now()
	return claims{
		Issuer:    ix.URL(),
		NotBefore: now.Unix(),
		IssuedAt:  now.Unix(),
		Expires:   now.Add(ix.ledger.accessLifetime).Unix(),
		Audience:  "ixapi",
		Scope:     strings.Fields(scope),
		ClientID:  ix.account.ClientID,
		ID:        randomString(32),
	}
}

func (ix *interxion) keys(request) answer {
	return interxionAnswer(http.StatusOK, ix.signer.keySet())
}

// protect calls next if the request has a valid access token.
func (ix *interxion) protect(q request, next func(request) answer) answer {
	if challenge := ix.challenge(q); challenge != "" {
		return interxionProblemAnswer(http.StatusUnauthorized).with("WWW-Authenticate", challenge).reject()
	}
	return next(q)
}

func (ix *interxion) accounts(q request) answer {
	return ix.protect(q, func(request) answer {
		return interxionAnswer(http.StatusOK, []interxionAccount{{ID: "1", State: "production", Name: "Test Company Parent"}})
	})
}

// contact creates, reads and deletes contacts, so that a test can see that a token works.
func (ix *interxion) contact(q request) answer {
	id := strings.TrimPrefix(strings.TrimPrefix(q.URL.EscapedPath(), interxionContactsPath), "/")
	if id == "" {
		return route(q, http.MethodPost, ix.createContact, interxionProblemAnswer(http.StatusMethodNotAllowed))
	}
	known, exists := ix.contacts[id]
	switch {
	case !exists:
		return interxionProblemAnswer(http.StatusNotFound)
	case q.Method == http.MethodDelete:
		delete(ix.contacts, id)
	case q.Method != http.MethodGet:
		return interxionProblemAnswer(http.StatusMethodNotAllowed).with("Allow", "GET, DELETE")
	}
	return interxionAnswer(http.StatusOK, known)
}

func (ix *interxion) createContact(q request) answer {
	var contact interxionContact
	if json.Unmarshal(q.body, &contact) != nil || contact["managing_account"] == nil || contact["consuming_account"] == nil {
		return interxionProblemAnswer(http.StatusBadRequest)
	}
	id := randomString(12)
	contact["id"] = id
	ix.contacts[id] = contact
	return interxionAnswer(http.StatusCreated, contact)
}

// interxionRefusal returns an error of the token endpoint. IdentityServer answers all of them with status 400.
func interxionRefusal(code string) answer {
	a := interxionAnswer(http.StatusBadRequest, interxionError{code})
	a.code = code
	return a
}

func interxionProblemAnswer(status int) answer {
	title := http.StatusText(status)
	return interxionAnswer(status, interxionProblem{Type: "about:blank", Title: title, Status: status}).
		with("Content-Type", "application/problem+json")
}

func interxionAnswer(status int, body any) answer {
	return answer{status: status, body: body, header: map[string]string{
		"Content-Type":  "application/json; charset=UTF-8",
		"Cache-Control": "no-store, no-cache, max-age=0",
		"Pragma":        "no-cache",
	}}
}
