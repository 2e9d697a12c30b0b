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
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	maxHeader        = 64 << 10 // bytes of all response headers, 1xx ones included

	backoffBase    = 500 * time.Millisecond
	backoffCap     = 8 * time.Second
	maxRetryAfter  = 60 * time.Second
	maxDescription = 300 // bytes of a platform's description that are shown
)

// newTransport returns the only transport: one exchange a connection, HTTP/1.1, TLS 1.2 or newer. Its RoundTrip is
// called directly, without an http.Client, because then there are no redirects, no cookies and no Referer to forbid.
func newTransport(roots *x509.CertPool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    handshakeTimeout,
		MaxResponseHeaderBytes: maxHeader,
		// A token is asked for once in a long while: a kept connection would be stale by then, and stay open for nothing.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		Protocols:              protocols,
		OnProxyConnectResponse: checkProxy,
	}
}

// errProxy is a proxy's refusal to connect, by its status.
type errProxy int

func (e errProxy) Error() string {
	return fmt.Sprintf("the proxy answered %d %s", int(e), http.StatusText(int(e)))
}

func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return errProxy(answer.StatusCode)
	}
	return nil
}

// exchange sends the request until there is a token, an answer that will not change, or no time left.
func (c *Client) exchange(ctx context.Context, request call) (Token, *Error) {
	for attempt := 1; ; attempt++ {
		token, fault := c.attempt(ctx, request)
		if fault == nil {
			return token, nil
		}
		fault.Attempts = attempt
		again := fault.transient && (!request.once || fault.unsent)
		if !again || attempt >= c.options.MaxAttempts || !pause(ctx, fault, attempt) {
			return Token{}, fault
		}
	}
}

// pause waits before the next attempt; false means that there is to be none. Without a usable Retry-After the wait is
// random up to a limit that doubles ("full jitter"), so that many clients of one platform spread out.
func pause(ctx context.Context, fault *Error, attempt int) bool {
	wait := fault.RetryAfter
	if wait > maxRetryAfter {
		return false
	}
	if wait == 0 {
		wait = rand.N(min(backoffBase<<(attempt-1), backoffCap)) //nolint:gosec // a wait is no secret
	} else {
		wait += rand.N(backoffBase) //nolint:gosec // as above; never earlier than asked
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		fault.Fault, fault.transient, fault.Description = Cancelled, false, "cancelled while waiting for the next attempt"
		return false
	}
}

// attempt sends the request once.
func (c *Client) attempt(ctx context.Context, request call) (Token, *Error) {
	limit, cancel := context.WithTimeout(ctx, c.options.RequestTimeout)
	defer cancel()
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(limit, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	fault := Error{Platform: request.platform, Endpoint: request.address()}
	r, err := http.NewRequestWithContext(traced, http.MethodPost, request.endpoint.String(), strings.NewReader(request.body.Reveal()))
	if err != nil {
		fault.Fault, fault.Description = Internal, "the request could not be built"
		return Token{}, &fault
	}
	r.Header.Set("Accept", request.accept)
	r.Header.Set("Content-Type", request.contentType)
	r.Header.Set("User-Agent", c.options.UserAgent)
	// The platform counts a token's life from when it made it, which cannot be before this moment. The wall clock
	// decides, because the monotonic one stands still while a machine sleeps.
	start := time.Now().Round(0)
	answer, err := c.transport.RoundTrip(r)
	if err != nil {
		fault.unsent = !connected.Load()
		return Token{}, c.transportFault(ctx, fault, err)
	}
	defer answer.Body.Close()
	fault.Status = answer.StatusCode
	body, err := readBody(answer.Body)
	if errors.Is(err, errBodyTooLarge) {
		fault.Fault, fault.Description = BadAnswer, err.Error()
		return Token{}, &fault
	} else if err != nil {
		fault.Status = 0
		return Token{}, c.transportFault(ctx, fault, err)
	}
	return request.read(fault, answer, body, start)
}

// read turns a complete answer into a token or into what is wrong with it.
func (request call) read(fault Error, answer *http.Response, body []byte, start time.Time) (Token, *Error) {
	said := request.scrubbed(readError(body))
	fault.Code, fault.Description = said.code, said.description
	if ok := fault.Status == http.StatusOK || fault.Status == http.StatusCreated; ok && said.code == "" {
		token, err := readToken(answer.Header, body, start, request.refreshLifetime)
		if err == nil {
			return token, nil
		}
		fault.Fault, fault.Description = BadAnswer, err.Error()
		return Token{}, &fault
	}
	request.judge(&fault, answer)
	if fault.Description == "" {
		fault.Description = describeBody(answer.Header, body)
	}
	return Token{}, &fault
}

var codePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$`)

// scrubbed makes what a platform said fit to be shown.
func (request call) scrubbed(said platformError) platformError {
	if said == (platformError{}) {
		return said
	}
	scrubber := newScrubber(request.secrets...)
	description := scrubber.scrub(said.description, maxDescription)
	code := scrubber.scrub(said.code, maxDescription)
	if code != "" && !codePattern.MatchString(code) {
		code, description = "unreadable", strings.TrimSpace(description+" (its code: "+code+")")
	}
	return platformError{code: code, description: description}
}

// judge decides what an answer without a token means, and whether to ask again.
func (request call) judge(fault *Error, answer *http.Response) {
	fault.RetryAfter, _ = retryAfter(answer.Header, time.Now())
	code := strings.ToLower(fault.Code)
	switch {
	case fault.Status == http.StatusRequestTimeout || fault.Status == http.StatusTooManyRequests:
		fault.Fault, fault.transient, fault.unsent = Throttled, true, true
		if fault.Status == http.StatusRequestTimeout {
			fault.Fault = TimedOut
		}
	case fault.Status/100 == 5 && (code == "" || code == "server_error" || code == "temporarily_unavailable"):
		fault.Fault = Unavailable
		fault.transient = !permanent[fault.Status]
		fault.unsent = fault.Status == http.StatusServiceUnavailable
	case fault.Status/100 == 3:
		fault.Fault = Redirected
		fault.Description = describeRedirect(request, answer)
	case code != "":
		fault.Fault = request.rejection(code)
	case fault.Status == http.StatusUnauthorized:
		fault.Fault = request.rejection("invalid_client")
		if request.fallback != nil {
			fault.Fault = RefreshTokenRejected
		}
	case fault.Status == http.StatusForbidden:
		fault.Fault = Forbidden
	case fault.Status == http.StatusNotFound || fault.Status == http.StatusGone:
		fault.Fault = NotFound
	case fault.Status == http.StatusMethodNotAllowed || fault.Status == http.StatusNotAcceptable || fault.Status == http.StatusUnsupportedMediaType:
		fault.Fault = NotAcceptable
		fault.Description = strings.TrimSpace(fault.Description + " (sent: Accept " + request.accept + ", Content-Type " + request.contentType + ")")
	case fault.Status/100 == 4 && request.fallback != nil:
		fault.Fault = RefreshTokenRejected
	case fault.Status/100 == 4:
		fault.Fault = RequestRejected
	default:
		fault.Fault = BadAnswer
	}
}

// permanent are the 5xx that say something about the request or the network rather than about the moment: not
// implemented, HTTP version, and a captive portal's 511 (RFC 6585, section 6).
var permanent = map[int]bool{501: true, 505: true, 511: true}

// rejection reads the error codes of RFC 6749, section 5.2. Any other code is Equinix's own: it has no public list of
// them, answers a failed login with a 500, and locks the account after five, so each counts as one.
func (request call) rejection(code string) Fault {
	switch code {
	case "invalid_client":
		return CredentialsRejected
	case "unauthorized_client", "unsupported_grant_type":
		return GrantRejected
	case "invalid_scope":
		return ScopeRejected
	}
	switch {
	case request.fallback != nil:
		return RefreshTokenRejected
	case code == "invalid_request":
		return RequestRejected
	}
	return CredentialsRejected
}

func describeBody(header http.Header, body []byte) string {
	if len(body) == 0 {
		return "empty answer"
	}
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return "the answer names no content type and no error code"
	}
	return "the answer is " + clip(oneLine(mediaType), 100) + " without an error code"
}

func describeRedirect(request call, answer *http.Response) string {
	target, err := answer.Location()
	if err != nil || target.Host == "" {
		return "the answer is a redirect, which is not followed"
	}
	host := newScrubber(request.secrets...).scrub(target.Host, 255)
	return "the answer is a redirect to " + host + ", which is not followed"
}

// transportFault says why there is no whole answer. Errors of net/http may quote what the server sent: only those that
// are recognised are worded here, and none is passed on.
func (c *Client) transportFault(ctx context.Context, fault Error, err error) *Error {
	var (
		dns         *net.DNSError
		netError    net.Error
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		proxy       errProxy
		operation   *net.OpError
	)
	fault.transient = true
	switch text := err.Error(); {
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		fault.Fault, fault.transient, fault.Description = Cancelled, false, "cancelled"
	case errors.As(err, &proxy):
		fault.Fault, fault.transient, fault.Description = ProxyFailed, proxy/100 == 5, proxy.Error()
	case errors.As(err, &operation) && operation.Op == "proxyconnect":
		fault.Fault, fault.Description = ProxyFailed, "the proxy cannot be reached"
	case errors.As(err, &certificate):
		fault.Fault, fault.transient, fault.Description = Untrusted, false, describeCertificate(certificate)
	case errors.As(err, &dns):
		fault.Fault, fault.transient = Unreachable, dns.IsTemporary || dns.IsTimeout
		fault.Description = "the host name cannot be resolved"
		if dns.IsNotFound {
			fault.Description = "there is no such host"
		}
	case errors.As(err, &operation) && operation.Op == "remote error": // crypto/tls's word for a TLS alert
		fault.Fault, fault.transient, fault.Description = Untrusted, false, "the server refused the TLS connection: "+describeAlert(operation.Err)
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		fault.Fault, fault.transient, fault.Description = Untrusted, false, "the server speaks http on this port, not https"
	case errors.As(err, &record):
		fault.Fault, fault.transient, fault.Description = Untrusted, false, "the server does not speak TLS on this port"
	case strings.Contains(text, "tls: "):
		fault.Fault, fault.transient, fault.Description = Untrusted, false, "no TLS connection: the server and this client share no version (1.2 or newer) or cipher"
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netError) && netError.Timeout():
		fault.Fault = TimedOut
		fault.Description = fmt.Sprintf("no answer within %s (request_timeout)", c.options.RequestTimeout)
		if fault.unsent {
			fault.Description = "no connection within the time allowed"
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		fault.Fault, fault.Description = Unreachable, "connection refused"
	case errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		fault.Fault, fault.Description = Unreachable, "the connection was reset"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		fault.Fault, fault.Description = Unreachable, "the connection was closed before the whole answer had come"
	case strings.Contains(text, "headers exceeded"):
		fault.Fault, fault.transient, fault.Description = BadAnswer, false, fmt.Sprintf("the answer's headers are too large: more than %d bytes", maxHeader)
	case errors.As(err, &operation):
		fault.Fault, fault.Description = Unreachable, "the network failed ("+operation.Op+")"
	default:
		fault.Fault, fault.transient, fault.Description = BadAnswer, false, "the answer is not HTTP/1.1"
	}
	return &fault
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
		names := hostname.Certificate.DNSNames
		for _, address := range hostname.Certificate.IPAddresses {
			names = append(names, address.String())
		}
		return fmt.Sprintf("the server's certificate is for %s, not for %s", clip(oneLine(strings.Join(names, ", ")), 200), clip(oneLine(hostname.Host), 255))
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an authority that this machine does not trust"
	}
	return "the server's certificate is not valid"
}

// describeAlert names a TLS alert; crypto/tls has a fixed text for each.
func describeAlert(alert error) string {
	name := strings.TrimPrefix(alert.Error(), "tls: ")
	if name == "no application protocol" {
		return "it does not speak HTTP/1.1"
	}
	return name
}
