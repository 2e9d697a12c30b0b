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

// cached lets one caller at a time send a request, in all processes, and shares the result with the others. Without a
// cache, it does so only in this process.
type cached struct {
	memory *memory
	cache  *Cache // nil: there is none
	log    logger
	next   *gate
}

// lookUp returns the result that another process has stored.
func (s *cached) lookUp(ctx context.Context, r *request, minValidity time.Duration) (token Token, err *Error, ok bool) {
	if s.cache == nil {
		return Token{}, nil, false
	}
	miss := s.loadIntoMemory(ctx, r, false)
	token, err, ok = s.memory.recall(r, minValidity)
	switch {
	case !ok:
		s.log.debug(ctx, r, "cache miss", slog.String("reason", cmp.Or(miss, "the token has less than min_validity left")))
	case err == nil:
		s.log.debug(ctx, r, "cache hit", slog.Time("expires_at", token.Expiry))
	default:
		s.log.debug(ctx, r, "cache hit: the platform has rejected this request", slog.Time("asked_again_after", err.CachedUntil))
	}
	return token, err, ok
}

// exclusive takes the exclusive right to send r, calls do, and shares the result. It does not call do if another caller
// has sent r in the meantime. alone tells do whether all other processes are kept out. It is false if the lock of the
// cache entry could not be taken.
func (s *cached) exclusive(ctx context.Context, r *request, minValidity time.Duration, do func(ctx context.Context, alone bool) (Token, *Error)) (Token, *Error) {
	if token, err, ok := s.memory.recall(r, minValidity); ok {
		return token, err
	}
	alone, release, err := s.lock(ctx, r)
	if err != nil {
		return Token{}, err
	}
	defer release()
	s.loadIntoMemory(ctx, r, true)
	if token, err, ok := s.memory.recall(r, minValidity); ok {
		return token, err
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	token, err := do(ctx, alone)
	if err == nil {
		s.memory.remember(r, token, nil) // for the next caller that takes the right
	}
	if alone {
		s.save(ctx, r, token, err)
	}
	return token, err
}

// send sends r. If r may be sent only once, send marks it first.
func (s *cached) send(ctx context.Context, r *request, alone bool) (Token, *Error) {
	if !r.sendOnce {
		return s.next.admit(ctx, r)
	}
	if !s.markSpent(ctx, r, alone) {
		return Token{}, r.spentError()
	}
	token, err := s.next.admit(ctx, r)
	return s.settle(r, token, err), err
}

// loadIntoMemory copies the cache entry of r into memory. miss says why there is nothing to copy. A damaged entry is reported
// only if the caller holds the lock. After each miss, the entry is read again with the lock, so it is reported once.
func (s *cached) loadIntoMemory(ctx context.Context, r *request, locked bool) (miss string) {
	if s.cache == nil {
		return ""
	}
	stored, miss, damaged := s.cache.load(r)
	if damaged && locked {
		s.log.warn(ctx, r, "the cache entry is not used: something else has changed it", errors.New(miss))
	}
	s.memory.merge(r, stored, locked)
	return miss
}

// lock takes the exclusive right to send r, in this process and in others. If the lock of the cache entry cannot be
// taken, the request continues without the cache, and alone is false. A refresh is not sent if another process holds
// the lock, because that process may be using the refresh token.
func (s *cached) lock(ctx context.Context, r *request) (alone bool, release func(), err *Error) {
	leave := s.memory.take(ctx, r)
	switch {
	case leave == nil:
		return false, nil, ended(ctx, r)
	case s.cache == nil:
		return true, leave, nil
	}
	limit, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	began := time.Now()
	unlock, problem := s.cache.lock(limit, r)
	switch {
	case problem == nil:
		if waited := time.Since(began); waited > lockPoll {
			s.log.debug(ctx, r, "cache wait: another process was asking", slog.Duration("waited", waited))
		}
		return true, func() { unlock(); leave() }, nil
	case ctx.Err() != nil:
		leave()
		return false, nil, ended(ctx, r)
	}
	s.log.warn(ctx, r, "going on without the cache: its lock cannot be had", problem)
	if errors.Is(problem, context.DeadlineExceeded) && !r.refreshToken.IsZero() {
		leave()
		return false, nil, r.spentError()
	}
	return false, leave, nil
}

// markSpent marks a request that must not be sent again if its outcome stays unknown. A platform may count a second
// login as a failed login. It may answer a second use of a refresh token by revoking every token that came from it (RFC
// 6819, section 5.2.2.3). The mark is set before the request is sent, so that it holds even if this process is killed.
// ok reports whether the request may be sent.
func (s *cached) markSpent(ctx context.Context, r *request, alone bool) (ok bool) {
	if s.memory.setSpent(r, true) {
		return false
	}
	if s.cache == nil || !alone || r.refreshToken.IsZero() {
		return true
	}
	if err := s.cache.save(r, record{Token: s.memory.last(r), Spent: true}); err != nil {
		s.log.warn(ctx, r, "the refresh token is not used: the cache cannot keep it from others", err)
		return false
	}
	return true
}

// settle removes the mark if the outcome allows r to be sent again.
func (s *cached) settle(r *request, token Token, err *Error) Token {
	switch {
	case err != nil && err.notActedOn:
		s.memory.setSpent(r, false)
	case err == nil && r.refreshToken.IsZero():
		s.memory.setSpent(r, false) // a login that was accepted can be repeated
	case err == nil && (token.RefreshToken.IsZero() || token.RefreshToken == r.refreshToken):
		s.memory.setSpent(r, false) // the old refresh token is still in force (RFC 6749, section 6)
		token.RefreshToken = r.refreshToken
	}
	return token
}

// save stores the result of r for other processes: a token, a rejection of the credentials for a limited time, or
// whether the refresh token in r is spent.
func (s *cached) save(ctx context.Context, r *request, token Token, err *Error) {
	if s.cache == nil {
		return
	}
	left := record{Token: token}
	switch {
	case err != nil:
		left.Token = s.memory.last(r) // it may last long enough for a caller with a smaller min_validity
	case token.Expiry.IsZero():
		left.Token = Token{} // it may end at any time
	}
	if err != nil && err.Kind.rejectsCredentials() {
		left.Rejected, left.Until = err, time.Now().Round(0).Add(rejectionShared)
	}
	if !r.refreshToken.IsZero() {
		left.Spent = s.memory.spent(r)
	} else if left.Rejected == nil && (err != nil || left.Token.AccessToken.IsZero()) {
		return
	}
	if err := s.cache.save(r, left); err != nil {
		s.log.warn(ctx, r, "what the platform answered is not in the cache", err)
	}
}

// discard expires a token that an API has refused, in this process and in the cache entries of the requests. It skips
// an entry if another process holds the lock, because that process is about to replace the token.
func (s *cached) discard(refused Token, requests ...*request) {
	s.memory.discard(refused)
	if s.cache == nil {
		return
	}
	for _, r := range requests {
		s.cache.update(r, func(known record) (record, bool) {
			same := known.Token.AccessToken == refused.AccessToken
			known.Token = known.Token.ended()
			return known, same
		})
	}
}

// spentError is the error of a request that must not be sent again.
func (r *request) spentError() *Error {
	if r.fallback != nil {
		return &Error{Platform: r.platform, Kind: RefreshTokenRejected, Description: "the refresh token was used before, or may be in use now"}
	}
	if r.exchange != nil {
		return &Error{Platform: r.platform, Kind: NoIdentityToken, Identity: r.describeIdentity(), given: r.exchange.source.given(), Description: "an earlier exchange of this identity token got no answer, and the platform may accept an identity token once only"}
	}
	return &Error{Platform: r.platform, Kind: TimedOut, Description: "an earlier login got no answer, and another might count as a failed attempt"}
}

// logger writes where tokens come from, and why.
type logger struct{ *slog.Logger }

func (l logger) debug(ctx context.Context, r *request, message string, more ...slog.Attr) {
	l.LogAttrs(ctx, slog.LevelDebug, message, append(more, slog.String("endpoint", r.address()))...)
}

func (l logger) warn(ctx context.Context, r *request, message string, err error) {
	l.LogAttrs(ctx, slog.LevelWarn, message, slog.String("endpoint", r.address()), slog.String("reason", err.Error()))
}
