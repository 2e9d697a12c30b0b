// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"sync"
)

// gate prevents rejected credentials from being sent again. Until credentials have been accepted once, only one request
// at a time carries them. So a wrong client secret is sent once, even if many requests with different scopes use it.
type gate struct {
	next *sender

	mu       sync.Mutex
	accounts map[digest]*account
}

// account is a set of credentials at a platform. gate.mu guards accepted and rejected.
type account struct {
	turn     turn // for requests with credentials that were never accepted
	accepted bool
	rejected *Error
}

func newGate(next *sender) *gate { return &gate{next: next, accounts: map[digest]*account{}} }

// admit sends r unless its credentials were rejected before.
func (s *gate) admit(ctx context.Context, r *request) (Token, *Error) {
	a := s.account(r)
	release := a.turn.take(ctx)
	if release == nil {
		return Token{}, endedUnsent(ctx, r)
	}
	release = sync.OnceFunc(release)
	defer release()
	accepted, rejected := s.state(a)
	switch {
	case rejected != nil:
		return Token{}, rejected
	case accepted:
		release()
	}
	token, err := s.next.send(ctx, r)
	s.remember(a, err)
	return token, err
}

func (s *gate) account(r *request) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[r.account()]
	if a == nil {
		a = &account{turn: newTurn()}
		s.accounts[r.account()] = a
	}
	return a
}

func (s *gate) state(a *account) (accepted bool, rejected *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.accepted, a.rejected
}

func (s *gate) remember(a *account, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil || err.Kind == ScopeRejected:
		a.accepted = true
	case err.Kind.rejectsCredentials():
		a.accepted, a.rejected = false, err
	}
}
