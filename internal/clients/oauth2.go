// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
)

// OAuth2 is a grant of any server that keeps to RFC 6749. The other platforms are known; here the user says what the
// server wants. A request authenticates in one way alone, because a server may count each failure.
type OAuth2 struct {
	// TokenURL is the token endpoint, exactly as it is asked.
	TokenURL string
	// GrantType is ClientCredentials, RefreshToken or TokenExchange.
	GrantType string
	// ClientID and ClientSecret are what the server has registered.
	ClientID     string
	ClientSecret Secret
	// AuthMethod is how the client authenticates: one of OAuth2AuthMethods. In a token exchange it may be empty: there is
	// no client then.
	AuthMethod string
	// Assertion is where the client's assertion comes from, and Key is the key that signs one instead. One of them is used,
	// with PrivateKeyJWT.
	Assertion IdentitySource
	Key       ClientKey
	// Certificate is that of the connection. TLSClientAuth needs it, and any other method may have it.
	Certificate ClientCertificate
	// Format is FormBody or JSONBody.
	Format string
	// Scope holds the scopes to ask for, separated by blanks (RFC 6749, section 3.3). If it is empty, the server decides.
	Scope string
	// Audience names the API that the token is for, where the server has such a parameter. If it is empty, it is not sent. Each
	// line is an audience.
	Audience string
	// Parameters and Headers are further ones, as Pairs encodes them. Their values may be secrets.
	Parameters, Headers Secret
	// RefreshToken is used only with the refresh token grant.
	RefreshToken Secret
	// Identity is where the identity token comes from. It is used only with TokenExchange.
	Identity IdentitySource
}

// The ways to authenticate, under the names of RFC 7591, section 2.
const (
	ClientSecretBasic = "client_secret_basic" // RFC 6749, section 2.3.1
	ClientSecretPost  = "client_secret_post"  // the same section: in the body
	PrivateKeyJWT     = "private_key_jwt"     // RFC 7523, section 2.2
	TLSClientAuth     = "tls_client_auth"     // RFC 8705, section 2
	NoAuthentication  = "none"                // the client id alone, in a token exchange
)

// The encodings of the body. RFC 6749 knows the form alone.
const (
	FormBody = "form"
	JSONBody = "json"
)

// What an OAuth2 grant accepts.
var (
	OAuth2GrantTypes  = []string{ClientCredentials, RefreshToken, TokenExchange}
	OAuth2AuthMethods = []string{ClientSecretBasic, ClientSecretPost, PrivateKeyJWT, TLSClientAuth, NoAuthentication}
	OAuth2Formats     = []string{FormBody, JSONBody}
)

func (g OAuth2) request() (*request, error) {
	r := &request{
		platform: "OAuth2",
		chosen:   !g.Parameters.IsZero() || !g.Headers.IsZero(),
		secrets:  slices.Concat(values(g.Parameters), values(g.Headers)),
		proof:    proof{clientID: g.ClientID, certificate: g.Certificate},
	}
	r.setAccept("application/json")
	fields := g.fields()
	exchanges := g.GrantType == TokenExchange
	if !exchanges || g.AuthMethod != "" {
		g.authenticate(r, fields)
	}
	if exchanges {
		r.setTokenExchange(g.Identity, fields, g.encode)
	} else {
		r.refresh = g.refreshedBy
		if g.GrantType == RefreshToken {
			r.setRefreshToken(g.RefreshToken, fields)
		}
		r.setBody(g.encode, fields)
	}
	EachValue(g.Headers, func(name string, value Secret) { r.addHeader(name, value.Reveal()) })
	return r.to(g.TokenURL)
}

// fields are those of the body that do not authenticate the client.
func (g OAuth2) fields() map[string]string {
	fields := map[string]string{"grant_type": g.GrantType}
	for name, value := range map[string]string{"scope": g.Scope, "audience": g.Audience} {
		if value != "" {
			fields[name] = value
		}
	}
	maps.Copy(fields, unpair(g.Parameters))
	return fields
}

func (g OAuth2) encode(fields map[string]string) (contentType string, body Secret) {
	if g.Format == JSONBody {
		return jsonObject(fields)
	}
	return form(fields)
}

// authenticate adds the client's credentials to the request.
func (g OAuth2) authenticate(r *request, fields map[string]string) {
	r.authMethod, r.credential = g.AuthMethod, []Secret{NewSecret(g.ClientID)}
	if g.AuthMethod != ClientSecretBasic {
		fields["client_id"] = g.ClientID // RFC 6749, section 2.3.1; RFC 8705, section 2
	}
	switch g.AuthMethod {
	case PrivateKeyJWT:
		r.proof.assertion, r.proof.key = g.Assertion, g.Key
		fields["client_assertion_type"], fields["client_assertion"] = assertionType, r.proof.placeholder()
	case ClientSecretBasic, ClientSecretPost:
		r.credential = append(r.credential, g.ClientSecret)
		r.secrets, r.chosen = append(r.secrets, g.ClientSecret), true
		if g.AuthMethod == ClientSecretBasic {
			r.setBasicAuth(g.ClientID, g.ClientSecret)
		} else {
			fields["client_secret"] = g.ClientSecret.Reveal()
		}
	}
}

// setBasicAuth adds HTTP Basic as RFC 6749, section 2.3.1, prescribes: the ID and the secret are form-encoded first, so
// both may hold a colon and characters outside ASCII. An error must not repeat the encoded secret either.
func (r *request) setBasicAuth(id string, secret Secret) {
	encoded := url.QueryEscape(secret.Reveal())
	r.encoded = NewSecret(encoded)
	r.addHeader("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+encoded)))
}

// refreshedBy returns the grant that refreshes with token, or the client credentials grant if token is zero. A refresh names no
// scope: the new token then has that of the old one (RFC 6749, section 6), which may be less than was asked for.
func (g OAuth2) refreshedBy(token Secret) Grant {
	if g.GrantType, g.RefreshToken = grantTypeWith(token), token; !token.IsZero() {
		g.Scope = ""
	}
	return g
}
