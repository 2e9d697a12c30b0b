// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

const interxionBlock = `ephemeral "interxion_access_token" "t" { provider = ixtoken }
`

// answers returns an interceptor that gives every request the same answer.
func answers(status int, contentType, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// A platform's error becomes one diagnostic that says what the platform answered and what to check. It does not show the body.
func TestFailuresAreExplainedOnce(t *testing.T) {
	t.Parallel()
	page := "<html><title>" + canary + "</title></html>"
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request) bool
		want   []string
	}{
		{"S01 invalid_client", answers(400, "application/json", `{"error":"invalid_client"}`), []string{"credentials rejected", "400", "invalid_client", "INTERXION_CLIENT_SECRET"}},
		{"S05 invalid_scope", answers(400, "application/json", `{"error":"invalid_scope"}`), []string{"scope not allowed", "invalid_scope"}},
		{"S05 unauthorized_client", answers(400, "application/json", `{"error":"unauthorized_client"}`), []string{"grant type not allowed"}},
		{"S05 invalid_request", answers(400, "application/json", `{"error":"invalid_request"}`), []string{"request rejected"}},
		{"S06 a firewall's page", answers(403, "text/html; charset=utf-8", page), []string{"access forbidden", "403", "text/html"}},
		{"S07 no such path", answers(404, "text/html", page), []string{"no token endpoint", "404", "/connect/token", "INTERXION_LOGIN_URL"}},
		{"S17 a captive portal", answers(511, "text/html", page), []string{"511"}},
		{"M01 a login page", answers(200, "text/html", page), []string{"the answer is no token", "HTML"}},
		{"M08 no token", answers(200, "application/json", `{"expires_in":3600,"x":"`+canary+`"}`), []string{"the answer is no token", "access_token"}},
		{"M10 a line break in the token", answers(200, "application/json", `{"access_token":"`+canary+`\r\nX: y"}`), []string{"the answer is no token", "control character"}},
		{"S18 a redirect", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "https://elsewhere.example/token?"+canary, http.StatusTemporaryRedirect)
			return true
		}, []string{"redirected", "307", "elsewhere.example", "not followed"}},
	}
	s := newFixture(t)
	var mu sync.Mutex
	requests := map[string]int{}
	s.Interxion.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		id := r.PostFormValue("client_id")
		mu.Lock()
		requests[id]++
		mu.Unlock()
		number, err := strconv.Atoi(strings.TrimPrefix(id, "case_"))
		return err == nil && tests[number].answer(w, r)
	})
	text := ""
	for i := range tests {
		text += fmt.Sprintf("ephemeral \"interxion_access_token\" \"case_%d\" {\n  provider  = ixtoken\n  client_id = \"case_%d\"\n}\n", i, i)
	}
	s.configure(text)
	r := s.report("plan")
	if r.Status != 1 || len(r.errors) != len(tests) {
		t.Fatalf("status %d, errors %v", r.Status, r.errors)
	}
	if strings.Contains(r.Stdout+r.Stderr, canary) {
		t.Error("the output shows the answer")
	}
	host := strings.TrimPrefix(s.Interxion.URL(), "http://")
	for _, d := range r.errors {
		name := d.Address[strings.LastIndex(d.Address, ".")+1:]
		number, err := strconv.Atoi(strings.TrimPrefix(name, "case_"))
		if err != nil {
			t.Fatalf("an error of %s", d.Address)
		}
		test := tests[number]
		for _, want := range append(test.want, "No Interxion access token", host) { // I1
			if !strings.Contains(d.text(), want) {
				t.Errorf("%s: the error does not say %q:\n%s", test.name, want, d.text())
			}
		}
		if requests[name] != 1 {
			t.Errorf("%s: %d requests", test.name, requests[name])
		}
	}
}

// S15
func TestTemporaryFaultsAreRetried(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	var asked atomic.Int32
	s.Interxion.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		return asked.Add(1) <= 2 && answers(http.StatusBadGateway, "text/html", "<html>"+canary)(w, r)
	})
	s.configure(interxionBlock)
	if r := s.must("plan"); strings.Contains(r.Stdout+r.Stderr, canary) {
		t.Error("the output shows a gateway's page")
	}
	s.wantRequests(3, 0, 0)
}

// max_retries counts the attempts after the first.
func TestMaxRetriesIsHonoured(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.Interxion.Intercept(answers(503, "text/plain", "later"))
	s.configure(interxionBlock + "provider \"ixtoken\" {\n  max_retries = 1\n}\n")
	r := s.report("plan")
	if len(r.errors) != 1 || !strings.Contains(r.errors[0].Detail, "after 2 attempts") || !strings.Contains(r.errors[0].Detail, "503") {
		t.Errorf("errors %v", r.errors)
	}
	s.wantRequests(2, 0, 0)
}

// T01
func TestARefusedConnectionIsExplained(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	s := newFixture(t)
	s.setenv("INTERXION_LOGIN_URL", "http://"+closed)
	s.configure(interxionBlock)
	r := s.report("plan")
	if len(r.errors) != 1 || !strings.Contains(r.errors[0].Detail, closed) || !strings.Contains(r.errors[0].Detail, "connection refused") {
		t.Errorf("errors %v", r.errors)
	}
}

// T16
func TestAConfiguredAuthorityIsTrusted(t *testing.T) {
	t.Parallel()
	s := newFixtureWith(t, simulator.Options{TLS: true})
	s.configure(interxionBlock)
	r := s.report("plan")
	if len(r.errors) != 1 || !strings.Contains(r.errors[0].text(), "connection not trusted") || !strings.Contains(r.errors[0].text(), "ca_cert_pem") {
		t.Errorf("errors %v", r.errors)
	}
	s.wantRequests(0, 0, 0)
	if err := s.Write("ca.pem", s.CAPEM); err != nil {
		t.Fatal(err)
	}
	s.configure(interxionBlock + "provider \"ixtoken\" {\n  ca_cert_pem = file(\"ca.pem\")\n}\n")
	s.must("plan")
	s.wantRequests(1, 0, 0)
}

// M15
func TestATokenWithoutALifetimeIsHandedOutWithAWarning(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.Interxion.Intercept(answers(200, "application/json", `{"access_token":"t","token_type":"Bearer"}`))
	s.configure(`data "interxion_access_token" "t" { provider = ixtoken }
output "lifetime" { value = nonsensitive("${jsonencode(data.interxion_access_token.t.expires_at)} ${jsonencode(data.interxion_access_token.t.expires_in)}") }
`)
	r := s.report("apply", "-auto-approve")
	if r.Status != 0 || len(r.warnings) != 1 || !strings.Contains(r.warnings[0].Summary, "no lifetime") {
		t.Errorf("status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
	}
	if got := s.must("output", "-raw", "lifetime").Stdout; got != "null null" {
		t.Errorf("expires_at and expires_in are %q", got)
	}
}

// M27
func TestScopesThatWereNotGrantedAreNamed(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.Interxion.Intercept(answers(200, "application/json", `{"access_token":"t","expires_in":3600,"scope":"a c"}`))
	s.configure(`ephemeral "interxion_access_token" "t" {
  provider = ixtoken
  scopes   = ["a", "b", "c", "d"]
}
`)
	r := s.report("plan")
	if len(r.warnings) != 1 || !strings.Contains(r.warnings[0].Detail, "Not granted: b, d.") {
		t.Errorf("warnings %v", r.warnings)
	}
}

// H19: URLs and the User-Agent header contain no secret. The header names the provider and its version.
func TestTheRequestNamesTheProviderAndNoSecret(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	var seen string
	s.CloudLX.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		seen = fmt.Sprint(r.UserAgent(), " ", r.URL.String(), " ", r.Header)
		return false
	})
	s.setenv("TF_APPEND_USER_AGENT", "ours/1.0")
	s.configure(`ephemeral "cloudlx_access_token" "t" { provider = ixtoken }`)
	s.must("plan")
	if !regexp.MustCompile(`^terraform-provider-ixtoken/\S+( \([0-9a-f]{7}\))? ours/1\.0 /api/oauth2/access-token `).MatchString(seen) {
		t.Errorf("the platform saw %s", seen)
	}
	c := s.CloudLX.Credentials()
	if strings.Contains(seen, c.ClientID) || strings.Contains(seen, c.ClientSecret) {
		t.Error("the header or the URL holds a credential")
	}
}
