// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// forwarded records the requests that reach an API in a fuzz test.
type forwarded struct {
	mu   sync.Mutex
	seen []*http.Request
}

func (f *forwarded) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, r)
}

func (f *forwarded) take() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.seen
	f.seen = nil
	return seen
}

// FuzzRequest sends any request line and headers to the proxy. Only requests that the proxy may forward reach the API.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"GET /SECRET/x HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"POST /SECRET/x?a=b;c HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\nCookie: a\r\nForwarded: b\r\n\r\nhi",
		"GET http://evil.example/SECRET/x HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"GET //SECRET/../x HTTP/1.0\r\nHost: HOST\r\nOrigin: null\r\n\r\n",
		"GET /SECRET/%2e%2e;/%2F\\..%5c HTTP/1.1\r\nHost: evil.example\r\nSec-Fetch-Mode: cors\r\n\r\n",
		"GET /SECRET/a?b HTTP/1.1 HTTP/1.1\r\nHost: HOST\r\nUpgrade: h2c\r\nConnection: Authorization, Host, Upgrade\r\n\r\n",
		"POST /SECRET/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\nX-Forwarded-For: 1\r\nProxy-X: 2\r\n\r\n0\r\n\r\nGET /SECRET/two HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"GET /SECRET/a%2Fb{ HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"POST /SECRET//%2eIXtoken/x HTTP/1.1\r\nHost: HOST\r\nUpgrade: TLS/1.2, h2c\r\nHTTP2-Settings: a\r\nSec-Fetch-Site: none\r\n\r\n",
		"CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n", "TRACE /SECRET/ HTTP/1.1\r\nHost: HOST\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n",
	} {
		f.Add(seed)
	}
	api := &forwarded{}
	s := newFixture(f, api.ServeHTTP)
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.NewReplacer("SECRET", s.secret, "HOST", s.address()).Replace(text)
		connection, err := net.Dial("tcp", s.address())
		if err != nil {
			t.Skip("no port is free: ", err)
		}
		defer connection.Close()
		_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(connection, text)
		_ = connection.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(connection)
		if err != nil && !isReset(err) {
			t.Fatalf("no end of the answer: %v", err)
		}
		for _, r := range api.take() {
			wantAllowed(t, s, r)
		}
		if !strings.Contains(text, s.secret) && strings.Contains(string(answer), s.secret) {
			t.Error("the answer tells the secret")
		}
	})
}

// isReset reports whether the other side has reset the connection: ECONNRESET, and on Windows WSAECONNABORTED or WSAECONNRESET.
func isReset(err error) bool {
	var number syscall.Errno
	return errors.As(err, &number) && slices.Contains([]syscall.Errno{syscall.ECONNRESET, 10053, 10054}, number)
}

// wantAllowed fails the test if a request has reached the API that the proxy must not forward. It shares no code with the
// guards.
func wantAllowed(t *testing.T, s *fixture, r *http.Request) {
	t.Helper()
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	plain := raw
	for range 2 { // a lenient server might unescape twice
		if decoded, err := url.PathUnescape(strings.ReplaceAll(plain, `\`, "/")); err == nil && strings.Count(decoded, "/") == strings.Count(plain, "/") {
			plain = decoded
		}
	}
	switch {
	case "http://"+r.Host != s.api.URL:
		t.Errorf("the Host is %q", r.Host)
	case !s.hasIssuedToken(r):
		t.Error("the token is missing, or not alone")
	case raw != "/api/v2" && !strings.HasPrefix(raw, "/api/v2/"):
		t.Errorf("the path %q is not below the upstream's", raw)
	case strings.Contains(strings.ToLower(raw), "%2f") || strings.Contains(strings.ToLower(raw), "%5c") || strings.Contains(raw, `\`):
		t.Errorf("the path %q has an encoded slash", raw)
	case r.Method == http.MethodTrace || r.Method == http.MethodConnect:
		t.Errorf("the method %s has come", r.Method)
	case strings.Contains(r.RequestURI, s.secret) && !strings.Contains(raw[1:], s.secret):
		t.Error("the secret has come")
	}
	if decoded, _ := url.PathUnescape(raw); strings.HasPrefix(strings.ToLower(path.Clean(decoded)+"/"), "/api/v2/.ixtoken/") {
		t.Errorf("the path %q is the proxy's own", raw)
	}
	for segment := range strings.SplitSeq(raw, "/") {
		segment, _ = url.PathUnescape(segment)
		segment, _, _ = strings.Cut(segment, ";")
		if segment == "." || segment == ".." {
			t.Errorf("the path %q has a dot segment", raw)
		}
	}
	if clean := path.Clean(raw); clean != "/api/v2" && !strings.HasPrefix(clean, "/api/v2/") {
		t.Errorf("the path %q leads to %q", raw, clean)
	}
	for name := range r.Header {
		if name == "Origin" || name == "Cookie" || name == "Upgrade" || name == "Forwarded" || name == "Sec-Fetch-Site" && r.Header.Get(name) != "none" || name == "Http2-Settings" ||
			strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "X-Forwarded-") || name == "Connection" || name == "Keep-Alive" {
			t.Errorf("the header %s has come", name)
		}
	}
}

// FuzzLinks rewrites any Location and Link. A request for a rewritten link reaches the place of the original link.
func FuzzLinks(f *testing.F) {
	for _, seed := range []string{
		"https://api.example/v2/ports?page=2#x", "/v2/../v1", "//api.example:443/v2", "?a", "../x;y", "https://api.example/v2/%2e%2e/", "https://u:p@api.example/v2",
		"</v2/a>; rel=next, <https://api.example/v2/b>; title=\"<c>\\\"\"", "<", "\"", "https:api.example/v2", "HTTPS://API.EXAMPLE/v2/\x00",
	} {
		f.Add(seed)
	}
	l := linksOf(f, "https://api.example/v2", "/v2/ports/1?x=1")
	f.Fuzz(func(t *testing.T, text string) {
		_ = l.linkThroughProxy(text)
		pointed := l.throughProxy(text)
		rest, ours := strings.CutPrefix(pointed, proxyURL)
		if !ours {
			if pointed != text {
				t.Errorf("%q became %q", text, pointed)
			}
			return
		}
		meant, err := l.requested.Parse(text)
		back, failed := url.Parse("https://api.example/v2" + rest)
		if err != nil || failed != nil || !sameHost(meant, l.upstream) || meant.User != nil {
			t.Fatalf("%q points to the proxy: %v, %v", text, err, failed)
		}
		if back.EscapedPath() != meant.EscapedPath() || back.RawQuery != meant.RawQuery || back.Fragment != meant.Fragment {
			t.Errorf("%q became %q, which leads to %s", text, pointed, back)
		}
		if route, _, _ := strings.Cut(rest, "?"); ambiguous(strings.SplitN(route, "#", 2)[0]) {
			t.Errorf("%q became %q, which the proxy refuses", text, pointed)
		}
		if strings.ContainsAny(pointed, "\r\n\x00") {
			t.Errorf("%q became %q", text, pointed)
		}
	})
}
