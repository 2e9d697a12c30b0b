// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"time"
)

// idleConnection is how long a connection to an API is kept without a request. Servers end theirs after a minute or
// more. The side that waits less is the one that ends it, and a request on a connection that has ended may be lost.
const idleConnection = 30 * time.Second

// NewAPITransport returns a transport for the API that a token is for. It trusts the same authorities and uses the same
// proxies as a token request. It keeps so many connections, and follows no redirect.
func NewAPITransport(roots *x509.CertPool, connections int) *http.Transport {
	t := newTransport(roots)
	t.DisableKeepAlives = false
	t.MaxIdleConnsPerHost = connections
	t.IdleConnTimeout = idleConnection
	t.ExpectContinueTimeout = time.Second
	return t
}

// DescribeFault returns why there was no answer, for an error of such a transport. It has nothing that a server or a
// proxy has sent.
func DescribeFault(err error) string {
	var (
		setting   errProxySetting
		operation *net.OpError
	)
	at := place{peer: peerServer}
	switch {
	case errors.As(err, &setting):
		return setting.Error()
	case errors.As(err, &operation) && operation.Op == "proxyconnect":
		at.peer = peerProxy
	}
	return diagnose(err, at).description
}

// Obtained is when the token was asked for.
func (t Token) Obtained() time.Time { return t.obtained }

// MayPass reports whether asking again later may help. If there was no identity token to send, its source may have one
// then, unless the settings hold the identity token itself.
func (e *Error) MayPass() bool {
	return e.transient || e.Kind == NoIdentityToken && e.Endpoint == "" && !e.given
}
