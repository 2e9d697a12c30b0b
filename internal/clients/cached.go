// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// unnoticed is the longest wait for another process that is not logged.
const unnoticed = 10 * time.Millisecond

// cached lets one caller at a time send a request, in all processes, and shares the result with the others. Without a
// cache, it does so only in this process.
type cached struct {
	memory *memory
	cache  *cache.Directory // nil: there is none
	began  time.Time        // when this process could first have sent something
	log    logger
	next   *gate
}

// lookUp returns the result that another process has stored.
func (s *cached) lookUp(ctx context.Context, r *request, minValidity time.Duration) (token Token, err *Error, ok bool) {
	if s.cache == nil {
		return Token{}, nil, false
	}
	miss := s.loadIntoMemory(ctx, r, false)
	token, err, ok = s.memory.recall(r.key(), minValidity)
	switch {
	case !ok:
		s.log.debug(ctx, r, "cache miss", slog.String("reason", cmp.Or(miss, "the token has less than min_validity left, or an API has refused it")))
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
	if token, err, ok := s.memory.recall(r.key(), minValidity); ok {
		return token, err
	}
	alone, release, err := s.lock(ctx, r, r.key(), r.name)
	if err != nil {
		return Token{}, err
	}
	defer release()
	s.loadIntoMemory(ctx, r, true)
	if token, err, ok := s.memory.recall(r.key(), minValidity); ok {
		return token, err
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	token, err := do(ctx, alone)
	if err == nil {
		s.memory.remember(r.key(), token, nil) // for the next caller that takes the right
	}
	if alone {
		s.save(ctx, r, token, err)
	}
	return token, err
}

// send sends r. If r carries what may be sent only once, send marks that first. alone reports whether the caller holds the
// lock of r. Without it, the new refresh token could not be stored for others.
func (s *cached) send(ctx context.Context, r *request, alone bool) (Token, *Error) {
	switch {
	case !r.sendOnce:
		return s.next.admit(ctx, r)
	case !r.refreshToken.IsZero() && !alone:
		return Token{}, r.unmarkable()
	case !r.refreshToken.IsZero():
		release, err := s.lockRefreshToken(ctx, r)
		if err != nil {
			return Token{}, err
		}
		defer release()
	}
	if err := s.markSpent(ctx, r); err != nil {
		return Token{}, err
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
	stored, miss, damaged := r.load(s.cache)
	if damaged && locked {
		s.log.warn(ctx, r, "the cache entry is not used: something else has changed it", errors.New(miss))
	}
	s.memory.merge(r.key(), stored)
	return miss
}

// lock takes the exclusive right to send what key is about, in this process and in others. name returns the name of the
// lock in the cache. If that lock cannot be taken, alone is false.
func (s *cached) lock(ctx context.Context, r *request, key digest, name func() cache.Name) (alone bool, release func(), err *Error) {
	leave := s.memory.take(ctx, key)
	switch {
	case leave == nil:
		return false, nil, ended(ctx, r)
	case s.cache == nil:
		return true, leave, nil
	}
	limit, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	began := time.Now()
	unlock, problem := s.cache.Lock(limit, name())
	switch {
	case problem == nil:
		if waited := time.Since(began); waited > unnoticed {
			s.log.debug(ctx, r, "cache wait: another process was asking", slog.Duration("waited", waited))
		}
		return true, func() { unlock(); leave() }, nil
	case ctx.Err() != nil:
		leave()
		return false, nil, ended(ctx, r)
	}
	s.log.warn(ctx, r, "going on without the cache: its lock cannot be had", problem)
	return false, leave, nil
}

// save stores the result of r for other processes: a token, or a rejection of the credentials for a limited time. A
// token without a lifetime may end at any time, so it is not stored.
func (s *cached) save(ctx context.Context, r *request, token Token, err *Error) {
	var problem error
	switch {
	case s.cache == nil:
	case err == nil && !token.Expiry.IsZero():
		problem = r.saveToken(s.cache, token)
	case err != nil && err.Kind.rejectsCredentials():
		problem = r.saveRejection(s.cache, err, time.Now().Round(0).Add(rejectionShared))
	}
	if problem != nil {
		s.log.warn(ctx, r, "what the platform answered is not in the cache", problem)
	}
}

// discard marks a token that an API has refused, in this process and in the cache entry of r. It skips the entry if
// another process holds the lock, because that process is about to replace the token. Fresh tokens are replaced at most
// once a minute.
func (s *cached) discard(refused Token, r *request) {
	if !s.memory.mayReplace(r.key(), refused) {
		return
	}
	s.memory.discard(refused)
	if s.cache != nil {
		r.discardToken(s.cache, refused)
	}
}

// logger writes where tokens come from, and why.
type logger struct{ *slog.Logger }

func (l logger) debug(ctx context.Context, r *request, message string, more ...slog.Attr) {
	l.LogAttrs(ctx, slog.LevelDebug, message, append(more, slog.String("endpoint", r.address()))...)
}

func (l logger) warn(ctx context.Context, r *request, message string, err error) {
	l.LogAttrs(ctx, slog.LevelWarn, message, slog.String("endpoint", r.address()), slog.String("reason", err.Error()))
}
