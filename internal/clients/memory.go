// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"sync"
	"time"
)

const (
	// failureShared is how long a passing failure is answered from memory, unless the platform asked for longer. A
	// platform that is down costs a plan of a thousand blocks one round of attempts, not a thousand one after the other.
	failureShared = 60 * time.Second

	// maxEntries bounds the memory. A run that needs more tokens than this asks for some of them again.
	maxEntries = 4096
)

// memory is what this process knows about each request.
type memory struct {
	mu      sync.Mutex
	entries map[digest]*entry
}

// entry is what is known about one request. memory.mu guards it.
type entry struct {
	token  Token     // the last one; may have run out
	failed *Error    // the last failure, unless a token has come since
	until  time.Time // how long failed is answered; zero: for good
	spent  bool      // the request must not be sent again; see cached.markSpent
	flight *flight   // nil: none is under way
	turn   turn      // of those who would send the request
}

func newMemory() *memory { return &memory{entries: map[digest]*entry{}} }

// entry returns what is known about r. The caller holds mu. Entries can be forgotten that hold no promise: credentials
// that were rejected are kept by the gate.
func (m *memory) entry(r request) *entry {
	return getOrAdd(m.entries, r.key(), func(e *entry) bool { return e.flight == nil && !e.spent && e.turn.users == 0 })
}

// getOrAdd returns the value for key, made new if there is none. Where the map is full, all that can be forgotten make
// room; the rest is what this process must not send again, and may outgrow the limit by what users configure of that.
func getOrAdd[V any](values map[digest]*V, key digest, expendable func(*V) bool) *V {
	if value := values[key]; value != nil {
		return value
	}
	if len(values) >= maxEntries {
		for other, value := range values {
			if expendable(value) {
				delete(values, other)
			}
		}
	}
	value := new(V)
	values[key] = value
	return value
}

// answer returns the token at hand, if it lasts, or the failure that still holds.
func (e *entry) answer(minValidity time.Duration) (token Token, err *Error, ok bool) {
	now := time.Now()
	switch {
	case e.token.lasts(now, minValidity):
		return e.token, nil, true
	case e.failed != nil && (e.until.IsZero() || now.Before(e.until)):
		return Token{}, e.failed, true
	}
	return Token{}, nil, false
}

// remember keeps what came of the request.
func (e *entry) remember(token Token, err *Error) {
	switch {
	case err == nil:
		e.token, e.failed = token, nil
	case err.Kind == Cancelled || err.Kind == Internal:
	case !err.CachedUntil.IsZero():
		e.failed, e.until = err, err.CachedUntil
	case err.transient:
		e.failed, e.until = err, time.Now().Add(max(failureShared, err.RetryAfter))
	default:
		e.failed, e.until = err, time.Time{}
	}
}

// answer is that of r's entry.
func (m *memory) answer(r request, minValidity time.Duration) (token Token, err *Error, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(r).answer(minValidity)
}

// remember keeps what came of r.
func (m *memory) remember(r request, token Token, err *Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entry(r).remember(token, err)
}

// last is the last token that came of r; it may have run out.
func (m *memory) last(r request) Token {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(r).token
}

// setSpent returns what was set before.
func (m *memory) setSpent(r request, spent bool) (before bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entry(r)
	before, e.spent = e.spent, spent
	return before
}

// merge adds what other processes have left about r. What is marked as spent counts for who holds the request's lock:
// before, its sender may still take the mark back.
func (m *memory) merge(r request, stored record, locked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, now := m.entry(r), time.Now()
	if obtained := stored.Token.obtained; obtained.After(e.token.obtained) && !obtained.After(now) { // or the clock was set back
		e.token = stored.Token
	}
	if stored.rejects(now) {
		rejected := *stored.Rejected
		rejected.CachedUntil = stored.Until
		e.failed, e.until = &rejected, stored.Until
	}
	e.spent = e.spent || stored.Spent && locked
}

// spent reports whether r must not be sent again.
func (m *memory) spent(r request) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(r).spent
}
