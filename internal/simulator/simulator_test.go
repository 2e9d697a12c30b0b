// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

const (
	formType       = "application/x-www-form-urlencoded"
	jsonType       = "application/json"
	cloudLXVersion = "application/vnd.cloudlx.v1+json"
)

// clock is a platform's clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2024, time.February, 29, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func start(t *testing.T, options simulator.Options) *simulator.Simulator {
	t.Helper()
	s, err := simulator.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// reply is an answer as it was received.
type reply struct {
	status int
	header http.Header
	body   string
}

// members decodes the answer's JSON object.
func (r reply) members(t *testing.T) map[string]any {
	t.Helper()
	members := map[string]any{}
	if err := json.Unmarshal([]byte(r.body), &members); err != nil {
		t.Fatalf("status %d: %v", r.status, err)
	}
	return members
}

// text returns a member that must be a string.
func (r reply) text(t *testing.T, name string) string {
	t.Helper()
	text, ok := r.members(t)[name].(string)
	if !ok {
		t.Fatalf("status %d: %s is missing, or no string", r.status, name)
	}
	return text
}

func send(t *testing.T, method, target, body string, header http.Header) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	return do(t, http.DefaultClient, r)
}

func do(t *testing.T, client *http.Client, r *http.Request) reply {
	t.Helper()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{status: response.StatusCode, header: response.Header, body: string(body)}
}

// reachable reports whether a URL gives any answer.
func reachable(target string) bool {
	response, err := http.Get(target)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return true
}

// headers returns a header with alternating names and values.
func headers(pairs ...string) http.Header {
	header := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		header.Add(pairs[i], pairs[i+1])
	}
	return header
}

func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

// set returns the pairs with one value replaced or added.
func set(pairs []string, name, value string) []string {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == name {
			return slices.Replace(slices.Clone(pairs), i+1, i+2, value)
		}
	}
	return append(slices.Clone(pairs), name, value)
}

func object(t *testing.T, pairs ...string) string {
	t.Helper()
	members := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i]] = pairs[i+1]
	}
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// login obtains a token with the client credentials, as in the platform's documentation.
func login(t *testing.T, p *simulator.Platform) reply {
	t.Helper()
	c := p.Credentials()
	pairs := []string{"grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret}
	var r reply
	switch p.Name() {
	case "Interxion":
		r = send(t, http.MethodPost, p.URL()+"/connect/token", form(pairs...), headers("Content-Type", formType))
	case "Equinix":
		r = send(t, http.MethodPost, p.URL()+"/oauth2/v1/token", object(t, pairs...), headers("Content-Type", jsonType))
	case "IX-API":
		r = send(t, http.MethodPost, p.URL()+"/api/v2/auth/token", object(t, "api_key", c.ClientID, "api_secret", c.ClientSecret), headers("Content-Type", jsonType))
	case "Megaport":
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ClientID+":"+c.ClientSecret))
		r = send(t, http.MethodPost, p.URL()+"/oauth2/token", form(pairs[:2]...), headers("Content-Type", formType, "Authorization", basic))
	case "Digital Realty":
		r = send(t, http.MethodPost, p.URL()+"/v2/auth/token", form(pairs...), headers("Content-Type", formType))
	case "CloudLX":
		r = send(t, http.MethodPost, p.URL()+"/api/oauth2/access-token", form(pairs...),
			headers("Content-Type", formType, "Accept", cloudLXVersion))
	case "OAuth2":
		r = send(t, http.MethodPost, p.URL()+"/realms/lab/token", form(pairs...), headers("Content-Type", formType))
	}
	if r.status != http.StatusOK {
		t.Fatalf("%s: login: status %d, %s", p.Name(), r.status, r.body)
	}
	return r
}

// opens reports whether the platform's API accepts an access token.
func opens(t *testing.T, p *simulator.Platform, accessToken string) bool {
	t.Helper()
	r := send(t, http.MethodGet, p.APIURL(), "", headers("Authorization", "Bearer "+accessToken))
	if r.status != http.StatusOK && r.status != http.StatusUnauthorized {
		t.Fatalf("%s: API: status %d", p.Name(), r.status)
	}
	return r.status == http.StatusOK
}

func platforms(s *simulator.Simulator) []*simulator.Platform {
	return s.Platforms()
}

// concurrently runs f n times at the same time, as far as -parallel allows, and waits for the end of all.
func concurrently(t *testing.T, n int, f func(*testing.T)) {
	t.Helper()
	t.Run("concurrently", func(t *testing.T) {
		for range n {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				f(t)
			})
		}
	})
}

func last(p *simulator.Platform) simulator.Request {
	requests := p.Requests()
	return requests[len(requests)-1]
}

func TestTokensOpenTheAPIUntilTheyExpire(t *testing.T) {
	clock := newClock()
	s := start(t, simulator.Options{Now: clock.Now})
	for _, p := range platforms(s) {
		t.Run(p.Name(), func(t *testing.T) {
			p.SetLifetime(time.Hour, time.Hour)
			token := login(t, p).text(t, "access_token")
			if !opens(t, p, token) {
				t.Error("a new token does not open the API")
			}
			clock.advance(time.Hour - time.Nanosecond)
			if !opens(t, p, token) {
				t.Error("the token expired too early")
			}
			clock.advance(time.Nanosecond)
			if opens(t, p, token) {
				t.Error("the token did not expire")
			}
		})
	}
}

func TestSetLifetimeHoldsForLaterTokens(t *testing.T) {
	clock := newClock()
	s := start(t, simulator.Options{Now: clock.Now})
	for _, p := range platforms(s) {
		t.Run(p.Name(), func(t *testing.T) {
			before := login(t, p).text(t, "access_token")
			p.SetLifetime(30*time.Second, time.Minute)
			after := login(t, p)
			lifetime := after.members(t)["expires_in"]
			if p == s.Equinix {
				lifetime = after.members(t)["token_timeout"]
			}
			if got := fmt.Sprint(lifetime); got != "30" && p != s.IXAPI { // IX-API names no lifetime
				t.Errorf("lifetime %s", got)
			}
			clock.advance(31 * time.Second)
			if !opens(t, p, before) || opens(t, p, after.text(t, "access_token")) {
				t.Error("the lifetime holds for the wrong token")
			}
		})
	}
}

func TestAPIRefusesEverythingButItsOwnAccessToken(t *testing.T) {
	s := start(t, simulator.Options{})
	tokens := []string{}
	for _, p := range platforms(s) {
		tokens = append(tokens, login(t, p).text(t, "access_token"))
	}
	for i, p := range platforms(s) {
		token, foreign := tokens[i], tokens[(i+1)%len(tokens)]
		tests := map[string]struct {
			query  string
			header http.Header
			want   string
		}{
			"nothing":        {header: headers(), want: "Bearer"},
			"token in query": {query: "?access_token=" + token, header: headers(), want: "Bearer"},
			"unknown token":  {header: headers("Authorization", "Bearer x"), want: `error="invalid_token"`},
			"foreign token":  {header: headers("Authorization", "Bearer "+foreign), want: `error="invalid_token"`},
			"lower case":     {header: headers("Authorization", "bearer "+token), want: `error="invalid_token"`},
			"no scheme":      {header: headers("Authorization", token), want: `error="invalid_token"`},
			"blank behind":   {header: headers("Authorization", "Bearer  "+token), want: `error="invalid_token"`},
			"two headers": {
				header: headers("Authorization", "Bearer "+token, "Authorization", "Bearer "+token),
				want:   `error="invalid_token"`,
			},
		}
		for name, test := range tests {
			t.Run(p.Name()+"/"+name, func(t *testing.T) {
				r := send(t, http.MethodGet, p.APIURL()+test.query, "", test.header)
				if got := r.header.Get("WWW-Authenticate"); r.status != http.StatusUnauthorized || !strings.Contains(got, test.want) {
					t.Errorf("status %d, WWW-Authenticate %q", r.status, got)
				}
				if !last(p).Rejected {
					t.Error("not recorded as rejected")
				}
			})
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	s := start(t, simulator.Options{})
	paths := []string{
		"/", "//connect/token", "/connect/token/", "/connect%2Ftoken", "/connect/token/connect/token",
		"/oauth2/v1/token/", "/oauth2-access-token", "/api/api/oauth2/access-token", "/oauth2/access-token",
	}
	for _, p := range platforms(s) {
		for _, path := range paths {
			r := send(t, http.MethodPost, p.URL()+path, "", headers("Accept", cloudLXVersion))
			if r.status != http.StatusNotFound {
				t.Errorf("%s: %s: status %d", p.Name(), path, r.status)
			}
		}
		r := send(t, http.MethodPost, p.APIURL(), "", headers())
		if r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != http.MethodGet {
			t.Errorf("%s: POST to the API: status %d, Allow %q", p.Name(), r.status, r.header.Get("Allow"))
		}
	}
}

func TestTokenAnswersAreNotCached(t *testing.T) {
	s := start(t, simulator.Options{})
	types := map[string]string{
		"Interxion":      "application/json; charset=UTF-8",
		"Equinix":        "application/json;charset=UTF-8",
		"CloudLX":        "application/json",
		"OAuth2":         "application/json;charset=UTF-8",
		"IX-API":         "application/json",
		"Digital Realty": "application/json",
		"Megaport":       "application/json;charset=UTF-8",
	}
	for _, p := range platforms(s) {
		header := login(t, p).header
		if !strings.Contains(header.Get("Cache-Control"), "no-store") || header.Get("Pragma") != "no-cache" {
			t.Errorf("%s: %v", p.Name(), header)
		}
		if got := header.Get("Content-Type"); got != types[p.Name()] {
			t.Errorf("%s: Content-Type %q", p.Name(), got)
		}
	}
}

func TestCredentialsAreRandomAndAwkward(t *testing.T) {
	first, second := start(t, simulator.Options{}), start(t, simulator.Options{})
	for i, p := range platforms(first) {
		c, other := p.Credentials(), platforms(second)[i].Credentials()
		if c.ClientID == other.ClientID || c.ClientSecret == other.ClientSecret {
			t.Errorf("%s: credentials repeat", p.Name())
		}
		secrets := []string{c.ClientSecret}
		if p == first.Equinix {
			secrets = append(secrets, c.UserPassword)
		} else if c.UserName != "" || c.UserPassword != "" {
			t.Errorf("%s: has a user", p.Name())
		}
		for _, secret := range secrets {
			for _, awkward := range `+/%&="\<~ ` {
				if !strings.ContainsRune(secret, awkward) {
					t.Errorf("%s: no %q in a secret", p.Name(), awkward)
				}
			}
			if strings.TrimSpace(secret) != secret {
				t.Errorf("%s: a secret ends in a blank", p.Name())
			}
		}
	}
}

func TestRequestsTellWhatArrivedWithoutSecrets(t *testing.T) {
	clock := newClock()
	s := start(t, simulator.Options{Now: clock.Now})
	for _, p := range platforms(s) {
		t.Run(p.Name(), func(t *testing.T) {
			c := p.Credentials()
			opens(t, p, login(t, p).text(t, "access_token"))
			send(t, http.MethodPost, p.URL()+"/nowhere?client_secret="+url.QueryEscape(c.ClientSecret),
				form("grant_type", c.ClientSecret), headers("Content-Type", formType))

			requests := p.Requests()
			if len(requests) != 3 {
				t.Fatalf("%d requests", len(requests))
			}
			want := simulator.Request{
				Time: clock.Now(), Method: http.MethodPost, Path: requests[0].Path, Grant: "client_credentials", Status: http.StatusOK,
			}
			if requests[0] != want {
				t.Errorf("got %+v, want %+v", requests[0], want)
			}
			if r := requests[2]; r.Path != "/nowhere" || r.Grant != "" || r.Status != http.StatusNotFound || r.Rejected {
				t.Errorf("got %+v", r)
			}
			text := fmt.Sprintf("%#v", requests)
			for _, secret := range append(p.Issued(), c.ClientSecret, url.QueryEscape(c.ClientSecret)) {
				if strings.Contains(text, secret) {
					t.Error("a secret or a token stands in the requests")
				}
			}
		})
	}
}

func TestIssuedListsEveryToken(t *testing.T) {
	s := start(t, simulator.Options{})
	for _, p := range platforms(s) {
		var want []string
		for range 2 {
			r := login(t, p)
			want = append(want, r.text(t, "access_token"))
			if p == s.CloudLX || p == s.IXAPI {
				want = append(want, r.text(t, "refresh_token"))
			}
		}
		if got := p.Issued(); !slices.Equal(got, want) {
			t.Errorf("%s: %d issued tokens, want %d", p.Name(), len(got), len(want))
		}
	}
}

func TestInterceptAnswersInstead(t *testing.T) {
	s := start(t, simulator.Options{})
	for _, p := range platforms(s) {
		t.Run(p.Name(), func(t *testing.T) {
			p.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			})
			r := send(t, http.MethodPost, p.URL()+"/any", form("grant_type", "refresh_token"), headers("Content-Type", formType))
			if r.status != http.StatusServiceUnavailable {
				t.Errorf("status %d", r.status)
			}
			if got := last(p); got.Status != http.StatusServiceUnavailable || got.Code != "" || got.Rejected {
				t.Errorf("recorded as %+v", got)
			}

			p.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
				_, _ = io.WriteString(w, "<html>")
				return true
			})
			r = send(t, http.MethodGet, p.URL(), "", headers())
			if r.body != "<html>" || last(p).Status != http.StatusOK {
				t.Errorf("status %d, recorded as %d", r.status, last(p).Status)
			}

			p.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
				if body, err := io.ReadAll(r.Body); err != nil || len(body) == 0 {
					t.Errorf("body of %d bytes, %v", len(body), err)
				}
				return false
			})
			login(t, p)
			p.Intercept(nil)
			login(t, p)
			if got := len(p.Requests()); got != 4 {
				t.Errorf("%d requests", got)
			}
		})
	}
}

func TestInterceptMayBreakTheConnection(t *testing.T) {
	s := start(t, simulator.Options{})
	s.Equinix.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return true
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		return true
	})
	if reachable(s.Equinix.APIURL()) {
		t.Error("the request was answered")
	}
	for _, r := range s.Equinix.Requests() {
		if r.Status != 0 {
			t.Errorf("status %d", r.Status)
		}
	}
}

func TestBodyTooLongIsRefused(t *testing.T) {
	s := start(t, simulator.Options{})
	for _, p := range platforms(s) {
		r := send(t, http.MethodPost, p.URL()+"/", strings.Repeat("x", 65<<10), headers())
		if r.status != http.StatusRequestEntityTooLarge || last(p).Status != r.status {
			t.Errorf("%s: status %d", p.Name(), r.status)
		}
	}
}

func TestTLSIsTrustedThroughTheSimulatorsAuthority(t *testing.T) {
	s := start(t, simulator.Options{TLS: true})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(s.CAPEM)) {
		t.Fatal("CAPEM holds no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	for _, p := range platforms(s) {
		if !strings.HasPrefix(p.URL(), "https://127.0.0.1:") {
			t.Errorf("URL %s", p.URL())
		}
		for _, target := range []string{p.APIURL(), strings.Replace(p.APIURL(), "127.0.0.1", "localhost", 1)} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := do(t, &http.Client{Transport: transport}, r); got.status != http.StatusUnauthorized {
				t.Errorf("%s: status %d", target, got.status)
			}
		}
		if reachable(p.APIURL()) {
			t.Errorf("%s: trusted without the authority", p.Name())
		}
	}
}

func TestWithoutTLSThereIsNoAuthority(t *testing.T) {
	s := start(t, simulator.Options{})
	if s.CAPEM != "" || !strings.HasPrefix(s.Interxion.URL(), "http://127.0.0.1:") {
		t.Errorf("URL %s, CAPEM of %d bytes", s.Interxion.URL(), len(s.CAPEM))
	}
}

func TestPlatformCanBeMountedElsewhere(t *testing.T) {
	s := start(t, simulator.Options{})
	other := httptest.NewServer(http.StripPrefix("/portal", s.CloudLX))
	defer other.Close()
	token := login(t, s.CloudLX).text(t, "access_token")
	r := send(t, http.MethodGet, other.URL+"/portal/api/services", "", headers("Authorization", "Bearer "+token))
	if r.status != http.StatusOK {
		t.Errorf("status %d", r.status)
	}
}

func TestCloseWaitsForRequestsAndFreesThePorts(t *testing.T) {
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	arrived, closed := make(chan struct{}), make(chan struct{})
	s.Interxion.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		close(arrived)
		<-r.Context().Done()
		select {
		case <-closed:
			t.Error("Close returned before the request ended")
		case <-time.After(100 * time.Millisecond):
		}
		return true
	})
	address := strings.TrimPrefix(s.Interxion.URL(), "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+address+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	close(closed)
	if got := s.Interxion.Requests(); len(got) != 1 {
		t.Errorf("%d requests", len(got))
	}
	for _, p := range platforms(s) {
		if conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL(), "http://")); err == nil {
			_ = conn.Close()
			t.Errorf("%s still listens", p.Name())
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestConcurrentLogins(t *testing.T) {
	const logins = 20
	s := start(t, simulator.Options{})
	concurrently(t, logins, func(t *testing.T) {
		for _, p := range platforms(s) {
			if !opens(t, p, login(t, p).text(t, "access_token")) {
				t.Errorf("%s: token does not open the API", p.Name())
			}
		}
	})
	for _, p := range platforms(s) {
		issued := p.Issued()
		slices.Sort(issued)
		if len(slices.Compact(issued)) < logins {
			t.Errorf("%s: tokens repeat", p.Name())
		}
		if got := len(p.Requests()); got != 2*logins {
			t.Errorf("%s: %d requests", p.Name(), got)
		}
	}
}
