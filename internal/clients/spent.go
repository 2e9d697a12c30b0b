// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"errors"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// This file holds the marks of the step sharer: what must not be sent again if its outcome stays unknown.

// send sends r. An assertion that was made elsewhere is marked first: if its outcome stays unknown, nothing else that
// carries it is sent.
func (s *sharer) send(ctx context.Context, r *request, alone bool) (Token, *Error) {
	if !r.asserts() {
		return s.sendMarked(ctx, r, alone)
	}
	carrier := r.ofAssertion()
	spent, err := s.spend(ctx, carrier)
	if err != nil {
		return Token{}, err
	}
	defer spent.release()
	again := *r
	again.assertionSent = s.memory.wasSent(carrier.mark())
	token, err := s.sendMarked(ctx, &again, alone)
	if err == nil || !err.notActedOn {
		s.memory.setSent(carrier.mark())
	}
	s.settle(carrier, spent, Token{}, err)
	if err != nil && err.Status/100 == 4 {
		s.memory.setSpent(carrier.mark(), false) // the outcome is known
	}
	return token, err
}

// spending is what this process has marked as spent.
type spending struct {
	mark  cache.Spending // nil: only this process has the mark
	leave func()         // lets other callers in this process go on that wait for the mark
}

// release lets all others go on that wait for the mark. The mark stays.
func (s spending) release() {
	if s.mark != nil {
		s.mark.Release()
	}
	s.leave()
}

// spend marks what must not be sent again if the outcome stays unknown. A platform may count a second login as a
// failed login. It may answer a second use of a refresh token by revoking every token that came from it (RFC 6819,
// section 5.2.2.3). The mark is set before the request is sent, so that it holds even if this process is killed. An
// error means that the request must not be sent.
//
// All other requests with the same mark wait until release, because the outcome is not known before: this process may find out
// that a refresh token is still in force. The mark is always taken after the claim of the request. If the mark is about the
// request itself, the caller has its turn already.
func (s *sharer) spend(ctx context.Context, r *request) (spending, *Error) {
	leave := func() {}
	if r.mark() != r.key() {
		if leave = s.memory.take(ctx, r.mark()); leave == nil {
			return spending{}, waitError(ctx, r)
		}
	}
	mark, err := s.spendHere(ctx, r)
	if err != nil {
		leave()
		return spending{}, err
	}
	return spending{mark, leave}, nil
}

// spendHere marks r in this process, and then in the store.
func (s *sharer) spendHere(ctx context.Context, r *request) (cache.Spending, *Error) {
	if kept := s.memory.kept(r.mark()); kept != nil {
		return nil, kept
	}
	if s.memory.setSpent(r.mark(), true) {
		return nil, r.spentError()
	}
	store := s.storeOf(r)
	if store == nil || !r.markedForAll() {
		return nil, nil
	}
	mark, problem := s.spendForAll(ctx, r, store)
	switch {
	case problem == nil:
		return mark, nil
	case errors.Is(problem, cache.ErrSpent):
		return nil, r.spentError()
	case r.refreshToken.IsZero() && ctx.Err() == nil && !errors.Is(problem, cache.ErrHeld):
		return nil, nil // an identity token that is sent twice costs an error, and no other token
	}
	s.memory.setSpent(r.mark(), false) // nothing is sent
	switch {
	case ctx.Err() != nil:
		return nil, waitError(ctx, r)
	case errors.Is(problem, cache.ErrHeld):
		return nil, &Error{Platform: r.platform, Kind: Unavailable, temporary: true, notActedOn: true, Description: "the platform asked another process to come back later; a later run sends this again"}
	}
	return nil, r.unmarkable()
}

// spendForAll marks r in the store. It waits for other processes that have marked it.
func (s *sharer) spendForAll(ctx context.Context, r *request, store cache.Store) (mark cache.Spending, problem error) {
	if !r.refreshToken.IsZero() {
		problem = store.WhyMarksMayBeLost()
	}
	if problem == nil {
		limit, cancel := context.WithTimeout(ctx, lockWait)
		defer cancel()
		began := time.Now()
		mark, problem = store.Spend(limit, cache.Mark{Name: r.markName(), Began: s.began, Ends: r.markEnds(), Key1: r.key1(store)})
		if store.Local() { // nobody waits for a mark in a bucket
			s.noteWait(ctx, r, began)
		}
	}
	switch {
	case problem == nil:
		s.log.debug(ctx, r, "marked in the cache: it is sent once")
	case ctx.Err() != nil || errors.Is(problem, cache.ErrSpent) || errors.Is(problem, cache.ErrHeld):
	case r.refreshToken.IsZero():
		s.warn(ctx, r, "the cache cannot keep others from sending this again", problem)
	default:
		s.warn(ctx, r, "the refresh token is not used: the cache cannot keep it from others", problem)
	}
	return mark, problem
}

// settle removes the mark if the outcome allows r to be sent again. If only a later process may send r again, the mark
// stays in memory.
func (s *sharer) settle(r *request, spent spending, token Token, err *Error) Token {
	switch {
	case err != nil && err.keptForLater:
		s.memory.keep(r.mark(), err)
		if spent.mark != nil {
			spent.mark.Hold()
		}
	case err != nil && err.notActedOn:
		s.unmark(r, spent)
	case err == nil && r.refreshToken.IsZero():
		s.unmark(r, spent) // a login that was accepted can be repeated
	case err != nil && err.Status/100 == 4 && r.refreshToken.IsZero():
		spent.unmark() // the outcome is known; other processes learn of a rejection from the stored result
	case err == nil && (token.RefreshToken.IsZero() || token.RefreshToken == r.refreshToken):
		s.unmark(r, spent) // the old refresh token is still in force (RFC 6749, section 6)
		token.RefreshToken = r.refreshToken
	}
	return token
}

// unmark lets r be sent again.
func (s *sharer) unmark(r *request, spent spending) {
	s.memory.setSpent(r.mark(), false)
	spent.unmark()
}

// unmark lets other processes send again what is marked.
func (s spending) unmark() {
	if s.mark != nil {
		s.mark.Unmark()
	}
}

// markedForAll reports whether other processes must not send the same thing again either.
func (r *request) markedForAll() bool {
	return !r.refreshToken.IsZero() || r.subject != nil || r.assertion != nil
}

// unmarkable is the error of a refresh token that is not sent, because the cache cannot tell other processes that it was.
func (r *request) unmarkable() *Error {
	return &Error{Platform: r.platform, Kind: RefreshTokenRejected, Description: "the refresh token was not sent, because the token cache cannot keep other processes from sending it again"}
}

// spentError is the error of a request that must not be sent again.
func (r *request) spentError() *Error {
	if r.fallback != nil {
		return &Error{Platform: r.platform, Kind: RefreshTokenRejected, Description: "the refresh token was used before, or may be in use now"}
	}
	if all := r.identities(); len(all) > 0 {
		spent := all[0]
		return &Error{Platform: r.platform, Kind: spent.purpose.missing, Identity: spent.describe(), given: spent.source.given(), Description: spent.purpose.spent}
	}
	return &Error{Platform: r.platform, Kind: TimedOut, Description: "an earlier login got no answer, and another might count as a failed attempt"}
}
