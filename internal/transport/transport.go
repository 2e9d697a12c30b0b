// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package transport sends requests over HTTP/1.1 and TLS, through the proxy that the environment names, and says why an
// answer is missing. It knows neither tokens nor platforms. Its texts have nothing that a server or a proxy has sent, but
// the names in a certificate.
//
//	transport.go  makes the transport of token requests, and recognises what went wrong
//	api.go        the transport of requests to an API, which keeps connections
//	dialer.go     looks a host up and connects to it
//	proxy.go      reads the proxy's address, and the answers of a proxy
//	tls.go        describes certificates and TLS faults
//	progress.go   how far a request has come
package transport

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

// New returns the transport of token requests: HTTP/1.1, TLS 1.2 or newer, and a new connection for each request. It trusts
// the roots, or the system's authorities if roots is nil. Its RoundTrip is called directly, without an http.Client. So there
// are no redirects, cookies or Referer headers to forbid.
func New(roots *x509.CertPool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  proxyFromEnvironment(),
		DialContext:            KeepsLoopback(newDialer().DialContext),
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, RootCAs: roots, GetClientCertificate: clientCertificate},
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

// Loopback reports whether host is a name or an address of this machine. A connection to such a host never leads to another
// machine, so secrets may be sent over it in clear.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// KeepsLoopback returns a DialContext that refuses another machine as the peer of a Loopback host.
func KeepsLoopback(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dial(ctx, network, address)
		if host, _, _ := net.SplitHostPort(address); err != nil || !Loopback(host) {
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

// Fault is why an answer is missing or incomplete.
type Fault struct {
	Kind        Kind
	Description string // what was found, for a message
	Temporary   bool   // a retry may help
}

// Kind is the kind of a Fault.
type Kind int

// The kinds.
const (
	BadAnswer   Kind = iota // the answer is not HTTP/1.1, or its headers are too large
	Unreachable             // there was no connection, or it broke
	Untrusted               // TLS failed: a certificate, a version, a protocol
	ProxyFailed             // the proxy did not connect
	TimedOut                // no answer within the time allowed
	Refused                 // the server does not accept the client's certificate
)

// causes recognise the errors of net/http and of the packages below it. The order matters if one error wraps another.
var causes = []func(error, reached) *Fault{proxyCause, nameCause, tlsCause, timeCause, limitCause, connectionCause}

// explain returns the Fault of an error of the transport. Such errors may quote what the server sent, so their texts
// are not passed on.
func explain(err error, at reached) *Fault {
	var operation *net.OpError
	if errors.As(err, &operation) && operation.Op == "proxyconnect" {
		err = operation.Err
	}
	found := &Fault{BadAnswer, "the answer is not HTTP/1.1", false}
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

// ofProxy turns the Fault into a failure of the proxy, or of the connection to it.
func (f *Fault) ofProxy(at reached) *Fault {
	switch {
	case f.Kind == ProxyFailed || f.Kind == Untrusted: // the description names the proxy already
	case at.stage == dialling:
		f.Description = "the proxy cannot be reached: " + f.Description
	default:
		f.Description = "the proxy failed: " + f.Description
	}
	f.Kind = ProxyFailed
	return f
}

func nameCause(err error, _ reached) *Fault {
	var dns *net.DNSError
	switch {
	case errors.Is(err, errNotLoopback):
		return &Fault{Unreachable, "this loopback name leads to another machine here, so nothing was sent", false}
	case !errors.As(err, &dns):
		return nil
	case dns.IsNotFound:
		return &Fault{Unreachable, "there is no such host", false}
	}
	return &Fault{Unreachable, "the host name cannot be resolved", dns.IsTemporary || dns.IsTimeout}
}

func timeCause(err error, at reached) *Fault {
	var timed net.Error
	waited := at.waited.Round(100 * time.Millisecond)
	switch ended := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout(); {
	case !ended:
		return nil
	case at.stage == dialling:
		return &Fault{TimedOut, "no connection within the time allowed", true}
	case at.stage == handshaking:
		return &Fault{TimedOut, fmt.Sprintf("connected, but the TLS handshake got no answer in %s", waited), true}
	default:
		return &Fault{TimedOut, fmt.Sprintf("connected, but no answer in %s", waited), true}
	}
}

func limitCause(err error, _ reached) *Fault {
	if !strings.HasPrefix(root(err).Error(), "net/http: server response headers exceeded") {
		return nil
	}
	return &Fault{BadAnswer, fmt.Sprintf("the answer's headers are too large: more than %d bytes", maxHeader), false}
}

func connectionCause(err error, _ reached) *Fault {
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
	return &Fault{Unreachable, description, true}
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
