// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// This file is how a Client uses the Cache: what it takes from there and what it leaves. Without a Cache, none of it
// does anything.

// recall takes over what other processes have left about the request; found reports whether that answers it.
func (c *Client) recall(ctx context.Context, request call, known *entry, minValidity time.Duration) (token Token, fault *Error, found bool) {
	if c.options.Cache == nil {
		return Token{}, nil, false
	}
	stored, miss := c.options.Cache.load(request)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if stored.Token.obtained.After(known.token.obtained) {
		known.token = stored.Token
	}
	known.spent = known.spent || stored.Spent
	switch {
	case known.token.lasts(now, minValidity):
		c.log(ctx, request, "cache hit", slog.Time("expires_at", known.token.Expiry))
		return known.token, nil, true
	case stored.Rejected != nil && now.Before(stored.Until):
		c.log(ctx, request, "cache hit: the platform has rejected this request", slog.Time("asked_again_after", stored.Until))
		return Token{}, stored.Rejected, true
	case miss == "":
		miss = "the token has less than min_validity left"
	}
	c.log(ctx, request, "cache miss", slog.String("reason", miss))
	return Token{}, nil, false
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
	case errors.Is(err, context.DeadlineExceeded) && !request.refreshToken.IsZero():
		return false, release, request.spent()
	}
	c.warn(ctx, request, "going on without the cache: its lock cannot be had", err)
	return false, release, nil
}

// keep leaves what came of the request to other processes: a token, a rejection for a while, or that the refresh token
// in the request is spent, or not.
func (c *Client) keep(ctx context.Context, request call, known *entry, token Token, fault *Error) {
	left := record{Token: token}
	switch {
	case !request.refreshToken.IsZero():
		c.mu.Lock()
		left.Spent = known.spent
		c.mu.Unlock()
	case fault == nil:
	case fault.Rejection():
		left = record{Rejected: fault, Until: time.Now().Round(0).Add(rejectionShared)}
	default:
		return
	}
	if err := c.options.Cache.save(request, left); err != nil {
		c.warn(ctx, request, "what the platform answered is not in the cache", err)
	}
}

// keepSpent tells other processes not to use a refresh token, before this one does. It reports whether they will know.
func (c *Client) keepSpent(ctx context.Context, request call) bool {
	if request.refreshToken.IsZero() {
		return true
	}
	if err := c.options.Cache.save(request, record{Spent: true}); err != nil {
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
