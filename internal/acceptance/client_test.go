// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// This file tests clients that authenticate without a client secret.

// clientFixture is a fixture with the files of WriteClient in the directory client beside the workspace.
type clientFixture struct{ *fixture }

// newClientFixture starts it. The environment has the client's ID, and a client secret that nobody accepts: what a block sets
// comes first.
func newClientFixture(t *testing.T) *clientFixture {
	t.Helper()
	s := &clientFixture{newFixtureWith(t, simulator.Options{TLS: true})} // requests to GitHub need https
	if err := s.WriteClient(s.path("")); err != nil {
		t.Fatal(err)
	}
	s.setenv("TF_VAR_ca", s.CAPEM)
	s.setenv("OAUTH2_CLIENT_SECRET", canary)
	return s
}

func (s *clientFixture) path(name string) string { return filepath.Join(s.Dir, "..", "client", name) }

func (s *clientFixture) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// assertion returns an assertion of the pipeline.
func (s *clientFixture) assertion(lifetime time.Duration) string {
	s.t.Helper()
	text, err := s.Issuer.Token(lifetime)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// clientFiles begins each configuration.
const clientFiles = `variable "ca" { type = string }
locals { client = "${path.module}/../client" }
`

// uses configures blocks of a type, whose tokens a provisioner uses.
func (s *clientFixture) uses(arguments string) {
	s.t.Helper()
	s.configure(clientFiles + `provider "ixtoken" { ca_cert_pem = var.ca }
ephemeral "oauth2_access_token" "t" {
  provider = ixtoken
  ` + arguments + `
}
resource "terraform_data" "use" {
  triggers_replace = [timestamp()]
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = ephemeral.oauth2_access_token.t.authorization }
  }
}
`)
}

// byCertificate are the arguments of a client with a certificate. The simulator asks for one at each URL with https.
const byCertificate = `client_certificate_file     = "${local.client}/certificate.pem"
  client_certificate_key_file = "${local.client}/key.pem"`

// Each method obtains a token in the plan and in the apply. The server has seen no secret, and nothing is left in a file.
func TestEachMethodWithoutASecret(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		arguments string
		prepare   func(*clientFixture)
		want      int // requests that carry an assertion
	}{
		"a key in a file":      {`client_key_file = "${local.client}/key.pem"`, nil, 2},
		"a key":                {`client_key_pem = file("${local.client}/key.pem")` + "\n  client_key_id = \"lab-key-1\"\n  client_key_certificate_file = \"${local.client}/certificate.pem\"", nil, 2},
		"a certificate":        {byCertificate, nil, 0},
		"a certificate in PEM": {`client_certificate_pem = file("${local.client}/certificate.pem")` + "\n  client_certificate_key_pem = file(\"${local.client}/key.pem\")", nil, 0},
		"both":                 {byCertificate + "\n  client_key_file = \"${local.client}/key.pem\"", nil, 2},
		"an assertion":         {`client_assertion = file("${local.client}/assertion")`, nil, 2},
		"a file":               {`client_assertion_file = "${local.client}/assertion"`, nil, 2},
		"a variable":           {`client_assertion_env_var = "CI_ID_TOKEN"`, func(s *clientFixture) { s.setenv("CI_ID_TOKEN", s.assertion(time.Hour)) }, 2},
		"GitHub Actions":       {`client_assertion_github_audience = "` + simulator.Audience + `"`, func(s *clientFixture) { s.Env = append(s.Env, s.Issuer.Environment()...) }, 2},
		"HCP Terraform":        {`token_endpoint_auth_method = "private_key_jwt"`, func(s *clientFixture) { s.setenv("TFC_WORKLOAD_IDENTITY_TOKEN_OAUTH2", s.assertion(time.Hour)) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newClientFixture(t)
			if name != "GitHub Actions" { // where each request has its own
				s.AcceptAssertionsAgain()
			}
			if row.prepare != nil {
				row.prepare(s)
			}
			s.uses(row.arguments)
			s.must("apply", "-auto-approve")
			if got := len(s.OAuth2.Issued()); got != 2 || len(s.Asserted()) != row.want {
				t.Errorf("%d tokens were issued for %d assertions, want 2 for %d", got, len(s.Asserted()), row.want)
			}
			s.wantAbsent(append(append(s.Issuer.Issued(), s.Asserted()...), s.OAuth2.Issued()...)...)
		})
	}
}

// A client takes part in a token exchange if it is set beside the exchange. That of the environment does not.
func TestAClientTakesPartInATokenExchange(t *testing.T) {
	t.Parallel()
	const exchange = "\n  token_exchange_subject_token_env_var = \"OAUTH2_ID_TOKEN\""
	for name, row := range map[string]struct{ arguments, want string }{
		"none":          {``, ""},
		"public":        {`client_id = "lab-public"` + "\n  token_endpoint_auth_method = \"none\"", ""},
		"a key":         {`client_id = var.id` + "\n  client_key_file = \"${local.client}/key.pem\"", ""},
		"a certificate": {`client_id = var.id` + "\n  " + byCertificate, ""},
		"the secret of the environment": {
			`client_id = var.id`,
			"No OAuth2 access token: credentials rejected",
		}, // canary is no secret that the server knows
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newClientFixture(t)
			s.setenv("TF_VAR_id", s.OAuth2.Credentials().ClientID)
			s.uses(row.arguments + exchange + "\n}\nvariable \"id\" {\n  type    = string\n  default = \"\"")
			r := s.report("apply", "-auto-approve")
			if row.want == "" && (r.Status != 0 || len(s.OAuth2.Issued()) != 2) {
				t.Errorf("status %d, %d tokens: %v", r.Status, len(s.OAuth2.Issued()), r.errors)
			}
			if row.want != "" && (len(r.errors) != 1 || !strings.Contains(r.errors[0].text(), row.want) || !strings.Contains(r.errors[0].text(), "sent: client_secret_basic")) {
				t.Errorf("status %d, errors %v; want %q", r.Status, r.errors, row.want)
			}
		})
	}
}

// Each wrong configuration is one error that names the cause. Nothing is sent.
func TestWrongSettingsOfAClient(t *testing.T) {
	t.Parallel()
	const key, assertion = `client_key_file = "${local.client}/key.pem"`, `client_assertion_file = "${local.client}/assertion"`
	var refusals []refusal
	for name, row := range map[string]struct{ arguments, want string }{
		"a key and a secret":                 {key + "\n  client_secret = \"" + canary + "\"", "client_key_file is set beside client_secret: leave out one of the two"},
		"a key and an assertion":             {key + "\n  " + assertion, "client_key_file is set beside client_assertion_file: leave out one of the two"},
		"a key for another method":           {key + "\n  token_endpoint_auth_method = \"client_secret_post\"", `client_key_file is not used by token_endpoint_auth_method = "client_secret_post"`},
		"a method without its input":         {`token_endpoint_auth_method = "private_key_jwt"`, "client_key_pem, or client_assertion, or"},
		"a certificate without its key":      {`client_certificate_file = "${local.client}/certificate.pem"`, "client_certificate_key_pem, or client_certificate_key_file"},
		"a method without its certificate":   {`token_endpoint_auth_method = "tls_client_auth"`, "client_certificate_pem, or client_certificate_file"},
		"a key that does not fit":            {`client_certificate_file = "${local.client}/certificate.pem"` + "\n  client_certificate_key_file = \"${local.client}/other.pem\"", "the client certificate is not the certificate of the key: their public keys differ"},
		"an ended assertion":                 {`client_assertion_file = "${local.client}/ended"`, `/ended" expired `},
		"an ended assertion in its place":    {`client_assertion = file("${local.client}/ended")`, "the client assertion expired "},
		"a key that is none":                 {`client_key_pem = "` + canary + `"`, "client_key_pem holds no private key in PEM"},
		"the name of a file for a key":       {`client_key_pem = "key.pem"`, "client_key_pem holds no private key in PEM"},
		"a key for the name of a file":       {`client_key_file = file("${local.client}/key.pem")`, "client_key_file is the content of a file: write the path of the file"},
		"a certificate for a key":            {`client_key_file = "${local.client}/certificate.pem"`, "is a certificate: use its private key"},
		"an algorithm that does not fit":     {key + "\n  client_signing_alg = \"RS256\"", "client_signing_alg RS256 does not fit the client key, which signs with ES256"},
		"an ID of a key beside an assertion": {assertion + "\n  client_key_id = \"1\"", "client_key_id is for a key that signs here, and the client assertion was made elsewhere"},
		"http":                               {key + "\n  token_url = \"http://example.com/token\"", "token_url (OAUTH2_TOKEN_URL) is not accepted"},
		"no file":                            {`client_key_file = "missing"`, `the client key in the file "missing" cannot be read`},
		"no method of that name":             {`token_endpoint_auth_method = "client_secret_jwt"`, "invalid token_endpoint_auth_method"},
	} {
		refusals = append(refusals, refusal{name: name, config: oauth2Block(row.arguments), want: []string{row.want}})
	}
	wantRefused(t, func(t *testing.T) *fixture {
		s := newClientFixture(t)
		s.write("other.pem", newKey(t))
		s.write("ended", s.assertion(-time.Minute))
		return s.fixture
	}, clientFiles+"provider \"ixtoken\" { ca_cert_pem = var.ca }\n", refusals)
}

// newKey returns a private key in PEM that nobody has registered.
func newKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// A rejected client sends one request for all its blocks, and each block says so. A file that is replaced counts in the next run.
func TestARejectedClientSendsOneRequest(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		arguments string
		spoil     func(s *clientFixture)
		mend      func(s *clientFixture)
	}{
		"a key": {`client_key_file = "${local.client}/key.pem"`, func(s *clientFixture) { s.write("key.pem", newKey(s.t)) }, func(s *clientFixture) { s.write("key.pem", s.Client().KeyPEM) }},
		"an assertion": {`client_assertion_file = "${local.client}/assertion"`, func(s *clientFixture) {
			text, err := s.Issuer.TokenFor(simulator.Audience, "repo:other", time.Hour)
			if err != nil {
				s.t.Fatal(err)
			}
			s.write("assertion", text)
		}, func(s *clientFixture) { s.write("assertion", s.assertion(time.Hour)) }},
		"a certificate": {byCertificate, func(s *clientFixture) {
			other, err := simulator.Start(simulator.Options{})
			if err != nil {
				s.t.Fatal(err)
			}
			defer other.Close()
			s.write("key.pem", other.Client().KeyPEM)
			s.write("certificate.pem", other.Client().CertificatePEM)
		}, func(s *clientFixture) {
			s.write("key.pem", s.Client().KeyPEM)
			s.write("certificate.pem", s.Client().CertificatePEM)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newClientFixture(t)
			row.spoil(s)
			s.configure(clientFiles + "provider \"ixtoken\" { ca_cert_pem = var.ca }\n" + separateBlocks(20, "ephemeral", "oauth2_access_token", row.arguments) +
				"ephemeral \"oauth2_access_token\" \"another_scope\" {\n  provider = ixtoken\n  scopes   = [\"things.read\"]\n  " + row.arguments + "\n}\n")
			r := s.report("plan")
			if len(r.errors) != 21 || len(s.OAuth2.Requests()) != 1 {
				t.Errorf("%d errors, want 21, and %d requests, want one", len(r.errors), len(s.OAuth2.Requests()))
			}
			for _, d := range r.errors {
				if !strings.Contains(d.Summary, "credentials rejected") || !strings.Contains(d.Detail, "sent: ") {
					t.Error(d.text())
				}
			}
			row.mend(s)
			s.uses(row.arguments)
			s.must("plan")
		})
	}
}

// With a token cache, the apply uses the token of the plan, so a server that accepts an assertion once has seen it once.
func TestTheApplyUsesTheTokenOfThePlan(t *testing.T) {
	t.Parallel()
	for name, arguments := range map[string]string{
		"a key": `client_key_file = "${local.client}/key.pem"`, "an assertion": `client_assertion_file = "${local.client}/assertion"`, "a certificate": byCertificate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newClientFixture(t)
			s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(s.Dir, "..", "cache"))
			s.uses(arguments)
			s.must("apply", "-auto-approve")
			if got := len(s.OAuth2.Requests()); got != 1 {
				t.Errorf("plan and apply have sent %d requests, want one", got)
			}
		})
	}
}

// An assertion whose outcome is unknown is not sent by a later process either, and a used one is called so.
func TestAnAssertionIsSentOnceOverProcesses(t *testing.T) {
	t.Parallel()
	s := newClientFixture(t)
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(s.Dir, "..", "cache"))
	s.uses(`client_assertion_file = "${local.client}/assertion"` + "\n  scopes = [\"things.read\"]")
	s.OAuth2.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	if r := s.report("plan"); len(r.errors) != 1 || !strings.Contains(r.errors[0].Summary, "platform unavailable") {
		t.Errorf("errors %v", r.errors)
	}
	s.OAuth2.Intercept(nil)
	if r := s.report("plan"); len(r.errors) != 1 || !strings.Contains(r.errors[0].text(), "an earlier request with this client assertion got no answer") {
		t.Errorf("errors %v", r.errors)
	}
	if got := len(s.OAuth2.Requests()); got != 1 {
		t.Errorf("%d requests were sent, want one", got)
	}
	s.write("assertion", s.assertion(time.Hour))
	s.must("plan")
}

// Two blocks that need two tokens from one assertion: the second is told that it was used, and nothing is rejected.
func TestASecondUseOfAnAssertionIsNamed(t *testing.T) {
	t.Parallel()
	s := newClientFixture(t)
	s.configure(clientFiles + `provider "ixtoken" {
  ca_cert_pem = var.ca
  oauth2      = { client_assertion_file = "${local.client}/assertion" }
}
ephemeral "oauth2_access_token" "one" { provider = ixtoken }
ephemeral "oauth2_access_token" "two" {
  provider = ixtoken
  scopes   = ["things.read"]
}
`)
	r := s.report("plan")
	if len(r.errors) != 1 || !strings.Contains(r.errors[0].Summary, "client assertion used already") || len(s.OAuth2.Issued()) != 1 {
		t.Errorf("%d tokens, errors %v", len(s.OAuth2.Issued()), r.errors)
	}
}

// The data source and the API proxy have such clients too, and the provider block sets them.
func TestDataSourcesAndProxiesHaveClientsWithoutASecret(t *testing.T) {
	t.Parallel()
	s := newClientFixture(t)
	s.setenv("TF_VAR_upstream", s.OAuth2.URL())
	s.configure(clientFiles + `variable "upstream" { type = string }
provider "ixtoken" {
  ca_cert_pem = var.ca
  oauth2      = { client_key_pem = file("${local.client}/key.pem") }
}
data "oauth2_access_token" "t" { provider = ixtoken }
data "oauth2_access_token" "certified" {
  provider = ixtoken
  ` + byCertificate + `
}
ephemeral "oauth2_api_proxy" "t" {
  provider        = ixtoken
  upstream        = var.upstream
  client_key_file = "${local.client}/key.pem"
}
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "curl --silent --fail --output things.json \"$URL/things\""
    environment = { URL = ephemeral.oauth2_api_proxy.t.url }
  }
}
`)
	s.must("apply", "-auto-approve")
	if _, err := os.Stat(filepath.Join(s.Dir, "things.json")); err != nil {
		t.Error(err)
	}
}
