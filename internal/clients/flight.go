// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"errors"
	"time"
)

// flight is a request under way and the number of those who wait for it. It ends when the last of them leaves.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	began   time.Time
	waiting int // guarded by Client.mu
	// token and err are set before done is closed.
	token Token
	err   *Error
}

// share answers from memory, or waits for the request that all who ask for the same share. follow allows to refresh
// what is at hand.
func (c *Client) share(ctx context.Context, request call, minValidity time.Duration, follow bool) (Token, *Error) {
	for {
		underway, token, fault := c.look(ctx, request, minValidity, follow)
		if underway == nil {
			return token, fault
		}
		select {
		case <-underway.done:
		case <-ctx.Done():
			return Token{}, c.leave(ctx, request, underway)
		case <-c.options.Interrupted:
			return Token{}, c.leave(ctx, request, underway)
		}
		token, fault = underway.token, underway.err
		if fault != nil && fault.Fault == Cancelled {
			continue // all who waited before this caller have left
		}
		// Who began the flight may have been content with less than this caller, and with what the cache had. What a
		// platform has granted since then is all that it grants.
		if fault != nil || !token.obtained.Before(underway.began) || token.lasts(time.Now(), minValidity) {
			return token, fault
		}
	}
}

// look answers from memory, or joins the flight under way, or starts one.
func (c *Client) look(ctx context.Context, request call, minValidity time.Duration, follow bool) (*flight, Token, *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := find(c.entries, request.key(), expendable)
	now := time.Now()
	switch {
	case known.token.lasts(now, minValidity):
		return nil, known.token, nil
	case known.failed.holds(now):
		return nil, Token{}, known.failed.err
	case c.over(ctx):
		return nil, Token{}, ended(ctx, request)
	case known.flight == nil:
		known.flight = c.start(ctx, request, known, minValidity, follow)
	}
	known.flight.waiting++
	return known.flight, Token{}, nil
}

// over reports whether nothing more is to be sent.
func (c *Client) over(ctx context.Context) bool {
	select {
	case <-c.options.Interrupted:
		return true
	default:
		return ctx.Err() != nil
	}
}

// leave gives up one wait, and the flight with the last one.
func (c *Client) leave(ctx context.Context, request call, f *flight) *Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.waiting--
	if f.waiting == 0 {
		f.cancel()
	}
	return ended(ctx, request)
}

// ended is the fault of a wait that was given up.
func ended(ctx context.Context, request call) *Error {
	fault := &Error{Platform: request.platform, Endpoint: request.address(), Fault: Cancelled, Description: "cancelled"}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		fault.Fault, fault.Description, fault.transient = TimedOut, "no token within the time allowed", true
	}
	return fault
}

// unsent is the fault of a request that was given up before it was sent.
func unsent(ctx context.Context, request call) *Error {
	fault := ended(ctx, request)
	fault.unsent = true
	return fault
}

// start sends the request on its own behalf: whoever happened to ask first may leave without harm to the others.
func (c *Client) start(ctx context.Context, request call, known *entry, minValidity time.Duration, follow bool) *flight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{done: make(chan struct{}), cancel: cancel, began: time.Now().Round(0)}
	go func() {
		defer cancel()
		token, fault := c.obtain(ctx, request, known, minValidity, follow)
		c.land(known, f, token, fault)
	}()
	return f
}

// land keeps what came of a flight and tells those who wait.
func (c *Client) land(known *entry, f *flight, token Token, fault *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.token, f.err = token, fault
	known.flight = nil
	switch {
	case fault == nil:
		known.token, known.failed = token, failure{}
	case fault.Fault == Cancelled || fault.Fault == Internal:
	case !fault.CachedUntil.IsZero():
		known.failed = failure{fault, fault.CachedUntil}
	case fault.transient:
		known.failed = failure{fault, time.Now().Add(max(failureShared, fault.RetryAfter))}
	default:
		known.failed = failure{err: fault}
	}
	close(f.done)
}
