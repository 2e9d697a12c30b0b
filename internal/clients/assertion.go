// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"fmt"
	"time"
)

// This file holds what a client authenticates with instead of a secret: an assertion, a key, or a certificate.

// assertionType is the type of a client assertion that is a JSON Web Token (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// proof says where a request takes what authenticates its client. It is read for each request. The zero value: the request
// needs nothing from outside.
type proof struct {
	clientID string
	// assertion is an assertion that was made elsewhere. It is zero if there is none. Servers accept each of them once.
	assertion IdentitySource
	// key signs an assertion for each attempt. It is zero if there is none.
	key ClientKey
	// certificate is that of the connection. It is zero if there is none.
	certificate ClientCertificate
}

func (p proof) isZero() bool {
	return p.assertion.IsZero() && p.key.IsZero() && p.certificate.IsZero()
}

// placeholder stands for the assertion in a request that has not been read yet.
func (p proof) placeholder() string {
	if !p.key.IsZero() {
		return p.key.key()
	}
	return p.assertion.key() + "\n" + p.assertion.Token.Reveal()
}

// asserts reports whether the request carries an assertion that was made elsewhere.
func (r *request) asserts() bool { return !r.proof.assertion.IsZero() }

// onlyAsserts reports whether the assertion is all that the request may send only once.
func (r *request) onlyAsserts() bool {
	return r.asserts() && r.identity == nil && r.refreshToken.IsZero()
}

// loadKeys reads the key that signs assertions, and the certificate with its key.
func (r *request) loadKeys() *Error {
	var err error
	if !r.proof.key.IsZero() {
		if r.signer, err = r.proof.key.signer(r.proof.clientID, r.endpoint.String()); err != nil {
			return &Error{Platform: r.platform, Kind: NoClientKey, notActedOn: true, Description: err.Error()}
		}
	}
	if !r.proof.certificate.IsZero() {
		if r.pair, err = r.proof.certificate.load(); err != nil {
			return &Error{Platform: r.platform, Kind: NoClientKey, notActedOn: true, Description: err.Error()}
		}
	}
	return nil
}

// provenAs adds to r, a request of the same client, what other authenticates with.
func (r *request) provenAs(other *request) *request {
	if r.proof.isZero() {
		return r
	}
	r.assertion, r.signer, r.pair = other.assertion, other.signer, other.pair
	r.fill()
	return r
}

// signed returns the request with a new assertion, if its client signs them.
func (r *request) signed() (*request, error) {
	if r.signer == nil {
		return r, nil
	}
	assertion, err := r.signer.sign(time.Now())
	if err != nil {
		return nil, err
	}
	signed := *r
	signed.signature = assertion
	signed.body = r.composed(r.subject.text(), assertion.Reveal())
	return &signed, nil
}

// authentication describes how the client authenticates, for errors about a client, or "" if the platform has only one way.
func (r *request) authentication() string {
	switch {
	case r.authMethod == "":
		return ""
	case r.signer != nil:
		text := fmt.Sprintf("sent: %s, signed here with %s, aud %q", r.authMethod, r.signer.algorithm.Alg(), r.signer.audience)
		if id := r.signer.header["kid"]; id != "" {
			text += fmt.Sprintf(", kid %q", id)
		}
		return text
	case r.authMethod == NoAuthentication:
		return "sent: client_id alone"
	case r.pair.Certificate != nil:
		return "sent: " + r.authMethod + ", with the certificate of " + describeSubject(r.pair.Leaf)
	}
	return "sent: " + r.authMethod
}

// proven identifies what authenticates the client, for the name of a cache entry: nobody can guess an assertion, and anybody
// may know a public key. In a token exchange with a client, nobody can guess the identity token.
func (r *request) proven() (parts []string) {
	if r.assertion != nil {
		parts = append(parts, r.assertion.credential.Reveal())
	}
	if r.signer != nil {
		parts = append(parts, r.signer.stableID())
	}
	if r.pair.Certificate != nil {
		parts = append(parts, string(r.pair.thumbprint[:]))
	}
	for _, secret := range r.bearer {
		parts = append(parts, secret.Reveal())
	}
	return parts
}

// ofAssertion returns what sharer needs to know about the assertion of r alone.
func (r *request) ofAssertion() *request {
	return &request{platform: r.platform, endpoint: r.endpoint, assertion: r.assertion}
}

// markOfAssertion returns the digest of the assertion and the host, whatever else differs between requests that carry it.
func (r *request) markOfAssertion() digest {
	return digestOf("client assertion", hostKey(r.endpoint), r.assertion.text())
}
