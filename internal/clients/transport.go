// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

const (
	handshakeTimeout = 10 * time.Second
	maxHeader        = 64 << 10 // bytes of all response headers, including those of 1xx responses
)

// newTransport returns the transport of all requests: HTTP/1.1, TLS 1.2 or newer, and a new connection for each
// request. Its RoundTrip is called directly, without an http.Client. So there are no redirects, cookies or Referer
// headers to forbid.
func newTransport(roots *x509.CertPool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  proxyFromEnvironment(),
		DialContext:            keepsLoopback(newDialer().DialContext),
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, RootCAs: roots},
		TLSHandshakeTimeout:    handshakeTimeout,
		MaxResponseHeaderBytes: maxHeader,
		// Requests for tokens are rare. A kept connection would be stale by the next request, and stay open for no use.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		Protocols:              protocols,
		OnProxyConnectResponse: checkProxy,
	}
}

// errNotLoopback is the error of a loopback name, such as localhost, with which the system connects to another machine.
var errNotLoopback = errors.New("the name of this machine leads to another one")

// keepsLoopback returns a DialContext that refuses another machine as the peer of a loopback name. These are the names for
// which http is accepted: secrets are sent to them in clear.
func keepsLoopback(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dial(ctx, network, address)
		if host, _, _ := net.SplitHostPort(address); err != nil || !loopback(host) {
			return connection, err
		}
		peer, err := netip.ParseAddrPort(connection.RemoteAddr().String())
		if err != nil || !peer.Addr().Unmap().IsLoopback() {
			_ = connection.Close()
			return nil, errNotLoopback
		}
		return connection, nil
	}
}

// cause is why the answer is missing or incomplete.
type cause struct {
	kind        Kind
	description string
	passes      bool // a retry may help
}

// causes recognise the errors of net/http and of the packages below it. The order matters if one error wraps another.
var causes = []func(error, place) *cause{proxyCause, nameCause, tlsCause, timeCause, limitCause, connectionCause}

// diagnose returns the cause of an error of the transport. Such errors may quote what the server sent, so their texts
// are not passed on.
func diagnose(err error, at place) *cause {
	var operation *net.OpError
	if errors.As(err, &operation) && operation.Op == "proxyconnect" {
		err = operation.Err
	}
	found := &cause{BadAnswer, "the answer is not HTTP/1.1", false}
	for _, recognise := range causes {
		if known := recognise(err, at); known != nil {
			found = known
			break
		}
	}
	if at.peer == peerProxy {
		return found.ofProxy(at)
	}
	return found
}

// ofProxy turns the cause into a failure of the proxy, or of the connection to it.
func (c *cause) ofProxy(at place) *cause {
	switch {
	case c.kind == ProxyFailed || c.kind == Untrusted: // the description names the proxy already
	case at.stage == dialling:
		c.description = "the proxy cannot be reached: " + c.description
	default:
		c.description = "the proxy failed: " + c.description
	}
	c.kind = ProxyFailed
	return c
}

func nameCause(err error, _ place) *cause {
	var dns *net.DNSError
	switch {
	case errors.Is(err, errNotLoopback):
		return &cause{Unreachable, "this loopback name leads to another machine here, so nothing was sent", false}
	case !errors.As(err, &dns):
		return nil
	case dns.IsNotFound:
		return &cause{Unreachable, "there is no such host", false}
	}
	return &cause{Unreachable, "the host name cannot be resolved", dns.IsTemporary || dns.IsTimeout}
}

func timeCause(err error, at place) *cause {
	var timed net.Error
	waited := at.waited.Round(100 * time.Millisecond)
	switch ended := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout(); {
	case !ended:
		return nil
	case at.stage == dialling:
		return &cause{TimedOut, "no connection within the time allowed", true}
	case at.stage == shaking:
		return &cause{TimedOut, fmt.Sprintf("connected, but the TLS handshake got no answer in %s", waited), true}
	default:
		return &cause{TimedOut, fmt.Sprintf("connected, but no answer in %s", waited), true}
	}
}

func limitCause(err error, _ place) *cause {
	switch {
	case errors.Is(err, errBodyTooLarge):
		return &cause{BadAnswer, err.Error(), false}
	case strings.HasPrefix(root(err).Error(), "net/http: server response headers exceeded"):
		return &cause{BadAnswer, fmt.Sprintf("the answer's headers are too large: more than %d bytes", maxHeader), false}
	}
	return nil
}

func connectionCause(err error, _ place) *cause {
	var operation *net.OpError
	description := ""
	switch {
	case errors.Is(err, refused):
		description = "connection refused"
	case errors.Is(err, reset) || errors.Is(err, aborted) || errors.Is(err, syscall.EPIPE):
		description = "the connection was reset"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || root(err).Error() == "http: server closed idle connection":
		description = "the connection was closed before the whole answer had come"
	case errors.As(err, &operation):
		description = "the network failed (" + operation.Op + ")"
	default:
		return nil
	}
	return &cause{Unreachable, description, true}
}

// root returns the innermost error. Its text begins with the words that the causes recognise. What the server sent
// comes after them.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
