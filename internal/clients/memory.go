// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// failureShared is how long a temporary failure is answered from memory, unless the platform asked for a longer pause.
// Without it, a plan of a thousand blocks would make a thousand rounds of attempts at a platform that is down.
const failureShared = 60 * time.Second

// These facts outlive a call. The key of a fact is what the fact is about.
//
//	fact                            kept in          key                               for                     written by
//	the encoded request             Client.requests  the grant                         the process             Client.request
//	the request with what was       entry.complete   request.key, before it was read   until there is another  completer.obtain
//	  last read from outside
//	the last token                  entry.token      request.key                       until there is another  entry.setResult, merge
//	that an API has refused it      Token.refused    the access token                  as long as the token    memory.discard
//	when a refused one was replaced entry.replacedAt request.key                       a minute                memory.mayReplace
//	the last failure                entry.failed     request.key                       see entry.setResult     entry.setResult, merge
//	a rejected identity token       entry.failed     request.exactKey                  the process             completer.obtain
//	  or assertion
//	that an assertion was sent      entry.sent       request.mark                      the process             sharer.send
//	what is not sent again          entry.spent      request.mark                      the process             spend, settle
//	what a later process may send   entry.kept       request.mark                      the process             settle
//	accepted, rejected, doubted     account          host and client; host and user    the process             gate.learn
//	for other processes: a token    a cache entry    request.name, request.key         as long as the token    sharer.save, discard
//	  a rejection                   a cache entry    request.name, request.key         a minute                sharer.save
//	  what is not sent again        a mark           request.mark                      what it marks, a year   spend, settle

// memory is what this process knows about each request.
type memory struct {
	mu      sync.Mutex
	entries map[digest]*entry
}

// entry is what is known under one key: of a request, or of something that is sent once. memory.mu guards it.
type entry struct {
	token      Token     // the last one; it may have ended, or an API may have refused it
	failed     *Error    // the last failure; nil once there is a token
	until      time.Time // when failed is forgotten; zero if it never is
	sent       bool      // the platform may have seen the assertion that the key is about
	spent      bool      // what the key is about must not be sent again; see request.mark
	kept       *Error    // why only a later process may send it again, or nil if nothing forbids it
	flight     *flight   // the run of the request, or nil if there is none
	complete   *request  // the request with what was last read from outside; nil if nothing was
	replacedAt time.Time // when a token was last replaced because an API had refused it, or zero if none was
	turn       turn      // for the right to send what the key is about in this process
}

func newMemory() *memory { return &memory{entries: map[digest]*entry{}} }

// entry returns what is known about a key. The caller holds mu. An entry stays until the process ends: requests come from
// the configuration, and what must not be sent again must not be forgotten.
func (m *memory) entry(key digest) *entry {
	e := m.entries[key]
	if e == nil {
		e = &entry{turn: newTurn()}
		m.entries[key] = e
	}
	return e
}

// take waits for the right to send what key is about. It returns nil if ctx is done first.
func (m *memory) take(ctx context.Context, key digest) (release func()) {
	m.mu.Lock()
	turn := m.entry(key).turn
	m.mu.Unlock()
	return turn.take(ctx)
}

// result returns the last token, if it still lasts, or the last failure, if it still counts.
func (e *entry) result(minValidity time.Duration) (token Token, err *Error, ok bool) {
	now := time.Now()
	switch {
	case e.token.reusable(now, minValidity):
		return e.token, nil, true
	case e.failed != nil && (e.until.IsZero() || now.Before(e.until)):
		return Token{}, e.failed, true
	}
	return Token{}, nil, false
}

// setResult keeps the result of the request.
func (e *entry) setResult(token Token, err *Error) {
	switch {
	case err == nil:
		e.token, e.failed = token, nil
	case err.Kind == Cancelled || err.Kind == Internal || err.Unsent(): // a later request may have another result
	case !err.CachedUntil.IsZero():
		e.failed, e.until = err, err.CachedUntil
	case err.temporary:
		e.failed, e.until = err, time.Now().Add(max(failureShared, err.RetryAfter))
	default:
		e.failed, e.until = err, time.Time{}
	}
}

// result is entry.result for a key.
func (m *memory) result(key digest, minValidity time.Duration) (token Token, err *Error, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(key).result(minValidity)
}

// setResult is entry.setResult for a key.
func (m *memory) setResult(key digest, token Token, err *Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entry(key).setResult(token, err)
}

// last returns the last token of a key; it may have ended.
func (m *memory) last(key digest) Token {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(key).token
}

// setComplete keeps the request with what was read from outside.
func (m *memory) setComplete(key digest, complete *request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entry(key).complete = complete
}

// lastComplete returns r with what was last read from outside for it, or r itself if nothing was.
func (m *memory) lastComplete(r *request) *request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return cmp.Or(m.entry(r.key()).complete, r)
}

// setSent records that the platform may have seen the assertion that key is about.
func (m *memory) setSent(key digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entry(key).sent = true
}

// wasSent reports whether the platform may have seen the assertion that key is about.
func (m *memory) wasSent(key digest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(key).sent
}

// setSpent sets whether what key is about must not be sent again, and returns what was set before.
func (m *memory) setSpent(key digest, spent bool) (before bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entry(key)
	before, e.spent = e.spent, spent
	return before
}

// merge adds what other processes have stored about a key.
func (m *memory) merge(key digest, stored storedResult) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, now := m.entry(key), time.Now()
	newer := stored.Token.obtained.After(e.token.obtained)
	if newer && !stored.Token.obtained.After(now.Add(cache.ClockNoise)) { // a token of the future: the clock was set back
		e.token = stored.Token
	}
	if stored.rejects(now) {
		rejected := *stored.Rejected
		rejected.CachedUntil = stored.Until
		e.failed, e.until = &rejected, stored.Until
	}
}

// dropOtherRefreshToken forgets the last refresh token of a key unless it is the one that is stored. If a bucket was emptied, or
// an old copy restored, the mark on the refresh token may be gone.
func (m *memory) dropOtherRefreshToken(key digest, stored Secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entry(key); e.token.RefreshToken != stored {
		e.token.RefreshToken, e.token.RefreshTokenExpiry = Secret{}, time.Time{}
	}
}

// ReplaceInterval is the least time between two replacements of fresh tokens that an API has refused. An API may refuse
// every token, and several API proxies may share one.
const ReplaceInterval = time.Minute

// mayReplace reports whether a token of key that an API has refused may be replaced now. One that is not fresh is replaced at
// once, because it may have been revoked.
func (m *memory) mayReplace(key digest, refused Token) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, now := m.entry(key), time.Now().Round(0)
	if e.token.refused || e.token.AccessToken != refused.AccessToken { // it is being replaced, or was: nothing more is asked for
		return true
	}
	fresh, since := now.Sub(refused.obtained) < ReplaceInterval, now.Sub(e.replacedAt)
	if fresh && since >= 0 && since < ReplaceInterval {
		return false
	}
	e.replacedAt = now
	return true
}

// discard marks a token that an API has refused, in the entries of all requests.
func (m *memory) discard(refused Token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.token.AccessToken == refused.AccessToken {
			e.token.refused = true
		}
	}
}

// keep records that only a later process may send again what key is about, because of err.
func (m *memory) keep(key digest, err *Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entry(key).kept = err
}

// kept returns why only a later process may send again what key is about, or nil if nothing forbids it.
func (m *memory) kept(key digest) *Error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entry(key).kept
}
