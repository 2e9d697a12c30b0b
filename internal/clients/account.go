// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"sync"
)

// account is a set of credentials at a platform. Client.mu guards all but turn.
type account struct {
	turn     chan struct{} // holds one element while a request tries credentials that were never accepted
	users    int           // requests that hold on to it
	accepted bool
	rejected *Error
}

// admit sends the request unless its credentials were rejected before. Until they were accepted once, one request at a
// time carries them: wrong ones are sent once, with however many scopes the blocks ask.
func (c *Client) admit(ctx context.Context, request call) (Token, *Error) {
	who := c.account(request)
	defer c.leaveAccount(who)
	select {
	case who.turn <- struct{}{}:
	case <-ctx.Done():
		return Token{}, unsent(ctx, request)
	}
	leaveTurn := sync.OnceFunc(func() { <-who.turn })
	defer leaveTurn()
	accepted, rejected := c.standing(who)
	if rejected != nil {
		return Token{}, rejected
	}
	if accepted {
		leaveTurn()
	}
	token, fault := c.exchange(ctx, request)
	c.learn(who, fault)
	return token, fault
}

func (c *Client) account(request call) *account {
	c.mu.Lock()
	defer c.mu.Unlock()
	who := find(c.accounts, request.account(), func(a *account) bool { return a.users == 0 && a.rejected == nil })
	if who.turn == nil {
		who.turn = make(chan struct{}, 1)
	}
	who.users++
	return who
}

func (c *Client) leaveAccount(who *account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	who.users--
}

func (c *Client) standing(who *account) (accepted bool, rejected *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return who.accepted, who.rejected
}

func (c *Client) learn(who *account, fault *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case fault == nil || fault.Fault == ScopeRejected:
		who.accepted = true
	case fault.Fault == CredentialsRejected:
		who.accepted, who.rejected = false, fault
	}
}
