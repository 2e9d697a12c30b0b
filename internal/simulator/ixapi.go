// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"net/http"
	"time"
)

// The paths of IX-API's specification, version 2. The base is that of DE-CIX.
const (
	ixAPIBase        = "/api/v2"
	ixAPITokenPath   = ixAPIBase + "/auth/token"
	ixAPIRefreshPath = ixAPIBase + "/auth/refresh"
	ixAPIAccountPath = ixAPIBase + "/account"
)

// ixAPI is an internet exchange. The specification does not say how long a token lasts, or whether a refresh revokes the old
// access token. Here the tokens are JSON Web Tokens, which name their lifetime, and a refresh revokes nothing.
type ixAPI struct{ *Platform }

// ixAPITokens is the specification's pair of tokens, without lifetime and type.
type ixAPITokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

// ixAPIProblem is an error of the specification: problem details (RFC 9457).
type ixAPIProblem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

type ixAPIAccount struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func newIXAPI(now func() time.Time) *Platform {
	p := &Platform{
		name:      "IX-API",
		apiPath:   ixAPIAccountPath,
		variables: variables{url: "IX_API_HOST", path: ixAPIBase, clientID: "IX_API_KEY", clientSecret: "IX_API_SECRET"},
		now:       now,
		ledger:    newLedger(now, time.Hour, 24*time.Hour),
		account:   Credentials{ClientID: randomString(24), ClientSecret: randomSecret(48)},
	}
	p.service = &ixAPI{p}
	return p
}

// grant returns the OAuth 2.0 grant that corresponds to the path. The requests themselves name no grant.
func (ix *ixAPI) grant(q request) string {
	switch q.URL.EscapedPath() {
	case ixAPITokenPath:
		return grantClientCredentials
	case ixAPIRefreshPath:
		return grantRefreshToken
	}
	return ""
}

func (ix *ixAPI) answer(q request) answer {
	refusal := ixAPIRefusal(http.StatusMethodNotAllowed, "method-not-allowed", "The method is not allowed.")
	switch q.URL.EscapedPath() {
	case ixAPITokenPath:
		return route(q, http.MethodPost, ix.token, refusal)
	case ixAPIRefreshPath:
		return route(q, http.MethodPost, ix.refresh, refusal)
	case ixAPIAccountPath:
		return route(q, http.MethodGet, ix.read, refusal)
	}
	return ixAPIRefusal(http.StatusNotFound, "not-found", "There is no such resource.")
}

func (ix *ixAPI) token(q request) answer {
	sent, ok := ix.object(q, "api_key", "api_secret")
	switch {
	case !ok:
		return ixAPIRefusal(http.StatusBadRequest, "validation-error", "Some fields have failed validation.")
	case sent["api_key"] != ix.account.ClientID || sent["api_secret"] != ix.account.ClientSecret:
		return ixAPIRefusal(http.StatusUnauthorized, "authentication-error", "The credentials are not valid.").reject()
	}
	return ix.issue(&family{})
}

// refresh exchanges a refresh token for a new pair. It accepts each refresh token once.
func (ix *ixAPI) refresh(q request) answer {
	sent, ok := ix.object(q, "refresh_token")
	if !ok {
		return ixAPIRefusal(http.StatusBadRequest, "validation-error", "Some fields have failed validation.")
	}
	family := ix.ledger.spend(sent["refresh_token"])
	if family == nil {
		return ixAPIRefusal(http.StatusUnauthorized, "authentication-error", "The refresh token is not valid.").reject()
	}
	return ix.issue(family)
}

// object reads a JSON object that must have exactly these members.
func (ix *ixAPI) object(q request, names ...string) (sent parameters, ok bool) {
	sent, err := q.parameters()
	return sent, err == nil && q.mediaType() == jsonType && !q.queries() && !q.authenticates() && sent.has(names...) && sent.only(names...)
}

func (ix *ixAPI) issue(f *family) answer {
	access, err := ix.sign(ix.ledger.accessLifetime)
	if err != nil {
		return answer{status: http.StatusInternalServerError}
	}
	refresh, err := ix.sign(ix.ledger.refreshLifetime)
	if err != nil {
		return answer{status: http.StatusInternalServerError}
	}
	ix.ledger.issueAccess(access, f)
	ix.ledger.issueRefresh(refresh, f)
	return ixAPIAnswer(http.StatusOK, ixAPITokens{access, refresh})
}

func (ix *ixAPI) sign(lifetime time.Duration) (string, error) {
	now := ix.now()
	return signed(claims{
		Issuer: ix.URL(), NotBefore: now.Unix(), IssuedAt: now.Unix(), Expires: now.Add(lifetime).Unix(),
		ClientID: ix.account.ClientID, ID: randomString(32),
	})
}

func (ix *ixAPI) read(q request) answer {
	if challenge := ix.challenge(q); challenge != "" {
		return ixAPIRefusal(http.StatusUnauthorized, "authentication-error", "The access token is not valid.").with("WWW-Authenticate", challenge).reject()
	}
	return ixAPIAnswer(http.StatusOK, ixAPIAccount{ID: "1", Name: "Test Company"})
}

func ixAPIRefusal(status int, kind, detail string) answer {
	return ixAPIAnswer(status, ixAPIProblem{
		Type: "https://errors.ix-api.net/v2/" + kind + ".html", Title: http.StatusText(status), Status: status, Detail: detail,
	}).with("Content-Type", "application/problem+json")
}

func ixAPIAnswer(status int, body any) answer {
	return answer{status: status, body: body, header: map[string]string{
		"Content-Type":  "application/json",
		"Cache-Control": "no-store",
		"Pragma":        "no-cache",
	}}
}
