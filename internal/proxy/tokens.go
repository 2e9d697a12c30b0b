// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// replaceInterval is the least time between two tokens that are obtained because the API refuses fresh ones. Without it, an API
// that refuses every token would cost a token request for each of its answers. So would a platform that hands out the
// refused token again.
const replaceInterval = time.Minute

// tokens chooses the token of each request.
type tokens struct {
	options   Options
	replacing chan struct{} // held by the caller that replaces a refused token

	mu          sync.Mutex
	held        clients.Token  // the last one
	rejected    bool           // held was discarded
	discarded   clients.Secret // the last token that was discarded
	discardedAt time.Time      // it was discarded
	refused     int            // how often a fresh token was
}

func newTokens(options Options) *tokens {
	return &tokens{options: options, replacing: make(chan struct{}, 1), held: options.First, rejected: options.First.AccessToken.IsZero()}
}

// current returns the token for a request. The engine looks at the wall clock each time, so that a machine may sleep.
func (t *tokens) current(ctx context.Context) (clients.Token, error) {
	switch held, usable := t.last(); {
	case usable && lifetime(held) > 0:
		return t.obtain(ctx, held, effectiveMinValidity(t.options.MinValidity, lifetime(held)))
	case usable: // The engine shares no token of unknown lifetime, so it is kept here until the API refuses it.
		return held, nil
	}
	select {
	case t.replacing <- struct{}{}:
		defer func() { <-t.replacing }()
	case <-ctx.Done():
		return clients.Token{}, &clients.Error{Kind: clients.Cancelled, Description: "cancelled"}
	}
	if held, usable := t.last(); usable {
		return held, nil
	}
	return t.obtain(ctx, clients.Token{}, t.options.MinValidity)
}

func (t *tokens) last() (held clients.Token, usable bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held, !t.rejected
}

// obtain asks the engine. Where a new token cannot be had for the moment, the old one does as long as it is valid.
func (t *tokens) obtain(ctx context.Context, held clients.Token, minValidity time.Duration) (clients.Token, error) {
	token, err := t.options.Token(ctx, minValidity)
	if err != nil {
		if failure := (*clients.Error)(nil); errors.As(err, &failure) && failure.MayPass() && time.Now().Round(0).Before(held.Expiry) {
			return held, nil
		}
		return clients.Token{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held, t.rejected = token, false
	return token, nil
}

// noteRefusal notes that the API has refused a token. A fresh token is discarded at most once a minute.
func (t *tokens) noteRefusal(token clients.Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now().Round(0)
	young := fresh(token, now)
	if young {
		t.refused++
	}
	recently := !t.discardedAt.IsZero() && now.Sub(t.discardedAt) < replaceInterval && !now.Before(t.discardedAt)
	if recently && (young || token.AccessToken == t.discarded) {
		return
	}
	t.discarded, t.discardedAt = token.AccessToken, now
	if token.AccessToken == t.held.AccessToken {
		t.rejected = true
	}
	t.options.Discard(token)
}

func (t *tokens) refusals() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refused
}

// lifetime is how long the token was valid when it was obtained; not positive: the platform named no lifetime of use.
func lifetime(token clients.Token) time.Duration {
	if token.Expiry.IsZero() {
		return 0
	}
	return token.Expiry.Sub(token.Obtained())
}

// fresh reports whether the token cannot have ended by itself, whatever the API's clock says.
func fresh(token clients.Token, now time.Time) bool {
	limit := replaceInterval
	if granted := lifetime(token); granted > 0 {
		limit = min(limit, granted/2)
	}
	return now.Sub(token.Obtained()) < limit
}

// effectiveMinValidity is for how long a token must still be valid. A platform may grant less than minValidity, or hardly more. Each
// request would then ask for a token. In that case a token is used for nine tenths of its life.
func effectiveMinValidity(minValidity, granted time.Duration) time.Duration {
	if granted-minValidity < granted/10 {
		return granted / 10
	}
	return minValidity
}
