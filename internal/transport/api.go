// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// How long a connection to an API is kept without a request. A request is lost if the server ends the connection at that
// moment. Servers end theirs after a minute, after five seconds (Node.js, Apache), two (gunicorn), or even one.
const (
	idleRepeatable = 30 * time.Second       // net/http sends the request again on another connection
	idleOnce       = 500 * time.Millisecond // nothing sends it again: half of the shortest time of a server
)

// API sends requests to the API that a token is for. It trusts the same authorities and uses the same proxies as a
// token request. It follows no redirect.
type API struct {
	repeatable, once kept
}

// kept holds the connections that are kept for one kind of requests. The transport is replaced if they must be kept for a
// shorter time.
type kept struct{ atomic.Pointer[http.Transport] }

// NewAPI returns an API that trusts the roots, as New does. It keeps up to so many connections for each kind of requests.
func NewAPI(roots *x509.CertPool, connections int) *API {
	t := New(roots)
	t.DisableKeepAlives = false
	t.MaxIdleConnsPerHost = connections
	t.ExpectContinueTimeout = time.Second
	t.IdleConnTimeout = idleRepeatable
	all := &API{}
	all.repeatable.Store(t)
	all.once.Store(t.Clone())
	all.once.shorten(idleOnce)
	return all
}

// Repeatable reports whether the request changes nothing at the API and can be sent again unchanged.
func Repeatable(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && (r.Body == nil || r.Body == http.NoBody)
}

// RoundTrip sends the request once. If it is Repeatable, net/http sends it again where the server has ended the connection.
func (t *API) RoundTrip(r *http.Request) (*http.Response, error) {
	connections := &t.once
	if Repeatable(r) {
		connections = &t.repeatable
	}
	answer, err := connections.Load().RoundTrip(r)
	if err == nil {
		t.obey(answer.Header["Keep-Alive"])
	}
	return answer, err
}

// obey keeps connections for half of the time that the server names: "Keep-Alive: timeout=5, max=100", in seconds.
func (t *API) obey(headers []string) {
	for parameter := range strings.FieldsFuncSeq(strings.Join(headers, ","), func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(parameter, "=")
		seconds, err := strconv.ParseUint(strings.Trim(value, ` "`), 10, 16)
		if err == nil && strings.EqualFold(strings.TrimSpace(name), "timeout") {
			limit := time.Duration(seconds) * time.Second / 2
			t.repeatable.shorten(limit)
			t.once.shorten(limit)
		}
	}
}

// shorten keeps connections for limit at most. If it is zero, each request gets a connection of its own.
//
// The connections of the transport that is replaced end by its own limit. They must not be closed here, and a limit must not
// be tiny: net/http counts a connection as idle a moment before it hands over an answer without a body, and an answer is lost
// if its connection is closed in this moment.
func (k *kept) shorten(limit time.Duration) {
	for last := k.Load(); !last.DisableKeepAlives && limit < last.IdleConnTimeout; last = k.Load() {
		next := last.Clone()
		next.IdleConnTimeout = limit
		next.DisableKeepAlives = limit == 0
		if k.CompareAndSwap(last, next) {
			return
		}
	}
}

// CloseIdleConnections closes the connections without a request.
func (t *API) CloseIdleConnections() {
	t.repeatable.Load().CloseIdleConnections()
	t.once.Load().CloseIdleConnections()
}

// Describe returns why there was no answer, for an error of an API.
func Describe(err error) string {
	var (
		setting   errProxySetting
		operation *net.OpError
	)
	at := reached{peer: peerServer}
	switch {
	case errors.As(err, &setting):
		return setting.Error()
	case errors.As(err, &operation) && operation.Op == "proxyconnect":
		at.peer = peerProxy
	}
	return explain(err, at).Description
}
