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

// InterxionScopes are the scopes that Interxion's client may ask for, in the order in which it grants all of them.
const InterxionScopes = "ixapi.read ixapi.write"

// The paths of Interxion. The page "Requesting Client Credentials" names the first; the others are IdentityServer's
// key set, and two collections of the IX-API.
const (
	interxionTokenPath    = "/connect/token"
	interxionKeysPath     = "/.well-known/openid-configuration/jwks"
	interxionAccountsPath = "/api/v2/accounts"
	interxionContactsPath = "/api/v2/contacts"
)

// interxionScopeLength is the longest list of scopes, in characters, of IdentityServer's InputLengthRestrictions. Those on
// ids and secrets (100) need no code: what is longer is not the client's.
const interxionScopeLength = 300

// interxion is taken for an IdentityServer, which is what the path /connect/token and the errors of the platform point to.
type interxion struct {
	*Platform
	signer   signer
	contacts map[string]interxionContact // by id
}

// interxionToken is the answer of "Requesting Client Credentials", in the order of its members there.
type interxionToken struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	TokenType   string `json:"token_type"`
	Scope       string `json:"scope"`
}

// interxionError has no error_description: IdentityServer names none in the cases here.
type interxionError struct {
	Error string `json:"error"`
}

// interxionProblem is the error of an IX-API (RFC 9457).
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

// interxionContact holds the members that the IX-API requires of a contact, and whatever else was sent.
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
		// "Default: 1 hour"; no refresh token is ever issued.
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

// token checks in IdentityServer's order: the HTTP request, the client, the grant, the scope.
func (ix *interxion) token(q request) answer {
	// A wrong method, and a body that is no form, are invalid requests like any other.
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

// interxionGrantError is IdentityServer's error for a grant; "" for the one that the client may use.
func interxionGrantError(grant string) string {
	switch grant {
	case grantClientCredentials:
		return ""
	case grantPassword, grantAuthorizationCode:
		return "unauthorized_client"
	case grantRefreshToken:
		return "invalid_request" // because no refresh token comes with it
	}
	return "unsupported_grant_type" // a missing one included
}

// interxionScope returns what is granted: what is asked, or everything allowed if nothing is asked. offline_access is not
// allowed, because IdentityServer issues no refresh token for client credentials.
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

// protect answers with next where the request carries an access token.
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

// contact creates, reads and deletes contacts, so that what has a token can be seen to get something done with it.
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

// interxionRefusal has status 400, as every failure of an IdentityServer's token endpoint.
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
