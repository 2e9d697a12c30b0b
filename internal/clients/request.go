// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Grant is one way to obtain a token from one platform: a plain comparable struct of settings, such as
// [Interxion]. See [Client.Token].
type Grant interface {
	// request returns the request for the settings, or an *Error of kind InvalidInput. The caller has checked each setting
	// by itself; see checks.go.
	request() (*request, error)
}

// The grant types of RFC 6749 that the platforms use.
const (
	ClientCredentials = "client_credentials" // section 4.4
	Password          = "password"           // section 4.3
	RefreshToken      = "refresh_token"      // section 6
)

// request is one token request as it is sent, and what the client must know about it. A request that Client has is not
// changed any more.
type request struct {
	platform   string
	method     string // empty: POST
	endpoint   *url.URL
	headers    []header // without those that every request has, such as User-Agent
	body       Secret
	deviations deviations

	// credential holds the credentials of the client: its ID and its secret, or what identifies its key, its certificate or
	// its assertion. In a token exchange without a client, it holds the secret that stays the same while the job runs.
	credential []Secret
	// user holds the name and the password of the user. It is nil if the request is not a password grant. The platform counts
	// the failed attempts of a client and of a user, each by itself.
	user []Secret
	// secrets are the settings that an error must not repeat. The encryption key of the cache entry is derived from
	// them.
	secrets []Secret
	// encoded is another form of one of the secrets, which an error must not repeat either. It is zero if there is none.
	encoded Secret
	// sendOnce forbids a retry if the platform may have seen the request.
	sendOnce bool
	// fallback is the grant to use if the platform no longer accepts the refresh token. It is nil if the request is not a
	// refresh.
	fallback Grant
	// refresh returns the grant that uses a refresh token from the answer, or for the zero Secret the grant that uses none. It
	// is nil if the platform issues no refresh tokens.
	refresh func(refreshToken Secret) Grant
	// refreshToken is the refresh token in the request. It is zero if the request is not a refresh.
	refreshToken Secret
	// refreshEnds is when refreshToken ends. It is zero if it is not known.
	refreshEnds time.Time
	// automatic says that no caller has asked for the refresh. It runs while the caller holds the claim of the request itself.
	automatic bool
	// chosen says that a person may have chosen one of the secrets, so that it may be guessed. What a platform has generated,
	// and a private key, cannot be guessed.
	chosen bool
	// public returns the body without its secrets.
	public func() string
	// authMethod is how the client authenticates, under a name of RFC 7591. It is empty if the platform has one way, or there
	// is no client.
	authMethod string
	// identity is where the identity token of a token exchange comes from. It is nil if the request is not one. proof is where
	// the client's assertion, key and certificate come from. Until completer has read them, the body has their sources in their
	// place, so that flights has a key.
	identity *IdentitySource
	proof    proof
	// compose returns the body with other values of these fields.
	compose func(values map[string]string) Secret
	// subject is the identity token in the body, and assertion the client's assertion that was made elsewhere. They are
	// nil if there is none.
	subject, assertion *presented
	// signer signs an assertion for each attempt. It is nil if the client does not authenticate so. signature is the assertion
	// in the body. It is zero if there is none.
	signer    *signer
	signature Secret
	// pair is the certificate of the connection. It is zero if there is none.
	pair keyPair
	// bearer holds the secret of the identity token that stays the same while the job runs, in a token exchange with a client.
	// It is nil if the request is not one.
	bearer []Secret
	// assertionSent reports that this process has sent the assertion before.
	assertionSent bool
	// stableBody is the body with what lasts in the place of identity token and assertion: the issuer and the subject, or the
	// key. onceBody is the body with the identity token, and with what lasts in the place of the assertion. Zero: the body has
	// neither.
	stableBody, onceBody Secret
	// keyDigest is the result of key. It is zero if it is not computed yet.
	keyDigest digest
}

// header is one header of a request. Its value may hold credentials, as in HTTP Basic.
type header struct {
	name  string
	value Secret
}

// deviations say where a platform's answers differ from RFC 6749. The zero value: nowhere.
type deviations struct {
	// token is the name of the member that holds the token. If it is empty, it is access_token.
	token string
	// lifetime, refreshLifetime and userName are the names of further members of a token answer, or "" if there is none.
	// The first two members hold lifetimes in seconds, of the access token and of the refresh token.
	lifetime, refreshLifetime, userName string
	// refreshLasts is the lifetime of a refresh token if the answer names none. It is zero if it is not known.
	refreshLasts time.Duration
	// rejection matches the platform's own codes for a rejected login. It is nil if it has only those of RFC 6749. The platform
	// may have further codes. So if rejection is set, any code counts as a rejected login beside a 4xx status that has no case
	// of its own in judge.
	rejection *regexp.Regexp
	// outage matches the platform's own codes that ask to try again later. It is nil if it has none.
	outage *regexp.Regexp
	// rejectsWith500 says that the platform may answer a rejected login with status 500. Then a 500 is not always an
	// outage.
	rejectsWith500 bool
}

// clientFields returns the parameters of a client that authenticates in the body (RFC 6749, section 2.3.1).
func clientFields(grantType, id string, secret Secret) map[string]string {
	return map[string]string{"grant_type": grantType, "client_id": id, "client_secret": secret.Reveal()}
}

// grantTypeWith returns the grant type of a client that uses this refresh token, or none if the token is zero.
func grantTypeWith(refreshToken Secret) string {
	if refreshToken.IsZero() {
		return ClientCredentials
	}
	return RefreshToken
}

// setRefreshToken makes r a refresh with this token, which becomes one of the fields. A platform may issue another refresh token in
// its place, so r is sent once. r.refresh has been set.
func (r *request) setRefreshToken(token Secret, fields map[string]string) {
	fields["refresh_token"] = token.Reveal()
	r.refreshToken, r.fallback, r.sendOnce = token, r.refresh(Secret{}), true
	r.secrets = append(r.secrets, token)
}

// invalid returns the error about settings with which r cannot be sent.
func (r *request) invalid(why string) *Error {
	return &Error{Platform: r.platform, Kind: InvalidInput, Description: why}
}

// setAccept sets the media type to accept.
func (r *request) setAccept(mediaType string) { r.addHeader("Accept", mediaType) }

// publicFields are further parameters of users that the standards define, and that are no secrets (RFC 8707, RFC 8693).
var publicFields = []string{"resource", "requested_token_type", "actor_token_type"}

// encoding encodes the fields of a body.
type encoding func(fields map[string]string) (mediaType string, body Secret)

// setBody sets the body and its media type. It is called when secrets is complete.
func (r *request) setBody(encode encoding, fields map[string]string) {
	mediaType, body := encode(fields)
	r.addHeader("Content-Type", mediaType)
	r.body = body
	r.compose = func(values map[string]string) Secret {
		complete := maps.Clone(fields)
		maps.Copy(complete, values)
		_, body := encode(complete)
		return body
	}
	r.public = func() string {
		public := maps.Clone(fields)
		maps.DeleteFunc(public, func(name, value string) bool {
			return !slices.Contains(publicFields, name) && slices.Contains(r.secrets, NewSecret(value))
		})
		_, body := encode(public)
		return body.Reveal()
	}
}

func (r *request) addHeader(name, value string) {
	r.headers = append(r.headers, header{name, NewSecret(value)})
}

// header returns the value of a header, or the zero Secret if the header is not sent.
func (r *request) header(name string) Secret {
	for _, h := range r.headers {
		if h.name == name {
			return h.value
		}
	}
	return Secret{}
}

// address returns the host and path of the endpoint. It is escaped, because a path may hold an escaped line break.
func (r *request) address() string { return r.endpoint.Host + r.endpoint.EscapedPath() }

// digest identifies a request or credentials without revealing them.
type digest [sha256.Size]byte

// key returns the digest of the platform, the URL, the headers, the body and the certificate. So each setting that changes the
// request also changes the key. Each identity token of an identity, and each assertion of a client, gives the same key.
func (r *request) key() digest {
	if r.keyDigest != (digest{}) {
		return r.keyDigest
	}
	return r.digestWith(cmp.Or(r.stableBody, r.body))
}

// exactKey returns the digest of the request with the identity token and the assertion in it, if they were made elsewhere.
func (r *request) exactKey() digest { return r.digestWith(r.body) }

// mark returns the digest of what may be sent only once if its outcome stays unknown. For a refresh, that is a fact about
// the refresh token and the host, whatever else differs between the requests that carry it. For an assertion, it is one
// about the assertion and the host. Otherwise it is a fact about the request: an identity token may be exchanged for
// several scopes.
func (r *request) mark() digest {
	switch {
	case !r.refreshToken.IsZero():
		return digestOf("refresh token", hostKey(r.endpoint), r.refreshToken.Reveal())
	case r.subject != nil:
		return r.digestWith(cmp.Or(r.onceBody, r.body))
	case r.assertion != nil:
		return r.markOfAssertion()
	}
	return r.key()
}

// markEnds returns when what is marked ends, or zero if it is not known.
func (r *request) markEnds() time.Time {
	switch {
	case r.subject != nil:
		return r.subject.expires
	case r.assertion != nil:
		return r.assertion.expires
	}
	return r.refreshEnds
}

// repeatable reports whether the request may be sent again if its outcome is unknown.
func (r *request) repeatable() bool { return !r.sendOnce && !r.asserts() }

// belongsToClient reports whether the token belongs to the client itself, so that the same request yields another token of the
// same principal. A refresh token or a password may be a user's.
func (r *request) belongsToClient() bool { return r.refreshToken.IsZero() && !r.hasPassword() }

// hasPassword reports whether a user's password is among the secrets. A password can be guessed.
func (r *request) hasPassword() bool { return r.user != nil }

// target names the platform and the endpoint, in one spelling.
func (r *request) target() []string {
	return []string{r.platform, r.endpoint.Scheme, hostKey(r.endpoint), r.endpoint.EscapedPath(), r.endpoint.RawQuery}
}

// digestWith returns the digest of the request with another body. The platform is part of it: two platforms may read two
// lifetimes in one answer.
func (r *request) digestWith(body Secret) digest {
	parts := append(r.target(), body.Reveal())
	for _, h := range r.headers {
		parts = append(parts, h.name, h.value.Reveal())
	}
	switch {
	case r.pair.Certificate != nil:
		parts = append(parts, string(r.pair.thumbprint[:]))
	case !r.proof.certificate.IsZero():
		parts = append(parts, r.proof.certificate.key())
	}
	return digestOf(parts...)
}

// accounts returns the digests of the accounts in the request, each with the host: the client and, in a password grant, the
// user, or in a token exchange with a client, the identity. Two apps of one user have the user's account in common.
func (r *request) accounts() []digest {
	found := make([]digest, 0, 2)
	for kind, secrets := range [][]Secret{r.credential, r.user, r.bearer} {
		if secrets == nil {
			continue
		}
		parts := []string{strconv.Itoa(kind), hostKey(r.endpoint)}
		for _, part := range secrets {
			parts = append(parts, part.Reveal())
		}
		found = append(found, digestOf(parts...))
	}
	return found
}

// grantType returns the grant type, for which the platform may reject a client that it accepts for another one.
func (r *request) grantType() string {
	switch {
	case r.identity != nil:
		return TokenExchange
	case !r.refreshToken.IsZero():
		return RefreshToken
	case r.user != nil:
		return Password
	}
	return ClientCredentials
}

// digestOf hashes parts with their lengths, so that two different lists of parts do not give the same input.
func digestOf(parts ...string) digest {
	var text []byte
	for _, part := range parts {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	return sha256.Sum256(text)
}
