// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"errors"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// This file holds the marks of the step cached: what must not be sent again if its outcome stays unknown.

// lockRefreshToken lets all other requests that carry the refresh token wait: this process may find out that the refresh
// token is still in force. The lock is always taken after that of the request. Without it, the refresh token is not sent,
// because another process may be sending it.
func (s *cached) lockRefreshToken(ctx context.Context, r *request) (release func(), err *Error) {
	if s.cache != nil {
		if problem := s.cache.KeepsMarks(); problem != nil {
			s.log.warn(ctx, r, "the refresh token is not used: the cache cannot keep it from others", problem)
			return nil, r.unmarkable()
		}
	}
	alone, release, err := s.lock(ctx, r, r.mark(), r.markName)
	switch {
	case err != nil:
		return nil, err
	case !alone:
		release()
		return nil, r.unmarkable()
	}
	return release, nil
}

// markSpent marks what must not be sent again if the outcome stays unknown. A platform may count a second login as a
// failed login. It may answer a second use of a refresh token by revoking every token that came from it (RFC 6819,
// section 5.2.2.3). The mark is set before the request is sent, so that it holds even if this process is killed. An
// error means that the request must not be sent.
func (s *cached) markSpent(ctx context.Context, r *request) *Error {
	if kept := s.memory.kept(r.mark()); kept != nil {
		return kept
	}
	if s.memory.setSpent(r.mark(), true) {
		return r.spentError()
	}
	if s.cache == nil || !r.markedForAll() {
		return nil
	}
	first, problem := s.cache.Mark(r.markName(), s.began, r.markEnds())
	if problem == nil && first && !r.refreshToken.IsZero() {
		if first, problem = s.cache.Mark1(ctx, r.key1(), true); problem != nil {
			s.cache.Unmark(r.markName()) // nothing is sent
		}
	}
	switch {
	case problem == nil && first:
		return nil
	case problem == nil:
		return r.spentError()
	case errors.Is(problem, cache.ErrHeld):
		s.memory.setSpent(r.mark(), false)
		return &Error{Platform: r.platform, Kind: Unavailable, transient: true, notActedOn: true, Description: "the platform asked another process to come back later; a later run sends this again"}
	}
	s.log.warn(ctx, r, "the cache cannot keep others from sending this again", problem)
	if r.refreshToken.IsZero() {
		return nil // an identity token that is sent twice costs an error, and no other token
	}
	s.memory.setSpent(r.mark(), false)
	return r.unmarkable()
}

// settle removes the mark if the outcome allows r to be sent again. If only a later process may send r again, the mark
// stays in memory.
func (s *cached) settle(r *request, token Token, err *Error) Token {
	switch {
	case err != nil && err.keptForLater:
		s.memory.keep(r.mark(), err)
		s.holdForOthers(r)
	case err != nil && err.notActedOn:
		s.unmark(r)
	case err == nil && r.refreshToken.IsZero():
		s.unmark(r) // a login that was accepted can be repeated
	case err != nil && err.Status/100 == 4 && r.refreshToken.IsZero():
		s.unmarkForOthers(r) // the outcome is known; other processes learn of a rejection in another way
	case err == nil && (token.RefreshToken.IsZero() || token.RefreshToken == r.refreshToken):
		s.unmark(r) // the old refresh token is still in force (RFC 6749, section 6)
		token.RefreshToken = r.refreshToken
	}
	return token
}

func (s *cached) unmark(r *request) {
	s.memory.setSpent(r.mark(), false)
	s.unmarkForOthers(r)
}

// holdForOthers lets only processes send r again that begin later. Those that wait for the lock belong to the same run.
func (s *cached) holdForOthers(r *request) {
	if s.cache != nil && r.markedForAll() {
		s.cache.Hold(r.markName())
		s.unmark1(r)
	}
}

func (s *cached) unmarkForOthers(r *request) {
	if s.cache == nil || !r.markedForAll() {
		return
	}
	s.cache.Unmark(r.markName())
	s.unmark1(r)
}

// unmark1 removes the mark of the first version. If a process of that version holds its lock, the mark stays, and costs that
// version a login.
func (s *cached) unmark1(r *request) {
	if r.refreshToken.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = s.cache.Mark1(ctx, r.key1(), false)
}

// markedForAll reports whether other processes must not send the same thing again either.
func (r *request) markedForAll() bool { return !r.refreshToken.IsZero() || !r.identityToken.IsZero() }

// unmarkable is the error of a refresh token that is not sent, because the cache cannot tell other processes that it was.
func (r *request) unmarkable() *Error {
	return &Error{Platform: r.platform, Kind: RefreshTokenRejected, Description: "the refresh token was not sent, because the token cache cannot keep other processes from sending it again"}
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
