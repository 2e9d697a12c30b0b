// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import "time"

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

// ended is the token as it is once its time is over. What it left behind, a refresh token, stays.
func (t Token) ended() Token {
	if now := time.Now().Round(0); t.Expiry.IsZero() || t.Expiry.After(now) {
		t.Expiry = now
	}
	return t
}
