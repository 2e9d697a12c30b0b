// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package clients obtains OAuth 2.0 access tokens (RFC 6749) from interconnection platforms, each of which has wire
// formats, lifetimes and errors of its own. What is different stands in the platform's file; what is the same for all,
// from sharing a token to wording a failure, stands in Client, once.
package clients

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	defaultRequestTimeout = 30 * time.Second
	defaultMaxAttempts    = 4

	// budget bounds everything that is asked of a platform for one token: attempts, pauses, a refresh with its fallback.
	// The wait for other processes at the cache comes on top, and is bounded too.
	budget = 120 * time.Second

	// failureShared is how long a passing failure is answered from memory, unless the platform asked for longer. A
	// platform that is down costs a plan of a thousand blocks one round of attempts, not a thousand one after the other.
	failureShared = 60 * time.Second

	// rejectionShared is how long other processes answer a rejection from the cache. It saves fifty parallel jobs with a
	// stale secret all failed logins but one, and is over before somebody has asked the platform to accept the secret.
	rejectionShared = 60 * time.Second

	// maxEntries bounds the memory. A run that needs more tokens than this asks for some of them again.
	maxEntries = 4096
)

// Token is an access token in the one shape that all platforms' answers are brought into.
type Token struct {
	// AccessToken is the token.
	AccessToken Secret
	// TokenType is what the platform calls it; Bearer if it says nothing. It is always used as a bearer token (RFC 6750).
	TokenType string
	// Expiry is when the token ends; zero: the platform named no lifetime.
	Expiry time.Time
	// Scope is the scopes as granted, separated by blanks; empty: the platform named none.
	Scope string
	// UserName is the user whom the token stands for (Equinix); empty: the platform named none.
	UserName string
	// RefreshToken is the refresh token; the zero Secret: none was issued.
	RefreshToken Secret
	// RefreshTokenExpiry is when the refresh token ends; zero: the platform named no lifetime.
	RefreshTokenExpiry time.Time
	// Fallback is why the token did not come from the refresh token that was given; nil: it did, or none was given.
	Fallback error

	// obtained is when the request was sent.
	obtained time.Time
}

// Authorization is the value of the HTTP header that carries the token (RFC 6750, section 2.1).
func (t Token) Authorization() Secret { return NewSecret("Bearer " + t.AccessToken.Reveal()) }

// lasts reports whether the token may still be handed out. One of unknown lifetime may not: its Expiry is zero, which is
// long past. Neither may one from the future: the clock was set back, and its expiry means nothing any more. Expiry and
// obtained are without a monotonic reading, so that the wall clock decides; the other stands still while a machine sleeps.
func (t Token) lasts(now time.Time, minValidity time.Duration) bool {
	left := t.Expiry.Sub(now)
	return !now.Before(t.obtained) && left > 0 && left >= minValidity
}

// Options are a Client's settings.
type Options struct {
	// RequestTimeout bounds one attempt, from dialling to the last byte of the answer; zero: 30 seconds.
	RequestTimeout time.Duration
	// MaxAttempts is how often a request is sent when faults that may pass prevent an answer; zero: 4.
	MaxAttempts int
	// RootCAs are the certificate authorities to trust; nil: the system's.
	RootCAs *x509.CertPool
	// UserAgent is the header of that name; empty: none is sent.
	UserAgent string
	// Interrupted, once closed, ends every wait; nil: none is ever ended by it.
	Interrupted <-chan struct{}
	// Cache shares tokens with other processes; nil: they stay in memory.
	Cache *Cache
	// Logger is told where tokens come from, and why; nil: nobody is.
	Logger *slog.Logger
}

// Client obtains tokens and shares them among all who ask for the same one. It is safe for concurrent use.
type Client struct {
	options   Options
	transport *http.Transport

	mu       sync.Mutex
	requests map[Grant]call // that were built before, with their keys
	entries  map[digest]*entry
	accounts map[digest]*account
}

// New returns a Client with the given settings.
func New(options Options) *Client {
	if options.RequestTimeout <= 0 {
		options.RequestTimeout = defaultRequestTimeout
	}
	if options.MaxAttempts <= 0 {
		options.MaxAttempts = defaultMaxAttempts
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{
		options:   options,
		transport: newTransport(options.RootCAs),
		requests:  map[Grant]call{},
		entries:   map[digest]*entry{},
		accounts:  map[digest]*account{},
	}
}

// entry is what is known about one request. Client.mu guards it.
type entry struct {
	token  Token   // the last one; may have run out
	failed failure // the last one, unless a token has come since
	flight *flight // nil: none is under way
	spent  bool    // the request must not be sent again; see Client.once
}

// failure is an error that is answered from memory, up to a moment or, where that is zero, for good.
type failure struct {
	err   *Error
	until time.Time
}

func (f failure) holds(now time.Time) bool {
	return f.err != nil && (f.until.IsZero() || now.Before(f.until))
}

// Token returns a token for grant that is valid for at least minValidity: the one at hand if it will do, else a new one,
// which may be valid for less if the platform grants less. All who ask for the same token at the same time wait for one
// request, and share its failure. A refresh token that the platform no longer takes is replaced by the client
// credentials; Token.Fallback says so. Errors are *Error. When ctx ends, so does the wait, and nobody else's.
func (c *Client) Token(ctx context.Context, grant Grant, minValidity time.Duration) (Token, error) {
	request, err := c.build(grant)
	if err != nil {
		return Token{}, err
	}
	began := time.Now()
	token, fault := c.share(ctx, request, minValidity, true)
	if fault != nil && request.fallback != nil && fault.refreshLost() {
		if c.over(ctx) {
			return Token{}, ended(ctx, request)
		}
		if request, err = request.fallback.call(); err != nil {
			return Token{}, err
		}
		lost := fault
		limit, cancel := context.WithDeadline(ctx, began.Add(c.patience()))
		defer cancel()
		token, fault = c.share(limit, request, minValidity, true)
		token.Fallback = lost
	}
	if fault != nil {
		return Token{}, fault
	}
	return token, nil
}

// build returns the request for grant. Checking, encoding and hashing it costs ten times as much as finding its token, so
// that is done once for each grant.
func (c *Client) build(grant Grant) (call, error) {
	c.mu.Lock()
	request, ok := c.requests[grant]
	c.mu.Unlock()
	if ok {
		return request, nil
	}
	request, err := grant.call()
	if err != nil {
		return call{}, err
	}
	request.digest = request.key()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) >= maxEntries {
		clear(c.requests)
	}
	c.requests[grant] = request
	return request, nil
}

// patience bounds one call of Token.
func (c *Client) patience() time.Duration {
	if c.options.Cache == nil {
		return budget
	}
	return budget + lockWait
}

// obtain returns what other processes have, or asks the platform under the lock that keeps them from asking too.
func (c *Client) obtain(ctx context.Context, request call, known *entry, minValidity time.Duration, follow bool) (token Token, fault *Error) {
	defer func() {
		if recover() != nil { // what was thrown may hold a secret
			fault = &Error{Platform: request.platform, Endpoint: request.address(), Fault: Internal, Description: "a fault in " + strings.Join(PanicOrigin(), ", from ")}
		}
	}()
	if token, fault, found := c.recall(ctx, request, known, minValidity, true); found {
		return token, fault
	}
	locked, release, fault := c.lock(ctx, request)
	defer release()
	if fault != nil {
		return Token{}, fault
	}
	if token, fault, found := c.recall(ctx, request, known, minValidity, false); found {
		return token, fault
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	token, fault = c.ask(ctx, request, known, minValidity, follow, locked)
	if locked {
		c.keep(ctx, request, known, token, fault)
	}
	return token, fault
}

// ask asks the platform: with the refresh token that came with the last token, if there is one and it is time for it,
// or with the request itself.
func (c *Client) ask(ctx context.Context, request call, known *entry, minValidity time.Duration, follow, locked bool) (Token, *Error) {
	// Without the lock, another process may be about to use the same refresh token.
	follow = follow && (locked || c.options.Cache == nil)
	if next, due := c.successor(request, known); due && follow {
		c.log(ctx, request, "refreshing the token")
		limit, cancel := context.WithTimeout(ctx, budget/2) // leaves time for a new token
		defer cancel()
		token, fault := c.share(limit, next, minValidity, false)
		if fault == nil || !fault.refreshDeclined() {
			return token, fault
		}
		c.log(ctx, request, "the refresh has failed: asking for a new token")
	}
	if !request.once {
		return c.admit(ctx, request)
	}
	return c.once(ctx, request, known, locked)
}

// successor is the request that refreshes the last token; due reports whether there is one, and the time for it has
// come. CloudLX ends the old access token with the refresh, and others may still use it: so one that has not ended is left
// to them.
func (c *Client) successor(request call, known *entry) (next call, due bool) {
	c.mu.Lock()
	last := known.token
	c.mu.Unlock()
	now := time.Now()
	switch {
	case request.refresh == nil || last.RefreshToken.IsZero() || last.Expiry.IsZero() || now.Before(last.Expiry):
		return call{}, false
	case !last.RefreshTokenExpiry.IsZero() && now.After(last.RefreshTokenExpiry):
		return call{}, false
	}
	next, err := request.refresh(last.RefreshToken).call()
	return next, err == nil && next.key() != request.key()
}

// once sends a request that must not be sent again where nobody knows what came of it: a platform may count a second
// login as a failed one, and may answer a second use of a refresh token by revoking every token that came from it (RFC
// 6819, section 5.2.2.3). The mark is set before the request is sent, so that it holds whatever happens, even to this
// process.
func (c *Client) once(ctx context.Context, request call, known *entry, locked bool) (Token, *Error) {
	if c.setSpent(known, true) || locked && !c.keepSpent(ctx, request, known) {
		return Token{}, request.spent()
	}
	token, fault := c.admit(ctx, request)
	switch {
	case fault != nil && fault.unsent:
		c.setSpent(known, false)
	case fault == nil && request.refreshToken.IsZero():
		c.setSpent(known, false) // a login that was accepted can be repeated
	case fault == nil && (token.RefreshToken.IsZero() || token.RefreshToken == request.refreshToken):
		c.setSpent(known, false) // the old refresh token is still in force (RFC 6749, section 6)
		token.RefreshToken = request.refreshToken
	}
	return token, fault
}

// spent is the fault of a request that must not be sent again.
func (c call) spent() *Error {
	if c.fallback != nil {
		return &Error{Platform: c.platform, Fault: RefreshTokenRejected, Description: "the refresh token was used before, or may be in use now"}
	}
	return &Error{Platform: c.platform, Fault: TimedOut, Description: "an earlier login got no answer, and another might count as a failed attempt"}
}

// setSpent returns what was set before.
func (c *Client) setSpent(known *entry, spent bool) (before bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, known.spent = known.spent, spent
	return before
}

// expendable entries can be forgotten without breaking a promise. Credentials that were rejected are kept in accounts.
func expendable(e *entry) bool { return e.flight == nil && !e.spent }

// find returns the value for key, made new if there is none. Where the map is full, all that can be forgotten make room;
// the rest is what this process must not send again, and may outgrow the limit by what users configure of that.
func find[V any](values map[digest]*V, key digest, expendable func(*V) bool) *V {
	if value := values[key]; value != nil {
		return value
	}
	if len(values) >= maxEntries {
		for other, value := range values {
			if expendable(value) {
				delete(values, other)
			}
		}
	}
	value := new(V)
	values[key] = value
	return value
}
