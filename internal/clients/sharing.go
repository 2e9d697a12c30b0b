// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// unnoticed is the longest wait for another process that is not logged.
const unnoticed = 10 * time.Millisecond

// sharer lets one caller at a time send a request, in all processes, and shares the result with the others. Without a
// store, it does so only in this process.
type sharer struct {
	memory  *memory
	store   cache.Store // nil: there is none
	began   time.Time   // when this process could first have sent something, for marks that only a later process may follow
	tallies *tallies
	log     logger
	next    *gate

	mu       sync.Mutex
	reported map[string]bool // the problems of a bucket that were logged
	trouble  error           // the last of them that Client.Unshared has not returned, or nil if there is none
}

// storeOf returns the store that holds the result of r, or nil if only this process has it. In a token exchange, and with an
// assertion that was made elsewhere, an entry in a bucket would help no other job, and would still make it wait.
func (s *sharer) storeOf(r *request) cache.Store {
	if s.store == nil || (r.identity != nil || r.asserts()) && !s.store.Local() {
		return nil
	}
	return s.store
}

// lookUp returns the result that another process has stored.
func (s *sharer) lookUp(ctx context.Context, r *request, minValidity time.Duration) (token Token, err *Error, ok bool) {
	store := s.storeOf(r)
	if store == nil {
		return Token{}, nil, false
	}
	found := store.Look(ctx, r.cacheKey(store))
	if found.Problem != nil && ctx.Err() == nil {
		s.warn(ctx, r, "the cache cannot be read", found.Problem)
	}
	miss := s.merge(ctx, r, found, false)
	token, err, ok = s.memory.result(r.key(), minValidity)
	switch {
	case !ok:
		s.log.debug(ctx, r, "cache miss", slog.String("reason", cmp.Or(miss, "the token has less than min_validity left, or an API has refused it")))
	case err == nil:
		s.log.debug(ctx, r, "cache hit", slog.Time("expires_at", token.Expiry))
		s.tallies.count(r.platform, func(t *Tally) { t.Hits++ })
	default:
		s.log.debug(ctx, r, "cache hit: the platform has rejected this request", slog.Time("asked_again_after", err.CachedUntil))
		s.tallies.count(r.platform, func(t *Tally) { t.Hits++ })
	}
	return token, err, ok
}

// exclusive takes the exclusive right to send r, calls do, and shares the result. It does not call do if memory
// has a result by then. alone tells do whether all other processes are kept out. It is false if the store could not
// be claimed.
func (s *sharer) exclusive(ctx context.Context, r *request, minValidity time.Duration, do func(ctx context.Context, alone bool) (Token, *Error)) (Token, *Error) {
	leave := s.memory.take(ctx, r.key())
	if leave == nil {
		return Token{}, waitError(ctx, r)
	}
	defer leave()
	if token, err, ok := s.memory.result(r.key(), minValidity); ok {
		return token, err
	}
	claim, err := s.claim(ctx, r, minValidity)
	if err != nil {
		return Token{}, err
	}
	if claim != nil {
		defer claim.Release()
	}
	if token, err, ok := s.memory.result(r.key(), minValidity); ok {
		return token, err
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	token, err := do(ctx, claim != nil || s.storeOf(r) == nil)
	if err == nil {
		s.memory.setResult(r.key(), token, nil) // for the next caller that takes the right
	}
	if claim != nil {
		s.save(ctx, r, claim, token, err)
	}
	return token, err
}

// claim takes the exclusive right to send r, in all processes that share the store. It returns nil if there is no store, if
// the store cannot be used, or if another process has stored a token that lasts for minValidity, or a rejection.
func (s *sharer) claim(ctx context.Context, r *request, minValidity time.Duration) (cache.Claim, *Error) {
	store := s.storeOf(r)
	if store == nil {
		return nil, nil
	}
	limit, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	began, looks := time.Now(), atomic.Int32{}
	others := func() bool { return store.Local() || looks.Load() > 1 } // a second look means that another process has the claim
	notice := time.AfterFunc(announceAfter, func() {
		if others() {
			s.log.InfoContext(ctx, "waiting for another process that asks "+r.platform+" for the same token")
		}
	})
	defer notice.Stop()
	claim, problem := store.Claim(limit, r.cacheKey(store), func(found cache.Found) bool {
		looks.Add(1)
		s.merge(ctx, r, found, true)
		_, _, ok := s.memory.result(r.key(), minValidity)
		return ok
	})
	switch {
	case problem == nil:
		if others() {
			s.noteWait(ctx, r, began)
		}
		if claim == nil {
			s.log.debug(ctx, r, "cache hit: another process was first")
			s.tallies.count(r.platform, func(t *Tally) { t.Hits++ })
		} else {
			s.log.debug(ctx, r, "cache entry claimed")
		}
		return claim, nil
	case ctx.Err() != nil:
		return nil, waitError(ctx, r)
	}
	s.warn(ctx, r, "going on without the cache: its lock cannot be had", problem)
	return nil, nil
}

// noteWait logs and counts a wait for another process.
func (s *sharer) noteWait(ctx context.Context, r *request, began time.Time) {
	if waited := time.Since(began); waited > unnoticed {
		s.tallies.count(r.platform, func(t *Tally) { t.Waits++ })
		s.log.debug(ctx, r, "cache wait: another process was asking", slog.Duration("waited", waited))
	}
}

// sendMarked sends r. If r carries what may be sent only once, sendMarked marks that first. alone reports
// whether no other process that shares the store can send r. Without that, the new refresh token could not be stored for others.
func (s *sharer) sendMarked(ctx context.Context, r *request, alone bool) (Token, *Error) {
	switch {
	case !r.sendOnce:
		return s.next.admit(ctx, r)
	case !r.refreshToken.IsZero() && !alone:
		return Token{}, r.unmarkable()
	}
	spent, err := s.spend(ctx, r)
	if err != nil {
		return Token{}, err
	}
	defer spent.release()
	token, err := s.next.admit(ctx, r)
	return s.settle(r, spent, token, err), err
}

// merge copies what is stored about r into memory. miss says why there is no token to copy. A damaged entry is reported only
// if the caller claims the entry. A process that has missed reads the entry again with a claim, so it is reported once.
func (s *sharer) merge(ctx context.Context, r *request, found cache.Found, claiming bool) (miss string) {
	stored, miss, damaged := storedResultOf(found)
	if claiming && !s.store.Local() {
		s.memory.dropOtherRefreshToken(r.key(), stored.Token.RefreshToken)
	}
	if damaged && claiming {
		s.log.warn(ctx, r, "the cache entry is not used: something else has changed it", errors.New(miss))
	}
	s.memory.merge(r.key(), stored)
	return miss
}

// save stores the result of r for other processes: a token, or a rejection of the credentials for a limited time. A
// token without a lifetime may end at any time, so it is not stored. A store that does not keep marks gets no refresh token.
func (s *sharer) save(ctx context.Context, r *request, claim cache.Claim, token Token, err *Error) {
	var problem error
	switch {
	case err == nil && !token.Expiry.IsZero():
		if s.store.WhyMarksMayBeLost() != nil {
			token.RefreshToken, token.RefreshTokenExpiry = Secret{}, time.Time{}
		}
		problem = storeToken(claim, token)
	case err != nil && err.Kind.rejectsCredentials():
		problem = storeRejection(claim, err, time.Now().Round(0).Add(rejectionShared))
	default:
		return
	}
	if problem != nil {
		s.warn(ctx, r, "what the platform answered is not in the cache", problem)
		return
	}
	s.log.debug(ctx, r, "cache entry stored", slog.Bool("rejected", err != nil))
}

// discard marks a token that an API has refused, in this process and in the cache entry of r. It skips the entry if
// another process has claimed it, because that process is about to replace the token. Fresh tokens are replaced at most
// once a minute.
func (s *sharer) discard(refused Token, r *request) {
	if !s.memory.mayReplace(r.key(), refused) {
		return
	}
	s.memory.discard(refused)
	if store := s.storeOf(r); store != nil {
		r.discardToken(store, refused)
	}
}

// NotShared is the message about a bucket that cannot be used, in the log.
const NotShared = "tokens are not shared with other machines"

// warn says that the store could not be used. A bucket is used by many requests, so each of its problems is said once, and in
// words that are not about one request.
func (s *sharer) warn(ctx context.Context, r *request, message string, problem error) {
	if s.store.Local() {
		s.log.warn(ctx, r, message, problem)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(problem, cache.ErrOut) || s.reported[problem.Error()] {
		s.log.debug(ctx, r, message, slog.String("reason", problem.Error()))
		return
	}
	s.log.warn(ctx, r, NotShared, problem)
	s.reported[problem.Error()], s.trouble = true, problem
}

// takeTrouble returns the last problem of a bucket, once.
func (s *sharer) takeTrouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	problem := s.trouble
	s.trouble = nil
	return problem
}

// logger writes where tokens come from, and why.
type logger struct{ *slog.Logger }

func (l logger) debug(ctx context.Context, r *request, message string, more ...slog.Attr) {
	l.LogAttrs(ctx, slog.LevelDebug, message, append(more, slog.String("endpoint", r.address()))...)
}

func (l logger) warn(ctx context.Context, r *request, message string, err error) {
	l.LogAttrs(ctx, slog.LevelWarn, message, slog.String("endpoint", r.address()), slog.String("reason", err.Error()))
}
