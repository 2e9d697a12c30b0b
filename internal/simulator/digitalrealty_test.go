// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// The answer is that of "Authentication": a JSON Web Token, the type BearerToken, and the lifetime as a string.
func TestDigitalRealtyNamesTheLifetimeInAString(t *testing.T) {
	members := login(t, start(t, simulator.Options{}).DigitalRealty).members(t)
	token, _ := members["access_token"].(string)
	if members["token_type"] != "BearerToken" || members["expires_in"] != "3599" || strings.Count(token, ".") != 2 || len(members) != 4 {
		t.Errorf("%d members, token_type %v, expires_in %v", len(members), members["token_type"], members["expires_in"])
	}
}

func TestDigitalRealtyIsStrict(t *testing.T) {
	p := start(t, simulator.Options{}).DigitalRealty
	c := p.Credentials()
	pairs := []string{"grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret}
	for name, test := range map[string]struct {
		query, body string
		header      http.Header
		status      int
		code        string
	}{
		"JSON":            {"", object(t, pairs...), headers("Content-Type", jsonType), 400, "invalid_request"},
		"a query":         {"?grant_type=client_credentials", form(pairs...), headers("Content-Type", formType), 400, "invalid_request"},
		"another scheme":  {"", form(pairs...), headers("Content-Type", formType, "Authorization", "Basic eA=="), 400, "invalid_request"},
		"a scope":         {"", form(append(pairs, "scope", "x")...), headers("Content-Type", formType), 400, "invalid_request"},
		"no grant":        {"", form(pairs[2:]...), headers("Content-Type", formType), 400, "invalid_request"},
		"another grant":   {"", form("grant_type", "password"), headers("Content-Type", formType), 400, "unsupported_grant_type"},
		"a wrong secret":  {"", form("grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", "x"), headers("Content-Type", formType), 401, "invalid_client"},
		"what it expects": {"", form(pairs...), headers("Content-Type", formType), 200, ""},
	} {
		r := send(t, http.MethodPost, p.URL()+"/v2/auth/token"+test.query, test.body, test.header)
		if r.status != test.status || last(p).Code != test.code || last(p).Rejected != (test.status == 401) {
			t.Errorf("%s: status %d, code %q", name, r.status, last(p).Code)
		}
	}
}
