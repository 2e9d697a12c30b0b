// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"crypto/sha256"
	"encoding/binary"
	"net/url"
	"time"
)

// Grant is one way to obtain a token from one platform: a plain comparable struct of settings, such as Interxion.
type Grant interface {
	// request returns the request that the settings stand for, or an *Error of InvalidInput that names all that is wrong.
	request() (request, error)
}

// The grant types of RFC 6749 that the platforms know.
const (
	ClientCredentials = "client_credentials" // section 4.4
	Password          = "password"           // section 4.3
	RefreshToken      = "refresh_token"      // section 6
)

// request is one token request as it goes over the wire, and what the engine has to know about it.
type request struct {
	platform    string
	endpoint    *url.URL
	accept      string
	contentType string
	body        Secret

	// credential is what the platform counts failed attempts against.
	credential []Secret
	// secrets are the settings that must not come back in an error.
	secrets []Secret
	// sendOnce forbids to send the request again when nobody knows whether the platform has seen it.
	sendOnce bool
	// refreshLifetime is that of a refresh token whose answer names none; zero: none is assumed.
	refreshLifetime time.Duration
	// fallback is the grant to use where the platform no longer takes the refresh token; nil: this is no refresh.
	fallback Grant
	// refresh is the grant that uses a refresh token which came with the answer; nil: the platform issues none.
	refresh func(refreshToken Secret) Grant
	// refreshToken is the one in the request; zero: this is no refresh.
	refreshToken Secret
	// impersonal is the body without a human's password, which can be guessed; zero: the body has none.
	impersonal Secret
	// digest is the key, where it is known; zero: it is not.
	digest digest
}

// address is the host and path that are asked, escaped: a path may hold an escaped line break.
func (r request) address() string { return r.endpoint.Host + r.endpoint.EscapedPath() }

// digest identifies a request or a credential without telling it.
type digest [sha256.Size]byte

// key is the digest of what would be sent: a setting that changes the request cannot be forgotten in it.
func (r request) key() digest {
	if r.digest != (digest{}) {
		return r.digest
	}
	return sum(r.endpoint.String(), r.accept, r.contentType, r.body.Reveal())
}

// account is the digest of what the platform counts failed attempts against.
func (r request) account() digest {
	parts := []string{r.endpoint.Host}
	for _, part := range r.credential {
		parts = append(parts, part.Reveal())
	}
	return sum(parts...)
}

// sum hashes parts with their lengths, so that no two lists of parts run together.
func sum(parts ...string) digest {
	var text []byte
	for _, part := range parts {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	return sha256.Sum256(text)
}
