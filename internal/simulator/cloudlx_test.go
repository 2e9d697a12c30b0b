// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

func cloudLXRefresh(t *testing.T, p *simulator.Platform, refreshToken string) reply {
	t.Helper()
	c := p.Credentials()
	body := form("grant_type", "refresh_token", "client_id", c.ClientID, "client_secret", c.ClientSecret,
		"refresh_token", refreshToken)
	return send(t, http.MethodPost, p.URL()+"/api/oauth2/refresh-token", body,
		headers("Content-Type", formType, "Accept", cloudLXVersion))
}

func TestCloudLXIssuesOpaqueTokens(t *testing.T) {
	p := start(t, simulator.Options{}).CloudLX
	c := p.Credentials()
	pairs := []string{"grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret}
	bodies := map[string]string{
		formType:                     form(pairs...),
		formType + "; charset=UTF-8": form(pairs...),
		jsonType:                     object(t, pairs...),
		jsonType + "; charset=utf-8": object(t, pairs...),
	}
	for contentType, body := range bodies {
		t.Run(contentType, func(t *testing.T) {
			r := send(t, http.MethodPost, p.URL()+"/api/oauth2/access-token", body,
				headers("Content-Type", contentType, "Accept", cloudLXVersion))
			members := r.members(t)
			if r.status != http.StatusOK || members["token_type"] != "Bearer" || members["expires_in"] != 3600.0 || len(members) != 4 {
				t.Errorf("status %d, %d members", r.status, len(members))
			}
			for _, name := range []string{"access_token", "refresh_token"} {
				if got := len(r.text(t, name)); got != 40 {
					t.Errorf("%s of %d characters", name, got)
				}
			}
		})
	}
}

func TestCloudLXVersion(t *testing.T) {
	p := start(t, simulator.Options{}).CloudLX
	token := login(t, p).text(t, "access_token")
	body := "grant_type=client_credentials"
	tests := map[string]struct {
		accept     http.Header
		token, api bool
	}{
		"version 1":      {accept: headers("Accept", cloudLXVersion), token: true, api: true},
		"in a list":      {accept: headers("Accept", "text/html, "+cloudLXVersion+";q=0.9"), token: true, api: true},
		"second header":  {accept: headers("Accept", "text/html", "Accept", cloudLXVersion), token: true, api: true},
		"none":           {accept: headers(), api: true},
		"any":            {accept: headers("Accept", "*/*"), api: true},
		"JSON":           {accept: headers("Accept", jsonType), api: true},
		"version 2":      {accept: headers("Accept", "application/vnd.cloudlx.v2+json")},
		"longer version": {accept: headers("Accept", cloudLXVersion+"x")},
		"HTML":           {accept: headers("Accept", "text/html")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			check := func(what string, r reply, accepted bool) {
				t.Helper()
				if (r.status != http.StatusNotAcceptable) != accepted {
					t.Errorf("%s: status %d", what, r.status)
				}
				if members := r.members(t); !accepted && (members["message"] != "Not Acceptable" || members["status_code"] != 406.0) {
					t.Errorf("%s: %s", what, r.body)
				}
			}
			header := test.accept.Clone()
			header.Set("Content-Type", formType)
			for _, path := range []string{"/api/oauth2/access-token", "/api/oauth2/refresh-token"} {
				check(path, send(t, http.MethodPost, p.URL()+path, body, header), test.token)
			}
			header = test.accept.Clone()
			header.Set("Authorization", "Bearer "+token)
			check("API", send(t, http.MethodGet, p.APIURL(), "", header), test.api)
		})
	}
}

func TestCloudLXRefreshEndsTheOldTokensAtOnce(t *testing.T) {
	p := start(t, simulator.Options{}).CloudLX
	first := login(t, p)
	second := cloudLXRefresh(t, p, first.text(t, "refresh_token"))
	if second.status != http.StatusOK || len(second.members(t)) != 4 {
		t.Fatalf("status %d", second.status)
	}
	if last(p).Grant != "refresh_token" {
		t.Errorf("recorded as %+v", last(p))
	}
	if opens(t, p, first.text(t, "access_token")) {
		t.Error("the old access token still opens the API")
	}
	if !opens(t, p, second.text(t, "access_token")) {
		t.Error("the new access token does not open the API")
	}
}

func TestCloudLXReusedRefreshTokenRevokesItsFamily(t *testing.T) {
	p := start(t, simulator.Options{}).CloudLX
	bystander, first := login(t, p), login(t, p)
	second := cloudLXRefresh(t, p, first.text(t, "refresh_token"))

	reused := cloudLXRefresh(t, p, first.text(t, "refresh_token"))
	if reused.status != http.StatusBadRequest || reused.text(t, "error") != "invalid_grant" {
		t.Errorf("status %d, %s", reused.status, reused.body)
	}
	if opens(t, p, second.text(t, "access_token")) {
		t.Error("the family's access token still opens the API")
	}
	if r := cloudLXRefresh(t, p, second.text(t, "refresh_token")); r.status != http.StatusBadRequest {
		t.Errorf("the family's refresh token still works: status %d", r.status)
	}
	if !opens(t, p, bystander.text(t, "access_token")) {
		t.Error("another login's token was revoked")
	}
}

func TestCloudLXConcurrentRefreshesSucceedOnce(t *testing.T) {
	p := start(t, simulator.Options{}).CloudLX
	refreshToken := login(t, p).text(t, "refresh_token")
	statuses := make(chan int, 10)
	concurrently(t, cap(statuses), func(t *testing.T) { statuses <- cloudLXRefresh(t, p, refreshToken).status })
	close(statuses)
	succeeded := 0
	for status := range statuses {
		if status == http.StatusOK {
			succeeded++
		}
	}
	if succeeded != 1 {
		t.Errorf("%d succeeded", succeeded)
	}
	for _, token := range p.Issued() {
		if opens(t, p, token) {
			t.Error("a token of the family outlived the reuse")
		}
	}
}

func TestCloudLXRefreshTokenExpires(t *testing.T) {
	clock := newClock()
	p := start(t, simulator.Options{Now: clock.Now}).CloudLX
	refreshToken := login(t, p).text(t, "refresh_token")
	clock.advance(7*24*time.Hour - time.Second)
	second := cloudLXRefresh(t, p, refreshToken)
	if second.status != http.StatusOK {
		t.Fatalf("status %d", second.status)
	}
	clock.advance(7 * 24 * time.Hour)
	if r := cloudLXRefresh(t, p, second.text(t, "refresh_token")); r.status != http.StatusBadRequest {
		t.Errorf("status %d", r.status)
	}
}

func TestCloudLXRefuses(t *testing.T) {
	p := start(t, simulator.Options{}).CloudLX
	c := p.Credentials()
	tokens := login(t, p)
	accessToken, refreshToken := tokens.text(t, "access_token"), tokens.text(t, "refresh_token")
	login := []string{"grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret}
	refresh := set(set(login, "grant_type", "refresh_token"), "refresh_token", refreshToken)
	const token, refreshPath = "/api/oauth2/access-token", "/api/oauth2/refresh-token"
	tests := map[string]struct {
		path, contentType, authorization, body string
		status                                 int
		code                                   string
	}{
		"no content type":       {contentType: "-", body: form(login...), status: 400, code: "invalid_request"},
		"text":                  {contentType: "text/plain", body: form(login...), status: 400, code: "invalid_request"},
		"form named JSON":       {contentType: jsonType, body: form(login...), status: 400, code: "invalid_request"},
		"JSON named form":       {body: object(t, login...), status: 400, code: "invalid_request"},
		"query":                 {path: token + "?grant_type=client_credentials", body: form(login...), status: 400, code: "invalid_request"},
		"repeated":              {body: form(login...) + "&client_id=x", status: 400, code: "invalid_request"},
		"unknown":               {body: form(set(login, "scope", "x")...), status: 400, code: "invalid_request"},
		"no grant":              {body: form(set(login, "grant_type", "")...), status: 400, code: "invalid_request"},
		"no client id":          {body: form(set(login, "client_id", "")...), status: 400, code: "invalid_request"},
		"no secret":             {body: form(set(login, "client_secret", "")...), status: 400, code: "invalid_request"},
		"unknown grant":         {body: form("grant_type", "x"), status: 400, code: "unsupported_grant_type"},
		"password grant":        {body: form("grant_type", "password"), status: 400, code: "unsupported_grant_type"},
		"refresh at token":      {body: form(refresh...), status: 400, code: "unsupported_grant_type"},
		"token at refresh":      {path: refreshPath, body: form(login...), status: 400, code: "unsupported_grant_type"},
		"wrong secret":          {body: form(set(login, "client_secret", "x")...), status: 401, code: "invalid_client"},
		"wrong client id":       {body: form(set(login, "client_id", "x")...), status: 401, code: "invalid_client"},
		"Basic alone":           {authorization: "Basic eDp5", body: form("grant_type", "client_credentials"), status: 401, code: "invalid_client"},
		"Basic too":             {authorization: "Basic eDp5", body: form(login...), status: 401, code: "invalid_client"},
		"no refresh token":      {path: refreshPath, body: form(set(refresh, "refresh_token", "")...), status: 400, code: "invalid_request"},
		"wrong refresh token":   {path: refreshPath, body: form(set(refresh, "refresh_token", "x")...), status: 400, code: "invalid_grant"},
		"access token":          {path: refreshPath, body: form(set(refresh, "refresh_token", accessToken)...), status: 400, code: "invalid_grant"},
		"refresh, wrong secret": {path: refreshPath, body: form(set(refresh, "client_secret", "x")...), status: 401, code: "invalid_client"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.path == "" {
				test.path = token
			}
			header := headers("Accept", cloudLXVersion)
			switch test.contentType {
			case "":
				header.Set("Content-Type", formType)
			case "-":
			default:
				header.Set("Content-Type", test.contentType)
			}
			if test.authorization != "" {
				header.Set("Authorization", test.authorization)
			}
			r := send(t, http.MethodPost, p.URL()+test.path, test.body, header)
			if r.status != test.status || r.text(t, "error") != test.code || r.text(t, "error_description") == "" {
				t.Errorf("status %d, %s", r.status, r.body)
			}
			if got := r.header.Get("WWW-Authenticate") != ""; got != (test.authorization != "") {
				t.Errorf("WWW-Authenticate %q", r.header.Get("WWW-Authenticate"))
			}
			rejected := test.code == "invalid_client" || test.code == "invalid_grant"
			if got := last(p); got.Code != test.code || got.Rejected != rejected {
				t.Errorf("recorded as %+v", got)
			}
		})
	}
	if r := cloudLXRefresh(t, p, refreshToken); r.status != http.StatusOK {
		t.Errorf("a refusal spent the refresh token: status %d", r.status)
	}
}

func TestCloudLXFrameworkErrors(t *testing.T) {
	p := start(t, simulator.Options{}).CloudLX
	tests := map[string]struct {
		method, path string
		status       int
	}{
		"unknown path":  {http.MethodPost, "/api/oauth2/token", http.StatusNotFound},
		"GET token":     {http.MethodGet, "/api/oauth2/access-token", http.StatusMethodNotAllowed},
		"GET refresh":   {http.MethodGet, "/api/oauth2/refresh-token", http.StatusMethodNotAllowed},
		"API, no token": {http.MethodGet, "/api/services", http.StatusUnauthorized},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := send(t, test.method, p.URL()+test.path, "", headers("Accept", cloudLXVersion))
			members := r.members(t)
			if r.status != test.status || members["status_code"] != float64(test.status) || members["message"] == "" || len(members) != 2 {
				t.Errorf("status %d, %s", r.status, r.body)
			}
		})
	}
}
