// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// TokenExchange is the grant type of RFC 8693, as users write it. The request has its full name.
const TokenExchange = "token_exchange"

// The parameters of a token exchange (RFC 8693, sections 2.1 and 3).
const (
	exchangeGrantType = "urn:ietf:params:oauth:grant-type:token-exchange"
	idTokenType       = "urn:ietf:params:oauth:token-type:id_token"
)

// exchange is what a request for a token exchange has instead of credentials.
type exchange struct {
	source IdentitySource
	// body returns the encoded body with the given subject token.
	body func(subjectToken string) Secret
}

// exchanges makes r a token exchange with these fields, and with the identity token that is read when r is sent. A
// platform may accept an identity token once only, so r is sent once if its outcome stays unknown.
func (r *request) exchanges(source IdentitySource, fields map[string]string, encode encoding) {
	fields["grant_type"] = exchangeGrantType
	fields["subject_token_type"] = cmp.Or(fields["subject_token_type"], idTokenType)
	r.sendOnce = true
	r.exchange = &exchange{source, func(subjectToken string) Secret {
		complete := maps.Clone(fields)
		complete["subject_token"] = subjectToken
		_, body := encode(complete)
		return body
	}}
	fields["subject_token"] = source.key() + "\n" + source.Token.Reveal()
	r.sends(encode, fields)
}

// exchanger reads the identity token of a token exchange.
type exchanger struct {
	memory  *memory
	sources identitySources
	next    *refresher

	mu   sync.Mutex
	last map[digest]*request // the last complete request, by the key of the request without an identity token
}

// obtain reads the identity token if r needs one. The identity token is read anew for each flight, because it may last
// for only five minutes.
func (s *exchanger) obtain(ctx context.Context, r *request, minValidity time.Duration) (Token, *Error) {
	if r.exchange == nil {
		return s.next.obtain(ctx, r, minValidity)
	}
	complete, err := s.complete(ctx, r)
	if err != nil {
		return Token{}, err
	}
	s.mu.Lock()
	s.last[r.key()] = complete
	s.mu.Unlock()
	exact := complete.exact()
	if _, rejected, ok := s.memory.recall(exact, 0); ok { // exact has never a token
		return Token{}, rejected
	}
	token, err := s.next.obtain(ctx, complete, minValidity)
	if r.replaceable(err) {
		s.memory.remember(exact, Token{}, err)
	}
	return token, err
}

// replaceable reports whether err is the rejection of an identity token in the place of which its source may hold another
// one. The identity token is not sent again, and the source is read again. The bearer token of GitHub stays the same.
func (r *request) replaceable(err *Error) bool {
	return r.exchange != nil && r.exchange.source.Audience == "" && err != nil && (err.Kind.rejectsCredentials() || err.Kind == RequestRejected)
}

// lastOf returns r as it was last sent.
func (s *exchanger) lastOf(r *request) *request {
	s.mu.Lock()
	defer s.mu.Unlock()
	if complete, ok := s.last[r.key()]; ok {
		return complete
	}
	return r
}

// complete returns r with an identity token. The key of the result has the issuer and the subject in the place of the
// identity token, so that all identity tokens of one identity share one token. An identity token that is given directly
// is its own identity: it cannot be read again, and two of them may differ in other claims.
func (s *exchanger) complete(ctx context.Context, r *request) (*request, *Error) {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	found, err := s.sources.read(ctx, r.exchange.source)
	if err != nil {
		err.Platform = r.platform
		return nil, err
	}
	complete := *r
	complete.identityToken, complete.identity = found.token, &found.idClaims
	if found.expired(time.Now()) {
		return nil, complete.identityExpired()
	}
	complete.body = r.exchange.body(found.token.Reveal())
	complete.lasting = r.exchange.body(r.exchange.source.key() + " " + cmp.Or(r.exchange.source.Token.Reveal(), found.key))
	complete.credential = []Secret{found.credential}
	complete.secrets = append(slices.Clip(r.secrets), found.credential) // not the identity token: another process may have another one
	complete.digest = complete.digestWith(complete.lasting)
	return &complete, nil
}
