// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/md5"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/leak"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// leakFixture is a fixture that keeps everything that the runs print and write. At the end, the test searches it for every
// secret. The configuration contains none: secrets come from the environment, which the CLI does not log.
type leakFixture struct {
	*fixture
	temporary string            // the directory for temporary files
	secrets   map[string]string // by name, without the secrets of the platforms
	printed   []printed
	runs      int
}

// printed is the output of a run.
type printed struct{ what, text string }

func newLeakFixture(t *testing.T, options simulator.Options) *leakFixture {
	t.Helper()
	temporary, err := os.MkdirTemp("", "s") //nolint:usetesting // sockets of the plugins need a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temporary) })
	s := &leakFixture{fixture: newFixtureWith(t, options), temporary: temporary, secrets: map[string]string{}}
	s.setenv("TMPDIR", temporary)
	s.setenv(pluginTLS, "")
	user := s.Equinix.Credentials()
	s.setenv("EQUINIX_USER_NAME", user.UserName)
	s.setenv("EQUINIX_USER_PASSWORD", user.UserPassword)
	s.setSecret("password", user.UserPassword)
	s.setSecret("interxion_client_secret", s.Interxion.Credentials().ClientSecret)
	s.setSecret("equinix_spent", awkwardSecret(t))
	s.setSecret("cloudlx_spent", awkwardSecret(t))
	s.setSecret("oauth2_parameter", awkwardSecret(t))
	s.setSecret("oauth2_header", headerSafe(awkwardSecret(t)))
	s.setSecret("ixapi_spent", awkwardSecret(t))
	idToken, err := s.Issuer.Token(24 * time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s.setSecret("id_token", idToken)
	delete(s.secrets, "variable id_token") // known finds it among those that were issued
	s.setClient()
	digest := md5.Sum([]byte(user.UserPassword))
	s.secrets["encoded password"] = base64.StdEncoding.EncodeToString(digest[:])
	return s
}

// setClient sets the variables of the clients of the OAuth2 server that have no secret. The certificate is no secret.
func (s *leakFixture) setClient() {
	s.t.Helper()
	client := s.Client()
	block, _ := pem.Decode([]byte(client.KeyPEM))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		s.t.Fatal("the key is of another kind")
	}
	number, err := private.Bytes()
	if err != nil {
		s.t.Fatal(err)
	}
	s.secrets["client key"] = string(number) // the rest of the file is the same for every key, or public
	s.setenv("TF_VAR_client_key", client.KeyPEM)
	s.setenv("TF_VAR_client_certificate", client.CertificatePEM)
	s.setenv("TF_VAR_client_id", s.OAuth2.Credentials().ClientID)
	s.setenv("TF_VAR_mutual_url", client.MutualURL)
	s.setenv("TF_VAR_ca_cert_pem", client.CAPEM)
	s.AcceptAssertionsAgain() // each run has the same one
}

// awkwardSecret returns a random secret that no platform accepts, with every character that needs an escape somewhere.
func awkwardSecret(t *testing.T) string {
	t.Helper()
	random, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer random.Close()
	return random.CloudLX.Credentials().ClientSecret
}

// headerSafe removes the characters that a header must not contain.
func headerSafe(text string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
}

// setSecret sets an input variable to a secret for which the test searches.
func (s *leakFixture) setSecret(variable, value string) {
	s.setenv("TF_VAR_"+variable, value)
	s.secrets["variable "+variable] = value
}

// root returns the directory that contains everything except temporary files.
func (s *leakFixture) root() string { return filepath.Dir(s.Dir) }

// trace sets the level of a logger to TRACE, and a new file for the log.
func (s *leakFixture) trace(variable string) {
	s.setenv(variable, "TRACE")
	s.setenv("TF_LOG_PATH", filepath.Join(s.root(), fmt.Sprintf("%s-%d.log", variable, s.runs)))
}

// run runs a command and keeps its output.
func (s *leakFixture) run(command string, more ...string) terraform.Result {
	s.t.Helper()
	r := s.fixture.run(append(strings.Fields(command), more...)...)
	s.keep(command, r.Stdout, r.Stderr)
	return r
}

func (s *leakFixture) must(command string) terraform.Result {
	s.t.Helper()
	r := s.run(command)
	if r.Status != 0 {
		s.t.Fatalf("%s ended with status %d:\n%s%s", command, r.Status, r.Stdout, r.Stderr)
	}
	return r
}

func (s *leakFixture) keep(command, stdout, stderr string) {
	s.runs++
	s.printed = append(s.printed, printed{"output of " + command, stdout}, printed{"errors of " + command, stderr})
}

// console evaluates expressions, one per line.
func (s *leakFixture) console(expressions ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	command := s.Command(ctx, "console")
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(strings.Join(expressions, "\n")+"\n"), &stdout, &stderr
	err := command.Run()
	s.keep("console", stdout.String(), stderr.String())
	if stdout.Len() == 0 {
		s.t.Errorf("the console says nothing: %v\n%s", err, stderr.String())
	}
	return stdout.String()
}

// knownSecrets returns all secrets by name, with the tokens that the platforms have issued so far.
func (s *leakFixture) knownSecrets() map[string]string {
	known := maps.Clone(s.secrets)
	for i, token := range s.Issuer.Issued() {
		known[fmt.Sprintf("identity token %d", i)] = token[strings.LastIndex(token, ".")+1:]
	}
	for i, assertion := range s.Asserted() {
		known[fmt.Sprintf("client assertion %d", i)] = assertion[strings.LastIndex(assertion, ".")+1:]
	}
	for _, p := range s.Platforms() {
		p.Intercept(nil) // kindOf calls the platform's API
		known[p.Name()+" client secret"] = p.Credentials().ClientSecret
		for i, token := range p.Issued() {
			// Only the signature of a JSON Web Token is searched for: the rest is similar in all tokens.
			known[fmt.Sprintf("%s %s %d", p.Name(), kindOf(s.t, p, token), i)] = token[strings.LastIndex(token, ".")+1:]
		}
	}
	return known
}

// kindOf returns whether a token is an access token, which the API accepts, or another one.
func kindOf(t *testing.T, p *simulator.Platform, token string) string {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, p.APIURL(), nil)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/vnd.cloudlx.v1+json")
	answer := httptest.NewRecorder()
	if p.ServeHTTP(answer, request); answer.Code == http.StatusOK {
		return "access token"
	}
	return "refresh token"
}

// wantNoLeak searches everything that the runs have printed and written, and fails the test if it finds a secret. allowed
// exempts findings.
func (s *leakFixture) wantNoLeak(allowed ...func(leak.Finding) bool) {
	s.t.Helper()
	scanner := leak.New(s.knownSecrets())
	var found []leak.Finding
	for _, p := range s.printed {
		found = append(found, scanner.Text(p.what, []byte(p.text))...)
	}
	for _, dir := range []string{s.root(), s.temporary} {
		more, err := scanner.Tree(dir)
		if err != nil {
			s.t.Error(err)
		}
		found = append(found, more...)
	}
	hits := slices.DeleteFunc(slices.Clone(found), func(f leak.Finding) bool {
		return slices.ContainsFunc(allowed, func(allow func(leak.Finding) bool) bool { return allow(f) })
	})
	for _, hit := range hits {
		s.t.Error(hit)
	}
	artefacts, size := scanner.Scanned()
	s.t.Logf("%d runs, %d artefacts, %d bytes: %d hits, %d tokens where they belong", s.runs, artefacts, size, len(hits), len(found)-len(hits))
}

// everyGrant opens each platform's ephemeral resource with each grant, and uses all tokens.
const everyGrant = `
variable "password" {
  type      = string
  ephemeral = true
}
variable "interxion_client_secret" {
  type      = string
  ephemeral = true
}
variable "equinix_spent" {
  type      = string
  ephemeral = true
}
variable "cloudlx_spent" {
  type      = string
  ephemeral = true
}
variable "oauth2_parameter" {
  type      = string
  ephemeral = true
}
variable "oauth2_header" {
  type      = string
  ephemeral = true
}
variable "ixapi_spent" {
  type      = string
  ephemeral = true
}
variable "id_token" {
  type      = string
  ephemeral = true
}
variable "ca_cert_pem" {
  type      = string
  ephemeral = true
  default   = ""
}
variable "client_key" {
  type      = string
  ephemeral = true
}
variable "client_certificate" {
  type      = string
  ephemeral = true
}
variable "client_id" {
  type      = string
  ephemeral = true
}
variable "mutual_url" {
  type      = string
  ephemeral = true
}
provider "ixtoken" {
  interxion   = { client_secret = var.interxion_client_secret }
  max_retries = 1
  ca_cert_pem = var.ca_cert_pem
}
ephemeral "interxion_access_token" "t" { provider = ixtoken }
ephemeral "equinix_access_token" "t" { provider = ixtoken }
ephemeral "equinix_access_token" "password" {
  provider   = ixtoken
  grant_type = "password"
}
ephemeral "equinix_access_token" "encoded" {
  provider          = ixtoken
  grant_type        = "password"
  user_password     = provider::ixtoken::md5_b64(var.password)
  password_encoding = "md5-b64"
}
ephemeral "equinix_access_token" "refreshed" {
  provider               = ixtoken
  previous_refresh_token = ephemeral.equinix_access_token.password.refresh_token
}
ephemeral "equinix_access_token" "fallback" {
  provider               = ixtoken
  previous_refresh_token = var.equinix_spent
}
ephemeral "equinix_access_token" "exchanged" {
  provider                     = ixtoken
  token_exchange_scope         = "roleassignments:1"
  token_exchange_subject_token = var.id_token
}
ephemeral "oauth2_access_token" "exchanged" {
  provider                     = ixtoken
  grant_type                   = "token_exchange"
  token_exchange_subject_token = var.id_token
}
ephemeral "cloudlx_access_token" "t" { provider = ixtoken }
ephemeral "cloudlx_access_token" "refreshed" {
  provider               = ixtoken
  previous_refresh_token = ephemeral.cloudlx_access_token.t.refresh_token
}
ephemeral "cloudlx_access_token" "fallback" {
  provider               = ixtoken
  previous_refresh_token = var.cloudlx_spent
}
ephemeral "digitalrealty_access_token" "t" { provider = ixtoken }
ephemeral "megaport_access_token" "t" { provider = ixtoken }
ephemeral "ixapi_access_token" "t" { provider = ixtoken }
ephemeral "ixapi_access_token" "refreshed" {
  provider               = ixtoken
  previous_refresh_token = ephemeral.ixapi_access_token.t.refresh_token
}
ephemeral "ixapi_access_token" "fallback" {
  provider               = ixtoken
  previous_refresh_token = var.ixapi_spent
}
ephemeral "oauth2_access_token" "t" {
  provider   = ixtoken
  parameters = { pin = var.oauth2_parameter }
  headers    = { X-Key = var.oauth2_header }
  scopes     = ["offline_access"]
}
ephemeral "oauth2_access_token" "refreshed" {
  provider                   = ixtoken
  token_endpoint_auth_method = "client_secret_post"
  previous_refresh_token     = ephemeral.oauth2_access_token.t.refresh_token
}
ephemeral "oauth2_access_token" "signed" {
  provider                   = ixtoken
  client_key_pem             = var.client_key
  client_key_certificate_pem = var.client_certificate
}
ephemeral "oauth2_access_token" "asserted" {
  provider         = ixtoken
  client_assertion = var.id_token
}
ephemeral "oauth2_access_token" "certified" {
  provider                   = ixtoken
  token_url                  = var.mutual_url
  client_certificate_pem     = var.client_certificate
  client_certificate_key_pem = var.client_key
}
ephemeral "oauth2_access_token" "exchanged_by_a_client" {
  provider                     = ixtoken
  client_id                    = var.client_id
  client_key_pem               = var.client_key
  token_exchange_subject_token = var.id_token
}
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command = "echo used"
    environment = {
      A = ephemeral.interxion_access_token.t.authorization
      B = ephemeral.equinix_access_token.t.authorization
      C = ephemeral.equinix_access_token.encoded.authorization
      D = ephemeral.equinix_access_token.refreshed.authorization
      E = ephemeral.equinix_access_token.fallback.authorization
      F = ephemeral.cloudlx_access_token.t.authorization
      G = ephemeral.cloudlx_access_token.refreshed.authorization
      H = ephemeral.cloudlx_access_token.fallback.authorization
      K = ephemeral.ixapi_access_token.refreshed.authorization
      L = ephemeral.ixapi_access_token.fallback.authorization
      J = ephemeral.megaport_access_token.t.authorization
      I = ephemeral.digitalrealty_access_token.t.authorization
      M = ephemeral.oauth2_access_token.t.authorization
      N = ephemeral.oauth2_access_token.refreshed.authorization
      O = ephemeral.oauth2_access_token.signed.authorization
      P = ephemeral.oauth2_access_token.asserted.authorization
      Q = ephemeral.oauth2_access_token.certified.authorization
    }
  }
}
`

// everyGrantOnce is the number of requests that a run of everyGrant makes to each platform.
var everyGrantOnce = []int{1, 6, 3, 1, 1, 3, 7}

// H01, H02
func TestEphemeralResourcesLeaveNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	s := newLeakFixture(t, simulator.Options{})
	s.configure(everyGrant)
	commands := []string{
		"validate", "validate -json", "plan -no-color", "plan -json",
		"plan -out=saved", "show saved", "show -json saved", "apply saved", "show", "show -json", "state pull",
		"apply -auto-approve -json -replace=terraform_data.use", "plan -refresh-only", "apply -refresh-only -auto-approve",
		"output", "output -json", "providers", "graph", "destroy -auto-approve", "apply -auto-approve", "destroy -auto-approve -json",
	}
	for _, command := range withoutRefreshOnly(t, commands) {
		s.trace("TF_LOG")
		s.must(command)
	}
	s.console("ephemeral.equinix_access_token.password", "ephemeral.cloudlx_access_token.t.access_token", "var.password", "provider::ixtoken::md5_b64(var.password)")
	s.setenv("TF_LOG_PATH", "") // logs to the terminal
	s.must("plan")
	for i, p := range s.Platforms() {
		if got := len(tokenRequests(p)); got < 4*everyGrantOnce[i] {
			t.Errorf("%s has seen %d requests: not every grant was used", p.Name(), got)
		}
	}
	s.wantNoLeak()
}

// F20: the cache's entries are encrypted, and the cache leaves nothing else.
func TestTheCacheHoldsNoSecretInClear(t *testing.T) {
	t.Parallel()
	s := newLeakFixture(t, simulator.Options{})
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(s.root(), "cache"))
	s.configure(everyGrant)
	s.trace("TF_LOG")
	for _, command := range []string{"plan -json", "plan -out=saved", "apply saved", "apply -auto-approve -replace=terraform_data.use"} {
		s.must(command)
	}
	files, err := filepath.Glob(filepath.Join(s.root(), "cache", "*"))
	if err != nil || len(files) == 0 {
		t.Errorf("%d files in the cache, error %v", len(files), err)
	}
	s.wantNoLeak()
}

// H02: init, a module and a backend create a .terraform directory.
func TestAnInstalledProviderLeavesNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	s := newLeakFixture(t, simulator.Options{})
	mirror := t.TempDir()
	const source = "providers.example/ixtoken/ixtoken" // with a host, so that both CLIs look in the same place
	dir := filepath.Join(mirror, filepath.FromSlash(source), "1.0.0")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(plugins, filepath.Join(dir, runtime.GOOS+"_"+runtime.GOARCH)); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	settings := filepath.Join(s.root(), "mirror.tfrc")
	text := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.ToSlash(mirror))
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.setenv("TF_CLI_CONFIG_FILE", settings)
	if err := os.Mkdir(filepath.Join(s.Dir, "all"), 0o700); err != nil {
		t.Fatal(err)
	}
	required := strings.ReplaceAll(preamble, "ixtoken/ixtoken", source)
	if err := s.Write("all/main.tf", required+everyGrant); err != nil {
		t.Fatal(err)
	}
	variables, arguments := "", ""
	for _, name := range []string{"password", "interxion_client_secret", "equinix_spent", "cloudlx_spent", "ixapi_spent", "oauth2_parameter", "oauth2_header", "id_token", "client_key", "client_certificate", "mutual_url", "client_id", "ca_cert_pem"} {
		variables += "variable \"" + name + "\" {\n  type      = string\n  ephemeral = true\n}\n"
		arguments += "  " + name + " = var." + name + "\n"
	}
	root := "terraform {\n  backend \"local\" { path = \"state/main.tfstate\" }\n}\n" + variables + "module \"all\" {\n  source = \"./all\"\n" + arguments + "}\n"
	if err := s.Write("main.tf", required+root); err != nil {
		t.Fatal(err)
	}
	s.trace("TF_LOG")
	for _, command := range []string{"init -no-color", "plan -out=saved", "apply saved", "destroy -auto-approve"} {
		s.must(command)
	}
	for _, file := range []string{".terraform/terraform.tfstate", ".terraform/modules/modules.json", "state/main.tfstate", "state/main.tfstate.backup"} {
		if _, err := os.Stat(filepath.Join(s.Dir, file)); err != nil {
			t.Errorf("was %s looked through? %v", file, err)
		}
	}
	s.wantNoLeak()
}

const everyDataSource = `
data "interxion_access_token" "t" { provider = ixtoken }
data "equinix_access_token" "t" { provider = ixtoken }
data "equinix_access_token" "password" {
  provider   = ixtoken
  grant_type = "password"
}
data "equinix_access_token" "exchanged" {
  provider                             = ixtoken
  token_exchange_scope                 = "roleassignments:1"
  token_exchange_subject_token_env_var = "EQUINIX_ID_TOKEN"
}
data "cloudlx_access_token" "t" { provider = ixtoken }
data "digitalrealty_access_token" "t" { provider = ixtoken }
data "megaport_access_token" "t" { provider = ixtoken }
data "ixapi_access_token" "t" { provider = ixtoken }
data "oauth2_access_token" "t" { provider = ixtoken }
resource "terraform_data" "use" {
  input            = data.cloudlx_access_token.t.token_type
  triggers_replace = [data.equinix_access_token.t.user_name]
}
output "token_type" { value = data.equinix_access_token.t.token_type }
`

// H01, H02: the state, plans and their JSON contain a data source's own access token, but no other secret.
func TestADataSourceStoresOnlyItsAccessToken(t *testing.T) {
	t.Parallel()
	s := newLeakFixture(t, simulator.Options{})
	s.configure(everyDataSource)
	commands := []string{
		"validate", "plan -no-color", "plan -json", "plan -out=saved", "show saved", "apply saved", "show", "output -json",
		"apply -auto-approve -json -replace=terraform_data.use", "plan -refresh-only", "destroy -auto-approve", "apply -auto-approve",
	}
	for _, command := range commands {
		s.trace("TF_LOG")
		s.must(command)
	}
	s.console("data.equinix_access_token.t", "data.cloudlx_access_token.t.access_token")
	for _, command := range []string{"show -json", "show -json saved"} {
		wantOnlyAccessTokens(t, s, command)
	}
	s.must("state pull")
	states := []string{"terraform.tfstate", "terraform.tfstate.backup", "saved!tfstate", "saved!tfstate-prev", "saved!tfplan", "output of show -json", "output of state pull"}
	seen := map[string]bool{}
	s.wantNoLeak(func(f leak.Finding) bool {
		where := strings.TrimPrefix(f.Where, s.Dir+string(filepath.Separator))
		seen[where] = true
		return strings.Contains(f.Secret, "access token") && slices.ContainsFunc(states, func(state string) bool { return strings.HasPrefix(where, state) })
	})
	for _, where := range []string{"terraform.tfstate", "saved!tfstate", "output of show -json"} {
		if !seen[where] {
			t.Errorf("no access token in %s: was it looked through?", where)
		}
	}
}

// wantOnlyAccessTokens fails the test unless the platforms' tokens are only in two attributes, both marked as sensitive.
func wantOnlyAccessTokens(t *testing.T, s *leakFixture, command string) {
	t.Helper()
	var shown any
	if err := json.Unmarshal([]byte(s.must(command).Stdout), &shown); err != nil {
		t.Fatal(err)
	}
	known, found := s.knownSecrets(), map[string]int{}
	walk(shown, "", func(name, text string) {
		if text == "true" {
			found[name+" is sensitive"]++
		}
		for secret, value := range known {
			if strings.Contains(text, value) {
				found[name]++
				if !strings.Contains(secret, "access token") {
					t.Errorf("%s: %s holds the %s", command, name, secret)
				}
			}
		}
	})
	tokens := found["access_token"]
	if tokens == 0 || found["authorization"] != tokens || found["access_token is sensitive"] < 4 || found["authorization is sensitive"] < 4 {
		t.Errorf("%s: found %v", command, found)
	}
	for name := range found {
		if name != "access_token" && name != "authorization" && !strings.HasSuffix(name, " is sensitive") {
			t.Errorf("%s: %s holds a token", command, name)
		}
	}
}

// walk calls visit for every string and boolean in a JSON value, with the name of the member.
func walk(value any, name string, visit func(name, text string)) {
	switch value := value.(type) {
	case string:
		visit(name, value)
	case bool:
		visit(name, strconv.FormatBool(value))
	case []any:
		for _, item := range value {
			walk(item, name, visit)
		}
	case map[string]any:
		for name, item := range value {
			walk(item, name, visit)
		}
	}
}

// H04
func TestNoLoggerWritesASecret(t *testing.T) {
	t.Parallel()
	s := newLeakFixture(t, simulator.Options{})
	s.configure(everyGrant)
	plain := s.Env
	for _, logger := range []string{"TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER", "TF_LOG_SDK", "TF_LOG_SDK_PROTO", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_PROVIDER_IXTOKEN"} {
		s.Env = slices.Clone(plain)
		s.trace("TF_LOG_PROVIDER") // otherwise the CLI drops the log of the provider's own loggers
		s.trace(logger)
		s.must("plan")
	}
	s.setenv("TF_LOG", "JSON")
	s.must("apply -auto-approve")
	s.wantNoLeak()
}

// H04: the protocol dump would contain every secret, unencrypted.
func TestTheProtocolDumpIsSwitchedOff(t *testing.T) {
	t.Parallel()
	s := newLeakFixture(t, simulator.Options{})
	dump := filepath.Join(s.root(), "dump")
	if err := os.Mkdir(dump, 0o700); err != nil {
		t.Fatal(err)
	}
	s.setenv("TF_LOG_SDK_PROTO_DATA_DIR", dump)
	s.configure(everyGrant)
	r := s.must("plan -no-color")
	if want := "TF_LOG_SDK_PROTO_DATA_DIR was ignored"; strings.Count(r.Stdout+r.Stderr, want) != 1 {
		t.Errorf("the output does not say once %q:\n%s%s", want, r.Stdout, r.Stderr)
	}
	left, err := os.ReadDir(dump)
	if err != nil || len(left) > 0 {
		t.Errorf("the dump holds %v, error %v", left, err)
	}
	s.wantNoLeak()
}

// forms are the forms in which a platform may repeat what it was sent.
var forms = []func(string) string{
	func(s string) string { return s },
	url.QueryEscape,
	url.PathEscape,
	func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
	func(s string) string { return hex.EncodeToString([]byte(s)) },
	func(s string) string { return fmt.Sprintf("%X", s) },
	func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(":" + s)) },
	func(s string) string { return base64.StdEncoding.EncodeToString([]byte("id:" + s)) },
	func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) },
	func(s string) string { return fmt.Sprintf("%q", s) },
	func(s string) string { return strings.ReplaceAll(fmt.Sprintf("%+q", s), "/", `\/`) },
	html.EscapeString,
	func(s string) string { return "'" + s[:len(s)*2/3] + "…'" },
}

// echoingError answers with an error whose description repeats the secrets of the request in many forms. If code is empty, the
// code repeats them too.
func echoingError(status int, code string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		secrets, _ := sentIn(r)
		var said []string
		for _, secret := range secrets {
			for _, form := range forms {
				said = append(said, form(secret))
			}
		}
		text := strings.Join(said, " ")
		w.Header().Set("X-Debug", url.QueryEscape(text))
		w.Header().Set("WWW-Authenticate", "Basic realm="+base64.StdEncoding.EncodeToString([]byte(text)))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{
			"error": cmp.Or(code, secrets[0]), "error_description": text,
			"errorCode": cmp.Or(code, secrets[0]), "errorMessage": text, "developerMessage": text,
		})
		return true
	}
}

// sentIn returns the secrets in a token request, and its body.
func sentIn(r *http.Request) (secrets []string, body string) {
	text, _ := io.ReadAll(r.Body)
	fields := map[string]string{}
	if json.Unmarshal(text, &fields) != nil {
		form, _ := url.ParseQuery(string(text))
		for name := range form {
			fields[name] = form.Get(name)
		}
	}
	for _, name := range []string{"client_secret", "user_password", "refresh_token", "api_secret"} {
		if fields[name] != "" {
			secrets = append(secrets, fields[name])
		}
	}
	if _, secret, ok := r.BasicAuth(); ok {
		secrets = append(secrets, secret, r.Header.Get("Authorization"))
	}
	return secrets, string(text)
}

// pageWithSecrets answers with an HTML page that shows the request.
func pageWithSecrets(status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		secrets, body := sentIn(r)
		return answers(status, "text/html; charset=utf-8", "<html><title>"+strings.Join(secrets, " ")+"</title>"+body+"</html>")(w, r)
	}
}

// redirectWithSecrets answers with a redirect whose URL contains the request.
func redirectWithSecrets(w http.ResponseWriter, r *http.Request) bool {
	secrets, body := sentIn(r)
	host := hex.EncodeToString([]byte(secrets[0]))[:40] + ".example"
	w.Header().Set("Location", "https://u:"+url.QueryEscape(secrets[0])+"@"+host+"/?"+url.QueryEscape(body))
	w.WriteHeader(http.StatusTemporaryRedirect)
	return true
}

// answerWithoutHTTP answers with the text of the request, without HTTP.
func answerWithoutHTTP(w http.ResponseWriter, r *http.Request) bool {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	defer connection.Close()
	secrets, body := sentIn(r)
	_, _ = io.WriteString(connection, strings.Join(secrets, "\r\n")+"\r\n\r\n"+body)
	return true
}

// H01, I2: no error shows a secret, whatever the platform answers and however much of the request the answer repeats.
func TestFailuresShowNoSecret(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		{"a rejection that echoes the request", echoingError(http.StatusBadRequest, "invalid_client"), "[redacted]"},
		{"a rejection whose code is the secret", echoingError(http.StatusBadRequest, ""), "[redacted]"},
		{"a failure that echoes the request", echoingError(http.StatusInternalServerError, "S1006"), "[redacted]"},
		{"a success that echoes the request", echoingError(http.StatusOK, "invalid_grant"), "[redacted]"},
		{"an overload that echoes the request", echoingError(http.StatusTooManyRequests, ""), "[redacted]"},
		{"a page that echoes the request", pageWithSecrets(http.StatusOK), "HTML"},
		{"a firewall's page that echoes the request", pageWithSecrets(http.StatusForbidden), "text/html"},
		{"a gateway's page that echoes the request", pageWithSecrets(http.StatusBadGateway), "text/html"},
		{"a redirect that echoes the request", redirectWithSecrets, "a redirect to [redacted], which"},
		{"a status line that echoes the request", answerWithoutHTTP, "not HTTP/1.1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newLeakFixture(t, simulator.Options{})
			for _, p := range s.Platforms() {
				p.Intercept(test.answer)
			}
			s.configure(everyGrant + strings.Replace(everyDataSource, `"use" {`, `"use_data" {`, 1))
			s.trace("TF_LOG")
			if r := s.run("apply -auto-approve -no-color"); r.Status == 0 || !strings.Contains(r.Stderr, test.want) {
				t.Errorf("status %d, without %q:\n%s", r.Status, test.want, r.Stderr)
			} else if errors := strings.Count(r.Stderr, "Error: "); errors < 25 {
				t.Errorf("%d errors: were all blocks tried?\n%s", errors, r.Stderr)
			}
			s.wantNoLeak()
		})
	}
}

// H01: connections that fail, and a proxy with a password in the environment (T21).
func TestFailuresOfTheConnectionShowNoSecret(t *testing.T) {
	t.Parallel()
	t.Run("an authority that is not trusted", func(t *testing.T) {
		t.Parallel()
		s := newLeakFixture(t, simulator.Options{TLS: true})
		s.setenv("TF_VAR_ca_cert_pem", "")
		s.configure(everyGrant)
		s.trace("TF_LOG")
		if r := s.run("plan -no-color"); r.Status == 0 || !strings.Contains(r.Stderr, "connection not trusted") {
			t.Errorf("status %d:\n%s", r.Status, r.Stderr)
		}
		s.wantNoLeak()
	})
	for name, test := range map[string]struct {
		proxy  func(target string) http.Handler
		status int
		want   string
	}{
		"a proxy that lets through":      {tunnel, 0, "No changes"},
		"a proxy that wants another one": {refuse(http.StatusProxyAuthRequired), 1, "the proxy answered 407"},
		"a proxy that fails":             {refuse(http.StatusBadGateway), 1, "the proxy answered 502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newLeakFixture(t, simulator.Options{})
			platform := httptest.NewTLSServer(s.Equinix)
			t.Cleanup(platform.Close)
			proxy := httptest.NewServer(test.proxy(platform.Listener.Addr().String()))
			t.Cleanup(proxy.Close)
			s.secrets["the proxy's password"] = awkwardSecret(t)
			user := url.UserPassword("user", s.secrets["the proxy's password"])
			s.setenv("HTTPS_PROXY", "http://"+user.String()+"@"+proxy.Listener.Addr().String())
			s.setenv("EQUINIX_API_ENDPOINT", "https://example.com") // the host in httptest's certificate; a proxy is asked for no loopback address
			authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: platform.Certificate().Raw})
			s.setenv("TF_VAR_ca_cert_pem", string(authority))
			s.configure(`variable "ca_cert_pem" { type = string }
provider "ixtoken" {
  ca_cert_pem = var.ca_cert_pem
  max_retries = 0
}
ephemeral "equinix_access_token" "t" { provider = ixtoken }
`)
			s.trace("TF_LOG")
			if r := s.run("plan -no-color"); r.Status != test.status || !strings.Contains(r.Stdout+r.Stderr, test.want) {
				t.Errorf("status %d, want %d and %q:\n%s%s", r.Status, test.status, test.want, r.Stdout, r.Stderr)
			}
			s.wantNoLeak()
		})
	}
	t.Run("a proxy whose URL cannot be read", func(t *testing.T) {
		t.Parallel()
		s := newLeakFixture(t, simulator.Options{})
		s.secrets["the proxy's password"] = awkwardSecret(t)
		s.setenv("HTTPS_PROXY", "http://user:"+s.secrets["the proxy's password"]+"@[proxy")
		s.setenv("EQUINIX_API_ENDPOINT", "https://proxied.invalid")
		s.configure(`ephemeral "equinix_access_token" "t" { provider = ixtoken }`)
		s.trace("TF_LOG")
		if r := s.run("plan -no-color"); r.Status == 0 || !strings.Contains(r.Stderr, "No Equinix access token: invalid settings") {
			t.Errorf("status %d:\n%s", r.Status, r.Stderr)
		}
		s.wantNoLeak()
	})
}

// tunnel is a proxy that connects to target, whatever host is requested.
func tunnel(target string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") == "" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		far, err := net.Dial("tcp", target)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer far.Close()
		w.WriteHeader(http.StatusOK)
		near, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		go func() {
			_, _ = io.Copy(far, buffered)
			far.Close()
		}()
		_, _ = io.Copy(near, far)
	})
}

// refuse is a proxy that answers with a status, and repeats the request.
func refuse(status int) func(string) http.Handler {
	return func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Debug", r.Header.Get("Proxy-Authorization"))
			http.Error(w, r.Header.Get("Proxy-Authorization"), status)
		})
	}
}

// C10, H15: an invalid secret, or a secret in the wrong attribute, is not logged either.
func TestInvalidValuesAreInNoArtefact(t *testing.T) {
	t.Parallel()
	s := newLeakFixture(t, simulator.Options{})
	odd := awkwardSecret(t)
	s.setSecret("odd", odd)
	s.setSecret("huge", strings.Repeat(odd, 400))
	s.setenv("TF_VAR_url", "https://u:"+url.QueryEscape(odd)+"@h.example/?key="+url.QueryEscape(odd))
	variables := ""
	for _, name := range []string{"odd", "huge", "url"} {
		variables += "variable \"" + name + "\" {\n  type = string\n  ephemeral = true\n}\n"
	}
	s.trace("TF_LOG")
	// A wrong type is an error of the CLI, with which it does not ask the provider.
	for _, bodies := range [][]string{{"client_secret = [var.odd]", "}\noutput \"o\" {\n  value = provider::ixtoken::md5_b64([var.odd])"}, {
		"client_secret = var.huge",
		"client_id = \"${var.odd}\\r\\n\"",
		"base_url = var.url",
		"base_url = \"http://${var.odd}\"",
		"grant_type = var.odd",
		"min_validity = var.odd",
		"user_password = var.odd",
		"grant_type = \"password\"\npassword_encoding = \"md5-b64\"\nuser_password = var.odd",
		"grant_type = \"client_credentials\"\nprevious_refresh_token = var.odd",
		"}\nprovider \"ixtoken\" {\n  ca_cert_pem = var.odd",
		"}\nprovider \"ixtoken\" {\n  request_timeout = var.odd",
		"}\nprovider \"ixtoken\" {\n  equinix = { base_url = var.url }",
		"}\nprovider \"ixtoken\" {\n  equinix = { client_secret = var.huge }",
	}} {
		text := variables
		for i, body := range bodies {
			text += refusal{config: equinixBlock(body)}.named(caseName(i))
		}
		s.configure(text)
		r := s.run("plan -no-color")
		if errors := strings.Count(r.Stderr, "Error: "); r.Status == 0 || errors != len(bodies) {
			t.Errorf("%d errors, want %d:\n%s", errors, len(bodies), r.Stderr)
		}
	}
	s.wantRequests(0, 0, 0)
	s.wantNoLeak()
}

// H13: the CLI's own rules about ephemeral and sensitive values apply.
func TestTheCLIsOwnRulesHold(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		s := newLeakFixture(t, simulator.Options{})
		refused := func(config, want string, where ...string) {
			t.Helper()
			s.configure("ephemeral \"cloudlx_access_token\" \"t\" { provider = ixtoken }\ndata \"cloudlx_access_token\" \"t\" { provider = ixtoken }\n" + config)
			s.trace("TF_LOG")
			r := s.run("plan -no-color")
			errors := strings.Split(r.Stderr, "Error: ")[1:]
			for _, place := range where {
				if !slices.ContainsFunc(errors, func(text string) bool { return strings.Contains(text, want) && strings.Contains(text, place) }) {
					t.Errorf("status %d: %s is not refused as %q:\n%s", r.Status, place, want, r.Stderr)
				}
			}
		}
		refused(`
output "ephemeral" { value = ephemeral.cloudlx_access_token.t.access_token }
output "called_sensitive" {
  value     = ephemeral.cloudlx_access_token.t.refresh_token
  sensitive = true
}
output "through_nonsensitive" { value = nonsensitive(ephemeral.cloudlx_access_token.t.authorization) }
resource "terraform_data" "r" { input = ephemeral.cloudlx_access_token.t.access_token }
`, "phemeral", `output "ephemeral"`, `output "called_sensitive"`, `output "through_nonsensitive"`, `resource "terraform_data" "r"`)
		refused(`output "o" { value = data.cloudlx_access_token.t.access_token }`, "sensitive", `output "o"`)
		s.wantNoLeak()
	})
	t.Run("a sensitive output of a data source", func(t *testing.T) {
		t.Parallel()
		s := newLeakFixture(t, simulator.Options{})
		s.configure(`data "cloudlx_access_token" "t" { provider = ixtoken }
output "o" {
  value     = data.cloudlx_access_token.t.access_token
  sensitive = true
}`)
		s.must("apply -auto-approve")
		s.must("output")
		s.console("data.cloudlx_access_token.t.authorization")
		s.wantNoLeak(func(f leak.Finding) bool { return strings.HasPrefix(filepath.Base(f.Where), "terraform.tfstate") })
	})
}
