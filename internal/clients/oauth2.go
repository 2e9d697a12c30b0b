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
	// Scope holds the scopes to ask for, separated by blanks (RFC 6749, section 3.3); empty: the server decides.
	Scope string
	// Audience names the API that the token is for, where the server has such a parameter; empty: it is not sent. Each line
	// is an audience.
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
	var check checks
	check.value("grant_type", NewSecret(g.GrantType), CheckOneOf(OAuth2GrantTypes...))
	check.value("request_format", NewSecret(g.Format), CheckOneOf(OAuth2Formats...))
	check.value("scopes", NewSecret(g.Scope), CheckText)
	check.value("audience", NewSecret(g.Audience), CheckLines)
	check.value("parameters", g.Parameters, CheckParameters)
	check.value("headers", g.Headers, CheckHeaders)
	r := &request{
		platform: "OAuth2",
		chosen:   true,
		endpoint: check.url("token_url", g.TokenURL),
		secrets:  slices.Concat(values(g.Parameters), values(g.Headers)),
	}
	fields := g.fields()
	r.accepts("application/json")
	r.proof = proof{clientID: g.ClientID, certificate: g.Certificate}
	check.certificate(g.Certificate)
	exchanges := g.GrantType == TokenExchange
	if !exchanges || g.AuthMethod != "" {
		g.authenticate(r, &check, fields)
	}
	if exchanges {
		check.identity(g.Identity)
		r.exchanges(g.Identity, fields, g.encode)
	} else {
		g.refreshes(r, &check, fields)
		r.sends(g.encode, fields)
	}
	if err := check.err(r.platform); err != nil {
		return nil, err
	}
	for _, name := range names(g.Headers) {
		r.addHeader(name, unpair(g.Headers)[name])
	}
	return r, nil
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
func (g OAuth2) authenticate(r *request, check *checks, fields map[string]string) {
	check.value("token_endpoint_auth_method", NewSecret(g.AuthMethod), CheckOneOf(OAuth2AuthMethods...))
	id := check.text("client_id", g.ClientID)
	r.authMethod, r.credential = g.AuthMethod, []Secret{NewSecret(id)}
	switch g.AuthMethod {
	case PrivateKeyJWT:
		check.assertion(g.Assertion, g.Key)
		r.proof.assertion, r.proof.key = g.Assertion, g.Key
		fields["client_id"], fields["client_assertion_type"] = id, assertionType
		fields["client_assertion"] = r.proof.placeholder()
	case TLSClientAuth, NoAuthentication:
		if g.AuthMethod == TLSClientAuth && g.Certificate.IsZero() {
			check.fault("no client certificate is set")
		}
		if g.AuthMethod == NoAuthentication && g.GrantType != TokenExchange {
			check.fault(`token_endpoint_auth_method "none" is for a token exchange alone`)
		}
		fields["client_id"] = id // RFC 8705, section 2
	default:
		g.authenticateBySecret(r, check, fields)
	}
}

// authenticateBySecret adds the client's ID and secret to the request.
func (g OAuth2) authenticateBySecret(r *request, check *checks, fields map[string]string) {
	secret := check.secret("client_secret", g.ClientSecret)
	r.credential = append(r.credential, g.ClientSecret)
	r.secrets = append(r.secrets, g.ClientSecret)
	switch g.AuthMethod {
	case ClientSecretBasic:
		r.authenticates(g.ClientID, g.ClientSecret)
	case ClientSecretPost:
		fields["client_id"], fields["client_secret"] = g.ClientID, secret
	}
}

// refreshes adds the refresh token to the request, if the grant uses one, and says how its token is refreshed.
func (g OAuth2) refreshes(r *request, check *checks, fields map[string]string) {
	r.refresh = g.refreshedBy
	if g.GrantType == RefreshToken {
		fields["refresh_token"] = check.secret("previous_refresh_token", g.RefreshToken)
		r.secrets = append(r.secrets, g.RefreshToken)
		r.refreshToken = g.RefreshToken
		r.sendOnce = true
		r.fallback = g.withCredentials()
	}
}

// authenticates adds HTTP Basic as RFC 6749, section 2.3.1, prescribes: the ID and the secret are form-encoded first, so
// both may hold a colon and characters outside ASCII. An error must not repeat the encoded secret either.
func (r *request) authenticates(id string, secret Secret) {
	encoded := url.QueryEscape(secret.Reveal())
	r.encoded = NewSecret(encoded)
	r.addHeader("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+encoded)))
}

// refreshedBy returns the grant that refreshes with token. It names no scope: the new token then has that of the old one
// (RFC 6749, section 6), which may be less than was asked for.
func (g OAuth2) refreshedBy(token Secret) Grant {
	g.GrantType, g.RefreshToken, g.Scope = RefreshToken, token, ""
	return g
}

// withCredentials returns the same request with the client credentials.
func (g OAuth2) withCredentials() Grant {
	g.GrantType, g.RefreshToken = ClientCredentials, Secret{}
	return g
}
