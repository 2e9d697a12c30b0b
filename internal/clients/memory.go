// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"sync"
	"time"
)

// failureShared is how long a temporary failure is answered from memory, unless the platform asked for a longer pause.
// Without it, a plan of a thousand blocks would make a thousand rounds of attempts at a platform that is down.
const failureShared = 60 * time.Second

// memory is what this process knows about each request.
type memory struct {
	mu      sync.Mutex
	entries map[digest]*entry
}

// entry is what is known about one request. memory.mu guards it.
type entry struct {
	token  Token     // the last one; it may have ended
	failed *Error    // the last failure; nil once there is a token
	until  time.Time // when failed is forgotten; zero: never
	spent  bool      // the request must not be sent again; see cached.markSpent
	kept   *Error    // why only a later process may send the request again; nil: nothing forbids it
	flight *flight   // the run of the request; nil: there is none
	turn   turn      // for the right to send the request in this process
}

func newMemory() *memory { return &memory{entries: map[digest]*entry{}} }

// entry returns what is known about r. The caller holds mu. An entry stays until the process ends: requests come from the
// configuration, and a request that must not be sent again must not be forgotten.
func (m *memory) entry(r *request) *entry {
	e := m.entries[r.key()]
	if e == nil {
		e = &entry{turn: newTurn()}
		m.entries[r.key()] = e
	}
	return e
}

// take waits for the right to send r in this process until ctx ends; nil: ctx has ended.
func (m *memory) take(ctx context.Context, r *request) (release func()) {
	m.mu.Lock()
	turn := m.entry(r).turn
	m.mu.Unlock()
	return turn.take(ctx)
}

// recall returns the last token, if it still lasts, or the last failure, if it still counts.
func (e *entry) recall(minValidity time.Duration) (token Token, err *Error, ok bool) {
	now := time.Now()
	switch {
	case e.token.lasts(now, minValidity):
		return e.token, nil, true
	case e.failed != nil && (e.until.IsZero() || now.Before(e.until)):
		return Token{}, e.failed, true
	}
	return Token{}, nil, false
}

// remember keeps the result of the request.
func (e *entry) remember(token Token, err *Error) {
	switch {
	case err == nil:
		e.token, e.failed = token, nil
	case err.Kind == Cancelled || err.Kind == Internal || err.Kind == NoIdentityToken && err.Endpoint == "": // a later request may have another result
	case !err.CachedUntil.IsZero():
		e.failed, e.until = err, err.CachedUntil
	case err.transient:
		e.failed, e.until = err, time.Now().Add(max(failureShared, err.RetryAfter))
	default:
		e.failed, e.until = err, time.Time{}
	}
}

// recall is entry.recall for r.
func (m *memory) recall(r *request, minValidity time.Duration) (token Token, err *Error, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(r).recall(minValidity)
}

// remember is entry.remember for r.
func (m *memory) remember(r *request, token Token, err *Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entry(r).remember(token, err)
}

// last returns the last token of r; it may have ended.
func (m *memory) last(r *request) Token {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(r).token
}

// setSpent sets whether r must not be sent again, and returns what was set before.
func (m *memory) setSpent(r *request, spent bool) (before bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entry(r.exact())
	before, e.spent = e.spent, spent
	return before
}

// merge adds what other processes have stored about r. Their mark that r is spent counts only if this process holds the
// lock of the cache entry. Without the lock, the process that set the mark may still remove it.
func (m *memory) merge(r *request, stored record, locked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, now := m.entry(r), time.Now()
	if obtained := stored.Token.obtained; obtained.After(e.token.obtained) && !obtained.After(now) { // otherwise the clock was set back
		e.token = stored.Token
	}
	if stored.rejects(now) {
		rejected := *stored.Rejected
		rejected.CachedUntil = stored.Until
		e.failed, e.until = &rejected, stored.Until
	}
	if stored.Spent && locked {
		e.spent, e.kept = true, nil
	}
}

// discard expires a token that an API has refused, in the entries of all requests.
func (m *memory) discard(refused Token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.token.AccessToken == refused.AccessToken {
			e.token = e.token.ended()
		}
	}
}

// spent reports whether r must not be sent again.
func (m *memory) spent(r *request) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(r).spent
}

// keep records that only a later process may send r again, because of err.
func (m *memory) keep(r *request, err *Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entry(r.exact()).kept = err
}

// kept returns why only a later process may send r again; nil: nothing forbids it.
func (m *memory) kept(r *request) *Error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(r.exact()).kept
}
