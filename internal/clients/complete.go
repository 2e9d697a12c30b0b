// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"time"
)

// completer reads what a request needs from outside: the identity token of a token exchange, and what the client
// authenticates with if that is no secret. It keeps the result.
type completer struct {
	memory  *memory
	sources identitySources
	next    *refresher
}

// obtain reads what r needs from outside, and passes r on. It is read anew for each flight: an identity token may last for only five minutes,
// and a key may be replaced.
func (c *completer) obtain(ctx context.Context, r *request, minValidity time.Duration) (Token, *Error) {
	complete, err := c.complete(ctx, r)
	if err != nil {
		c.memory.setResult(r.key(), Token{}, err)
		return Token{}, err
	}
	if complete != r {
		c.memory.setComplete(r.key(), complete)
		if _, rejected, ok := c.memory.result(complete.exactKey(), 0); ok && rejected != nil {
			return Token{}, rejected
		}
	}
	token, err := c.next.obtain(ctx, complete, minValidity)
	if r.readAnewAfter(err) { // another one may be accepted, so only this one is remembered
		c.memory.setResult(complete.exactKey(), Token{}, err)
	} else {
		c.memory.setResult(r.key(), token, err)
	}
	return token, err
}

// complete returns r with what it needs from outside, or r itself if it needs nothing.
func (c *completer) complete(ctx context.Context, r *request) (*request, *Error) {
	if !r.hasSources() {
		return r, nil
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	complete, err := *r, (*Error)(nil)
	if r.identity != nil {
		complete.subject, err = c.readIdentity(ctx, *r.identity, forExchange)
	}
	if err == nil {
		err = c.prove(ctx, &complete)
	}
	if err != nil {
		err.Platform = r.platform
		return nil, err
	}
	if expired := complete.expired(); expired != nil {
		return nil, expired
	}
	complete.fill()
	return &complete, nil
}

// readIdentity reads an identity token. It may have expired.
func (c *completer) readIdentity(ctx context.Context, source IdentitySource, what purpose) (*presented, *Error) {
	found, err := c.sources.read(ctx, source, what)
	if err != nil {
		return nil, err
	}
	return &presented{found, what, source}, nil
}

// prove adds to r what its client authenticates with: the key, the certificate, and an assertion that was made elsewhere.
func (c *completer) prove(ctx context.Context, r *request) *Error {
	if r.asserts() {
		found, err := c.readIdentity(ctx, r.proof.assertion, forClient)
		if err != nil {
			return err
		}
		r.assertion = found
	}
	return r.loadKeys()
}

// identitySources reads identity tokens.
type identitySources struct {
	getenv func(string) string
	gate   *gate // for GitHub
}

// read returns the identity token of a source. It may have expired.
func (s identitySources) read(ctx context.Context, i IdentitySource, p purpose) (found subjectToken, err *Error) {
	text, problem := i.Token.Reveal(), error(nil)
	switch {
	case i.Audience != "":
		return s.askGitHub(ctx, i, p)
	case i.Variable != "":
		text = s.getenv(i.Variable)
	case i.File != "":
		text, problem = readFile(i.File)
	}
	if problem == nil {
		found, problem = asSubjectToken(text)
	}
	if problem != nil {
		return subjectToken{}, &Error{Kind: p.missing, Description: i.named(p) + " " + problem.Error(), given: i.given()}
	}
	return found, nil
}
