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

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestMegaportTakesTheKeyAsItIs(t *testing.T) {
	p := start(t, simulator.Options{}).Megaport
	c := p.Credentials()
	grant := form("grant_type", "client_credentials")
	for name, test := range map[string]struct {
		query, body string
		header      http.Header
		status      int
		code        string
	}{
		"what it expects":       {"", grant, headers("Content-Type", formType, "Authorization", basic(c.ClientID, c.ClientSecret)), 200, ""},
		"as RFC 6749 has it":    {"", grant, headers("Content-Type", formType, "Authorization", basic(url.QueryEscape(c.ClientID), url.QueryEscape(c.ClientSecret))), 400, "invalid_client"},
		"no header":             {"", grant, headers("Content-Type", formType), 400, "invalid_client"},
		"a wrong secret":        {"", grant, headers("Content-Type", formType, "Authorization", basic(c.ClientID, "x")), 400, "invalid_client"},
		"credentials in a body": {"", form("grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret), headers("Content-Type", formType), 400, "invalid_request"},
		"JSON":                  {"", object(t, "grant_type", "client_credentials"), headers("Content-Type", jsonType, "Authorization", basic(c.ClientID, c.ClientSecret)), 400, "invalid_request"},
		"the grant in a query":  {"?grant_type=client_credentials", "", headers("Content-Type", formType, "Authorization", basic(c.ClientID, c.ClientSecret)), 400, "invalid_request"},
		"another grant":         {"", form("grant_type", "password"), headers("Content-Type", formType, "Authorization", basic(c.ClientID, c.ClientSecret)), 400, "unsupported_grant_type"},
	} {
		r := send(t, http.MethodPost, p.URL()+"/oauth2/token"+test.query, test.body, test.header)
		if r.status != test.status || last(p).Code != test.code || last(p).Rejected != (test.code == "invalid_client") {
			t.Errorf("%s: status %d, code %q", name, r.status, last(p).Code)
		}
	}
}
