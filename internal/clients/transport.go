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
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	maxHeader        = 64 << 10 // bytes of all response headers, 1xx ones included
)

// newTransport returns the only transport: one exchange a connection, HTTP/1.1, TLS 1.2 or newer. Its RoundTrip is
// called directly, without an http.Client, because then there are no redirects, no cookies and no Referer to forbid.
func newTransport(roots *x509.CertPool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            newDialer().DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, RootCAs: roots},
		TLSHandshakeTimeout:    handshakeTimeout,
		MaxResponseHeaderBytes: maxHeader,
		// A token is asked for once in a long while: a kept connection would be stale by then, and stay open for nothing.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		Protocols:              protocols,
		OnProxyConnectResponse: checkProxy,
	}
}

func newDialer() *net.Dialer { return &net.Dialer{Timeout: dialTimeout} }

// errProxy is the status of a proxy that did not connect.
type errProxy int

func (e errProxy) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the proxy answered %d %s", int(e), http.StatusText(int(e))))
}

// checkProxy looks at the status alone. The error of net/http would quote the reason phrase, which is free text.
func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return errProxy(answer.StatusCode)
	}
	return nil
}

// cause is why there is no whole answer.
type cause struct {
	fault       Kind
	description string
	passes      bool // asking again may help
}

// causes recognise the errors of net/http and what is below it. The order matters where one error wraps another.
var causes = []func(error) *cause{proxyCause, nameCause, tlsCause, timeCause, limitCause, connectionCause}

// diagnose words an error of the transport. Such errors may quote what the server sent, so none is passed on.
func diagnose(err error) *cause {
	for _, recognise := range causes {
		if found := recognise(err); found != nil {
			return found
		}
	}
	return &cause{BadAnswer, "the answer is not HTTP/1.1", false}
}

func proxyCause(err error) *cause {
	var (
		proxy     errProxy
		operation *net.OpError
	)
	switch {
	case errors.As(err, &proxy):
		return &cause{ProxyFailed, proxy.Error(), proxy/100 == 5}
	case errors.As(err, &operation) && (operation.Op == "proxyconnect" || strings.HasPrefix(operation.Op, "socks")):
		return &cause{ProxyFailed, "the proxy cannot be reached", true}
	}
	return nil
}

func nameCause(err error) *cause {
	var dns *net.DNSError
	switch {
	case !errors.As(err, &dns):
		return nil
	case dns.IsNotFound:
		return &cause{Unreachable, "there is no such host", false}
	}
	return &cause{Unreachable, "the host name cannot be resolved", dns.IsTemporary || dns.IsTimeout}
}

func tlsCause(err error) *cause {
	var (
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		operation   *net.OpError
	)
	description := ""
	switch {
	case errors.As(err, &certificate):
		description = describeCertificate(certificate)
	case errors.As(err, &operation) && operation.Op == "remote error":
		description = "the server refused the TLS connection: " + describeAlert(operation.Err)
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		description = "the server speaks http on this port, not https"
	case errors.As(err, &record):
		description = "the server does not speak TLS on this port"
	case strings.HasPrefix(root(err).Error(), "tls: "):
		description = "no TLS connection: the server and this client share no version (1.2 or newer) or cipher"
	default:
		return nil
	}
	return &cause{Untrusted, description, false}
}

func timeCause(err error) *cause {
	var timed net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout() {
		return &cause{TimedOut, "no connection within the time allowed", true}
	}
	return nil
}

func limitCause(err error) *cause {
	switch {
	case errors.Is(err, errBodyTooLarge):
		return &cause{BadAnswer, err.Error(), false}
	case strings.HasPrefix(root(err).Error(), "net/http: server response headers exceeded"):
		return &cause{BadAnswer, fmt.Sprintf("the answer's headers are too large: more than %d bytes", maxHeader), false}
	}
	return nil
}

func connectionCause(err error) *cause {
	var operation *net.OpError
	description := ""
	switch {
	case errors.Is(err, refused):
		description = "connection refused"
	case errors.Is(err, reset) || errors.Is(err, syscall.EPIPE):
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

// root is the innermost error. The texts that are recognised stand there at the beginning, before what the server sent.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// describeAlert names a TLS alert. crypto/tls has a fixed text for each.
func describeAlert(alert error) string {
	name := strings.TrimPrefix(alert.Error(), "tls: ")
	if name == "no application protocol" {
		return "it does not speak HTTP/1.1"
	}
	return name
}

func describeCertificate(err *tls.CertificateVerificationError) string {
	var (
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("the server's certificate is valid from %s to %s only, and this machine's clock says %s",
			invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
	case errors.As(err, &hostname):
		return fmt.Sprintf("the server's certificate is for %s, not for %s", certificateNames(hostname.Certificate), clip(oneLine(hostname.Host), 255))
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an authority that this machine does not trust"
	}
	return "the server's certificate is not valid"
}

func certificateNames(certificate *x509.Certificate) string {
	names := slices.Clone(certificate.DNSNames) // crypto/tls shares certificates among connections
	for _, address := range certificate.IPAddresses {
		names = append(names, address.String())
	}
	if len(names) == 0 {
		return "no host"
	}
	return clip(oneLine(strings.Join(names, ", ")), 200)
}
