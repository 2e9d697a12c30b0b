// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"time"
)

// refresher chooses between a refresh of the last token and the request itself.
type refresher struct {
	memory *memory
	log    logger
	next   *sharer
}

// obtain returns the result that another process has stored, a refresh of the last token, or a new token.
func (rf *refresher) obtain(ctx context.Context, r *request, minValidity time.Duration) (Token, *Error) {
	if token, err, ok := rf.next.lookUp(ctx, r, minValidity); ok {
		return token, err
	}
	return rf.next.exclusive(ctx, r, minValidity, func(ctx context.Context, alone bool) (Token, *Error) {
		// Without the lock, another process may be about to use the same refresh token.
		if refresh, due := r.successor(rf.memory.last(r.key())); due && alone && rf.memory.kept(refresh.mark()) == nil {
			token, err := rf.refresh(ctx, refresh, minValidity)
			// A client that may not refresh may still do what it was accepted for.
			declined := err != nil && (err.refreshDeclined() || err.blames == clientInGrant && rf.next.next.accepts(r))
			if !declined {
				return token, err
			}
			rf.log.debug(ctx, r, "the refresh has failed: asking for a new token")
		}
		return rf.next.send(ctx, r, alone)
	})
}

// refresh sends a refresh that no caller has asked for. It may use half of the budget, which leaves time for a new
// token. Its caller holds the right to send the original request. The two rights are always taken in this order, so two
// callers cannot block each other.
func (rf *refresher) refresh(ctx context.Context, r *request, minValidity time.Duration) (Token, *Error) {
	rf.log.debug(ctx, r, "refreshing the token")
	ctx, cancel := context.WithTimeout(ctx, budget/2)
	defer cancel()
	return rf.next.exclusive(ctx, r, minValidity, func(ctx context.Context, alone bool) (Token, *Error) {
		return rf.next.send(ctx, r, alone)
	})
}

// successor returns the request that refreshes the last token. due reports whether there is one and the last token has
// expired. A valid token is not refreshed, even if an API has refused it: at CloudLX, the refresh revokes it, and others
// may use it.
func (r *request) successor(last Token) (next *request, due bool) {
	now := time.Now()
	switch {
	case r.refresh == nil || last.RefreshToken.IsZero() || last.Expiry.IsZero() || now.Before(last.Expiry):
		return nil, false
	case !last.RefreshTokenExpiry.IsZero() && now.After(last.RefreshTokenExpiry):
		return nil, false
	case last.RefreshToken == r.refreshToken: // r sends it itself
		return nil, false
	}
	next, err := r.refresh(last.RefreshToken).request()
	if err != nil {
		return nil, false
	}
	next.refreshEnds, next.automatic = last.RefreshTokenExpiry, true
	return next.provenAs(r), true
}
