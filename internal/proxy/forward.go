// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/transport"
)

// targetKey is the context key of the URL to which a request is forwarded.
type targetKey struct{}

// targetURL returns the upstream's URL with path appended and the query of requested. It does not change any escapes.
func (p *Proxy) targetURL(path string, requested *url.URL) *url.URL {
	u := *p.options.Upstream
	u.RawPath = strings.TrimRight(u.EscapedPath(), "/") + path
	u.Path, _ = url.PathUnescape(u.RawPath) // admit has checked the escapes
	u.RawQuery, u.ForceQuery = requested.RawQuery, requested.ForceQuery
	return &u
}

// rewrite changes the request before it is forwarded. ReverseProxy calls it after it has removed the hop-by-hop headers, so
// a caller cannot remove what rewrite sets by naming it in the Connection header.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	target, _ := r.In.Context().Value(targetKey{}).(*url.URL)
	r.Out.URL, r.Out.Host = target, ""
	header := r.Out.Header
	delete(header, "Cookie")
	for name, values := range header { // ReverseProxy has removed Forwarded
		switch {
		case strings.HasPrefix(name, "X-Forwarded-"), strings.HasPrefix(name, "Proxy-"), name == "Referer" && slices.ContainsFunc(values, p.namedIn):
			delete(header, name)
		default:
			p.hideIn(values)
		}
	}
}

// namedIn reports whether a Referer names the proxy: by its secret, or only by its host.
func (p *Proxy) namedIn(referer string) bool {
	u, err := url.Parse(referer)
	return strings.Contains(referer, p.secret) || err == nil && u.Host == p.host
}

// hideIn puts the API's URL in the place of the proxy's URL, which programs repeat in headers such as Destination (WebDAV).
// The secret must not leave this machine.
func (p *Proxy) hideIn(values []string) {
	for i, value := range values {
		if strings.Contains(value, p.secret) {
			value = strings.ReplaceAll(value, p.URL().Reveal(), strings.TrimRight(p.options.Upstream.String(), "/"))
			values[i] = strings.ReplaceAll(value, p.secret, "")
		}
	}
}

// forwarder is a transport that adds a token to each request.
type forwarder struct {
	tokens *tokens
	next   http.RoundTripper
}

// RoundTrip adds a token to the request and sends it. If the API answers 401, it sends a GET or HEAD without a body once more
// with another token.
func (f forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := f.tokens.current(r.Context())
	if err != nil {
		return nil, err
	}
	answer, err := f.sendOnce(r, token)
	if err != nil || answer.StatusCode != http.StatusUnauthorized || !transport.Repeatable(r) {
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

// sendOnce sends the request once, and notes an answer 401 as a refusal of the token.
func (f forwarder) sendOnce(r *http.Request, token clients.Token) (*http.Response, error) {
	r.Header.Set("Authorization", token.Authorization().Reveal())
	answer, err := f.next.RoundTrip(r)
	switch {
	case err != nil:
		return nil, &NoAnswer{Host: r.URL.Host, Cause: transport.Describe(err)}
	case answer.StatusCode == http.StatusUnauthorized:
		f.tokens.noteRefusal(token)
	}
	return answer, nil
}

// buffers is a pool of buffers for copying the bodies of answers.
type buffers struct{}

const bufferSize = 32 << 10

var bufferPool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// Get takes a buffer out of the pool.
func (buffers) Get() []byte { return bufferPool.Get().(*[bufferSize]byte)[:] } //nolint:errcheck // the pool holds nothing else

// Put returns a buffer to the pool.
func (buffers) Put(buffer []byte) { bufferPool.Put((*[bufferSize]byte)(buffer)) }
