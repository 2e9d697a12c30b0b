// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"crypto/sha256"
	"encoding/binary"
	"net/url"
	"regexp"
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
	platform string
	endpoint *url.URL
	headers  []header // all that are sent but for those of HTTP itself
	body     Secret
	habits   habits

	// credential is what the platform counts failed attempts against.
	credential []Secret
	// secrets are the settings that must not come back in an error.
	secrets []Secret
	// sendOnce forbids to send the request again when nobody knows whether the platform has seen it.
	sendOnce bool
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

// header is one header of a request. Its value may hold credentials, as that of HTTP Basic does.
type header struct {
	name  string
	value Secret
}

// habits are where a platform's answers depart from RFC 6749. The zero value: nowhere.
type habits struct {
	// lifetime, refreshLifetime and userName are further members of a token answer; empty: there is none. The first two
	// name lifetimes in seconds, of the access token and of the refresh token.
	lifetime, refreshLifetime, userName string
	// refreshLasts is the lifetime of a refresh token whose answer names none; zero: not known.
	refreshLasts time.Duration
	// rejection matches the codes with which the platform rejects a login. It may have others: any code of its own beside a
	// 4xx counts as one. nil: it has those of RFC 6749 alone.
	rejection *regexp.Regexp
	// outage matches the codes that ask to try again later; nil: it has none.
	outage *regexp.Regexp
	// rejectsWith500 says that the platform may answer a rejected login with 500, so that not every 500 is an outage.
	rejectsWith500 bool
}

// accepts and sends are the media types of the answer and of the body.
func (r *request) accepts(mediaType string) { r.addHeader("Accept", mediaType) }

func (r *request) sends(mediaType string, body Secret) {
	r.addHeader("Content-Type", mediaType)
	r.body = body
}

func (r *request) addHeader(name, value string) {
	r.headers = append(r.headers, header{name, NewSecret(value)})
}

// header is the value of a header; the zero Secret: it is not sent.
func (r request) header(name string) Secret {
	for _, h := range r.headers {
		if h.name == name {
			return h.value
		}
	}
	return Secret{}
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
	return r.digestWith(r.body)
}

// digestWith is the digest of what would be sent with that body.
func (r request) digestWith(body Secret) digest {
	parts := []string{r.endpoint.String(), body.Reveal()}
	for _, h := range r.headers {
		parts = append(parts, h.name, h.value.Reveal())
	}
	return sum(parts...)
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
