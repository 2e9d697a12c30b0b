// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// hardlyLonger is the part of a token's lifetime in which it counts as new: a tenth, so 30 seconds of five minutes.
const hardlyLonger = 10

// Token is an access token, in the same shape for every platform.
type Token struct {
	// AccessToken is the token.
	AccessToken Secret
	// TokenType is the platform's name for the type; Bearer if it names none. The token is always used as a bearer
	// token (RFC 6750).
	TokenType string
	// Expiry is when the token ends, by the wall clock. It is zero if the platform named no lifetime.
	Expiry time.Time
	// Scope holds the granted scopes, separated by blanks (RFC 6749, section 3.3). It is empty if the platform named none.
	Scope string
	// UserName is the user that the token belongs to (only Equinix names it). It is empty if the platform named none.
	UserName string
	// RefreshToken is the refresh token. It is the zero Secret if none was issued.
	RefreshToken Secret
	// RefreshTokenExpiry is when the refresh token ends. It is zero if the platform named no lifetime.
	RefreshTokenExpiry time.Time
	// Fallback is the *Error of the refresh, if the token came from the client credentials instead. It is nil if there was
	// none.
	Fallback error
	// Tally is what the Client had done for the platform when it returned the token.
	Tally Tally

	// obtained is when the request was sent.
	obtained time.Time
	// refused reports that an API has refused the token. It is not returned again. It has not ended: others may use it.
	refused bool
}

// Authorization is the value of the HTTP header that carries the token (RFC 6750, section 2.1).
func (t Token) Authorization() Secret { return NewSecret("Bearer " + t.AccessToken.Reveal()) }

// reusable reports whether the token may be returned again. A token without a lifetime may not: its Expiry is zero, which
// is long past. Nor may a token that was obtained in the future by more than clocks differ, which means that the clock was set
// back. Expiry and obtained have no monotonic reading, so the wall clock decides. The monotonic clock stands still while a machine
// sleeps.
//
// No token of this platform meets minValidity if this one never did. Then it is returned while a new one would last hardly
// longer, so that a plan of a thousand blocks does not make a thousand requests.
func (t Token) reusable(now time.Time, minValidity time.Duration) bool {
	left, granted := t.Expiry.Sub(now), t.Expiry.Sub(t.obtained)
	enough := left >= minValidity || granted <= minValidity && left >= granted-granted/hardlyLonger
	return !t.refused && !now.Add(cache.ClockNoise).Before(t.obtained) && left > 0 && enough
}

// Obtained is when the token was asked for.
func (t Token) Obtained() time.Time { return t.obtained }
