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

// replaceInterval is the minimum time between two replacements of fresh tokens that the API refused. The client keeps to it,
// too, for all proxies that share a token. But it does not know a token without a lifetime, or one that the platform has
// issued before. An API that refuses every token would then cause a token request for each of its answers.
const replaceInterval = clients.ReplaceInterval

// tokens chooses the token for each request.
type tokens struct {
	options   Options
	replacing chan struct{} // held by the caller that replaces a refused token

	mu          sync.Mutex
	held        clients.Token  // the last token
	rejected    bool           // held was discarded
	discarded   clients.Secret // the access token that was discarded last
	discardedAt time.Time      // when it was discarded; zero: never
	refusals    Refusals
}

func newTokens(options Options) *tokens {
	return &tokens{options: options, replacing: make(chan struct{}, 1), held: options.First, rejected: options.First.AccessToken.IsZero()}
}

// current returns the token for a request. It asks the client each time, which compares with the wall clock, because the
// machine may have been asleep.
func (t *tokens) current(ctx context.Context) (clients.Token, error) {
	switch held, usable := t.last(); {
	case usable && lifetime(held) > 0:
		return t.obtain(ctx, held, effectiveMinValidity(t.options.MinValidity, lifetime(held)))
	case usable: // the client does not share a token of unknown lifetime: use it until the API refuses it
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

// obtain gets a token from the client. If that fails and may succeed later, it returns held as long as held is valid.
func (t *tokens) obtain(ctx context.Context, held clients.Token, minValidity time.Duration) (clients.Token, error) {
	token, err := t.options.Token(ctx, minValidity)
	if err != nil {
		if failure := (*clients.Error)(nil); errors.As(err, &failure) && failure.Temporary() && time.Now().Round(0).Before(held.Expiry) {
			return held, nil
		}
		return clients.Token{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held, t.rejected = token, false
	return token, nil
}

// Refusals is how often the API answered 401.
type Refusals struct {
	// Fresh counts the answers to a token that was less than a minute old.
	Fresh int
	// Kept counts the answers to a token that is not replaced, because the client's own may belong to another principal.
	Kept int
}

// noteRefusal records that the API has refused a token, and discards the token. It discards fresh tokens at most once a
// minute. A token that cannot be replaced stays in use until it ends: the API may have refused it for this request only.
func (t *tokens) noteRefusal(token clients.Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now().Round(0)
	young := fresh(token, now)
	recently := !t.discardedAt.IsZero() && now.Sub(t.discardedAt) < replaceInterval && !now.Before(t.discardedAt)
	again := recently && (young || token.AccessToken == t.discarded)
	if !again && !t.options.Discard(token) {
		t.refusals.Kept++
		return
	}
	if young {
		t.refusals.Fresh++
	}
	if again {
		return
	}
	t.discarded, t.discardedAt = token.AccessToken, now
	if token.AccessToken == t.held.AccessToken {
		t.rejected = true
	}
}

func (t *tokens) refused() Refusals {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refusals
}

// lifetime returns how long the token was valid when it was obtained; zero or less: the platform named no usable lifetime.
func lifetime(token clients.Token) time.Duration {
	if token.Expiry.IsZero() {
		return 0
	}
	return token.Expiry.Sub(token.Obtained())
}

// fresh reports whether the token is so new that it cannot have expired, even if the API's clock is wrong.
func fresh(token clients.Token, now time.Time) bool {
	limit := replaceInterval
	if granted := lifetime(token); granted > 0 {
		limit = min(limit, granted/2)
	}
	return now.Sub(token.Obtained()) < limit
}

// effectiveMinValidity returns how long a token must still be valid. A platform may grant less than minValidity, or hardly
// more. Then each request would cause a token request, so a token is used for nine tenths of its lifetime instead.
func effectiveMinValidity(minValidity, granted time.Duration) time.Duration {
	if granted-minValidity < granted/10 {
		return granted / 10
	}
	return minValidity
}
