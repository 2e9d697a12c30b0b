// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package acceptance

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// everyProxy returns a proxy for each platform. The proxies of Equinix and CloudLX use the default upstream.
func everyProxy(s *fixture) string {
	text := ""
	for _, p := range s.Platforms() {
		text += fmt.Sprintf("ephemeral \"%s_api_proxy\" \"p\" {\n  provider = ixtoken\n", platformOf(p).Name)
		if p != s.Equinix && p != s.CloudLX {
			text += fmt.Sprintf("  upstream = %q\n", p.URL())
		}
		text += "}\n"
	}
	return text
}

// consumer returns a resource that runs a script, with the proxy's URL and the path of the API in its environment.
func consumer(p *simulator.Platform, name, script string) string {
	path := strings.TrimPrefix(p.APIURL(), p.URL())
	return fmt.Sprintf(`
resource "terraform_data" "%s_%s" {
  provisioner "local-exec" {
    command     = %q
    environment = { PROXY = ephemeral.%[1]s_api_proxy.p.url, API = %[4]q }
  }
}
`, platformOf(p).Name, name, script, path)
}

// apiCalls counts the answers of a platform's API by status.
func apiCalls(p *simulator.Platform) map[int]int {
	calls := map[int]int{}
	for _, request := range p.Requests() {
		if request.Grant == "" {
			calls[request.Status]++
		}
	}
	return calls
}

// An apply takes several times as long as a token lasts. The API accepts every call, and each token costs one request.
func TestAnApplyLastsLongerThanItsTokens(t *testing.T) {
	t.Parallel()
	lifetime, seconds := 2*time.Second, 6
	if os.Getenv("IXTOKEN_SOAK") != "" {
		lifetime, seconds = 3*time.Second, 12
	}
	s := newFixture(t)
	text := everyProxy(s)
	for _, p := range s.Platforms() {
		p.SetLifetime(lifetime, 0)
		for _, name := range []string{"one", "two"} {
			text += consumer(p, name, fmt.Sprintf(`for i in $(seq %d); do curl -s -o /dev/null -w '%%%%{http_code} ' "$PROXY$API" >>%s-%s; sleep 0.2; done`, seconds*5, platformOf(p).Name, name))
		}
	}
	s.configure(text)
	s.must("plan")
	planned := map[*simulator.Platform]int{}
	for _, p := range s.Platforms() {
		planned[p] = len(tokenRequests(p))
	}
	began := time.Now()
	s.must("apply", "-auto-approve")
	took := time.Since(began)
	for _, p := range s.Platforms() {
		calls, tokens := apiCalls(p), len(tokenRequests(p))-planned[p]
		t.Logf("%s: apply of %.1f s on tokens of %s: API calls by status %v, %d token requests", p.Name(), took.Seconds(), lifetime, calls, tokens)
		for _, name := range []string{"one", "two"} { // on a busy machine, a token may end in transit; then the proxy repeats the call
			got, err := os.ReadFile(filepath.Join(s.Dir, platformOf(p).Name+"-"+name))
			if err != nil || string(got) != strings.Repeat("200 ", 5*seconds) {
				t.Errorf("%s: %v, a consumer was answered %s", p.Name(), err, got)
			}
		}
		// The apply starts with a plan. A token loses a part of its life in two ways: Interxion's tokens are JSON Web Tokens,
		// whose lifetime is in whole seconds, and on a busy machine the token request itself takes time.
		if most := 2 * (int(took/(lifetime-lifetime/10)) + 2); tokens > most {
			t.Errorf("%s: %d token requests in %s, want at most %d", p.Name(), tokens, took, most)
		}
	}
}

// A thousand requests during the lifetime of a token cost one token request.
func TestAThousandRequestsOfAnApplyShareAToken(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	script := `for i in $(seq 50); do echo "url = \"$PROXY$API\""; echo 'output = "/dev/null"'; done | curl -s --config -`
	text := everyProxy(s)
	for i := range 20 {
		text += consumer(s.Equinix, fmt.Sprint("c", i), script)
	}
	s.configure(text)
	s.must("apply", "-auto-approve")
	if calls := apiCalls(s.Equinix); calls[http.StatusOK] != 1000 || len(calls) != 1 {
		t.Errorf("API calls by status: %v", calls)
	}
	if got := len(tokenRequests(s.Equinix)); got != 2 { // one in the plan that the apply starts with
		t.Errorf("%d token requests", got)
	}
}

// address returns the host and port of the proxy whose URL a consumer has written to a file.
func address(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// wantGone fails the test if a server listens on address.
func wantGone(t *testing.T, address string) {
	t.Helper()
	if connection, err := net.Dial("tcp", address); err == nil {
		connection.Close()
		t.Error("the proxy still listens")
	}
}

// X11: each command opens proxies, and none is left when it ends, even if a consumer fails.
func TestNoProxyOutlivesItsRun(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	file := filepath.Join(t.TempDir(), "url")
	good := everyProxy(s) + consumer(s.Equinix, "one", `echo "$PROXY" >'`+file+`'; curl -sf "$PROXY$API" >/dev/null`)
	s.configure(good)
	commands := []string{"plan", "apply -auto-approve", "plan -refresh-only", "apply -refresh-only -auto-approve", "destroy -auto-approve"}
	for _, command := range withoutRefreshOnly(t, commands) {
		s.must(strings.Fields(command)...)
		if command != "plan" {
			wantGone(t, address(t, file))
		}
	}
	s.configure(good + consumer(s.Equinix, "two", `echo "$PROXY" >'`+file+`'; curl -sf "$PROXY/elsewhere"`))
	began := time.Now()
	if r := s.run("apply", "-auto-approve"); r.Status != 1 {
		t.Errorf("status %d", r.Status)
	}
	wantGone(t, address(t, file))
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the apply took %s", took)
	}
}

// X01: Ctrl-C during a request ends the run and its proxy.
func TestCtrlCEndsARunWithARequestUnderWay(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	file := filepath.Join(t.TempDir(), "url")
	arrived := make(chan struct{}, 1)
	s.Equinix.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/fabric/") {
			return false
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		return true
	})
	s.configure(everyProxy(s) + consumer(s.Equinix, "one", `echo "$PROXY" >'`+file+`'; exec curl -s "$PROXY$API"`))
	if output, took := s.interrupted(arrived, "apply", "-auto-approve", "-no-color"); took > 5*time.Second {
		t.Errorf("the run ended %s after Ctrl-C:\n%s", took, output)
	}
	wantGone(t, address(t, file))
}

// Another provider that is configured with the proxy's URL creates, reads and deletes an object.
func TestAnotherProviderUsesTheProxy(t *testing.T) {
	t.Parallel()
	s := newExample(t, "long-apply")
	s.must("apply", "-auto-approve")
	s.must("plan", "-detailed-exitcode")
	s.must("destroy", "-auto-approve")
	var calls []string
	for _, request := range s.Interxion.Requests() {
		if strings.HasPrefix(request.Path, "/api/") {
			calls = append(calls, fmt.Sprint(request.Method, " ", request.Status))
		}
	}
	if got := strings.Join(calls, ", "); got != "POST 201, GET 200, GET 200, DELETE 200" {
		t.Errorf("the API has seen %s", got)
	}
	state, err := os.ReadFile(filepath.Join(s.Dir, "terraform.tfstate.backup"))
	if err != nil || strings.Contains(string(state), "127.0.0.1") && strings.Contains(string(state), "http://") {
		t.Errorf("the state tells the address: %v\n%s", err, state)
	}
}

// The proxy trusts the authorities in ca_cert_pem for the API too, and no other private ones.
func TestAProxyTrustsTheConfiguredAuthorities(t *testing.T) {
	t.Parallel()
	s := newFixtureWith(t, simulator.Options{TLS: true})
	if err := s.Write("ca.pem", s.CAPEM); err != nil {
		t.Fatal(err)
	}
	own := newFixtureWith(t, simulator.Options{TLS: true}) // with another authority
	s.configure(`provider "ixtoken" { ca_cert_pem = file("ca.pem") }
ephemeral "equinix_api_proxy" "p" { provider = ixtoken }
ephemeral "equinix_api_proxy" "other" {
  provider = ixtoken
  upstream = "` + own.Equinix.URL() + `"
}
` + consumer(s.Equinix, "one", `curl -s "$PROXY$API" >answer`) +
		strings.ReplaceAll(consumer(s.Equinix, "two", `curl -s "$PROXY$API" >other`), "equinix_api_proxy.p", "equinix_api_proxy.other"))
	s.must("apply", "-auto-approve")
	for file, want := range map[string]string{"answer": "Test-Port-1", "other": "the server's certificate is signed with another key"} {
		if text, err := os.ReadFile(filepath.Join(s.Dir, file)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v: %s", file, err, text)
		}
	}
	if got := len(own.Equinix.Requests()); got != 0 {
		t.Errorf("the API that is not trusted has seen %d requests", got)
	}
}

// The guide's first configuration fails when the token has ended. The guide's three changes fix it.
func TestTheGuideMendsAnApplyThatIsTooLong(t *testing.T) {
	t.Parallel()
	before := fenced.FindStringSubmatch(read(t, "docs/guides/long-applies.md"))[1]
	after := strings.NewReplacer(
		"interxion_access_token", "interxion_api_proxy",
		"  provider = ixtoken\n", "  provider = ixtoken\n  upstream = \"https://ix-api.example/api/v2\"\n",
		"  uri = \"https://ix-api.example/api/v2\"\n", "  uri = ephemeral.interxion_api_proxy.main.url\n",
		"  headers = {\n    Authorization = ephemeral.interxion_access_token.main.authorization\n  }\n", "",
	).Replace(before)
	for config, want := range map[string]int{before: 1, after: 0} {
		s := newFixture(t)
		s.Interxion.SetLifetime(2*time.Second, 0)
		text := `terraform {
  required_providers {
    ixtoken = { source = "ixtoken/ixtoken" }
    restapi = { source = "Mastercard/restapi" }
  }
}
` + strings.ReplaceAll(config, "https://ix-api.example", s.Interxion.URL()) + `
resource "terraform_data" "wait" {
  provisioner "local-exec" { command = "sleep 3" }
}
resource "restapi_object" "late" {
  path       = "/contacts"
  data       = jsonencode({ managing_account = "1", consuming_account = "1" })
  depends_on = [terraform_data.wait]
}
`
		if err := s.Write("main.tf", text); err != nil {
			t.Fatal(err)
		}
		if r := s.run("apply", "-auto-approve", "-no-color"); r.Status != want || strings.Contains(r.Stderr, "401") != (want == 1) {
			t.Errorf("status %d, want %d:\n%s\n%s%s", r.Status, want, config, r.Stdout, r.Stderr)
		}
	}
}

// H01, H02: a run prints and writes neither the secret in the proxy's URL nor a token, at any log level. The proxy's answers do
// not contain them either.
func TestAProxyLeavesNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	s := newLeakFixture(t, simulator.Options{})
	urls := filepath.Join(t.TempDir(), "urls") // not searched for secrets
	text := everyProxy(s.fixture)
	for _, p := range s.Platforms() {
		text += consumer(p, "good", `echo "$PROXY" >>'`+urls+`'; curl -si "$PROXY$API" >>answers`) +
			consumer(p, "bad", strings.Join([]string{
				`curl -si "$PROXY/../x" --path-as-is >>answers`, `curl -si "$PROXY/%2f" >>answers`, `curl -si -H Origin:x "$PROXY$API" >>answers`,
				`curl -si -H Host:x "$PROXY$API" >>answers`, `curl -si -H Upgrade:x "$PROXY$API" >>answers`, `curl -si -X TRACE "$PROXY$API" >>answers`,
				`curl -si "$(echo "$PROXY" | cut -c1-40)/x" >>answers`, `curl -si "$PROXY/elsewhere" >>answers`, `curl -si -d grant_type=client_credentials "$PROXY/.ixtoken/token" >>answers`,
			}, "; "))
	}
	s.configure(text)
	commands := []string{
		"validate", "plan -json", "plan -out=saved", "show -json saved", "apply saved", "show -json", "state pull", "plan -refresh-only",
		"apply -auto-approve -replace=terraform_data.equinix_good", "destroy -auto-approve",
	}
	for _, command := range withoutRefreshOnly(t, commands) {
		s.trace("TF_LOG")
		s.must(command)
	}
	s.Equinix.Intercept(func(w http.ResponseWriter, r *http.Request) bool { // the API refuses every token
		if !strings.HasPrefix(r.URL.Path, "/fabric/") {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	s.trace("TF_LOG")
	if r := s.run("apply -auto-approve -json"); !strings.Contains(r.Stdout, "The Equinix API refused fresh tokens") {
		t.Errorf("no warning of refused tokens:\n%s", r.Stdout)
	}
	s.Equinix.Intercept(nil)
	s.trace("TF_LOG_PROVIDER")
	s.must("apply -auto-approve -replace=terraform_data.cloudlx_good")
	s.console("ephemeral.cloudlx_api_proxy.p", "ephemeral.cloudlx_api_proxy.p.url")

	left, err := os.ReadFile(urls)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Fields(string(left)) {
		s.secrets[fmt.Sprint("the secret of address ", i)] = line[strings.LastIndex(line, "/")+1:]
	}
	logs, err := filepath.Glob(filepath.Join(s.root(), "TF_LOG*.log"))
	logged := false
	for _, file := range logs {
		text, _ := os.ReadFile(file)
		logged = logged || bytes.Contains(text, []byte("API request through the proxy")) && bytes.Contains(text, []byte("status=200"))
	}
	if err != nil || !logged {
		t.Error("no log tells of the proxy's requests")
	}
	answers, err := os.ReadFile(filepath.Join(s.Dir, "answers"))
	if err != nil || !bytes.Contains(answers, []byte("application/problem+json")) {
		t.Errorf("no answers to look through: %v", err)
	}
	s.wantNoLeak()
}

// Steps that together send more than the API allows all succeed through a proxy that knows the limit or may hold requests, and
// fail without it. The CLI says once how many requests were held.
func TestAProxyKeepsTheLimitOfTheAPI(t *testing.T) {
	t.Parallel()
	const limit, steps, each = 20, 4, 15
	for arguments, held := range map[string]bool{
		"":                     false,
		`throttle_wait = "1m"`: true,
		`throttle_wait = "1m"` + "\n  max_requests_per_second = 19.5": false,
	} {
		t.Run(arguments, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			quota := &simulator.Quota{Requests: limit, Window: time.Second, Sliding: true, RetryAfter: time.Second}
			s.Equinix.LimitAPI(quota)
			text := "ephemeral \"equinix_api_proxy\" \"p\" {\n  provider = ixtoken\n  " + arguments + "\n}\n"
			for i := range steps {
				text += consumer(s.Equinix, fmt.Sprint("c", i), fmt.Sprintf(`for i in $(seq %d); do echo "url = \"$PROXY$API\""; echo 'output = "/dev/null"'; done | curl -sf --config -`, each))
			}
			s.configure(text)
			r := s.report("apply", "-auto-approve")
			if failed := r.Status != 0; failed != (arguments == "") {
				t.Errorf("ended with status %d: %v", r.Status, r.errors)
			}
			said := 0
			for _, d := range r.warnings {
				if d.Summary == "The Equinix API asked for fewer requests" && strings.Contains(d.Detail, "Number of requests that the API proxy held: ") {
					said++
				}
			}
			t.Logf("%d requests, %d refused; %d warnings", len(s.Equinix.Requests()), quota.Refused(), said)
			if held && (said == 0 || said > 1 && !openTofu111(t)) || arguments == "" && said > 0 {
				t.Errorf("%d warnings: %v", said, r.warnings)
			}
		})
	}
}

// A program that drops the path of its base URL uses the address, and sends the secret as its token or its password.
func TestAProgramMaySendTheSecretAsItsToken(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	path := strings.TrimPrefix(s.Equinix.APIURL(), s.Equinix.URL())
	s.configure(`ephemeral "equinix_api_proxy" "p" { provider = ixtoken }
resource "terraform_data" "t" {
  provisioner "local-exec" {
    command     = <<-EOT
      {
        echo "header = \"Authorization: Bearer $SECRET\""
        echo "url = \"$ADDRESS` + path + `\""
      } | curl -s -o /dev/null -w '%%{http_code} ' --config - >answers
      echo "user = \"any:$SECRET\"" | curl -s -o /dev/null -w '%%{http_code} ' --config - "$ADDRESS` + path + `" >>answers
      curl -s -o /dev/null -w '%%{http_code} ' "$ADDRESS` + path + `" >>answers
    EOT
    environment = { ADDRESS = ephemeral.equinix_api_proxy.p.address, SECRET = ephemeral.equinix_api_proxy.p.secret }
  }
}
`)
	s.must("apply", "-auto-approve")
	if got, err := os.ReadFile(filepath.Join(s.Dir, "answers")); err != nil || string(got) != "200 200 404 " {
		t.Errorf("answered %s, %v", got, err)
	}
}
