// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/transport"
)

const (
	backoffBase    = 500 * time.Millisecond
	backoffDoubled = 4 // times at most: up to 8 s
	maxRetryAfter  = 60 * time.Second
)

// sender sends requests, and retries them if a retry is allowed.
type sender struct {
	options   Options
	transport *http.Transport
	tallies   *tallies
}

// send sends r until there is a token, a failure that will not pass, or no time left.
func (s *sender) send(ctx context.Context, r *request) (Token, *Error) {
	var current atomic.Int32
	quiet := s.announce(ctx, r, &current)
	defer quiet()
	for attempt := 1; ; attempt++ {
		current.Store(int32(min(attempt, s.options.MaxAttempts))) //nolint:gosec // a small number
		if mustStop(ctx, s.options.Interrupted) {
			return Token{}, unsentError(ctx, r)
		}
		token, failure := s.attempt(ctx, r)
		if failure == nil {
			return token, nil
		}
		failure.Attempts = attempt
		again := failure.temporary && (r.repeatable() || failure.notActedOn)
		if !again || attempt >= s.options.MaxAttempts || !pause(ctx, failure, attempt) || r.expiredMeanwhile(failure) {
			return Token{}, failure
		}
	}
}

// announceAfter is the time after which a person wants to know what takes so long.
const announceAfter = 3 * time.Second

// announce logs, after some seconds without a result, whom the process waits for. quiet ends that.
func (s *sender) announce(ctx context.Context, r *request, attempt *atomic.Int32) (quiet func()) {
	timer := time.AfterFunc(announceAfter, func() {
		text := fmt.Sprintf("waiting for %s at %s, attempt %d of %d", r.platform, r.address(), attempt.Load(), s.options.MaxAttempts)
		if deadline, ok := ctx.Deadline(); ok {
			text += fmt.Sprintf(", for another %s at most", time.Until(deadline).Round(time.Second))
		}
		s.options.Logger.InfoContext(ctx, text)
	})
	return func() { timer.Stop() }
}

// pause waits before the next attempt. It returns false if there must be no further attempt. Without a usable
// Retry-After, the wait is random up to a limit that doubles ("full jitter"), so that the requests of many clients
// spread out.
func pause(ctx context.Context, failure *Error, attempt int) bool {
	wait := failure.RetryAfter
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
		failure.Kind, failure.temporary, failure.Description = Cancelled, false, "cancelled while waiting for the next attempt"
		return false
	}
}

// expiredMeanwhile reports whether an identity token has expired before another attempt. Then failure, which is about the last
// attempt, says so.
func (r *request) expiredMeanwhile(failure *Error) bool {
	if r.expired() == nil {
		return false
	}
	failure.Identity = r.describeIdentities()
	return true
}

// attempt sends the request once.
func (s *sender) attempt(ctx context.Context, r *request) (Token, *Error) {
	failure := &Error{Platform: r.platform, Endpoint: r.address(), Identity: r.describeIdentities()}
	if expired := r.expired(); expired != nil {
		return Token{}, expired
	}
	r, err := r.signed()
	if err != nil {
		failure.Kind, failure.Description, failure.notActedOn = Internal, "the client assertion could not be signed", true
		return Token{}, failure
	}
	ctx, done := s.untilAnswered(ctx, r)
	defer done()
	limit, cancel := context.WithTimeout(ctx, s.options.RequestTimeout)
	defer cancel()
	progress := transport.Progress{Certificate: r.pair.Certificate}
	post, err := r.http(progress.Watch(limit), s.options.UserAgent)
	if err != nil {
		failure.Kind, failure.Description, failure.notActedOn = Internal, "the request could not be built", true
		return Token{}, failure
	}
	if progress.Proxy, err = s.transport.Proxy(post); err != nil {
		failure.Endpoint, failure.Kind, failure.Description, failure.notActedOn = "", InvalidInput, err.Error(), true
		return Token{}, failure
	}
	// A token's lifetime begins when the platform issues it, never before this moment. Round drops the monotonic
	// reading; see Token.reusable.
	start := time.Now().Round(0)
	response, err := s.transport.RoundTrip(post)
	if err == nil || progress.Arrived() {
		s.tallies.count(r.platform, func(t *Tally) { t.Logins++ })
	}
	if err != nil {
		s.transport.CloseIdleConnections() // ends dialling, which net/http otherwise continues for later requests
		failure.notActedOn = !progress.Arrived()
		if failure = failure.unanswered(ctx, err, &progress, start); failure.blames == wholeClient {
			failure.Client = r.authentication()
		}
		return Token{}, failure
	}
	defer response.Body.Close()
	failure.Status = response.StatusCode
	var body []byte
	if failure.Status != http.StatusSwitchingProtocols { // its body is the connection itself, without a time limit
		body, err = readBody(response.Body)
	}
	// A token must be whole. A rejection still counts if its end is missing.
	if err != nil && (grants(failure.Status) || ctx.Err() != nil) {
		return Token{}, failure.unanswered(ctx, err, &progress, start)
	}
	return r.read(failure, answer{response, body, err == nil, start})
}

// untilAnswered returns the context for one attempt. A request that may be sent only once runs to its end, even if every
// caller leaves: if it were broken off, its outcome would stay unknown. Only an interrupt or the deadline ends it.
func (s *sender) untilAnswered(ctx context.Context, r *request) (attempt context.Context, done func()) {
	if r.repeatable() {
		return ctx, func() {}
	}
	attempt, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if deadline, ok := ctx.Deadline(); ok {
		attempt, cancel = context.WithDeadline(attempt, deadline)
	}
	go func() {
		select {
		case <-s.options.Interrupted:
			cancel()
		case <-attempt.Done():
		}
	}()
	return attempt, cancel
}

// http returns r as a request of net/http.
func (r *request) http(ctx context.Context, userAgent string) (*http.Request, error) {
	post, err := http.NewRequestWithContext(ctx, cmp.Or(r.method, http.MethodPost), r.endpoint.String(), strings.NewReader(r.body.Reveal()))
	if err != nil {
		return nil, err
	}
	for _, h := range r.headers {
		post.Header.Set(h.name, h.value.Reveal())
	}
	post.Header.Set("Accept-Encoding", "identity") // see decode
	post.Header.Set("User-Agent", userAgent)
	return post, nil
}

// kinds are the Kinds of the transport's faults.
var kinds = map[transport.Kind]Kind{
	transport.BadAnswer: BadAnswer, transport.Unreachable: Unreachable, transport.Untrusted: Untrusted,
	transport.ProxyFailed: ProxyFailed, transport.TimedOut: TimedOut, transport.Refused: CredentialsRejected,
}

// unanswered adds to e why the answer is missing or incomplete.
func (e *Error) unanswered(ctx context.Context, err error, progress *transport.Progress, start time.Time) *Error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Kind, e.Description = Cancelled, "cancelled"
		return e
	case errors.Is(err, errBodyTooLarge):
		e.Kind, e.Description = BadAnswer, err.Error()
		return e
	}
	if record := (tls.RecordHeaderError{}); errors.As(err, &record) {
		e.Hint = NotTLS
	}
	fault := progress.Explain(err)
	e.Kind, e.Description, e.temporary = kinds[fault.Kind], fault.Description, fault.Temporary
	if fault.Kind == transport.Refused { // the server has read nothing of the request
		e.blames, e.notActedOn = wholeClient, true
	}
	if e.Kind == TimedOut && !e.notActedOn {
		e.Description = fmt.Sprintf("no whole answer within %s (request_timeout)", time.Since(start).Round(100*time.Millisecond))
	}
	return e
}
