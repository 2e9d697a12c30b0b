// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// of returns a source with inputs as pairs of name and value. The value "?" is unknown.
func of(origin Origin, pairs ...string) Source {
	return Source{origin, func(in Input) Value {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == in.Name {
				return Text(strings.TrimSuffix(pairs[i+1], "?"), pairs[i+1] == "?")
			}
		}
		return Value{}
	}}
}

// One of two inputs replaces the other. The first source that sets one of them decides, so no request goes to a platform that
// the user has configured for another purpose.
func TestAReplacementCountsWhereOneOfTheTwoIsSetFirst(t *testing.T) {
	const url = "https://token.example/oauth2/token"
	keys := of("keys", "access_key", "key", "secret_key", "secret")
	for name, row := range map[string]struct {
		sources                 []Source
		environment, url        string
		missing, wrong, unknown string
	}{
		"the environment alone":      {[]Source{of("block", "environment", "staging"), of("provider")}, "staging", "", "", "", ""},
		"the URL alone":              {[]Source{of("block"), of("provider", "token_url", url)}, "", url, "", "", ""},
		"the environment first":      {[]Source{of("block", "environment", "staging"), of("provider", "token_url", url)}, "staging", "", "", "", ""},
		"the URL first":              {[]Source{of("block", "token_url", url), of("provider", "environment", "staging")}, "", url, "", "", ""},
		"the URL first, known later": {[]Source{of("block", "token_url", "?"), of("provider", "environment", "staging")}, "", "", "", "", "token_url"},
		"neither":                    {[]Source{of("block"), of("provider")}, "", "", "environment", "", ""},
		"both in one place":          {[]Source{of("block"), of("provider", "token_url", url, "environment", "staging")}, "staging", url, "", "token_url", ""},
		"an unknown environment":     {[]Source{of("block", "environment", "prod")}, "prod", "", "", "environment", ""},
		"a URL with a query":         {[]Source{of("block", "token_url", url+"?a=b")}, "", url + "?a=b", "", "token_url", ""},
	} {
		found, bad := Megaport.Resolve(append(row.sources, keys, Defaults())...)
		var missing, wrong, unknown []string
		for _, in := range bad.Missing {
			missing = append(missing, in.Name)
		}
		for _, invalid := range bad.Invalid {
			wrong = append(wrong, invalid.Input.Name)
		}
		for _, in := range bad.Unknown {
			unknown = append(unknown, in.Name)
		}
		if found.Text("environment") != row.environment || found.Text("token_url") != row.url ||
			Enumerate(missing) != row.missing || Enumerate(wrong) != row.wrong || Enumerate(unknown) != row.unknown {
			t.Errorf("%s: environment %q, token_url %q, missing %q, wrong %q, unknown %q", name, found.Text("environment"), found.Text("token_url"), missing, wrong, unknown)
		}
	}
	both := of("block", "token_url", url, "environment", "staging")
	if _, faults, _ := Megaport.Validate(both); len(faults) != 1 || faults[0].Input.Name != "token_url" {
		t.Errorf("both in one block: %v", faults)
	}
}

// A message names the one of the two inputs that is in use. If neither is set, it names both.
func TestMessagesNameWhatReplacesAnInput(t *testing.T) {
	missing := Megaport.ExplainMissing([]Input{Megaport.Input("environment")}, terms)
	if want := "\n  - environment (MEGAPORT_ENVIRONMENT), or token_url (MEGAPORT_TOKEN_URL)\n"; !strings.Contains(missing.Detail, want) {
		t.Errorf("it does not say %q: %s", want, missing.Detail)
	}
	rejected := &clients.Error{Platform: "Megaport", Endpoint: "host/path", Kind: clients.CredentialsRejected}
	for name, want := range map[string]string{
		"environment": "Check access_key (MEGAPORT_ACCESS_KEY) and secret_key (MEGAPORT_SECRET_KEY), and that they belong to this environment (MEGAPORT_ENVIRONMENT).",
		"token_url":   "Check access_key (MEGAPORT_ACCESS_KEY) and secret_key (MEGAPORT_SECRET_KEY), and that they belong to this token_url (MEGAPORT_TOKEN_URL).",
	} {
		m := Megaport.Explain(rejected, Settings{name: {clients.NewSecret("x"), here}}, terms)
		if !strings.Contains(m.Detail, want) || !strings.Contains(m.Detail, "In use: "+name+" from this test") || m.Input != "access_key" {
			t.Errorf("%s: about the input %q: %s", name, m.Input, m.Detail)
		}
	}
}
