// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// encodedBasic returns HTTP Basic with form-encoded credentials (RFC 6749, section 2.3.1).
func encodedBasic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

func TestOAuth2AuthenticatesInEitherWay(t *testing.T) {
	p := start(t, simulator.Options{}).OAuth2
	c := p.Credentials()
	asks := []string{"grant_type", "client_credentials"}
	inBody := []string{"grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret}
	unencoded := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ClientID+":"+c.ClientSecret))
	for name, test := range map[string]struct {
		authorization string
		fields        []string
		status        int
		code          string
	}{
		"Basic":                      {encodedBasic(c.ClientID, c.ClientSecret), asks, 200, ""},
		"body":                       {"", inBody, 200, ""},
		"an unknown parameter":       {encodedBasic(c.ClientID, c.ClientSecret), append(asks, "further", "x"), 200, ""},
		"Basic without the encoding": {unencoded, asks, 401, "invalid_client"},
		"both":                       {encodedBasic(c.ClientID, c.ClientSecret), inBody, 400, "invalid_request"},
		"neither":                    {"", asks, 400, "invalid_client"},
		"a wrong secret in Basic":    {encodedBasic(c.ClientID, "wrong"), asks, 401, "invalid_client"},
		"a wrong secret in the body": {"", set(inBody, "client_secret", "wrong"), 400, "invalid_client"},
		"another scheme":             {"Bearer x", asks, 401, "invalid_client"},
		"a wrong scope":              {encodedBasic(c.ClientID, c.ClientSecret), append(asks, "scope", "things.read other"), 400, "invalid_scope"},
		"no grant":                   {encodedBasic(c.ClientID, c.ClientSecret), []string{"scope", "things.read"}, 400, "invalid_request"},
		"a grant that it lacks":      {encodedBasic(c.ClientID, c.ClientSecret), []string{"grant_type", "password"}, 400, "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			header := headers("Content-Type", formType)
			if test.authorization != "" {
				header.Set("Authorization", test.authorization)
			}
			r := send(t, http.MethodPost, p.URL()+"/realms/lab/token", form(test.fields...), header)
			if r.status != test.status {
				t.Errorf("status %d, want %d", r.status, test.status)
			}
			if challenge := r.header.Get("WWW-Authenticate"); (challenge != "") != (test.status == 401) {
				t.Errorf("WWW-Authenticate %q", challenge)
			}
			if code := r.members(t)["error"]; test.code != "" && code != test.code {
				t.Errorf("code %v, want %s", code, test.code)
			}
		})
	}
}

// The scope offline_access brings a refresh token. It works once. A second use revokes its family.
func TestOAuth2RotatesRefreshTokens(t *testing.T) {
	p := start(t, simulator.Options{}).OAuth2
	c := p.Credentials()
	ask := func(fields ...string) reply {
		return send(t, http.MethodPost, p.URL()+"/realms/lab/token", form(fields...),
			headers("Content-Type", formType, "Authorization", encodedBasic(c.ClientID, c.ClientSecret)))
	}
	if _, found := ask("grant_type", "client_credentials").members(t)["refresh_token"]; found {
		t.Error("there is a refresh token that nobody has asked for")
	}
	first := ask("grant_type", "client_credentials", "scope", "offline_access").text(t, "refresh_token")
	next := ask("grant_type", "refresh_token", "refresh_token", first)
	if next.status != http.StatusOK || next.text(t, "refresh_token") == first || !opens(t, p, next.text(t, "access_token")) {
		t.Errorf("status %d", next.status)
	}
	if again := ask("grant_type", "refresh_token", "refresh_token", first); again.members(t)["error"] != "invalid_grant" {
		t.Errorf("the second use: status %d", again.status)
	}
	if opens(t, p, next.text(t, "access_token")) {
		t.Error("the family has not ended")
	}
}
