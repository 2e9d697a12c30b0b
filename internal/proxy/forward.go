// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"errors"
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

// targetURL returns the upstream's URL with path appended and the query of requested, but for the secret. It does not change any
// escapes.
func (p *Proxy) targetURL(path string, requested *url.URL) *url.URL {
	u := *p.options.Upstream
	u.RawPath = strings.TrimRight(u.EscapedPath(), "/") + path
	u.Path, _ = url.PathUnescape(u.RawPath) // admit has checked the escapes
	u.RawQuery, u.ForceQuery = strings.ReplaceAll(requested.RawQuery, p.secret, ""), requested.ForceQuery
	return &u
}

// rewrite changes the request before it is forwarded. ReverseProxy calls it after it has removed the hop-by-hop headers, so
// a caller cannot remove what rewrite sets by naming it in the Connection header.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	way := passageOf(r.In.Context())
	r.Out.URL, r.Out.Host = way.target, ""
	header := r.Out.Header
	delete(header, "Cookie")
	for name, values := range header { // ReverseProxy has removed Forwarded
		switch {
		case strings.HasPrefix(name, "X-Forwarded-"), strings.HasPrefix(name, "Proxy-"), name == "Referer" && slices.ContainsFunc(values, p.namedIn):
			delete(header, name)
		default:
			p.hideIn(values, way.base)
		}
	}
}

// namedIn reports whether a Referer names the proxy: by its secret, or only by its host.
func (p *Proxy) namedIn(referer string) bool {
	u, err := url.Parse(referer)
	return strings.Contains(referer, p.secret) || err == nil && u.Host == p.host
}

// hideIn puts the API's URL in the place of base, the proxy's URL, which programs repeat in headers such as Destination (WebDAV).
// The secret must not leave this machine.
func (p *Proxy) hideIn(values []string, base clients.Secret) {
	api := strings.TrimRight(p.options.Upstream.String(), "/")
	for i, value := range values {
		if strings.Contains(value, p.host) {
			value = strings.ReplaceAll(value, p.URL().Reveal(), api)
			value = strings.ReplaceAll(value, base.Reveal()+"/", api+"/") // with the slash: another port may begin like this one
			if value == base.Reveal() {
				value = api
			}
		}
		if strings.Contains(value, p.secret) {
			value = strings.ReplaceAll(value, p.secret, "")
		}
		values[i] = value
	}
}

// forwarder is a transport that sends each request in its turn, with a token.
type forwarder struct {
	tokens *tokens
	next   http.RoundTripper
}

// RoundTrip sends the request. While the API answers that it gets too many requests, the request is held and sent again. If the
// proxy is closed or the caller leaves in that time, it returns the last answer.
func (f forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	way := passageOf(r.Context())
	way.source = r.Body
	if way.proxy.options.ThrottleWait > 0 {
		way.spool()
	}
	answer, err := f.authorized(r, way)
	if err != nil {
		return nil, err
	}
	for {
		pause, hold := way.pauseAfter(r, answer)
		if !hold || !way.hold(answer, pause) {
			return answer, nil
		}
		again, err := f.authorized(r, way)
		if errors.Is(err, errClosing) || err != nil && way.caller.Err() != nil {
			return answer, nil //nolint:nilerr // it was not sent again
		}
		if err != nil {
			return nil, err
		}
		answer = again
	}
}

// authorized sends the request with a token, when it is its turn. If the API answers 401, it sends a GET or HEAD without a body
// once more with another token.
func (f forwarder) authorized(r *http.Request, way *passage) (*http.Response, error) {
	answer, token, err := f.sendOnce(r, way)
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
	answer, _, err = f.sendOnce(r, way)
	return answer, err
}

// sendOnce sends the request once, when it is its turn, and notes an answer 401 as a refusal of the token.
func (f forwarder) sendOnce(r *http.Request, way *passage) (*http.Response, clients.Token, error) {
	token, err := f.tokens.current(r.Context())
	if err != nil {
		return nil, token, err
	}
	waited, err := way.turn()
	if err != nil {
		return nil, token, err
	}
	var wrote func()
	if waited {
		wrote = func() { way.proxy.options.Pace.wrote(way.number) }
		defer wrote() // it may never be written
		if token, err = f.tokens.current(r.Context()); err != nil {
			return nil, token, err
		}
	}
	r.Header.Set("Authorization", token.Authorization().Reveal())
	answer, err := f.next.RoundTrip(way.attempt(r, wrote))
	switch {
	case err != nil:
		return nil, token, &NoAnswer{Host: r.URL.Host, Cause: transport.Describe(err)}
	case answer.StatusCode == http.StatusUnauthorized:
		f.tokens.noteRefusal(token)
	case answer.StatusCode != http.StatusTooManyRequests && way.number != 0:
		way.proxy.options.Pace.answered(way.number, 0)
	}
	return answer, token, nil
}

// buffers is a pool of buffers for copying the bodies of answers.
type buffers struct{}

const bufferSize = 32 << 10

var bufferPool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// Get takes a buffer out of the pool.
func (buffers) Get() []byte { return bufferPool.Get().(*[bufferSize]byte)[:] } //nolint:errcheck // the pool holds nothing else

// Put returns a buffer to the pool.
func (buffers) Put(buffer []byte) { bufferPool.Put((*[bufferSize]byte)(buffer)) }
