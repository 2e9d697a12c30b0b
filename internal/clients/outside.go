// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// This file holds the parts of a request that are read from outside each time it is sent: an identity token, an assertion, a
// key, a certificate.

// TokenExchange is the grant type of RFC 8693, as users write it. The request has its full name.
const TokenExchange = "token_exchange"

// The parameters of a token exchange (RFC 8693, sections 2.1 and 3).
const (
	exchangeGrantType = "urn:ietf:params:oauth:grant-type:token-exchange"
	idTokenType       = "urn:ietf:params:oauth:token-type:id_token"
)

// setTokenExchange makes r a token exchange with these fields, and with the identity token that is read when r is sent. A
// platform may accept an identity token once only, so r is sent once if its outcome stays unknown.
func (r *request) setTokenExchange(source IdentitySource, fields map[string]string, encode encoding) {
	fields["grant_type"] = exchangeGrantType
	fields["subject_token_type"] = cmp.Or(fields["subject_token_type"], idTokenType)
	r.sendOnce = true
	r.identity = &source
	fields["subject_token"] = source.key() + "\n" + source.Token.Reveal()
	r.setBody(encode, fields)
}

// presented is an identity token in a request.
type presented struct {
	subjectToken
	purpose purpose
	source  IdentitySource
}

// text returns the identity token, or "" if there is none.
func (p *presented) text() string {
	if p == nil {
		return ""
	}
	return p.token.Reveal()
}

// stableID returns what is the same in all tokens of the identity, or "" if there is none. An identity token that is
// given directly is its own identity: it cannot be read again, and two of them may differ in other claims.
func (p *presented) stableID() string {
	if p == nil {
		return ""
	}
	return p.source.key() + " " + cmp.Or(p.source.Token.Reveal(), p.key)
}

func (p *presented) describe() string {
	return p.source.named(p.purpose) + " " + p.subjectToken.describe(time.Now())
}

// hasSources reports whether a part of r is read from outside each time r is sent.
func (r *request) hasSources() bool { return r.identity != nil || !r.proof.isZero() }

// readAnewAfter reports whether err is the rejection of something in the place of which its source may hold another thing: an
// identity token, an assertion, a key or a certificate. It is not sent again, and the source is read again. The bearer token
// of GitHub stays the same.
func (r *request) readAnewAfter(err *Error) bool {
	if err == nil || !r.hasSources() || r.proof.assertion.Audience != "" || r.identity != nil && r.identity.Audience != "" {
		return false
	}
	return err.Kind.rejectsCredentials() || err.Kind == AssertionUsed || err.Kind == RequestRejected && r.identity != nil
}

// fill sets what follows from what was read. The key of the result has what lasts in the place of identity token and
// assertion, so that all identity tokens of one identity, and all assertions of one client, share one token.
func (r *request) fill() {
	if r.subject != nil && r.credential != nil {
		r.bearer = []Secret{r.subject.credential}
	}
	r.credential, r.secrets = slices.Clip(r.credential), slices.Clip(r.secrets)
	keep := func(public, secret Secret) {
		r.credential, r.secrets = append(r.credential, public), append(r.secrets, secret)
	}
	if r.subject != nil && r.bearer == nil {
		r.credential = append(r.credential, r.subject.credential)
	}
	if r.subject != nil {
		r.secrets = append(r.secrets, r.subject.credential) // not the identity token: another process may have another one
	}
	assertion := r.assertion.stableID()
	if r.assertion != nil {
		keep(r.assertion.credential, r.assertion.credential)
	}
	if r.signer != nil {
		assertion = r.signer.stableID()
		keep(NewSecret(assertion), r.signer.key.secret)
	}
	if r.pair.Certificate != nil {
		keep(NewSecret(string(r.pair.thumbprint[:])), r.pair.secret)
	}
	r.body = r.composed(r.subject.text(), cmp.Or(r.assertion.text(), assertion))
	r.onceBody = r.composed(r.subject.text(), assertion)
	r.stableBody = r.composed(r.subject.stableID(), assertion)
	r.keyDigest = r.digestWith(r.stableBody)
}

// composed returns the body with an identity token and an assertion. Each is "" if there is none.
func (r *request) composed(subjectToken, assertion string) Secret {
	values := map[string]string{}
	if subjectToken != "" {
		values["subject_token"] = subjectToken
	}
	if assertion != "" {
		values["client_assertion"] = assertion
	}
	return r.compose(values)
}

// identities returns the identity tokens in the request.
func (r *request) identities() []*presented {
	return slices.DeleteFunc([]*presented{r.subject, r.assertion}, func(p *presented) bool { return p == nil })
}

// describeIdentities describes the identity tokens in the request, or "" if it has none.
func (r *request) describeIdentities() string {
	var texts []string
	for _, each := range r.identities() {
		texts = append(texts, each.describe())
	}
	return strings.Join(texts, "; ")
}

// expired returns the error of a request that is not sent because one of its identity tokens has expired, or nil if none
// has.
func (r *request) expired() *Error {
	for _, each := range r.identities() {
		if each.expired(time.Now()) {
			return &Error{Platform: r.platform, Kind: each.purpose.missing, Identity: each.describe(), notActedOn: true, given: each.source.given()}
		}
	}
	return nil
}
