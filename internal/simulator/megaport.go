// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// The paths of Megaport. "Creating an API Key" has the first, which is on a separate host. The second is the API's list of
// products.
const (
	megaportTokenPath    = "/oauth2/token"
	megaportProductsPath = "/v2/products"
)

// megaport behaves like Amazon Cognito, which is what the token endpoint's host and answers suggest. Its errors are those of
// Cognito's page "Token endpoint": status 400, and a code of RFC 6749.
type megaport struct{ *Platform }

type megaportToken struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	TokenType   string `json:"token_type"`
}

type megaportError struct {
	Error string `json:"error"`
}

type megaportProducts struct {
	Message string   `json:"message"`
	Data    []string `json:"data"`
}

// newMegaport returns the platform. At Megaport, the user sets the lifetime of a key's tokens, from 5 minutes to 24 hours.
func newMegaport(now func() time.Time) *Platform {
	p := &Platform{
		name:    "Megaport",
		apiPath: megaportProductsPath,
		variables: variables{
			url: "MEGAPORT_TOKEN_URL", path: megaportTokenPath, clientID: "MEGAPORT_ACCESS_KEY", clientSecret: "MEGAPORT_SECRET_KEY",
		},
		now:     now,
		ledger:  newLedger(now, time.Hour, 0),
		account: Credentials{ClientID: randomString(26), ClientSecret: randomSecret(52)},
	}
	p.service = &megaport{p}
	return p
}

func (mp *megaport) grant(q request) string { return q.grantType() }

func (mp *megaport) answer(q request) answer {
	switch q.URL.EscapedPath() {
	case megaportTokenPath:
		return route(q, http.MethodPost, mp.token, megaportAnswer(http.StatusMethodNotAllowed, nil))
	case megaportProductsPath:
		return route(q, http.MethodGet, mp.products, megaportAnswer(http.StatusMethodNotAllowed, nil))
	}
	return megaportAnswer(http.StatusNotFound, nil)
}

// token accepts a form with grant_type only. Credentials in the body, in addition to those in the header, would be a second
// authentication method in one request, which RFC 6749, section 2.3 forbids.
func (mp *megaport) token(q request) answer {
	sent, err := q.parameters()
	switch {
	case err != nil || q.mediaType() != formType || q.queries() || !sent.only("grant_type") || sent["grant_type"] == "":
		return megaportRefusal("invalid_request")
	case !mp.authenticated(q):
		return megaportRefusal("invalid_client").reject()
	case sent["grant_type"] != grantClientCredentials:
		return megaportRefusal("unsupported_grant_type")
	}
	return mp.issue()
}

// authenticated reports whether the request has exactly one Authorization header, with HTTP Basic (RFC 7617) for the key and
// the secret. They are not URL-encoded.
func (mp *megaport) authenticated(q request) bool {
	values := q.Header.Values("Authorization")
	if len(values) != 1 {
		return false
	}
	scheme, encoded, _ := strings.Cut(values[0], " ")
	pair, err := base64.StdEncoding.Strict().DecodeString(encoded)
	return err == nil && scheme == "Basic" && string(pair) == mp.account.ClientID+":"+mp.account.ClientSecret
}

func (mp *megaport) issue() answer {
	now := mp.now()
	value, err := signed(claims{
		Issuer: mp.URL(), NotBefore: now.Unix(), IssuedAt: now.Unix(), Expires: now.Add(mp.ledger.accessLifetime).Unix(),
		Scope: []string{"api/all"}, ClientID: mp.account.ClientID, ID: randomString(32),
	})
	if err != nil {
		return megaportAnswer(http.StatusInternalServerError, nil)
	}
	mp.ledger.issueAccess(value, &family{})
	return megaportAnswer(http.StatusOK, megaportToken{value, int64(mp.ledger.accessLifetime / time.Second), "Bearer"})
}

func (mp *megaport) products(q request) answer {
	if challenge := mp.challenge(q); challenge != "" {
		return megaportAnswer(http.StatusUnauthorized, nil).with("WWW-Authenticate", challenge).reject()
	}
	return megaportAnswer(http.StatusOK, megaportProducts{Message: "Found 1 product", Data: []string{"Test Port"}})
}

func megaportRefusal(code string) answer {
	a := megaportAnswer(http.StatusBadRequest, megaportError{code})
	a.code = code
	return a
}

func megaportAnswer(status int, body any) answer {
	return answer{status: status, body: body, header: map[string]string{
		"Content-Type":  "application/json;charset=UTF-8",
		"Cache-Control": "no-store",
		"Pragma":        "no-cache",
	}}
}
