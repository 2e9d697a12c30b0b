// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"slices"
	"sync"
)

// gate prevents rejected credentials from being sent again. Until credentials have been accepted once, only one request
// at a time carries them. So a wrong client secret is sent once, even if many requests with different scopes use it. A
// password grant has two accounts, and this holds for each of them.
type gate struct {
	next *sender

	mu       sync.Mutex
	accounts map[digest]*account
}

// account is a client or a user of a platform, with its secret. gate.mu guards everything but turn.
type account struct {
	turn     turn              // for requests with credentials that were never accepted
	accepted bool              // the platform has granted a token for them
	rejected map[string]*Error // by grant type; those by "" count in every grant type
	doubt    Secret            // the user or refresh token whose rejection may have meant this client, or zero if there is none
}

func newGate(next *sender) *gate { return &gate{next: next, accounts: map[digest]*account{}} }

// admit sends r unless its credentials were rejected before.
func (g *gate) admit(ctx context.Context, r *request) (Token, *Error) {
	accounts := g.of(r)
	leave, err := g.takeTurns(ctx, r, accounts)
	if err != nil {
		return Token{}, err
	}
	defer leave()
	token, err := g.next.send(ctx, r)
	g.learn(r, accounts, err)
	return token, err
}

// of returns the accounts in r: the client and, in a password grant, the user.
func (g *gate) of(r *request) []*account {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []*account
	for _, key := range r.accounts() {
		a := g.accounts[key]
		if a == nil {
			a = &account{turn: newTurn()}
			g.accounts[key] = a
		}
		found = append(found, a)
	}
	return found
}

// takeTurns takes the turn of each account that was not accepted yet, and leave gives the turns back. The turn of a client is
// always taken before the turn of a user, so two requests cannot block each other.
func (g *gate) takeTurns(ctx context.Context, r *request, accounts []*account) (leave func(), err *Error) {
	leave = func() {}
	for _, a := range accounts {
		release := a.turn.take(ctx)
		if release == nil {
			leave()
			return nil, unsentError(ctx, r)
		}
		accepted, rejected := g.state(r, a, accounts)
		switch {
		case rejected != nil:
			release()
			leave()
			return nil, rejected
		case accepted:
			release()
		default:
			before := leave
			leave = func() { release(); before() }
		}
	}
	return leave, nil
}

// state returns whether a was accepted, and why r must not be sent. Any of its accounts may have been rejected during the
// wait for a.
func (g *gate) state(r *request, a *account, accounts []*account) (accepted bool, rejected *Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, each := range accounts {
		for _, grantType := range []string{"", r.grantType()} {
			if known := each.rejected[grantType]; known != nil {
				unsent := *known
				unsent.notActedOn = true
				return false, &unsent
			}
		}
	}
	return a.accepted, nil
}

// learn keeps what the answer to r says about its accounts. Only a token says that they are accepted: some servers
// check the scope, or the grant type, before the client.
func (g *gate) learn(r *request, accounts []*account, err *Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	client, last := accounts[0], accounts[len(accounts)-1]
	switch {
	case err == nil:
		for _, a := range accounts {
			a.accept()
		}
	case err.Kind == RefreshTokenRejected:
		if client.doubted(r.refreshToken) {
			client.reject(RefreshToken, err)
		}
	case !err.Kind.rejectsCredentials():
	case err.blames == clientInGrant:
		client.reject(r.grantType(), err)
	case client == last || err.blames == wholeClient:
		client.reject("", err)
	default:
		last.reject("", err)
		if err.blames == nobody && client.doubted(slices.Concat(r.user, r.bearer)[0]) {
			client.reject("", err)
		}
	}
}

// accepts reports whether the platform has granted a token for the accounts of r, and has not rejected them since.
func (g *gate) accepts(r *request) bool {
	accounts := g.of(r)
	for _, a := range accounts {
		if accepted, rejected := g.state(r, a, accounts); !accepted || rejected != nil {
			return false
		}
	}
	return true
}

// accept records that the platform has granted a token. Refresh tokens that were rejected before say nothing about the
// client then.
func (a *account) accept() {
	a.accepted = true
	if known := a.rejected[RefreshToken]; known != nil && known.Kind == RefreshTokenRejected {
		delete(a.rejected, RefreshToken)
	}
}

// reject records that requests with this grant type must not be sent. If it is "", no request must be sent.
func (a *account) reject(grantType string, err *Error) {
	if a.rejected == nil {
		a.rejected = map[string]*Error{}
	}
	a.rejected[grantType] = err
}

// doubted records that the platform has rejected a user or a refresh token, or this client, without saying which. It reports
// whether that has happened with two of them. Then the client is the likely cause.
func (a *account) doubted(other Secret) bool {
	before := a.doubt
	a.doubt = other
	return !a.accepted && !before.IsZero() && before != other
}
