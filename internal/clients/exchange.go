// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	backoffBase    = 500 * time.Millisecond
	backoffDoubled = 4 // times at most: up to 8 s
	maxRetryAfter  = 60 * time.Second
	maxDescription = 300 // bytes of a platform's description that are shown
)

// exchange sends the request until there is a token, an answer that will not change, or no time left.
func (c *Client) exchange(ctx context.Context, request call) (Token, *Error) {
	for attempt := 1; ; attempt++ {
		if c.over(ctx) {
			return Token{}, unsent(ctx, request)
		}
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
		wait = rand.N(backoffBase << min(attempt-1, backoffDoubled)) //nolint:gosec // a wait is no secret
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
	fault := &Error{Platform: request.platform, Endpoint: request.address()}
	limit, cancel := context.WithTimeout(ctx, c.options.RequestTimeout)
	defer cancel()
	var connected atomic.Bool
	limit = httptrace.WithClientTrace(limit, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	r, err := request.http(limit, c.options.UserAgent)
	if err != nil {
		fault.Fault, fault.Description, fault.unsent = Internal, "the request could not be built", true
		return Token{}, fault
	}
	// The platform counts a token's life from when it made it, which cannot be before this moment. The wall clock
	// decides; see Token.lasts.
	start := time.Now().Round(0)
	answer, err := c.transport.RoundTrip(r)
	if err != nil {
		c.transport.CloseIdleConnections() // ends dialling, which net/http goes on with for the sake of later requests
		fault.unsent = !connected.Load()
		return Token{}, fault.unanswered(ctx, err, start)
	}
	defer answer.Body.Close()
	fault.Status = answer.StatusCode
	var body []byte
	if fault.Status != http.StatusSwitchingProtocols { // there it would be the connection itself, without a time limit
		body, err = readBody(answer.Body)
	}
	// A token must have come whole. Of any other answer the status says enough: a rejection that is cut short is one.
	if err != nil && (grants(fault.Status) || ctx.Err() != nil) {
		return Token{}, fault.unanswered(ctx, err, start)
	}
	return request.read(fault, answer, body, start)
}

// http returns the request as net/http takes it.
func (c call) http(ctx context.Context, userAgent string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint.String(), strings.NewReader(c.body.Reveal()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", c.accept)
	r.Header.Set("Content-Type", c.contentType)
	r.Header.Set("User-Agent", userAgent)
	return r, nil
}

// unanswered says why there is no whole answer.
func (e *Error) unanswered(ctx context.Context, err error, start time.Time) *Error {
	if errors.Is(ctx.Err(), context.Canceled) {
		e.Fault, e.Description = Cancelled, "cancelled"
		return e
	}
	found := diagnose(err)
	e.Fault, e.Description, e.transient = found.fault, found.description, found.passes
	if e.Fault == TimedOut && !e.unsent {
		e.Description = fmt.Sprintf("no whole answer within %s (request_timeout)", time.Since(start).Round(100*time.Millisecond))
	}
	return e
}

// grants reports whether an answer with this status may hold a token.
func grants(status int) bool { return status == http.StatusOK || status == http.StatusCreated }

// read turns an answer into a token or into what is wrong with it.
func (c call) read(fault *Error, answer *http.Response, body []byte, start time.Time) (Token, *Error) {
	said := readError(body)
	// Gateways write the status once more, which is no code.
	if strings.EqualFold(said.code, http.StatusText(fault.Status)) || said.code == strconv.Itoa(fault.Status) {
		said = platformError{description: cmp.Or(said.description, said.code)}
	}
	if said.code == "" && !grants(fault.Status) {
		said.code = looseCode(body)
	}
	said = c.scrubbed(said)
	fault.Code, fault.Description = said.code, said.description
	if grants(fault.Status) && said.code == "" {
		token, err := readToken(answer.Header, body, start, c.refreshLifetime)
		if err == nil {
			return token, nil
		}
		fault.Fault, fault.Description = BadAnswer, err.Error()
		return Token{}, fault
	}
	c.judge(fault, answer)
	if fault.Code == "" && fault.Description == "" && fault.Fault != Throttled {
		fault.Description = c.describeBody(answer.Header, body)
	}
	return Token{}, fault
}

var codePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$`)

// scrubbed makes what a platform said fit to be shown.
func (c call) scrubbed(said platformError) platformError {
	if said == (platformError{}) {
		return said
	}
	scrubber := newScrubber(c.secrets...)
	description := ""
	if said.description != "" {
		description = `"` + scrubber.scrub(said.description, maxDescription) + `"` // the platform's words, not ours
	}
	code := scrubber.scrub(said.code, maxDescription)
	if code != "" && !codePattern.MatchString(code) {
		code, description = "unreadable", strings.TrimSpace(description+" (its code: "+code+")")
	}
	return platformError{code: code, description: description}
}

// judge decides what an answer without a token means, and whether to ask again.
func (c call) judge(fault *Error, answer *http.Response) {
	fault.RetryAfter, _ = retryAfter(answer.Header, serverTime(answer.Header, time.Now()))
	code := strings.ToLower(fault.Code)
	switch status := fault.Status; {
	case status == http.StatusTooManyRequests:
		fault.Fault, fault.transient, fault.unsent = Throttled, true, true
	case status == http.StatusRequestTimeout:
		fault.Fault, fault.transient, fault.unsent = TimedOut, true, true
	case status/100 == 3:
		fault.Fault, fault.Description = Redirected, c.describeRedirect(answer)
	case code == "" && permanent[status]:
		fault.Fault = BadAnswer
	case code == "server_error" || code == "temporarily_unavailable" || code == "" && status/100 == 5:
		fault.Fault, fault.transient, fault.unsent = Unavailable, !permanent[status], status == http.StatusServiceUnavailable
	case status == http.StatusNotFound || status == http.StatusGone: // Equinix's gateway has a code for these, too
		fault.Fault = NotFound
	case status == http.StatusMethodNotAllowed || status == http.StatusNotAcceptable || status == http.StatusUnsupportedMediaType:
		fault.Fault = NotAcceptable
		fault.Description = strings.TrimSpace(fault.Description + " (sent: Accept " + c.accept + ", Content-Type " + c.contentType + ")")
	case code != "":
		fault.Fault = c.rejection(code)
	case status == http.StatusForbidden:
		fault.Fault = Forbidden
	case status/100 == 4 && c.fallback != nil:
		fault.Fault = RefreshTokenRejected
	case status == http.StatusUnauthorized:
		fault.Fault = CredentialsRejected
	case status/100 == 4:
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
func (c call) rejection(code string) Fault {
	switch code {
	case "invalid_client":
		return CredentialsRejected
	case "unauthorized_client", "unsupported_grant_type":
		return GrantRejected
	case "invalid_scope":
		return ScopeRejected
	}
	switch {
	case c.fallback != nil:
		return RefreshTokenRejected
	case code == "invalid_request":
		return RequestRejected
	}
	return CredentialsRejected
}

func (c call) describeBody(header http.Header, body []byte) string {
	if len(body) == 0 {
		return "empty answer"
	}
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return "the answer names no content type and no error code"
	}
	return "the answer is " + newScrubber(c.secrets...).scrub(mediaType, 100) + " without an error code"
}

func (c call) describeRedirect(answer *http.Response) string {
	target, err := answer.Location()
	if err != nil || target.Host == "" {
		return "the answer is a redirect, which is not followed"
	}
	return "the answer is a redirect to " + newScrubber(c.secrets...).scrub(target.Host, 255) + ", which is not followed"
}
