// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// ask calls Client.Token, and returns the token's text and the error.
func ask(t *testing.T, c *Client, grant Grant) (string, error) {
	t.Helper()
	token, err := c.Token(t.Context(), grant, 0)
	return token.AccessToken.Reveal(), err
}

// gets fails the test unless the client returns the token want.
func gets(t *testing.T, c *Client, grant Grant, want string) {
	t.Helper()
	if token, err := ask(t, c, grant); err != nil || token != want {
		t.Errorf("%q, %v; want %q", token, err, want)
	}
}

// together calls ask n times at the same time.
func together(n int, ask func(i int) (string, error)) (tokens []string, errs []error) {
	tokens, errs = make([]string, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { tokens[i], errs[i] = ask(i) })
	}
	all.Wait()
	return tokens, errs
}

// pass waits in virtual time.
func pass(d time.Duration) { <-time.After(d) }

// counted answers each request with another token.
func counted() http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) { grantsToken(fmt.Sprint("t-", n.Add(1)))(w, r) }
}

// Sharing.

// underWay returns the number of requests in progress, including those that wait.
func (c *Client) underWay() (n int) {
	c.flights.memory.mu.Lock()
	defer c.flights.memory.mu.Unlock()
	for _, e := range c.flights.memory.entries {
		if e.flight != nil {
			n++
		}
	}
	return n
}

// descriptors counts the open file descriptors; 0: unknown on this system.
func descriptors() int {
	open, _ := os.ReadDir("/proc/self/fd")
	return len(open)
}

// Rejections.

func refreshAtEquinix(p *fakePlatform) Grant { return p.equinix(RefreshToken) }

func refreshAtCloudLX(p *fakePlatform) Grant { return p.cloudLX(RefreshToken) }

func refreshAtOAuth2(p *fakePlatform) Grant { return p.oauth2(RefreshToken) }

// sentOnce are the requests that must not be sent again if their outcome stays unknown.
func sentOnce(t *testing.T) map[string]func(*fakePlatform) Grant {
	identity := idToken(t, map[string]any{"exp": 1 << 40})
	return map[string]func(*fakePlatform) Grant{
		"Equinix refresh": refreshAtEquinix, "CloudLX refresh": refreshAtCloudLX, "Equinix login": password,
		"exchange": func(p *fakePlatform) Grant { return p.exchange(IdentitySource{Token: identity}) },
	}
}

// answering is a transport without a network.
type answering func(*http.Request) (*http.Response, error)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func answered(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func (c *Client) gate() *gate { return c.sharer.next }

func (c *Client) sender() *sender { return c.gate().next }

// opened opens the cache in dir, as a new process does.
func opened(t testing.TB, dir string) *cache.Directory {
	t.Helper()
	d, err := cache.Open(dir)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() }) // Windows removes no directory that is open
	return d
}

// another returns a client like that of another process: with the cache in dir and an empty memory.
func (p *fakePlatform) another(dir string) *Client {
	return p.logging(dir, slog.DiscardHandler)
}

func (p *fakePlatform) logging(dir string, handler slog.Handler) *Client {
	return p.client(Options{Cache: opened(p.t, dir), Logger: slog.New(handler), RequestTimeout: 110 * time.Second})
}

func requestFor(t testing.TB, grant Grant) *request {
	t.Helper()
	request, err := grant.request()
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// entryOf returns the path of a grant's entry.
func entryOf(t testing.TB, dir string, grant Grant) string {
	t.Helper()
	return filepath.Join(dir, string(requestFor(t, grant).name())+entrySuffix)
}

// lockOf returns the path of the lock of a grant's entries.
func lockOf(t testing.TB, dir string, grant Grant) string {
	t.Helper()
	return filepath.Join(dir, string(requestFor(t, grant).name())+lockSuffix)
}

// markOf returns the path of the mark on the refresh token of a grant.
func markOf(t testing.TB, dir string, grant Grant) string {
	t.Helper()
	return filepath.Join(dir, string(requestFor(t, grant).markName())+markSuffix)
}

// store writes a token to the cache.
func store(t testing.TB, dir string, grant Grant, token Token) {
	t.Helper()
	claim := claimFor(t, opened(t, dir), grant)
	must(t, storeToken(claim, token))
	claim.Release()
}

// claimFor claims the entry of a grant.
func claimFor(t testing.TB, d cache.Store, grant Grant) cache.Claim {
	t.Helper()
	return claimKey(t, d, requestFor(t, grant).cacheKey(d))
}

func claimKey(t testing.TB, d cache.Store, key cache.Key) cache.Claim {
	t.Helper()
	claim, err := d.Claim(t.Context(), key, func(cache.Found) bool { return false })
	must(t, err)
	return claim
}

// stored returns what the store holds about a grant.
func stored(t testing.TB, d cache.Store, grant Grant) (found storedResult, why string) {
	t.Helper()
	found, why, _ = storedResultOf(d.Look(t.Context(), requestFor(t, grant).cacheKey(d)))
	return found, why
}

// tokenOf returns a token that was obtained before ago and ends in after.
func tokenOf(text string, before, after time.Duration, refreshToken string) Token {
	now := time.Now().Round(0)
	return Token{
		AccessToken: NewSecret(text), TokenType: "Bearer", obtained: now.Add(-before), Expiry: now.Add(after),
		RefreshToken: NewSecret(refreshToken),
	}
}

// withRefreshToken returns the grant with another refresh token, if it has one. Grants of several platforms with one
// host would spend the same refresh token otherwise.
func withRefreshToken(grant Grant, token string) Grant {
	switch g := grant.(type) {
	case Equinix:
		if !g.RefreshToken.IsZero() {
			g.RefreshToken = NewSecret(token)
		}
		return g
	case CloudLX:
		if !g.RefreshToken.IsZero() {
			g.RefreshToken = NewSecret(token)
		}
		return g
	case IXAPI:
		if !g.RefreshToken.IsZero() {
			g.RefreshToken = NewSecret(token)
		}
		return g
	case OAuth2:
		if !g.RefreshToken.IsZero() {
			g.RefreshToken = NewSecret(token)
		}
		return g
	}
	return grant
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// filesIn returns the names in a directory that end with suffix.
func filesIn(t testing.TB, dir, suffix string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), suffix) {
			names = append(names, file.Name())
		}
	}
	return names
}

// rotating is a platform that rotates refresh tokens, and counts how often one is used a second time.
type rotating struct {
	life   int  // the lifetime of an access token, in seconds
	steady bool // refresh tokens are not rotated

	mu                      sync.Mutex
	issued                  int
	valid                   map[string]bool // false: used
	full, refreshed, reused int
}

func (r *rotating) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.valid == nil {
		r.valid = map[string]bool{refreshToken: true}
	}
	if strings.Contains(request.URL.Path, "/refresh") {
		sent := request.PostFormValue("refresh_token")
		unused, known := r.valid[sent]
		switch {
		case !known:
			rejects("invalid_grant")(w, request)
			return
		case !unused:
			r.reused++
			clear(r.valid) // as real platforms do: a second use revokes all tokens of the family
			rejects("invalid_grant")(w, request)
			return
		}
		r.refreshed++
		r.valid[sent] = r.steady
	} else {
		r.full++
	}
	r.issued++
	next := ""
	if !r.steady {
		next = fmt.Sprintf(`,"refresh_token":"refresh-%d"`, r.issued)
		r.valid[fmt.Sprint("refresh-", r.issued)] = true
	}
	says(200, fmt.Sprintf(`{"access_token":"t-%d","expires_in":%d%s}`, r.issued, r.life, next))(w, request)
}

// count fails the test unless the platform has received these numbers of full grants, refreshes, and reused refresh tokens.
func (r *rotating) count(t *testing.T, full, refreshed, reused int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full != full || r.refreshed != refreshed || r.reused != reused {
		t.Errorf("%d full grants, %d refreshes, %d refresh tokens used again; want %d, %d, %d", r.full, r.refreshed, r.reused, full, refreshed, reused)
	}
}

// notes records log lines.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) handler() slog.Handler {
	return slog.NewTextHandler(n, &slog.HandlerOptions{Level: slog.LevelDebug})
}

func (n *notes) Write(line []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, string(line))
	return len(line), nil
}

// with returns the lines that contain all parts.
func (n *notes) with(parts ...string) (found []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.lines {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			found = append(found, line)
		}
	}
	return found
}

// Sharing.

func lockFor(t testing.TB, d cache.Store, grant Grant) (release func()) {
	t.Helper()
	return claimFor(t, d, grant).Release
}

// nothingOpen fails the test if this process has a file in dir open. Only Linux can tell.
func nothingOpen(t *testing.T, dir string) {
	t.Helper()
	open, _ := os.ReadDir("/proc/self/fd")
	for _, file := range open {
		if path, err := os.Readlink("/proc/self/fd/" + file.Name()); err == nil && strings.HasPrefix(path, dir+"/") {
			t.Errorf("%s is left open", path)
		}
	}
}

func nothingUnderWay(t *testing.T, c *Client) {
	t.Helper()
	c.flights.memory.mu.Lock()
	defer c.flights.memory.mu.Unlock()
	for _, known := range c.flights.memory.entries {
		if known.flight != nil {
			t.Error("a flight is still under way")
		}
	}
}

// Refresh tokens.

func (p *fakePlatform) anInterxion() Grant { return p.interxion("") }

func (p *fakePlatform) aUser() Grant { return p.equinix(Password) }

// The directory.

// serve starts a server on loopback and returns its URL.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// Secrets that must never be shown. Each contains characters that encodings treat differently.
const (
	clientSecret  = `CL1ENT/S3CRET+ä"\&=%41`
	userPassword  = `PASSW0RD/S3CRET+"<>&=%42`
	refreshToken  = "REFRESH.S3CRET-one~1"
	parameter     = `PAR4METER/P1N+"&=%43ö`
	headerValue   = `HE4DER/K3Y "&=%44`
	proxyPassword = "PROXY-S3CRET-44"
	bodyMark      = "B0DY-MARK" // is in every body that is not the description of a platform
)

// fakePlatform is a token endpoint for all platforms. It checks the requests strictly, and gives scripted answers.
type fakePlatform struct {
	t      *testing.T
	url    string
	dial   func(context.Context, string, string) (net.Conn, error) // nil: the real network
	script []http.HandlerFunc                                      // one per request; the last one answers all further requests

	mu       sync.Mutex
	requests []received
}

// received is a request that the platform has received.
type received struct {
	path, peer string
	fields     map[string]string
	at         time.Time
}

// onLoopback starts a platform on loopback.
func onLoopback(t *testing.T, script ...http.HandlerFunc) *fakePlatform {
	t.Helper()
	bound(t)
	p := &fakePlatform{t: t, script: script}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// inMemory starts a platform on a network of pipes, for tests in virtual time.
func inMemory(t *testing.T, script ...http.HandlerFunc) *fakePlatform {
	t.Helper()
	bound(t)
	network := newPipes()
	p := &fakePlatform{t: t, script: script, url: "http://127.0.0.1", dial: network.dial}
	server := &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(network) }()
	t.Cleanup(func() { _ = server.Close() })
	return p
}

// client returns a client for the platform. At the end of the test, no goroutine of it may be left.
func (p *fakePlatform) client(options Options) *Client {
	c := New(options)
	if p.dial != nil {
		c.sender().transport.DialContext = p.dial
	} else {
		p.t.Cleanup(func() { nothingLeft(p.t) })
	}
	return c
}

func (p *fakePlatform) interxion(scope string) Interxion {
	return Interxion{LoginURL: p.url, ClientID: "client-1", ClientSecret: NewSecret(clientSecret), Scope: scope}
}

func (p *fakePlatform) equinix(grantType string) Equinix {
	g := Equinix{BaseURL: p.url, GrantType: grantType, ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}
	switch grantType {
	case Password:
		g.UserName, g.UserPassword = "user-1", NewSecret(userPassword)
	case RefreshToken:
		g.RefreshToken = NewSecret(refreshToken)
	}
	return g
}

func (p *fakePlatform) cloudLX(grantType string) CloudLX {
	g := CloudLX{BaseURL: p.url, GrantType: grantType, ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}
	if grantType == RefreshToken {
		g.RefreshToken = NewSecret(refreshToken)
	}
	return g
}

func (p *fakePlatform) oauth2(grantType string) OAuth2 {
	g := OAuth2{
		TokenURL: p.url + "/token", GrantType: grantType, ClientID: "client:1 ü", ClientSecret: NewSecret(clientSecret),
		AuthMethod: ClientSecretBasic, Format: FormBody,
		Parameters: Pairs(map[string]string{"pin": parameter}), Headers: Pairs(map[string]string{"X-Key": headerValue}),
	}
	if grantType == RefreshToken {
		g.RefreshToken = NewSecret(refreshToken)
	}
	return g
}

// seen returns the requests so far that have part in their path.
func (p *fakePlatform) seen(part string) []received {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []received
	for _, r := range p.requests {
		if strings.Contains(r.path, part) {
			found = append(found, r)
		}
	}
	return found
}

// sent fails the test unless want requests have arrived that have part in their path.
func (p *fakePlatform) sent(want int, part string) {
	p.t.Helper()
	if got := len(p.seen(part)); got != want {
		p.t.Errorf("%d requests to …%s…, want %d", got, part, want)
	}
}

func (p *fakePlatform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.check(r, string(body))
	p.mu.Lock()
	path := r.URL.Path
	if isRefresh(path, body) && path == "/token" {
		path += "/refresh" // as for the platforms with two endpoints
	}
	p.requests = append(p.requests, received{path, r.RemoteAddr, fields(body), time.Now()})
	answer := p.script[min(len(p.requests), len(p.script))-1]
	p.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer(w, r)
}

// check tests the rules for every request of every platform: secrets are only in the body of a POST or in the header of HTTP
// Basic.
func (p *fakePlatform) check(r *http.Request, body string) {
	mediaType, accept := "application/x-www-form-urlencoded", "application/json"
	exchanging := fields([]byte(body))["grant_type"] == exchangeGrantType
	switch r.URL.Path {
	case "/connect/token", "/v2/auth/token", "/oauth2/token":
	case "/oauth2/v1/token", "/oauth2/v1/refreshaccesstoken", "/auth/token", "/auth/refresh":
		mediaType = "application/json"
	case "/api/oauth2/access-token", "/api/oauth2/refresh-token":
		accept = "application/vnd.cloudlx.v"
	case "/token", "/v1/token", provenPath:
	default:
		p.t.Errorf("request to %s", r.URL.Path)
	}
	basic := r.URL.Path == "/token" // OAuth2, with form-encoded HTTP Basic and further headers
	if r.Method != http.MethodPost || r.Proto != "HTTP/1.1" || r.RequestURI != r.URL.Path || !r.Close || r.ContentLength != int64(len(body)) {
		p.t.Errorf("%s %s %s, close %t, length %d of %d", r.Method, r.RequestURI, r.Proto, r.Close, r.ContentLength, len(body))
	}
	if r.Header.Get("Content-Type") != mediaType || !strings.HasPrefix(r.Header.Get("Accept"), accept) {
		p.t.Errorf("%s: Content-Type %q, Accept %q", r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Accept"))
	}
	if coding := r.Header.Get("Accept-Encoding"); coding != "identity" {
		p.t.Errorf("Accept-Encoding is %q", coding)
	}
	for name := range r.Header {
		switch name {
		case "Accept", "Accept-Encoding", "Content-Type", "Content-Length", "User-Agent", "Connection":
		case "Authorization", "X-Key":
			if !basic && r.URL.Path != "/oauth2/token" {
				p.t.Errorf("request to %s has a header %s", r.URL.Path, name)
			}
		default:
			p.t.Errorf("request has a header %s", name)
		}
	}
	if r.URL.Path == provenPath {
		p.checkProven(r, fields([]byte(body)))
	} else if exchanging {
		p.checkExchange(r, fields([]byte(body)))
	} else if basic {
		p.checkBasic(r, fields([]byte(body)))
	} else if r.URL.Path == "/oauth2/token" {
		if key, secret, _ := r.BasicAuth(); key != "client-1" || secret != clientSecret || body != "grant_type=client_credentials" {
			p.t.Errorf("the secret is not in the header as it was given")
		}
	} else if r.URL.Path == "/auth/refresh" {
		if sent := fields([]byte(body)); len(sent) != 1 || sent["refresh_token"] == "" {
			p.t.Errorf("a refresh has the fields %d, want the refresh token alone", len(sent))
		}
	} else if sent := fields([]byte(body)); cmp.Or(sent["client_secret"], sent["api_secret"]) != clientSecret {
		p.t.Errorf("client_secret is not in the body as it was given")
	}
}

// checkBasic tests that the credentials are only in the header, and that each is form-encoded (RFC 6749, section 2.3.1).
func (p *fakePlatform) checkBasic(r *http.Request, sent map[string]string) {
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	if id != "client:1 ü" || secret != clientSecret || sent["client_id"] != "" || sent["client_secret"] != "" {
		p.t.Error("the credentials are not in the Authorization header as they were given, or in the body too")
	}
	if sent["pin"] != parameter || r.Header.Get("X-Key") != headerValue {
		p.t.Error("the further parameter or the further header has not arrived as it was given")
	}
}

// checkExchange tests that a token exchange has an identity token and no client credentials.
func (p *fakePlatform) checkExchange(r *http.Request, sent map[string]string) {
	if r.Header.Get("Authorization") != "" || sent["client_id"]+sent["client_secret"] != "" {
		p.t.Error("a token exchange carries client credentials")
	}
	if !strings.HasSuffix(sent["subject_token"], "."+idSignature) || sent["subject_token_type"] != idTokenType {
		p.t.Error("a token exchange carries no identity token")
	}
}

// provenPath is that of a token endpoint whose clients have no secret.
const provenPath = "/proven/token"

// checkProven tests that the client names itself in the body, and that an assertion is the only credential there.
func (p *fakePlatform) checkProven(r *http.Request, sent map[string]string) {
	if r.Header.Get("Authorization") != "" || sent["client_id"] != "client-1" || sent["client_secret"] != "" {
		p.t.Error("the client has not named itself in the body alone")
	}
	if _, asserts := sent["client_assertion"]; asserts != (sent["client_assertion_type"] == assertionType) || asserts && strings.Count(sent["client_assertion"], ".") != 2 {
		p.t.Error("the client has sent no assertion in the place of one")
	}
}

func fields(body []byte) map[string]string {
	found := map[string]string{}
	if json.Unmarshal(body, &found) == nil {
		return found
	}
	values, _ := url.ParseQuery(string(body))
	for name := range values {
		found[name] = values.Get(name)
	}
	return found
}

// Answers.

// says answers with a status, a body and headers, each "Name: value".
func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Add(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// grantsToken answers with a token for an hour.
func grantsToken(token string, more ...string) http.HandlerFunc {
	return says(http.StatusOK, fmt.Sprintf(`{"access_token":%q,"expires_in":3600%s}`, token, strings.Join(more, "")), "Content-Type: application/json")
}

func rejects(code string) http.HandlerFunc {
	return says(http.StatusBadRequest, fmt.Sprintf(`{"error":%q,"hint":%q}`, code, bodyMark), "Content-Type: application/json")
}

// writes sends text unchanged as the answer, and closes the connection.
func writes(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn := hijack(w)
		defer conn.Close()
		_, _ = io.WriteString(conn, text)
	}
}

// resets resets the connection.
func resets(w http.ResponseWriter, _ *http.Request) {
	conn := hijack(w)
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// takes answers after the duration.
func takes(while time.Duration, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		<-time.After(while)
		answer(w, r)
	}
}

// isRefresh reports whether a request is a refresh, according to its endpoint or its grant type.
func isRefresh(path string, body []byte) bool {
	return strings.Contains(path, "/refresh") || fields(body)["grant_type"] == RefreshToken
}

// refreshes answers refreshes with refresh, and all other requests with other.
func refreshes(refresh, other http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if isRefresh(r.URL.Path, body) {
			refresh(w, r)
		} else {
			other(w, r)
		}
	}
}

// hangs does not answer, and ends when the client closes the connection. It must not return, because net/http would answer 200.
func hangs(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	return conn
}

// pipes is a network without sockets.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// failed returns err as an Error, and fails the test if it shows a secret or a body.
func failed(t *testing.T, err error) *Error {
	t.Helper()
	var fault *Error
	if !errors.As(err, &fault) {
		t.Fatalf("error is %T (%v), want *Error", err, err)
	}
	shown := fmt.Sprintf("%v %+v %#v", err, *fault, *fault)
	for _, hidden := range []string{clientSecret, userPassword, refreshToken, parameter, headerValue, proxyPassword, bodyMark, idSignature, bearer} {
		for _, form := range []string{hidden, url.QueryEscape(hidden), strings.Trim(fmt.Sprintf("%q", hidden), `"`)} {
			if strings.Contains(shown, form) {
				t.Errorf("error shows %q: %s", hidden, shown)
			}
		}
	}
	if text := err.Error(); len(text) > 1000 || strings.ContainsAny(text, "\r\n") || strings.Contains(text, "<") {
		t.Errorf("error is not one plain line: %q", text)
	}
	return fault
}

// nothingLeft fails the test if a goroutine of a client is left.
func nothingLeft(t *testing.T) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(5 * time.Second); ; {
		left := ""
		for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(stack, "http.(*Transport)") || strings.Contains(stack, "http.(*persistConn)") || strings.Contains(stack, "clients.(*flights)") {
				left = stack
			}
		}
		switch {
		case left == "":
			return
		case time.Now().After(end):
			t.Errorf("goroutine left:\n%s", left)
			return
		}
		<-time.After(time.Millisecond)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func interxion(p *fakePlatform) Grant { return p.interxion("") }

func equinix(p *fakePlatform) Grant { return p.equinix(ClientCredentials) }

func password(p *fakePlatform) Grant { return p.equinix(Password) }

func cloudLX(p *fakePlatform) Grant { return p.cloudLX(ClientCredentials) }

func oauth2(p *fakePlatform) Grant { return p.oauth2(ClientCredentials) }

func ixAPI(p *fakePlatform) Grant {
	return IXAPI{BaseURL: p.url, APIKey: "client-1", APISecret: NewSecret(clientSecret)}
}

func refreshAtIXAPI(p *fakePlatform) Grant {
	return IXAPI{BaseURL: p.url, APIKey: "client-1", APISecret: NewSecret(clientSecret), RefreshToken: NewSecret(refreshToken)}
}

func megaport(p *fakePlatform) Grant {
	return Megaport{TokenURL: p.url + "/oauth2/token", AccessKey: "client-1", SecretKey: NewSecret(clientSecret)}
}

func digitalRealty(p *fakePlatform) Grant {
	return DigitalRealty{BaseURL: p.url, ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}
}

func drips(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "500")
	for r.Context().Err() == nil {
		_, _ = w.Write([]byte(" "))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
		}
	}
}
