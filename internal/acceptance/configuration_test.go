// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// canary is part of every value that must not be shown.
const canary = "CANARY-7f3a91d2"

func equinixBlock(body string) string {
	return "ephemeral \"equinix_access_token\" \"t\" {\n  provider = ixtoken\n" + body + "\n}\n"
}

func oauth2Block(body string) string {
	return "ephemeral \"oauth2_access_token\" \"t\" {\n  provider = ixtoken\n" + body + "\n}\n"
}

func megaportBlock(body string) string {
	return "ephemeral \"megaport_access_token\" \"t\" {\n  provider = ixtoken\n" + body + "\n}\n"
}

// Each of these configurations causes one error that says what to set. Nothing is sent.
func TestBadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	tests := []refusal{
		{
			name:   "C02 nothing is set",
			config: `ephemeral "interxion_access_token" "t" { provider = ixtoken }`,
			env:    []string{"INTERXION_LOGIN_URL=", "INTERXION_CLIENT_ID=", "INTERXION_CLIENT_SECRET="},
			want: []string{
				"No Interxion access token: settings are missing", "login_url", "INTERXION_LOGIN_URL",
				"client_id", "INTERXION_CLIENT_ID", "client_secret", "INTERXION_CLIENT_SECRET",
			},
		},
		{
			name:   "C04 the secret alone is missing",
			config: equinixBlock(`client_secret = ""`),
			env:    []string{"EQUINIX_API_CLIENTSECRET="},
			want:   []string{"client_secret", "EQUINIX_API_CLIENTSECRET", "settings are missing"},
		},
		{
			name: "C04 a data source has no place for the secret",
			config: `data "cloudlx_access_token" "t" {
  provider = ixtoken
}`,
			env:  []string{"CLOUDLX_CLIENT_SECRET="},
			want: []string{"in cloudlx = { … } of the provider block", "client_secret (CLOUDLX_CLIENT_SECRET; not in a data source)"},
		},
		{
			name:   "C04 the password grant lacks its user",
			config: equinixBlock(`grant_type = "password"`),
			env:    []string{"EQUINIX_USER_NAME=", "EQUINIX_USER_PASSWORD="},
			want:   []string{"user_name", "EQUINIX_USER_NAME", "user_password", "EQUINIX_USER_PASSWORD"},
		},
		{
			name:   "C04 the refresh token grant lacks its token",
			config: equinixBlock(`grant_type = "refresh_token"`),
			want:   []string{"previous_refresh_token (only in this block)"},
		},
		{name: "C07 no scheme", config: equinixBlock(`base_url = "api.equinix.com"`), want: []string{"invalid base_url", "https://"}},
		{name: "C07 http", config: equinixBlock(`base_url = "http://api.equinix.com"`), want: []string{"invalid base_url", "loopback"}},
		{name: "C07 file", config: equinixBlock(`base_url = "file:///etc/passwd"`), want: []string{"invalid base_url", "https://"}},
		{name: "C07 H15 user information", config: equinixBlock(`base_url = "https://u:` + canary + `@api.equinix.com"`), want: []string{"invalid base_url", "user name"}},
		{name: "C07 H15 query", config: equinixBlock(`base_url = "https://api.equinix.com?key=` + canary + `"`), want: []string{"invalid base_url", "query"}},
		{name: "C07 fragment", config: equinixBlock(`base_url = "https://api.equinix.com#` + canary + `"`), want: []string{"invalid base_url", "fragment"}},
		{name: "C07 in the environment", config: equinixBlock(""), env: []string{"EQUINIX_API_ENDPOINT=ftp://" + canary}, want: []string{"EQUINIX_API_ENDPOINT", "https://"}},
		{name: "C07 in the provider block", config: equinixBlock("") + `provider "ixtoken" {
  equinix = { base_url = "http://example.com" }
}`, want: []string{"equinix.base_url", "loopback"}},
		{name: "C08 a refresh token with another grant", config: equinixBlock(`grant_type = "client_credentials"
previous_refresh_token = "` + canary + `"`), want: []string{"invalid previous_refresh_token", `"refresh_token"`, `"client_credentials"`}},
		{name: "C08 a password without its grant", config: equinixBlock(`user_password = "` + canary + `"`), want: []string{"invalid user_password", `"password"`}},
		{name: "C08 an unknown grant", config: equinixBlock(`grant_type = "implicit"`), want: []string{"invalid grant_type", "client_credentials", "password", "refresh_token"}},
		{name: "C08 an Equinix grant for CloudLX", config: `ephemeral "cloudlx_access_token" "t" {
  provider   = ixtoken
  grant_type = "password"
}`, want: []string{"invalid grant_type", "client_credentials"}},
		{name: "C08 a refresh in a data source", config: `data "cloudlx_access_token" "t" {
  provider   = ixtoken
  grant_type = "refresh_token"
}`, want: []string{"invalid grant_type", "data source", "ephemeral resource"}},
		{name: "C08 an unknown environment of Megaport", config: megaportBlock(`environment = "prod"`), want: []string{"No Megaport access token: invalid environment", `"production" or "staging" or "development"`, "this block"}},
		{name: "C08 an unknown environment of Megaport in a variable", config: megaportBlock(""), env: []string{"MEGAPORT_TOKEN_URL=", "MEGAPORT_ENVIRONMENT=" + canary}, want: []string{"environment (MEGAPORT_ENVIRONMENT)", "the environment"}},
		{name: "C04 no environment of Megaport", config: megaportBlock(""), env: []string{"MEGAPORT_TOKEN_URL="}, want: []string{"settings are missing", "environment (MEGAPORT_ENVIRONMENT), or token_url (MEGAPORT_TOKEN_URL)"}},
		{name: "C07 a token URL with a query", config: megaportBlock(`token_url = "https://auth.example/token?key=` + canary + `"`), want: []string{"invalid token_url", "query"}},
		{name: "C08 an environment and a token URL", config: megaportBlock(`environment = "staging"
token_url = "https://auth.example/` + canary + `"`), want: []string{"invalid token_url", "beside environment"}},
		{name: "C08 an environment and a token URL in variables", config: megaportBlock(""), env: []string{"MEGAPORT_ENVIRONMENT=staging"}, want: []string{"invalid token_url", "beside environment", "the environment"}},
		{name: "C15 a colon in Megaport's key", config: megaportBlock(`access_key = "a:b"`), want: []string{"invalid access_key", "colon"}},
		{name: "C09 no time", config: equinixBlock("") + `provider "ixtoken" {
  request_timeout = "0s"
}`, want: []string{"request_timeout", `"30s"`}},
		{name: "C09 a negative time", config: equinixBlock(`min_validity = "-1s"`), want: []string{"min_validity", `"5m"`}},
		{name: "C09 no unit", config: equinixBlock(`min_validity = "10"`), want: []string{"min_validity", `"5m"`}},
		{name: "C09 an absurd time", config: equinixBlock(`min_validity = "999999h"`), want: []string{"min_validity", "24h"}},
		{name: "C09 too many retries", config: equinixBlock("") + `provider "ixtoken" {
  max_retries = 11
}`, want: []string{"max_retries", "0 to 10"}},
		{name: "C12 no certificate", config: equinixBlock("") + `provider "ixtoken" {
  ca_cert_pem = "-----BEGIN CERTIFICATE-----\n` + canary + `\n-----END CERTIFICATE-----"
}`, want: []string{"ca_cert_pem", "certificate"}},
		{name: "C13 an unknown encoding", config: equinixBlock(`grant_type = "password"
user_name = "u"
user_password = "` + canary + `"
password_encoding = "rot13"`), want: []string{"password_encoding", "md5-b64"}},
		{name: "C13 a password that is not encoded", config: equinixBlock(`grant_type = "password"
user_name = "u"
user_password = "` + canary + `"
password_encoding = "md5-b64"`), want: []string{"user_password", "md5_b64"}},
		{name: "C15 a line break in the client id", config: equinixBlock(`client_id = "a\r\nX-Injected: b"`), want: []string{"client_id", "line break"}},
		{name: "C15 a line break in the version", config: `ephemeral "cloudlx_access_token" "t" {
  provider    = ixtoken
  api_version = "v1\r\nX-Injected: b"
}`, want: []string{"api_version", `"v1"`}},
		{name: "C07 H15 a query in the token URL", config: oauth2Block(`token_url = "https://example.com/token?key=` + canary + `"`), want: []string{"invalid token_url", "query"}},
		{name: "C08 an unknown way to authenticate", config: oauth2Block(`token_endpoint_auth_method = "client_secret_jwt"`), want: []string{"invalid token_endpoint_auth_method", "client_secret_basic", "client_secret_post"}},
		{name: "C08 an unknown format", config: oauth2Block(`request_format = "xml"`), want: []string{"invalid request_format", "form", "json"}},
		{name: "C08 a parameter that the grant sets", config: oauth2Block(`parameters = { grant_type = "` + canary + `" }`), want: []string{"invalid parameters", `"grant_type"`}},
		{name: "C08 a second way to authenticate", config: oauth2Block(`parameters = { client_assertion = "` + canary + `" }`), want: []string{"invalid parameters", `"client_assertion"`}},
		{name: "C15 a header of the request itself", config: oauth2Block(`headers = { authorization = "` + canary + `" }`), want: []string{"invalid headers", `"authorization"`}},
		{name: "C15 a line break in a header", config: oauth2Block(`headers = { X-Key = "` + canary + `\r\nHost: x" }`), want: []string{"invalid headers", "line break"}},
		{name: "C15 a header in the provider block", config: oauth2Block("") + `provider "ixtoken" {
  oauth2 = { headers = { Host = "` + canary + `" } }
}`, want: []string{"oauth2.headers", `"Host"`}},
		{name: "C15 a line break in the user agent", config: equinixBlock(""), env: []string{"TF_APPEND_USER_AGENT=a\nb"}, want: []string{"TF_APPEND_USER_AGENT"}},
		{name: "C17 a huge client id", config: equinixBlock(`client_id = "` + long + `"`), alone: true, want: []string{"client_id", "longer than"}},
		{name: "C10 a huge secret", config: equinixBlock(`client_secret = "` + canary + long + `"`), alone: true, want: []string{"client_secret", "longer than"}},
	}
	wantRefused(t, newFixture, "", tests)
}

// refusal is a configuration with one block "t", which is refused.
type refusal struct {
	name   string
	config string
	env    []string // "NAME=value"; a test that sets a variable runs alone
	alone  bool     // whether the test runs alone: a huge line makes each of the others' errors slow
	want   []string // texts in the only diagnostic
	not    string   // a text that is not in it; empty: none
}

var usesTheProvider = regexp.MustCompile(`(provider +)= ixtoken\b`)

// named returns the configuration with another name for its block, and for its provider block if there is one.
func (r refusal) named(name string) string {
	text := strings.ReplaceAll(r.config, `"t" {`, `"`+name+`" {`)
	if strings.Contains(text, `provider "ixtoken" {`) {
		text = strings.ReplaceAll(text, `provider "ixtoken" {`, "provider \"ixtoken\" {\n  alias = \""+name+`"`)
		text = usesTheProvider.ReplaceAllString(text, "${1}= ixtoken."+name)
	}
	return text + "\n"
}

// wantRefused plans the configurations, after one that all of them need, with as few runs as possible.
func wantRefused(t *testing.T, newFixture func(*testing.T) *fixture, shared string, refusals []refusal) {
	t.Helper()
	var together []refusal
	for _, r := range refusals {
		if r.env == nil && !r.alone {
			together = append(together, r)
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			newFixture(t).wantRefused(shared, []refusal{r})
		})
	}
	t.Run("together", func(t *testing.T) {
		t.Parallel()
		newFixture(t).wantRefused(shared, together)
	})
}

// wantRefused plans all configurations as one. It fails the test unless each causes the only diagnostic that it shall cause, and
// nothing is sent or shown. The CLI opens no block if it has found an error in another one before, so the configurations that
// are refused when they are opened get a second run.
func (s *fixture) wantRefused(shared string, refusals []refusal) {
	s.t.Helper()
	for left := refusals; len(left) > 0; {
		var opened []refusal
		of := s.planRefused(shared, left)
		for i, refusal := range left {
			switch found := of[caseName(i)]; {
			case len(found) == 0:
				opened = append(opened, refusal)
			case len(found) > 1:
				s.t.Errorf("%s: %d errors, want one: %.2000v", refusal.name, len(found), found)
			default:
				refusal.check(s.t, found[0])
			}
		}
		if len(opened) == len(left) {
			s.t.Fatalf("no errors of %.2000v", left)
		}
		left = opened
	}
}

func caseName(i int) string { return fmt.Sprintf("case_%d", i) }

func (r refusal) check(t *testing.T, d diagnostic) {
	t.Helper()
	for _, want := range r.want {
		if !strings.Contains(d.text(), want) {
			t.Errorf("%s: the error does not say %q:\n%s", r.name, want, d.text())
		}
	}
	if r.not != "" && strings.Contains(d.text(), r.not) {
		t.Errorf("%s: the error says %q:\n%s", r.name, r.not, d.text())
	}
}

// planRefused plans the configurations, and returns the errors of each by its caseName.
func (s *fixture) planRefused(shared string, refusals []refusal) map[string][]diagnostic {
	s.t.Helper()
	text, of := shared, map[string][]diagnostic{}
	for i, r := range refusals {
		s.Env = append(s.Env, r.env...)
		text += r.named(caseName(i))
		of[caseName(i)] = nil
	}
	s.configure(text)
	r := s.report("plan")
	if s.wantRequests(0, 0, 0); s.Issuer.Asked() != 0 {
		s.t.Error("an identity token was asked for")
	}
	warnings := slices.DeleteFunc(r.warnings, func(d diagnostic) bool { return strings.Contains(d.Summary, "retired the password grant") })
	if r.Status == 0 || len(warnings) != 0 {
		s.t.Errorf("status %d, warnings %v", r.Status, warnings)
	}
	for _, d := range r.errors {
		name := d.Address[strings.LastIndex(d.Address, ".")+1:]
		if _, ok := of[name]; !ok {
			s.t.Errorf("an error of %q: %s", d.Address, d.text())
		}
		of[name] = append(of[name], d)
	}
	human := s.run("plan", "-no-color")
	for _, secret := range append(s.Issuer.Issued(), canary) {
		if strings.Contains(r.Stdout+r.Stderr+human.Stdout+human.Stderr, secret) {
			s.t.Errorf("the output shows a value that it must not:\n%.3000s", human.Stderr)
		}
	}
	return of
}

// C11: the errors of the CLI and the framework about a wrong type do not show the value.
func TestAWrongTypeShowsNoValue(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(equinixBlock(`client_secret = ["` + canary + `"]`))
	r := s.report("plan")
	if r.Status == 0 || len(r.errors) != 1 || strings.Contains(r.errors[0].text(), canary) {
		t.Errorf("status %d, errors %v", r.Status, r.errors)
	}
	s.wantRequests(0, 0, 0)
}

// C10: the output does not show a secret from an input variable, whichever attribute it is for.
func TestInvalidSecretsFromVariablesAreNotShown(t *testing.T) {
	t.Parallel()
	text := "variable \"secret\" {\n  type = string\n  ephemeral = true\n}\n"
	for name, grant := range map[string]string{"client_secret": "", "user_password": "grant_type = \"password\"\nuser_name = \"u\"\n", "previous_refresh_token": ""} {
		text += strings.Replace(equinixBlock(grant+name+" = var.secret"), `"t" {`, `"`+name+`" {`, 1)
	}
	s := newFixture(t)
	s.setenv("TF_VAR_secret", canary+strings.Repeat("x", 9000))
	s.configure(text)
	r := s.report("plan") // since the variable is not in the configuration, the CLI does not say to which block an error belongs
	for _, name := range []string{"client_secret", "user_password", "previous_refresh_token"} {
		if !slices.ContainsFunc(r.errors, func(d diagnostic) bool {
			return strings.HasSuffix(d.Summary, "invalid "+name) && strings.Contains(d.Detail, "longer than")
		}) {
			t.Errorf("%s: errors %v", name, r.errors)
		}
	}
	human := s.run("plan", "-no-color")
	if strings.Contains(r.Stdout+r.Stderr+human.Stdout+human.Stderr, canary) {
		t.Error("the output shows the value")
	}
	s.wantRequests(0, 0, 0)
}

// C01
func TestAnUnusedPlatformNeedsNoSettings(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.Env = nil
	s.configure(`provider "ixtoken" {}
output "encoded" { value = provider::ixtoken::md5_b64("x") }
`)
	s.must("plan")
	s.wantRequests(0, 0, 0)
}

const laterValue = `resource "terraform_data" "later" { input = "known after apply" }
`

// C03: Terraform and OpenTofu defer a block if its own arguments are not known yet.
func TestABlockWithUnknownArgumentsIsDeferred(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ephemeral", "data"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			s.configure(laterValue + kind + ` "equinix_access_token" "t" {
  provider  = ixtoken
  client_id = replace(terraform_data.later.output, "known after apply", "` + s.Equinix.Credentials().ClientID + `")
}
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = ` + map[string]string{"ephemeral": "ephemeral.", "data": "data."}[kind] + `equinix_access_token.t.authorization }
  }
}
`)
			s.must("plan")
			s.wantRequests(0, 0, 0)
			s.must("apply", "-auto-approve")
			s.wantRequests(0, 1, 0)
		})
	}
}

// C03: the CLI does not wait for an unknown value in the provider block. The error says so, and what to do instead.
func TestAnUnknownValueInTheProviderBlockIsNamed(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, kind, provider, want, advice string }{
		{"a secret", "ephemeral", "equinix = { client_secret = terraform_data.later.output }", "equinix.client_secret", "in this block instead"},
		{"a secret for a data source", "data", "equinix = { client_secret = terraform_data.later.output }", "equinix.client_secret", "ephemeral resource"},
		{"an id for a data source", "data", "equinix = { client_id = terraform_data.later.output }", "equinix.client_id", "in this block instead"},
		{"the whole object", "ephemeral", "equinix = { for k in [\"client_id\"] : k => terraform_data.later.output }", "equinix.client_id", "in this block instead"},
		{"the timeout", "ephemeral", "request_timeout = terraform_data.later.output", "request_timeout", "known in the plan"},
		{"the retries", "ephemeral", "max_retries = length(terraform_data.later.output)", "max_retries", "known in the plan"},
		{"the validity", "data", "min_validity = terraform_data.later.output", "min_validity", ""},
	}
	var refusals []refusal
	for _, test := range tests {
		refusals = append(refusals, refusal{
			name: test.name, want: []string{"not known yet", test.want, test.advice}, not: "missing",
			config: "provider \"ixtoken\" {\n  " + test.provider + "\n}\n" + test.kind + " \"equinix_access_token\" \"t\" { provider = ixtoken }\n",
		})
	}
	newFixture(t).wantRefused(laterValue, refusals)
}

// C03: an unused platform may have unknown settings.
func TestUnknownSettingsOfAnUnusedPlatformDoNoHarm(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(laterValue + `provider "ixtoken" {
  equinix = { client_secret = terraform_data.later.output }
}
ephemeral "cloudlx_access_token" "t" { provider = ixtoken }
ephemeral "equinix_access_token" "own" {
  provider      = ixtoken
  client_secret = "` + escaped(s.Equinix.Credentials().ClientSecret) + `"
}
`)
	s.must("plan")
	s.wantRequests(0, 1, 1)
}

// escaped escapes a value for a quoted string of the configuration.
func escaped(value string) string {
	quoted := strings.Trim(fmt.Sprintf("%q", value), `"`)
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(quoted)
}

// C06: files, shells and pipelines may leave blanks or quotes around a value, or a placeholder in its place. Such a value is
// sent unchanged, with one warning. If the login is rejected, the error mentions it too.
func TestAnOddCredentialIsSentUnchangedWithAWarning(t *testing.T) {
	t.Parallel()
	type odd struct{ name, of, variable, value, oddity string }
	// Each round is one run, in which each platform has one odd value.
	for round, tests := range [][]odd{{
		{"a line break", "cloudlx", "CLOUDLX_CLIENT_SECRET", canary + "\n", "client_secret (CLOUDLX_CLIENT_SECRET) ends in a line break"},
		{"a carriage return", "interxion", "INTERXION_CLIENT_SECRET", canary + "\r", "client_secret (INTERXION_CLIENT_SECRET) ends in a carriage return"},
		{"a blank", "digitalrealty", "DIGITALREALTY_CLIENT_SECRET", canary + " ", "client_secret (DIGITALREALTY_CLIENT_SECRET) ends in a blank"},
		{"a tab", "ixapi", "IX_API_SECRET", canary + "\t", "api_secret (IX_API_SECRET) ends in a tab"},
		{"a user's name", "equinix", "EQUINIX_USER_NAME", "'" + canary + "'", "user_name (EQUINIX_USER_NAME) is in quotation marks"},
	}, {
		{"a byte order mark", "cloudlx", "CLOUDLX_CLIENT_ID", "\ufeff" + canary, "client_id (CLOUDLX_CLIENT_ID) begins with a byte order mark"},
		{"quotation marks", "interxion", "INTERXION_CLIENT_SECRET", `"` + canary + `"`, "client_secret (INTERXION_CLIENT_SECRET) is in quotation marks"},
		{"a placeholder", "digitalrealty", "DIGITALREALTY_CLIENT_ID", "${" + canary + "}", "client_id (DIGITALREALTY_CLIENT_ID) is a placeholder that nothing has replaced"},
		{"a variable of a pipeline", "ixapi", "IX_API_SECRET", "$(" + canary + ")", "api_secret (IX_API_SECRET) is a placeholder that nothing has replaced"},
		{"a user's password", "equinix", "EQUINIX_USER_PASSWORD", canary + "\r\n", "user_password (EQUINIX_USER_PASSWORD) ends in a line break"},
	}, {
		{"stars", "cloudlx", "CLOUDLX_CLIENT_SECRET", "***", "client_secret (CLOUDLX_CLIENT_SECRET) is what is shown in the place of a secret"},
	}} {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			var mu sync.Mutex
			sent := "" // all bodies
			for _, p := range s.Platforms() {
				p.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
					body, _ := io.ReadAll(r.Body)
					r.Body = io.NopCloser(bytes.NewReader(body))
					mu.Lock()
					defer mu.Unlock()
					sent += string(body) + "\n"
					return false
				})
			}
			text := ""
			for _, test := range tests {
				s.setenv(test.variable, test.value)
				arguments := map[string]string{"equinix": "grant_type = \"password\""}[test.of]
				text += "ephemeral \"" + test.of + "_access_token\" \"t\" {\n  provider = ixtoken\n  " + arguments + "\n}\n"
			}
			s.configure(text)
			r := s.report("plan")
			warnings := slices.DeleteFunc(r.warnings, func(d diagnostic) bool { return strings.Contains(d.Summary, "retired the password grant") })
			if len(warnings) != len(tests) || len(r.errors) != len(tests) {
				t.Errorf("warnings %v, errors %v", warnings, r.errors)
			}
			for _, test := range tests {
				encoded, _ := json.Marshal(test.value)
				if !strings.Contains(sent, url.QueryEscape(test.value)) && !strings.Contains(sent, string(encoded)) {
					t.Errorf("%s: the value was not sent as it is: %q", test.name, sent)
				}
				attribute, oddity, _ := strings.Cut(test.oddity, " (")
				_, oddity, _ = strings.Cut(oddity, ") ")
				says := func(d diagnostic, summary string) bool {
					return strings.Contains(d.Summary, summary) && strings.Contains(d.Detail, test.oddity+".")
				}
				if !slices.ContainsFunc(warnings, func(d diagnostic) bool { return says(d, attribute+" "+oddity) }) {
					t.Errorf("%s: warnings %v", test.name, warnings)
				}
				if !slices.ContainsFunc(r.errors, func(d diagnostic) bool { return says(d, "credentials rejected") }) {
					t.Errorf("%s: errors %v", test.name, r.errors)
				}
			}
			if strings.Contains(r.Stdout+r.Stderr, canary) || strings.Contains(r.Stdout+r.Stderr, "***") {
				t.Error("the output shows the value")
			}
		})
	}
}

// C06: the platform rejects an odd refresh token, and the client credentials are used instead, as for any other refresh token.
func TestAnOddRefreshTokenCausesAWarning(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure("ephemeral \"cloudlx_access_token\" \"t\" {\n  provider = ixtoken\n  previous_refresh_token = \"" + canary + "\\r\"\n}\n")
	r := s.report("plan")
	if r.Status != 0 || len(r.warnings) != 2 || !strings.Contains(r.warnings[0].Summary, "previous_refresh_token ends in a carriage return") {
		t.Errorf("status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
	}
}

// C18
func TestTheBlockWinsOverTheProviderBlockOverTheEnvironment(t *testing.T) {
	t.Parallel()
	right := func(s *fixture) simulator.Credentials { return s.Interxion.Credentials() }
	tests := []struct {
		name            string
		block, provider string
		environment     string
	}{
		{"the block over all", "right", "wrong", "wrong"},
		{"the provider block over the environment", "", "right", "wrong"},
		{"the environment", "", "", "right"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			value := func(which string) string {
				if which == "right" {
					return right(s).ClientID
				}
				return which
			}
			s.setenv("INTERXION_CLIENT_ID", value(test.environment))
			s.configure(`provider "ixtoken" {
  interxion = { client_id = "` + escaped(value(test.provider)) + `" }
}
ephemeral "interxion_access_token" "t" {
  provider  = ixtoken
  client_id = "` + escaped(value(test.block)) + `"
}
`)
			s.must("plan")
			s.wantRequests(1, 0, 0)
		})
	}
}

// C16: a platform is configured with the URL of another platform.
func TestAnotherPlatformsURLIsHintedAt(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(`ephemeral "cloudlx_access_token" "t" {
  provider = ixtoken
  base_url = "` + s.Interxion.URL() + `"
}
`)
	r := s.report("plan")
	if len(r.errors) != 1 || !strings.Contains(r.errors[0].Detail, "may belong to another platform") || !strings.Contains(r.errors[0].Detail, "/api/oauth2/access-token") {
		t.Errorf("errors %v", r.errors)
	}
	s.wantRequests(1, 0, 0)
}

// C19: with Terraform before 1.10 or OpenTofu before 1.11, data sources work, and the CLI rejects ephemeral blocks.
// IXTOKEN_OLD_CLI is the path of such a CLI.
func TestAnOlderCLIHasTheDataSource(t *testing.T) {
	t.Parallel()
	path := os.Getenv("IXTOKEN_OLD_CLI")
	if path == "" {
		t.Skip("IXTOKEN_OLD_CLI names no CLI without ephemeral resources")
	}
	s := newFixture(t)
	workspace, err := terraform.Open(t.TempDir(), path, plugins)
	if err != nil {
		t.Fatal(err)
	}
	workspace.Env = s.Env
	s.Workspace = workspace
	s.configure(`data "interxion_access_token" "t" { provider = ixtoken }
`)
	s.must("apply", "-auto-approve")
	s.must("destroy", "-auto-approve")
	s.wantRequests(2, 0, 0)
	s.configure(interxionBlock)
	if r := s.run("plan", "-no-color"); r.Status != 1 || !strings.Contains(r.Stdout+r.Stderr, `"ephemeral" are not expected here`) {
		t.Errorf("status %d:\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
	s.wantRequests(2, 0, 0)
}
