// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// targetKey is under which a request's context has the URL that is asked.
type targetKey struct{}

// targetURL is the URL of a path below the upstream's, with the query that was asked for. All stay escaped as they are.
func (p *Proxy) targetURL(path string, asked *url.URL) *url.URL {
	u := *p.options.Upstream
	u.RawPath = strings.TrimRight(u.EscapedPath(), "/") + path
	u.Path, _ = url.PathUnescape(u.RawPath) // admit has seen that it can be
	u.RawQuery, u.ForceQuery = asked.RawQuery, asked.ForceQuery
	return &u
}

// rewrite makes the request that is sent. It is called after the hop-by-hop headers were taken out, so that none of what
// it sets can be named in the caller's Connection header.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	target, _ := r.In.Context().Value(targetKey{}).(*url.URL)
	r.Out.URL, r.Out.Host = target, ""
	header := r.Out.Header
	delete(header, "Cookie")
	for name := range header { // ReverseProxy has taken out Forwarded
		if strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Proxy-") {
			delete(header, name)
		}
	}
}

// forwarder sends requests with a token.
type forwarder struct {
	tokens *tokens
	next   http.RoundTripper
}

// RoundTrip puts a token on the request. A GET or HEAD without a body is sent once more where the API refuses the token.
func (f forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := f.tokens.current(r.Context())
	if err != nil {
		return nil, err
	}
	answer, err := f.sendOnce(r, token)
	if err != nil || answer.StatusCode != http.StatusUnauthorized || !repeatable(r) {
		return answer, err
	}
	another, err := f.tokens.current(r.Context())
	if err == nil && another.AccessToken == token.AccessToken {
		return answer, nil
	}
	_, _ = io.CopyN(io.Discard, answer.Body, maxDrain)
	_ = answer.Body.Close()
	if err != nil {
		return nil, err
	}
	return f.sendOnce(r, another)
}

// repeatable reports whether the request asks for nothing to be done, and can be sent again as it was.
func repeatable(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Body == nil
}

// sendOnce sends the request once.
func (f forwarder) sendOnce(r *http.Request, token clients.Token) (*http.Response, error) {
	r.Header.Set("Authorization", token.Authorization().Reveal())
	answer, err := f.next.RoundTrip(r)
	switch {
	case err != nil:
		return nil, &NoAnswer{Host: r.URL.Host, Cause: clients.DescribeFault(err)}
	case answer.StatusCode == http.StatusUnauthorized:
		f.tokens.noteRefusal(token)
	}
	return answer, nil
}

// buffers lets answers be copied without an allocation for each.
type buffers struct{}

const bufferSize = 32 << 10

var bufferPool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// Get returns a buffer.
func (buffers) Get() []byte { return bufferPool.Get().(*[bufferSize]byte)[:] } //nolint:errcheck // the pool holds nothing else

// Put takes it back.
func (buffers) Put(buffer []byte) { bufferPool.Put((*[bufferSize]byte)(buffer)) }
