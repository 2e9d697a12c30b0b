// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// exchangeBlocks returns one block of the kind for each platform with token exchange, with further arguments.
func exchangeBlocks(kind, arguments string) string {
	return kind + ` "equinix_access_token" "t" {
  provider             = ixtoken
  token_exchange_scope = "roleassignments:1"
  ` + arguments + `
}
` + kind + ` "oauth2_access_token" "t" {
  provider   = ixtoken
  grant_type = "token_exchange"
  ` + arguments + `
}
`
}

// useTokens passes the tokens to a provisioner, so that the CLI needs them in the apply too.
const useTokens = `resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { A = ephemeral.equinix_access_token.t.authorization, B = ephemeral.oauth2_access_token.t.authorization }
  }
}
`

// With each source of an identity token, there is a token in the plan and in the apply, without client credentials. The
// identity token is in no file.
func TestIdentityTokensOfEachSource(t *testing.T) {
	t.Parallel()
	given := map[string]string{ // each has an identity token of its own
		"value":          `token_exchange_subject_token = var.id_token`,
		"variable":       `token_exchange_subject_token_env_var = "CI_ID_TOKEN"`,
		"file":           `token_exchange_subject_token_file = "${path.module}/../id-token"`,
		"github_actions": `token_exchange_audience = "` + simulator.Audience + `"`,
		"hcp_terraform":  `grant_type = "token_exchange"`,
	}
	tagged := map[string]string{"tagged": `grant_type = "token_exchange"`}
	for name, row := range map[string]struct {
		sources     map[string]string
		environment func(s *fixture)
	}{
		"given": {given, func(s *fixture) {
			s.setenv("TF_VAR_id_token", s.identityToken())
			s.setenv("CI_ID_TOKEN", s.identityToken())
			put(s.t, filepath.Join(s.Dir, "..", "id-token"), s.identityToken()+"\n")
			s.Env = append(s.Env, s.Issuer.Environment()...)
			s.setenv("TFC_WORKLOAD_IDENTITY_TOKEN", s.identityToken())
		}},
		"HCP Terraform, tagged": {tagged, func(s *fixture) {
			s.setenv("TFC_WORKLOAD_IDENTITY_TOKEN", "of another audience")
			s.setenv("TFC_WORKLOAD_IDENTITY_TOKEN_EQUINIX", s.identityToken())
			s.setenv("TFC_WORKLOAD_IDENTITY_TOKEN_OAUTH2", s.identityToken())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFixtureWith(t, simulator.Options{TLS: true}) // requests to GitHub need https
			for _, name := range []string{"EQUINIX_API_CLIENTID", "EQUINIX_API_CLIENTSECRET", "OAUTH2_CLIENT_ID", "OAUTH2_CLIENT_SECRET"} {
				s.setenv(name, "")
			}
			row.environment(s)
			s.setenv("TF_VAR_ca", s.CAPEM)
			text := "variable \"ca\" { type = string }\nvariable \"id_token\" {\n  type      = string\n  default   = \"\"\n  ephemeral = true\n}\nprovider \"ixtoken\" { ca_cert_pem = var.ca }\n"
			for source, arguments := range row.sources {
				blocks := strings.Replace(exchangeBlocks("ephemeral", arguments)+useTokens, "grant_type = \"token_exchange\"\n  grant_type", "grant_type", 1)
				text += strings.NewReplacer(`"t" {`, `"`+source+`" {`, `"use" {`, `"`+source+`" {`, "access_token.t.", "access_token."+source+".").Replace(blocks)
			}
			s.configure(text)
			s.must("apply", "-auto-approve")
			for _, p := range []*simulator.Platform{s.Equinix, s.OAuth2} {
				if got := len(p.Issued()); got != 2*len(row.sources) {
					t.Errorf("%s has issued %d tokens for %d sources, want one for each in the plan and in the apply", p.Name(), got, len(row.sources))
				}
			}
			s.wantAbsent(append(s.Issuer.Issued(), append(s.Equinix.Issued(), s.OAuth2.Issued()...)...)...)
		})
	}
}

// identityToken returns an identity token that the platforms accept.
func (s *fixture) identityToken() string {
	s.t.Helper()
	text, err := s.Issuer.Token(time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// Wrong settings of a token exchange cause one error for each block. Nothing is sent.
func TestWrongSettingsOfATokenExchange(t *testing.T) {
	t.Parallel()
	var refusals []refusal
	for name, row := range map[string]struct {
		arguments string
		env       []string
		want      string
	}{
		"a secret too":        {`token_exchange_audience = "a"` + "\n  client_secret = \"" + canary + "\"", nil, `client_secret (EQUINIX_API_CLIENTSECRET) is not used by grant_type = "token_exchange"`},
		"two sources":         {`token_exchange_audience = "a"` + "\n  token_exchange_subject_token_env_var = \"CI_ID_TOKEN\"", nil, "token_exchange_audience is set beside token_exchange_subject_token_env_var: leave out one"},
		"no source":           {``, nil, "token_exchange_subject_token (EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN), or"},
		"an empty variable":   {`token_exchange_subject_token_env_var = "CI_ID_TOKEN"`, nil, "the identity token in the environment variable CI_ID_TOKEN is empty"},
		"a token for a name":  {`token_exchange_subject_token_env_var = "eyJ` + canary + `.e30.x"`, nil, "is not the name of an environment variable"},
		"a token for a file":  {`token_exchange_subject_token_file = "eyJ` + canary + `.e30.x"`, nil, "is an identity token: write the path of a file"},
		"no file":             {`token_exchange_subject_token_file = "missing"`, nil, `the identity token in the file "missing" cannot be read`},
		"a directory":         {`token_exchange_subject_token_file = "."`, nil, "cannot be read (it is a directory)"},
		"an opaque token":     {`token_exchange_subject_token = "` + canary + `"`, nil, "is not a JSON Web Token"},
		"not a job of GitHub": {`token_exchange_audience = "a"`, nil, "permissions: id-token: write"},
		"GitHub without TLS":  {`token_exchange_audience = "a"`, []string{"ACTIONS_ID_TOKEN_REQUEST_URL=http://127.0.0.1:1/?" + canary, "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + canary}, "must start with https://"},
		"a URL with a query":  {`token_exchange_audience = "a"` + "\n  sts_url = \"https://sts.example/?" + canary + "\"", nil, "sts_url (EQUINIX_STS_ENDPOINT) is not accepted"},
		"an expired token":    {`token_exchange_subject_token_env_var = "EXPIRED"`, nil, `EXPIRED expired `},
	} {
		refusals = append(refusals, refusal{name: name, env: row.env, want: []string{row.want}, config: equinixBlock("grant_type = \"token_exchange\"\n  token_exchange_scope = \"roleassignments:1\"\n  " + row.arguments)})
	}
	wantRefused(t, func(t *testing.T) *fixture {
		s := newFixture(t)
		expired, err := s.Issuer.Token(-time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		s.setenv("EXPIRED", expired)
		return s
	}, "", refusals)
}

// The official provider's variable for the scope of a token exchange is set. Then there is no login with the client secret.
func TestAScopeWithoutAnIdentityTokenIsAnError(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("EQUINIX_TOKEN_EXCHANGE_SCOPE", "roleassignments:1")
	without, with := "", ""
	for _, kind := range []string{"ephemeral", "data"} {
		without += kind + " \"equinix_access_token\" \"t\" { provider = ixtoken }\n"
		with += kind + " \"equinix_access_token\" \"t\" {\n  provider   = ixtoken\n  grant_type = \"client_credentials\"\n}\n"
	}
	s.configure(without)
	r := s.report("plan")
	for _, d := range r.errors {
		if !strings.Contains(d.text(), "token_exchange_subject_token (EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN") {
			t.Error(d.text())
		}
	}
	if len(r.errors) != 2 || r.errors[0].Address == r.errors[1].Address {
		t.Errorf("status %d, errors %v", r.Status, r.errors)
	}
	s.wantRequests(0, 0, 0)
	s.configure(with)
	s.must("plan")
	s.wantRequests(0, 1, 0)
}

// An identity token that the platform rejects is sent once, for all blocks. The error shows the claims that the platform has
// seen.
func TestARejectedIdentityTokenIsSentOnce(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	idToken, err := s.Issuer.TokenFor("another audience", simulator.Subject, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s.setenv("CI_ID_TOKEN", idToken)
	const source = "\n  token_exchange_subject_token_env_var = \"CI_ID_TOKEN\""
	s.configure(separateBlocks(20, "ephemeral", "equinix_access_token", `token_exchange_scope = "roleassignments:1"`+source) + `ephemeral "equinix_access_token" "another_scope" {
  provider             = ixtoken
  token_exchange_scope = "roleassignments:2"` + source + `
}
`)
	r := s.report("plan")
	if len(r.errors) != 21 {
		t.Errorf("%d errors, want 21: %v", len(r.errors), r.errors)
	}
	for _, d := range r.errors {
		want := `(iss "` + s.Issuer.URL() + `", aud "another audience", sub "` + simulator.Subject + `")`
		if !strings.Contains(d.Summary, "identity token rejected") || !strings.Contains(d.Detail, want) || strings.Contains(d.text(), idToken) {
			t.Errorf("%s; want %q", d.text(), want)
		}
	}
	s.wantRequests(0, 1, 0)
}

// A data source and an API proxy exchange identity tokens too.
func TestDataSourcesAndProxiesExchangeIdentityTokens(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("TF_VAR_upstream", s.Equinix.URL())
	s.configure(`variable "upstream" { type = string }
provider "ixtoken" {
  equinix = { token_exchange_scope = "roleassignments:1", token_exchange_subject_token_env_var = "EQUINIX_ID_TOKEN" }
}
data "equinix_access_token" "t" { provider = ixtoken }
ephemeral "equinix_api_proxy" "t" {
  provider = ixtoken
  upstream = var.upstream
}
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "curl --silent --fail --output ports.json \"$URL/fabric/v4/ports\""
    environment = { URL = ephemeral.equinix_api_proxy.t.url }
  }
}
`)
	s.must("apply", "-auto-approve")
	calls := 0
	for _, request := range s.Equinix.Requests() {
		if request.Path == "/v1/token" && request.Status != http.StatusOK || request.Path == "/oauth2/v1/token" {
			t.Errorf("%s was answered %d", request.Path, request.Status)
		}
		if request.Path == "/fabric/v4/ports" && request.Status == http.StatusOK {
			calls++
		}
	}
	if calls != 1 {
		t.Errorf("the API was called %d times through the proxy, want once", calls)
	}
}

// Blocks that ask for the same thing share one exchange, and one request for an identity token.
func TestBlocksShareAnIdentityToken(t *testing.T) {
	t.Parallel()
	s := newFixtureWith(t, simulator.Options{TLS: true})
	s.Env = append(s.Env, s.Issuer.Environment()...)
	s.setenv("TF_VAR_ca", s.CAPEM)
	s.configure("variable \"ca\" { type = string }\nprovider \"ixtoken\" { ca_cert_pem = var.ca }\n" +
		separateBlocks(100, "ephemeral", "equinix_access_token", "token_exchange_scope = \"roleassignments:1\"\n  token_exchange_audience = \""+simulator.Audience+"\""))
	s.must("plan")
	s.wantRequests(0, 1, 0)
	if got := s.Issuer.Asked(); got != 1 {
		t.Errorf("GitHub was asked %d times for 100 blocks, want once", got)
	}
}

// A block whose identity token is known after the apply waits for it. Nothing is sent in its place, such as the client secret.
func TestAnIdentityTokenThatIsKnownLater(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	idToken, err := s.Issuer.Token(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s.setenv("TF_VAR_id_token", idToken)
	s.configure("variable \"id_token\" { type = string }\nresource \"terraform_data\" \"later\" { input = var.id_token }\n" +
		exchangeBlocks("ephemeral", "token_exchange_subject_token = terraform_data.later.output") + useTokens)
	s.must("plan")
	for _, p := range []*simulator.Platform{s.Equinix, s.OAuth2} {
		if got := len(p.Requests()); got != 0 {
			t.Errorf("the plan has sent %s %d requests", p.Name(), got)
		}
	}
	s.must("apply", "-auto-approve")
	for _, p := range []*simulator.Platform{s.Equinix, s.OAuth2} {
		if got := len(p.Issued()); got != 1 || len(p.Requests()) != 1 {
			t.Errorf("%s has issued %d tokens for %d requests, want one", p.Name(), got, len(p.Requests()))
		}
	}
}

// A server without token exchange answers unsupported_grant_type. The CLI does not show the line with the identity token.
func TestTheLineOfAnIdentityTokenIsNotShown(t *testing.T) {
	t.Parallel()
	codes := []string{"unsupported_grant_type", "unauthorized_client", "invalid_request", "invalid_scope", "invalid_target"}
	claimsOf := func(code string) string { // another subject is another login
		return base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"a","sub":"` + code + `"}`))
	}
	s := newFixture(t)
	refuse := func(w http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		for _, code := range codes {
			if bytes.Contains(body, []byte(claimsOf(code))) {
				return answers(http.StatusBadRequest, "application/json", `{"error":"`+code+`"}`)(w, r)
			}
		}
		return false
	}
	s.Equinix.Intercept(refuse)
	s.OAuth2.Intercept(refuse)
	text := ""
	for _, code := range codes {
		blocks := exchangeBlocks("ephemeral", `token_exchange_subject_token = "e30.`+claimsOf(code)+"."+canary+`"`)
		text += strings.ReplaceAll(blocks, `"t" {`, `"`+code+`" {`)
	}
	s.configure(text)
	r := s.report("plan")
	plain := s.run("plan", "-no-color")
	if len(r.errors) != 2*len(codes) || strings.Contains(r.Stdout+r.Stderr+plain.Stdout+plain.Stderr, canary) {
		t.Errorf("an identity token is shown, or there are %d errors: %s%s", len(r.errors), plain.Stdout, plain.Stderr)
	}
	for _, d := range r.errors {
		if code := d.Address[strings.LastIndex(d.Address, ".")+1:]; !strings.Contains(d.Detail, code) {
			t.Errorf("%s: %s", d.Address, d.text())
		}
	}
}
