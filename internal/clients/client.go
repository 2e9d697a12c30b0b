// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package clients obtains OAuth 2.0 access tokens (RFC 6749) from interconnection platforms.
//
// A request for a token passes these steps from top to bottom. Each step is a type in its own file, and knows only the
// next step. refresher calls back: it gives sharer a function that sends the request or its refresh.
//
//	Client     encodes the grant
//	flights    answers from memory, or lets all callers wait for one run
//	completer  reads what the request needs from outside: an identity token, an assertion, a key, a certificate
//	refresher  uses the result of another process, or refreshes the last token, or sends the request itself
//	sharer     lets one caller send, and shares the result with the others, in other processes too if there is a cache
//	gate       lets unproven credentials through one at a time
//	sender     sends the request, and retries it if a retry is allowed
//
// Then request.read in response.go interprets the answer. What differs between platforms is in the platform's own file.
package clients

import (
	"context"
	"crypto/x509"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/transport"
)

const (
	// DefaultRequestTimeout is the RequestTimeout of Options that have none.
	DefaultRequestTimeout = 30 * time.Second
	// DefaultMaxAttempts is the MaxAttempts of Options that have none.
	DefaultMaxAttempts = 4

	// budget bounds all requests for one token: attempts, pauses, and a refresh with its fallback. It does not include
	// the wait for other processes at the cache, which lockWait bounds. A request for an identity token has its own.
	budget = 120 * time.Second

	// lockWait bounds the wait for the lock of another process. It is longer than any process holds the lock.
	lockWait = budget + 10*time.Second
)

// Options are a Client's settings.
type Options struct {
	// RequestTimeout bounds one attempt, from dialling to the last byte of the answer. If it is zero, it is
	// DefaultRequestTimeout.
	RequestTimeout time.Duration
	// MaxAttempts bounds how often a request is sent if its failures may be temporary. If it is zero, it is DefaultMaxAttempts.
	MaxAttempts int
	// RootCAs are the certificate authorities to trust. If they are nil, the system's are trusted.
	RootCAs *x509.CertPool
	// UserAgent is the value of the User-Agent header. If it is empty, none is sent.
	UserAgent string
	// Interrupted, once it is closed, ends every wait and stops all further requests. If it is nil, nothing interrupts.
	Interrupted <-chan struct{}
	// Getenv returns the value of an environment variable. If it is nil, os.Getenv is used. Identity tokens are read from variables.
	Getenv func(string) string
	// Cache shares tokens with other processes. If it is nil, tokens stay in memory.
	Cache cache.Store
	// Logger receives debug messages about where tokens come from, and warnings about the cache. If it is nil, nothing is
	// logged.
	Logger *slog.Logger
}

// Client obtains tokens, and shares a token among all callers that ask for the same one. [Client.Token] is where to begin. A
// Client is safe for concurrent use.
type Client struct {
	flights   flights
	sharer    *sharer
	callLimit time.Duration // bounds one call of Token

	mu       sync.Mutex
	requests map[Grant]*request // already encoded
}

// New returns a [Client] with the given settings.
func New(options Options) *Client {
	if options.RequestTimeout <= 0 {
		options.RequestTimeout = DefaultRequestTimeout
	}
	if options.MaxAttempts <= 0 {
		options.MaxAttempts = DefaultMaxAttempts
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Getenv == nil {
		options.Getenv = os.Getenv
	}
	callLimit := budget
	if options.Cache != nil {
		callLimit += lockWait
	}
	memory, log := newMemory(), logger{options.Logger}
	tallies := new(tallies)
	sender := &sender{options: options, transport: transport.New(options.RootCAs), tallies: tallies}
	gate := newGate(sender)
	sharer := &sharer{memory: memory, began: time.Now().Round(0), store: options.Cache, tallies: tallies, log: log, next: gate, reported: map[string]bool{}}
	completer := &completer{
		memory:  memory,
		sources: identitySources{getenv: options.Getenv, gate: gate},
		next:    &refresher{memory: memory, log: log, next: sharer},
	}
	return &Client{
		sharer:    sharer,
		flights:   flights{memory: memory, interrupted: options.Interrupted, next: completer},
		callLimit: callLimit,
		requests:  map[Grant]*request{},
	}
}

// Token returns a token for grant that is valid for at least minValidity. It returns the last token if that lasts long
// enough, and otherwise a new one. A new token may be valid for less time if the platform grants less. It is returned
// again for a tenth of its lifetime then. All callers that ask for the same token at the same time wait for one request,
// and share its failure. If a refresh token was rejected or may be spent, Token uses the client credentials instead and
// sets [Token.Fallback]. Errors are of type [*Error]. If ctx is done, only this caller stops waiting.
func (c *Client) Token(ctx context.Context, grant Grant, minValidity time.Duration) (Token, error) {
	r, err := c.request(grant)
	if err != nil {
		return Token{}, err
	}
	began := time.Now()
	token, failed := c.flights.share(ctx, r, minValidity)
	if failed != nil && r.fallback != nil && failed.refreshLost() {
		if mustStop(ctx, c.flights.interrupted) {
			return Token{}, waitError(ctx, r)
		}
		if r, err = c.request(r.fallback); err != nil {
			return Token{}, err
		}
		limit, cancel := context.WithDeadline(ctx, began.Add(c.callLimit))
		defer cancel()
		lost := failed
		token, failed = c.flights.share(limit, r, minValidity)
		token.Fallback = lost
	}
	if failed != nil {
		return Token{}, failed
	}
	token.Tally = c.sharer.tallies.of(r.platform)
	return token, nil
}

// Discard takes note that an API has refused a token that grant has yielded. If the token is the client's own, it is not
// returned again, in this process and by way of the cache: the next call of [Client.Token] obtains another one. Others may go on
// using the refused token, because it has not ended. Discard returns false for a token that came from a password or from
// a refresh token of the user. Such a token is not replaced, because the client's own may belong to another principal.
func (c *Client) Discard(grant Grant, token Token) (replaceable bool) {
	r, err := c.request(grant)
	if err == nil && token.Fallback != nil {
		r, err = c.request(r.fallback)
	}
	if err != nil || !r.belongsToClient() { // with an error, nothing was obtained
		return false
	}
	c.sharer.discard(token, c.sharer.memory.lastComplete(r))
	return true
}

// Unshared returns why tokens could not be shared with other machines, or nil if they could or the reason was returned
// before.
func (c *Client) Unshared() error { return c.sharer.takeTrouble() }

// Shares reports whether other processes that share the Cache can use a token that grant yields.
func (c *Client) Shares(grant Grant) bool {
	r, err := c.request(grant)
	return err == nil && c.sharer.storeOf(r) != nil
}

// Endpoint checks the settings in grant, and the keys and certificates in the files that they name. It returns the host and
// path that [Client.Token] would ask. It sends nothing.
func (c *Client) Endpoint(grant Grant) (string, error) {
	r, err := c.request(grant)
	if err != nil {
		return "", err
	}
	complete := *r
	if fault := complete.loadKeys(); fault != nil {
		return "", fault
	}
	return r.address(), nil
}

// request returns the request for grant. It does the work once for each grant: checking, encoding and hashing cost ten
// times as much as finding the token.
func (c *Client) request(grant Grant) (*request, error) {
	c.mu.Lock()
	r, ok := c.requests[grant]
	c.mu.Unlock()
	if ok {
		return r, nil
	}
	r, err := grant.request()
	if err != nil {
		return nil, err
	}
	r.keyDigest = r.key()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[grant] = r
	return r, nil
}
