// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"
)

// This file is how a Client uses the Cache: what it takes from there and what it leaves. Without a Cache, none of it
// does anything.

// recall takes over what other processes have left about the request; found reports whether that answers it. In the first
// look, before the lock is asked for, a refresh token that is marked as spent may be so for the moment only: see once.
func (c *Client) recall(ctx context.Context, request call, known *entry, minValidity time.Duration, first bool) (token Token, fault *Error, found bool) {
	if c.options.Cache == nil {
		return Token{}, nil, false
	}
	stored, miss := c.options.Cache.load(request)
	now := time.Now()
	switch token := c.takeOver(known, stored, now, first); {
	case token.lasts(now, minValidity):
		c.log(ctx, request, "cache hit", slog.Time("expires_at", token.Expiry))
		return token, nil, true
	case stored.rejects(now):
		c.log(ctx, request, "cache hit: the platform has rejected this request", slog.Time("asked_again_after", stored.Until))
		rejected := *stored.Rejected
		rejected.CachedUntil = stored.Until
		return Token{}, &rejected, true
	case first:
		c.log(ctx, request, "cache miss", slog.String("reason", cmp.Or(miss, "the token has less than min_validity left")))
	}
	return Token{}, nil, false
}

// takeOver adds to what is known what is stored, and returns the newer token.
func (c *Client) takeOver(known *entry, stored record, now time.Time, first bool) Token {
	c.mu.Lock()
	defer c.mu.Unlock()
	if obtained := stored.Token.obtained; obtained.After(known.token.obtained) && !obtained.After(now) { // or the clock was set back
		known.token = stored.Token
	}
	known.spent = known.spent || stored.Spent && !first
	return known.token
}

// rejects reports whether the rejection still holds. One that would hold for longer than any comes from the future: the
// clock was set back.
func (r record) rejects(now time.Time) bool {
	left := r.Until.Sub(now)
	return r.Rejected != nil && left > 0 && left <= rejectionShared
}

// lock takes the request's lock at the cache. Where it cannot be had, the request goes on without the cache, but for a
// refresh whose lock another process holds: that process may be using the refresh token.
func (c *Client) lock(ctx context.Context, request call) (locked bool, release func(), fault *Error) {
	release = func() {}
	if c.options.Cache == nil {
		return false, release, nil
	}
	limit, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	began := time.Now()
	unlock, err := c.options.Cache.lock(limit, request)
	switch {
	case err == nil:
		if waited := time.Since(began); waited > lockPoll {
			c.log(ctx, request, "cache wait: another process was asking", slog.Duration("waited", waited))
		}
		return true, unlock, nil
	case ctx.Err() != nil:
		return false, release, ended(ctx, request)
	}
	c.warn(ctx, request, "going on without the cache: its lock cannot be had", err)
	if errors.Is(err, context.DeadlineExceeded) && !request.refreshToken.IsZero() {
		fault = request.spent()
	}
	return false, release, fault
}

// keep leaves what came of the request to other processes: a token, a rejection for a while, or that the refresh token
// in the request is spent, or not.
func (c *Client) keep(ctx context.Context, request call, known *entry, token Token, fault *Error) {
	c.mu.Lock()
	last, spent := known.token, known.spent
	c.mu.Unlock()
	left := record{Token: token}
	if fault != nil {
		left.Token = last // may still do for who asks for a smaller min_validity
	}
	switch {
	case !request.refreshToken.IsZero():
		left.Spent = spent
	case fault == nil:
	case fault.Rejection():
		left.Rejected, left.Until = fault, time.Now().Round(0).Add(rejectionShared)
	default:
		return
	}
	if err := c.options.Cache.save(request, left); err != nil {
		c.warn(ctx, request, "what the platform answered is not in the cache", err)
	}
}

// keepSpent tells other processes not to use a refresh token, before this one does. It reports whether they will know.
func (c *Client) keepSpent(ctx context.Context, request call, known *entry) bool {
	if request.refreshToken.IsZero() {
		return true
	}
	c.mu.Lock()
	last := known.token
	c.mu.Unlock()
	if err := c.options.Cache.save(request, record{Token: last, Spent: true}); err != nil {
		c.warn(ctx, request, "the refresh token is not used: the cache cannot keep it from others", err)
		return false
	}
	return true
}

func (c *Client) log(ctx context.Context, request call, message string, more ...slog.Attr) {
	c.options.Logger.LogAttrs(ctx, slog.LevelDebug, message, append(more, slog.String("endpoint", request.address()))...)
}

func (c *Client) warn(ctx context.Context, request call, message string, err error) {
	c.options.Logger.LogAttrs(ctx, slog.LevelWarn, message, slog.String("endpoint", request.address()), slog.String("reason", err.Error()))
}
