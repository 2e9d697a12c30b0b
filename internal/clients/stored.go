// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// This file holds what the cache knows about a request: how its entries are found and encrypted, and what is in them.

// storedResult is what the entries of a request hold.
type storedResult struct {
	Token    Token
	Rejected *Error    // nil: the platform has not rejected the credentials
	Until    time.Time // when Rejected ends
}

// rejectionShared is how long other processes use a rejection from the cache. Fifty parallel jobs with an outdated
// secret then cause one failed login. A user needs longer than that to get the secret accepted.
const rejectionShared = 60 * time.Second

// rejects reports whether the rejection still counts. A rejection with more time left than rejectionShared does not
// count: it is from the future, which means that the clock was set back.
func (r storedResult) rejects(now time.Time) bool {
	left := r.Until.Sub(now)
	return r.Rejected != nil && left > 0 && left <= rejectionShared+cache.ClockNoise
}

// name returns the name of the request's entries. It contains what is no secret, and eight bits of each secret: a name helps
// no guess, and another secret has, but for one in 256, other files. What nobody can guess is in the name as a whole: a
// refresh token, and in a token exchange the identity token, or GitHub's bearer token. There only this job can read the
// entry, so jobs of one identity do not wait for each other.
func (r *request) name() cache.Name {
	parts := append(r.target(), r.public(), r.credential[0].Reveal(), r.refreshToken.Reveal())
	for _, h := range r.headers {
		parts = append(parts, h.name)
		if h.name != "Authorization" && !slices.Contains(r.secrets, h.value) {
			parts = append(parts, h.value.Reveal())
		}
	}
	parts = append(parts, r.proven()...)
	for _, secret := range r.secrets { // each for itself: with another parameter beside it, a secret gives the same bits
		digest := digestOf(secret.Reveal())
		parts = append(parts, string(digest[:1]))
	}
	return cache.EntryName(digestOf(parts...))
}

// secretsDigest returns the digest of all secrets in the request.
func (r *request) secretsDigest() digest {
	secrets := make([]string, len(r.secrets))
	for i, secret := range r.secrets {
		secrets[i] = secret.Reveal()
	}
	return digestOf(secrets...)
}

// markName returns the name of the mark on what the request may send only once.
func (r *request) markName() cache.Name { return cache.MarkName(r.mark()) }

// passwordMemory is what the derivation of a key from a user's password needs, in KiB: the second choice that RFC 9106,
// section 4, recommends. Only tests change it.
var passwordMemory uint32 = 64 << 10

// cacheKey returns the key of the request's entries. Secrets that a platform has generated are too long to be guessed. A
// user's password is not, and in a store that other people can read, neither is any secret that a person may have chosen.
func (r *request) cacheKey(store cache.Store) cache.Key {
	key := cache.Key{Name: r.name(), Bound: r.key(), Secret: r.secretsDigest(), Marked: r.automatic}
	if r.hasPassword() || r.chosen && !store.Local() {
		key.Memory = passwordMemory
	}
	return key
}

// key1 returns the key with which the first version keeps the mark of the request, or nil if it keeps none. See version1.go
// in cache.
func (r *request) key1(store cache.Store) *cache.Key {
	if r.refreshToken.IsZero() {
		return nil
	}
	parts := []string{r.endpoint.String(), r.body.Reveal()}
	for _, h := range r.headers {
		parts = append(parts, h.name, h.value.Reveal())
	}
	key := r.cacheKey(store)
	key.Bound = digestOf(parts...)
	return &key
}

// storedResultOf returns what is stored about a request, in the time of this machine. why says why there is no token.
func storedResultOf(found cache.Found) (stored storedResult, why string, damaged bool) {
	why, damaged = found.Miss, found.Damaged
	var token storedToken
	switch {
	case why != "":
	case json.Unmarshal(found.Token, &token) != nil:
		why, damaged = "the entry is damaged", true
	default:
		stored.Token = token.token().shifted(-found.Ahead)
	}
	var rejection storedRejection
	if json.Unmarshal(found.Rejection, &rejection) == nil {
		stored.Rejected, stored.Until = rejection.Rejected, rejection.Until.Add(-found.Ahead)
	}
	return stored, why, damaged
}

// storeToken stores a token.
func storeToken(claim cache.Claim, token Token) error {
	text, useful, err := token.encode(claim.Ahead())
	if err != nil {
		return err
	}
	return claim.Store(cache.Token, text, useful)
}

// storeRejection stores that the platform has rejected the credentials.
func storeRejection(claim cache.Claim, rejected *Error, until time.Time) error {
	until = until.Add(claim.Ahead())
	text, err := json.Marshal(storedRejection{rejected, until})
	if err != nil {
		return err
	}
	return claim.Store(cache.Rejection, text, until)
}

// discardToken marks the stored token as refused, if it is the one that an API has refused. On an error it stays as it is. Then
// it is refused and discarded again.
func (r *request) discardToken(store cache.Store, refused Token) {
	store.Update(context.Background(), r.cacheKey(store), func(found cache.Found) (changed []byte, useful time.Time, ok bool) {
		var known storedToken
		if json.Unmarshal(found.Token, &known) != nil || known.AccessToken != refused.AccessToken.Reveal() {
			return nil, time.Time{}, false
		}
		known.Refused = true
		changed, useful, err := known.token().encode(0)
		return changed, useful, err == nil
	})
}

// shifted returns the token with other times.
func (t Token) shifted(by time.Duration) Token {
	if by == 0 {
		return t
	}
	for _, moment := range []*time.Time{&t.obtained, &t.Expiry, &t.RefreshTokenExpiry} {
		if !moment.IsZero() {
			*moment = moment.Add(by)
		}
	}
	return t
}

// encode returns the token in clear text, in the time of the store, and when it becomes useless. The time is zero if
// that is not known.
func (t Token) encode(ahead time.Duration) (text []byte, useful time.Time, err error) {
	t = t.shifted(ahead)
	useful = t.Expiry
	switch end := t.RefreshTokenExpiry; {
	case t.RefreshToken.IsZero():
	case end.IsZero() || end.After(useful):
		useful = end
	}
	text, err = json.Marshal(t.stored()) //nolint:gosec // the cache encrypts it
	return text, useful, err
}

// storedToken is a token in clear text. The cache encrypts it.
type storedToken struct {
	AccessToken        string    `json:"access_token,omitempty"`
	TokenType          string    `json:"token_type,omitempty"`
	Obtained           time.Time `json:"obtained,omitzero"`
	Expiry             time.Time `json:"expiry,omitzero"`
	Refused            bool      `json:"refused,omitempty"`
	Scope              string    `json:"scope,omitempty"`
	UserName           string    `json:"user_name,omitempty"`
	RefreshToken       string    `json:"refresh_token,omitempty"`
	RefreshTokenExpiry time.Time `json:"refresh_token_expiry,omitzero"`
}

// storedRejection is a rejection, and when it ends.
type storedRejection struct {
	Rejected *Error    `json:"rejected"`
	Until    time.Time `json:"until"`
}

// Format writes [redacted] for every verb.
func (storedToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

func (t Token) stored() storedToken {
	return storedToken{
		AccessToken: t.AccessToken.Reveal(), TokenType: t.TokenType, Obtained: t.obtained, Expiry: t.Expiry, Refused: t.refused,
		Scope: t.Scope, UserName: t.UserName,
		RefreshToken: t.RefreshToken.Reveal(), RefreshTokenExpiry: t.RefreshTokenExpiry,
	}
}

func (s storedToken) token() Token {
	return Token{
		AccessToken: NewSecret(s.AccessToken), TokenType: s.TokenType, obtained: s.Obtained, Expiry: s.Expiry, refused: s.Refused,
		Scope: s.Scope, UserName: s.UserName,
		RefreshToken: NewSecret(s.RefreshToken), RefreshTokenExpiry: s.RefreshTokenExpiry,
	}
}
