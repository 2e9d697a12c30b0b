// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import "time"

// ledger records every token that a platform has issued.
type ledger struct {
	now                             func() time.Time
	accessLifetime, refreshLifetime time.Duration
	accessTokens, refreshTokens     map[string]*token
	issued                          []string
}

// family is the tokens of one login and of the refreshes that follow it.
type family struct {
	tokens []*token
}

type token struct {
	family  *family
	expires time.Time
	spent   bool // a refresh token that has been exchanged
	revoked bool
}

func newLedger(now func() time.Time, access, refresh time.Duration) ledger {
	return ledger{
		now:             now,
		accessLifetime:  access,
		refreshLifetime: refresh,
		accessTokens:    map[string]*token{},
		refreshTokens:   map[string]*token{},
	}
}

func (l *ledger) issueAccess(value string, f *family) {
	l.accessTokens[value] = l.issue(value, f, l.accessLifetime)
}

func (l *ledger) issueRefresh(value string, f *family) {
	l.refreshTokens[value] = l.issue(value, f, l.refreshLifetime)
}

func (l *ledger) issue(value string, f *family, lifetime time.Duration) *token {
	t := &token{family: f, expires: l.now().Add(lifetime)}
	f.tokens = append(f.tokens, t)
	l.issued = append(l.issued, value)
	return t
}

// opens reports whether value is a valid access token.
func (l *ledger) opens(value string) bool {
	t := l.accessTokens[value]
	return t != nil && l.valid(t)
}

func (l *ledger) valid(t *token) bool {
	return !t.revoked && l.now().Before(t.expires)
}

// spend marks a refresh token as used and returns its family; nil: the token is not valid. If the token was used before, it
// may be stolen, so spend revokes the whole family (RFC 9700, section 4.14.2).
func (l *ledger) spend(value string) *family {
	t := l.refreshTokens[value]
	if t == nil {
		return nil
	}
	if t.spent {
		t.family.revoke()
		return nil
	}
	if !l.valid(t) {
		return nil
	}
	t.spent = true
	return t.family
}

// revoke revokes all tokens that were issued in the family so far.
func (f *family) revoke() {
	for _, t := range f.tokens {
		t.revoked = true
	}
}
