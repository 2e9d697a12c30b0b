// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"time"
)

// refresher chooses between a refresh of the last token and a new one.
type refresher struct {
	memory *memory
	log    logger
	next   *cached
}

// obtain answers with what other processes have left, or else with a refresh of the last token, or else with a new one.
func (s *refresher) obtain(ctx context.Context, r request, minValidity time.Duration) (Token, *Error) {
	if token, err, ok := s.next.lookUp(ctx, r, minValidity); ok {
		return token, err
	}
	return s.next.exclusive(ctx, r, minValidity, func(ctx context.Context, locked bool) (Token, *Error) {
		// Without the lock, another process may be about to use the same refresh token.
		if refresh, due := r.successor(s.memory.last(r)); due && (locked || s.next.cache == nil) {
			token, err := s.renew(ctx, refresh, minValidity)
			if err == nil || !err.refreshDeclined() {
				return token, err
			}
			s.log.debug(ctx, r, "the refresh has failed: asking for a new token")
		}
		return s.next.send(ctx, r, locked)
	})
}

// renew sends a refresh that nobody has asked for. It leaves time for a new token. Who waits for a refresh holds the right
// to send the request that it follows, and never the other way.
func (s *refresher) renew(ctx context.Context, refresh request, minValidity time.Duration) (Token, *Error) {
	s.log.debug(ctx, refresh, "refreshing the token")
	ctx, cancel := context.WithTimeout(ctx, budget/2)
	defer cancel()
	return s.next.exclusive(ctx, refresh, minValidity, func(ctx context.Context, locked bool) (Token, *Error) {
		if s.next.cache != nil && !locked {
			return Token{}, refresh.spent()
		}
		return s.next.send(ctx, refresh, locked)
	})
}

// successor is the request that refreshes the last token; due reports whether there is one, and the time for it has
// come. CloudLX ends the old access token with the refresh, and others may still use it: so one that has not ended is left
// to them.
func (r request) successor(last Token) (next request, due bool) {
	now := time.Now()
	switch {
	case r.refresh == nil || last.RefreshToken.IsZero() || last.Expiry.IsZero() || now.Before(last.Expiry):
		return request{}, false
	case !last.RefreshTokenExpiry.IsZero() && now.After(last.RefreshTokenExpiry):
		return request{}, false
	}
	next, err := r.refresh(last.RefreshToken).request()
	return next, err == nil && next.key() != r.key()
}
