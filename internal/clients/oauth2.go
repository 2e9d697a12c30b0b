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
	// ClientID and ClientSecret are what the server has registered. A token exchange does not use them.
	ClientID     string
	ClientSecret Secret
	// AuthMethod is ClientSecretBasic or ClientSecretPost.
	AuthMethod string
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
)

// The encodings of the body. RFC 6749 knows the form alone.
const (
	FormBody = "form"
	JSONBody = "json"
)

// What an OAuth2 grant accepts.
var (
	OAuth2GrantTypes  = []string{ClientCredentials, RefreshToken, TokenExchange}
	OAuth2AuthMethods = []string{ClientSecretBasic, ClientSecretPost}
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
	switch g.GrantType {
	case TokenExchange:
		check.identity(g.Identity)
		r.exchanges(g.Identity, fields, g.encode)
	default:
		g.authenticate(r, &check, fields)
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

// authenticate adds the client's credentials to the request, and the refresh token if the grant uses one.
func (g OAuth2) authenticate(r *request, check *checks, fields map[string]string) {
	check.value("token_endpoint_auth_method", NewSecret(g.AuthMethod), CheckOneOf(OAuth2AuthMethods...))
	id, secret := check.text("client_id", g.ClientID), check.secret("client_secret", g.ClientSecret)
	r.credential = []Secret{NewSecret(id), g.ClientSecret}
	r.secrets = append(r.secrets, g.ClientSecret)
	r.refresh = g.refreshedBy
	switch g.AuthMethod {
	case ClientSecretBasic:
		r.authenticates(id, g.ClientSecret)
	case ClientSecretPost:
		fields["client_id"], fields["client_secret"] = id, secret
	}
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
