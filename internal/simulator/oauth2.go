// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// OAuth2Scopes are the scopes that the client of the OAuth2 server may ask for. offline_access, of OpenID Connect Core 1.0,
// section 11, is what asks common servers for a refresh token.
const OAuth2Scopes = "things.read things.write offline_access"

const (
	oauth2TokenPath  = "/realms/lab/token"
	oauth2ThingsPath = "/things"
)

// oauth2 is an authorization server of RFC 6749 that authenticates its client in either way of section 2.3.1, by an assertion
// (RFC 7523) or by a certificate (RFC 8705). It ignores the parameters that it does not know, because section 3.2 demands that.
type oauth2 struct {
	*Platform

	client *registration
}

// oauth2Token is the answer of section 5.1.
type oauth2Token struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

// oauth2Error is that of section 5.2.
type oauth2Error struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func newOAuth2(now func() time.Time, client *registration) *Platform {
	p := &Platform{
		name:      "OAuth2",
		apiPath:   oauth2ThingsPath,
		variables: variables{url: "OAUTH2_TOKEN_URL", path: oauth2TokenPath, clientID: "OAUTH2_CLIENT_ID", clientSecret: "OAUTH2_CLIENT_SECRET"},
		now:       now,
		ledger:    newLedger(now, time.Hour, 24*time.Hour),
		// Appendix A.1 allows every character of ASCII that can be seen; some mean something in Basic or in a form.
		account: Credentials{ClientID: "lab:12 & Co+%41/" + randomString(6), ClientSecret: randomSecret(40)},
	}
	p.service = &oauth2{p, client}
	return p
}

func (o *oauth2) grant(q request) string { return q.grantType() }

func (o *oauth2) answer(q request) answer {
	switch q.URL.EscapedPath() {
	case oauth2TokenPath:
		return route(q, http.MethodPost, o.token, answer{status: http.StatusMethodNotAllowed})
	case oauth2ThingsPath:
		return route(q, http.MethodGet, o.things, answer{status: http.StatusMethodNotAllowed})
	}
	return answer{status: http.StatusNotFound}
}

func (o *oauth2) token(q request) answer {
	sent, err := q.parameters()
	if err != nil || q.mediaType() != formType || q.queries() || !sent.has("grant_type") {
		return oauth2Refusal("invalid_request", "The request has no form, or no grant_type.")
	}
	if refusal := o.authenticate(q, sent); refusal != nil {
		return *refusal
	}
	if sent["grant_type"] == grantTokenExchange {
		return o.exchange(sent, func() string {
			token := randomString(43)
			o.ledger.issueAccess(token, &family{})
			return token
		})
	}
	scopes := strings.Fields(sent["scope"])
	for _, scope := range scopes {
		if !slices.Contains(strings.Fields(OAuth2Scopes), scope) {
			return oauth2Refusal("invalid_scope", "The client may not have this scope.")
		}
	}
	switch sent["grant_type"] {
	case grantClientCredentials:
		return o.issue(&family{}, scopes)
	case grantRefreshToken:
		family := o.ledger.spend(sent["refresh_token"])
		if family == nil {
			return oauth2Refusal("invalid_grant", "The refresh token is not valid.").reject()
		}
		return o.issue(family, []string{"offline_access"})
	}
	return oauth2Refusal("unsupported_grant_type", "The server has no such grant.")
}

// isBasicClient reports whether the request authenticates with HTTP Basic, both parts form-encoded.
func (o *oauth2) isBasicClient(q request) bool {
	encoded, ok := strings.CutPrefix(q.Header.Get("Authorization"), "Basic ")
	text, err := base64.StdEncoding.DecodeString(encoded)
	id, secret, cut := strings.Cut(string(text), ":")
	id, badID := url.QueryUnescape(id)
	secret, badSecret := url.QueryUnescape(secret)
	return ok && cut && err == nil && badID == nil && badSecret == nil && len(q.Header.Values("Authorization")) == 1 &&
		o.isClient(parameters{"client_id": id, "client_secret": secret})
}

func (o *oauth2) issue(f *family, scopes []string) answer {
	if len(scopes) == 0 {
		scopes = strings.Fields(OAuth2Scopes)[:2]
	}
	body := oauth2Token{
		AccessToken: randomString(43),
		TokenType:   "Bearer",
		ExpiresIn:   int64(o.ledger.accessLifetime / time.Second),
		Scope:       strings.Join(scopes, " "),
	}
	o.ledger.issueAccess(body.AccessToken, f)
	if slices.Contains(scopes, "offline_access") {
		body.RefreshToken = randomString(43)
		o.ledger.issueRefresh(body.RefreshToken, f)
	}
	return oauth2Answer(http.StatusOK, body)
}

func (o *oauth2) things(q request) answer {
	if challenge := o.challenge(q); challenge != "" {
		return oauth2Answer(http.StatusUnauthorized, []string{}).with("WWW-Authenticate", challenge).reject()
	}
	return oauth2Answer(http.StatusOK, []string{})
}

func oauth2Refusal(code, description string) answer {
	a := oauth2Answer(http.StatusBadRequest, oauth2Error{code, description})
	a.code = code
	return a
}

func oauth2Answer(status int, body any) answer {
	return answer{status: status, body: body, header: map[string]string{
		"Content-Type":  "application/json;charset=UTF-8",
		"Cache-Control": "no-store",
		"Pragma":        "no-cache",
	}}
}
