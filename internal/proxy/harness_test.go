// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// fixture is a proxy for an API on loopback, with tokens of a simulated platform.
type fixture struct {
	*Proxy
	t        testing.TB
	platform *simulator.Platform
	client   *clients.Client
	grant    clients.Grant
	api      *httptest.Server
	log      bytes.Buffer

	mu    sync.Mutex
	asked []*http.Request // that have reached the API
}

// reply is an answer. Its body was read already.
type reply struct {
	StatusCode      int
	Header, Trailer http.Header
}

// newFixture starts a platform, an API and a proxy. The API answers with handler; nil: with 200.
func newFixture(t testing.TB, handler http.HandlerFunc, change ...func(*Options)) *fixture {
	t.Helper()
	s := newPlatform(t)
	s.api = newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		s.record(r)
		if handler != nil {
			handler(w, r)
		}
	})
	s.open(change...)
	return s
}

// newAPI starts an API that answers with handler.
func newAPI(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	api := httptest.NewServer(handler)
	t.Cleanup(api.Close)
	return api
}

// newPlatform returns a fixture with a platform only.
func newPlatform(t testing.TB) *fixture {
	t.Helper()
	all, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { all.Close() })
	known := all.Interxion.Credentials()
	return &fixture{t: t, platform: all.Interxion, client: clients.New(clients.Options{MaxAttempts: 1}), grant: clients.Interxion{
		LoginURL: all.Interxion.URL(), ClientID: known.ClientID, ClientSecret: clients.NewSecret(known.ClientSecret),
	}}
}

// options returns the options of a proxy for the API at upstream.
func (s *fixture) options(upstream string) Options {
	s.t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		s.t.Fatal(err)
	}
	return Options{
		Upstream: u,
		Token: func(ctx context.Context, minValidity time.Duration) (clients.Token, error) {
			return s.client.Token(ctx, s.grant, minValidity)
		},
		Discard:     func(token clients.Token) bool { return s.client.Discard(s.grant, token) },
		MinValidity: time.Minute,
		Explain:     func(err error) Problem { return Problem{Title: "explained", Detail: err.Error()} },
		Logger:      slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func (s *fixture) open(change ...func(*Options)) {
	s.t.Helper()
	options := s.options(s.api.URL + "/api/v2")
	for _, f := range change {
		f(&options)
	}
	var err error
	if options.First, err = options.Token(s.t.Context(), options.MinValidity); err != nil {
		s.t.Fatal(err)
	}
	if s.Proxy, err = Start(s.t.Context(), options); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.Close() })
}

// record keeps a request without its body.
func (s *fixture) record(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r)
}

// requests returns the requests that have reached the API.
func (s *fixture) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// wantAPIRequests fails the test unless that many requests have reached the API.
func (s *fixture) wantAPIRequests(want int) {
	s.t.Helper()
	if got := len(s.requests()); got != want {
		s.t.Errorf("the API has seen %d requests, want %d", got, want)
	}
}

// wantTokenRequests fails the test unless the platform has received that many token requests.
func (s *fixture) wantTokenRequests(want int) {
	s.t.Helper()
	if got := len(s.platform.Requests()); got != want {
		s.t.Errorf("the platform has seen %d token requests, want %d", got, want)
	}
}

// url returns the URL of a path through the proxy.
func (s *fixture) url(path string) string { return s.URL().Reveal() + path }

// address returns the host and port of the proxy.
func (s *fixture) address() string { return s.host }

// plainTransport sends requests unchanged. It follows no redirects.
var plainTransport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256}

// do sends a request through the proxy, and returns the answer and its body.
func (s *fixture) do(method, path string, body io.Reader, header ...string) (reply, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url(path), body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	answer, err := plainTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Error(err)
	}
	return reply{answer.StatusCode, answer.Header, answer.Trailer}, string(text)
}

// get sends a GET, and fails the test unless the answer has the status want.
func (s *fixture) get(path string, want int) string {
	s.t.Helper()
	answer, body := s.do(http.MethodGet, path, nil)
	if answer.StatusCode != want {
		s.t.Errorf("%s was answered %d, want %d: %s", path, answer.StatusCode, want, body)
	}
	return body
}

// sendRaw sends text, which net/http might not send, and returns the answer.
func (s *fixture) sendRaw(text string) (reply, string) {
	s.t.Helper()
	connection, err := net.Dial("tcp", s.address())
	if err != nil {
		s.t.Fatal(err)
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(connection, text); err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		s.t.Fatalf("%v after %q", err, text)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, answer.Header, answer.Trailer}, string(body)
}

// rawRequest returns the text of a request for target, with the right Host and further header lines.
func (s *fixture) rawRequest(method, target string, lines ...string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", method, target, s.address(), strings.Join(append(lines, ""), "\r\n"))
}

// problem decodes an error of the proxy itself.
func problem(t testing.TB, answer reply, body string) Problem {
	t.Helper()
	var found Problem
	if err := json.Unmarshal([]byte(body), &found); err != nil || found.Status != answer.StatusCode || found.Title == "" {
		t.Errorf("no problem of status %d: %v: %q", answer.StatusCode, err, body)
	}
	if kind := answer.Header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("the content type is %q", kind)
	}
	return found
}

// hasIssuedToken reports whether the request has a token that the platform has issued.
func (s *fixture) hasIssuedToken(r *http.Request) bool {
	values := r.Header.Values("Authorization")
	return len(values) == 1 && slices.Contains(s.platform.Issued(), strings.TrimPrefix(values[0], "Bearer "))
}
