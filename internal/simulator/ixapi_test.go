// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"net/http"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

func TestIXAPIIsStrict(t *testing.T) {
	p := start(t, simulator.Options{}).IXAPI
	c := p.Credentials()
	pair := []string{"api_key", c.ClientID, "api_secret", c.ClientSecret}
	for name, test := range map[string]struct {
		path, body string
		header     http.Header
		status     int
	}{
		"what it expects":         {"/auth/token", object(t, pair...), headers("Content-Type", jsonType), 200},
		"a form":                  {"/auth/token", form(pair...), headers("Content-Type", formType), 400},
		"a grant":                 {"/auth/token", object(t, append(pair, "grant_type", "client_credentials")...), headers("Content-Type", jsonType), 400},
		"another scheme":          {"/auth/token", object(t, pair...), headers("Content-Type", jsonType, "Authorization", "Basic eA=="), 400},
		"no secret":               {"/auth/token", object(t, pair[:2]...), headers("Content-Type", jsonType), 400},
		"a wrong secret":          {"/auth/token", object(t, "api_key", c.ClientID, "api_secret", "x"), headers("Content-Type", jsonType), 401},
		"an unknown refresh":      {"/auth/refresh", object(t, "refresh_token", "x"), headers("Content-Type", jsonType), 401},
		"a refresh with the key":  {"/auth/refresh", object(t, append(pair, "refresh_token", "x")...), headers("Content-Type", jsonType), 400},
		"a refresh without token": {"/auth/refresh", object(t), headers("Content-Type", jsonType), 400},
	} {
		r := send(t, http.MethodPost, p.URL()+"/api/v2"+test.path, test.body, test.header)
		if r.status != test.status || last(p).Rejected != (test.status == 401) {
			t.Errorf("%s: status %d", name, r.status)
		}
		if problem := r.members(t); test.status != 200 && (r.header.Get("Content-Type") != "application/problem+json" || problem["status"] != float64(test.status) || problem["detail"] == "") {
			t.Errorf("%s: %v, %v", name, r.header, problem)
		}
	}
}

// A refresh returns a new pair and uses up the refresh token. The old access token stays valid.
func TestIXAPIRotates(t *testing.T) {
	p := start(t, simulator.Options{}).IXAPI
	first := login(t, p)
	refresh := func(token string) reply {
		return send(t, http.MethodPost, p.URL()+"/api/v2/auth/refresh", object(t, "refresh_token", token), headers("Content-Type", jsonType))
	}
	second := refresh(first.text(t, "refresh_token"))
	if second.status != 200 || len(second.members(t)) != 2 || !opens(t, p, second.text(t, "access_token")) || !opens(t, p, first.text(t, "access_token")) {
		t.Errorf("status %d, %d members", second.status, len(second.members(t)))
	}
	if again := refresh(first.text(t, "refresh_token")); again.status != 401 {
		t.Errorf("a spent refresh token was answered %d", again.status)
	}
}
