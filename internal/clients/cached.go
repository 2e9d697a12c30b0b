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

// rejectionShared is how long other processes answer a rejection from the cache. It saves fifty parallel jobs with a
// stale secret all failed logins but one, and is over before somebody has asked the platform to accept the secret.
const rejectionShared = 60 * time.Second

// cached lets one at a time send a request, in all processes, and shares with them what comes of it. Without a cache, it
// does so in this process alone.
type cached struct {
	memory *memory
	cache  *Cache // nil: none
	log    logger
	next   *gate
}

// exclusive calls do for the one that may send r at this time, unless somebody else has sent it meanwhile, and leaves what
// comes of it to others. do learns whether other processes are kept out too.
func (s *cached) exclusive(ctx context.Context, r request, minValidity time.Duration, do func(ctx context.Context, locked bool) (Token, *Error)) (Token, *Error) {
	if token, err, ok := s.memory.answer(r, minValidity); ok {
		return token, err
	}
	locked, release, err := s.lock(ctx, r)
	if err != nil {
		return Token{}, err
	}
	defer release()
	s.load(ctx, r, true)
	if token, err, ok := s.memory.answer(r, minValidity); ok {
		return token, err
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	token, err := do(ctx, locked)
	if err == nil {
		s.memory.remember(r, token, nil) // for who waits for the turn
	}
	if locked {
		s.save(ctx, r, token, err)
	}
	return token, err
}

// send sends r. One that must not be sent again is marked before.
func (s *cached) send(ctx context.Context, r request, locked bool) (Token, *Error) {
	if !r.sendOnce {
		return s.next.admit(ctx, r)
	}
	if !s.markSpent(ctx, r, locked) {
		return Token{}, r.spent()
	}
	token, err := s.next.admit(ctx, r)
	return s.settle(r, token, err), err
}

// lookUp answers with what other processes have left.
func (s *cached) lookUp(ctx context.Context, r request, minValidity time.Duration) (token Token, err *Error, ok bool) {
	if s.cache == nil {
		return Token{}, nil, false
	}
	miss := s.load(ctx, r, false)
	token, err, ok = s.memory.answer(r, minValidity)
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

// load adds to memory what other processes have left; miss says why there is nothing. Every miss leads to the request's
// lock, so what somebody has damaged is told there, once.
func (s *cached) load(ctx context.Context, r request, locked bool) (miss string) {
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

// rejects reports whether the rejection still holds. One that would hold for longer than any comes from the future: the
// clock was set back.
func (r record) rejects(now time.Time) bool {
	left := r.Until.Sub(now)
	return r.Rejected != nil && left > 0 && left <= rejectionShared
}

// lock takes the only right to send the request, in this process and in others. Where the cache's lock cannot be had, the
// request goes on without the cache, but for a refresh whose lock another process holds: that process may be using the
// refresh token.
func (s *cached) lock(ctx context.Context, r request) (locked bool, release func(), err *Error) {
	s.memory.mu.Lock()
	e := s.memory.entry(r)
	s.memory.mu.Unlock()
	leave := e.turn.take(ctx, &s.memory.mu)
	switch {
	case leave == nil:
		return false, nil, ended(ctx, r)
	case s.cache == nil:
		return false, leave, nil
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
		return false, nil, r.spent()
	}
	return false, leave, nil
}

// markSpent marks a request that must not be sent again where nobody knows what came of it: a platform may count a second
// login as a failed one, and may answer a second use of a refresh token by revoking every token that came from it (RFC
// 6819, section 5.2.2.3). The mark is set before the request is sent, so that it holds whatever happens, even to this
// process. It reports whether the request may be sent.
func (s *cached) markSpent(ctx context.Context, r request, locked bool) bool {
	if s.memory.setSpent(r, true) {
		return false
	}
	if !locked || r.refreshToken.IsZero() {
		return true
	}
	if err := s.cache.save(r, record{Token: s.memory.last(r), Spent: true}); err != nil {
		s.log.warn(ctx, r, "the refresh token is not used: the cache cannot keep it from others", err)
		return false
	}
	return true
}

// settle takes the mark back where the outcome allows the request to be sent again.
func (s *cached) settle(r request, token Token, err *Error) Token {
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

// save leaves what came of the request to other processes: a token, a rejection for a while, or that the refresh token in
// it is spent, or not.
func (s *cached) save(ctx context.Context, r request, token Token, err *Error) {
	left := record{Token: token}
	if err != nil {
		left.Token = s.memory.last(r) // may still do for who asks for a smaller min_validity
	}
	if err != nil && err.Rejection() {
		left.Rejected, left.Until = err, time.Now().Round(0).Add(rejectionShared)
	}
	if !r.refreshToken.IsZero() {
		left.Spent = s.memory.spent(r)
	} else if err != nil && left.Rejected == nil {
		return
	}
	if err := s.cache.save(r, left); err != nil {
		s.log.warn(ctx, r, "what the platform answered is not in the cache", err)
	}
}

// spent is the error of a request that must not be sent again.
func (r request) spent() *Error {
	if r.fallback != nil {
		return &Error{Platform: r.platform, Kind: RefreshTokenRejected, Description: "the refresh token was used before, or may be in use now"}
	}
	return &Error{Platform: r.platform, Kind: TimedOut, Description: "an earlier login got no answer, and another might count as a failed attempt"}
}

// logger says where tokens come from, and why.
type logger struct{ *slog.Logger }

func (l logger) debug(ctx context.Context, r request, message string, more ...slog.Attr) {
	l.LogAttrs(ctx, slog.LevelDebug, message, append(more, slog.String("endpoint", r.address()))...)
}

func (l logger) warn(ctx context.Context, r request, message string, err error) {
	l.LogAttrs(ctx, slog.LevelWarn, message, slog.String("endpoint", r.address()), slog.String("reason", err.Error()))
}
