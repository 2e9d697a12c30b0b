// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base64"
	"regexp"
)

// Equinix is a grant of Equinix's OAuth 2.0 API. Requests and answers are JSON. Lifetimes are strings, under names of
// their own (token_timeout). Equinix locks an account after five failed attempts.
type Equinix struct {
	// BaseURL is the API's URL, such as https://api.equinix.com. A token exchange does not use it.
	BaseURL string
	// GrantType is ClientCredentials, Password, RefreshToken or TokenExchange.
	GrantType string
	// ClientID and ClientSecret are the app's consumer key and consumer secret.
	ClientID     string
	ClientSecret Secret
	// UserName and UserPassword are used only with the password grant, which Equinix has retired.
	UserName     string
	UserPassword Secret
	// PasswordEncoding is the encoding that UserPassword has already: md5-b64, or empty for none.
	PasswordEncoding string
	// RefreshToken is used only with the refresh token grant.
	RefreshToken Secret
	// STSURL is the URL of Equinix's security token service, such as https://sts.eqix.equinix.com, with or without
	// /v1/token. Scope is what the token is for, such as roleassignments:ORGANISATION. Identity is where the identity
	// token comes from. The three are used only with TokenExchange ("Workload Identity Federation").
	STSURL   string
	Scope    string
	Identity IdentitySource
}

// MD5Base64 is the only password encoding that Equinix documents.
const MD5Base64 = "md5-b64"

// equinixHabits are from the API's documentation, "Requesting Access and Refresh tokens", and from answers that the
// tests of other clients record. The codes of a rejected login begin with an S ("S1006", Login Failure). Codes that
// begin with EQ or IC belong to the APIs behind the gateway, and the documentation describes some of them as "try again
// later". A rejected login may have the status 500.
var equinixHabits = habits{
	lifetime: "token_timeout", refreshLifetime: "refresh_token_timeout", userName: "user_name",
	rejection:      regexp.MustCompile(`^[Ss][0-9]+$`),
	outage:         regexp.MustCompile(`^(EQ|IC)-`),
	rejectsWith500: true,
}

// EquinixGrantTypes are the grant types of an Equinix grant.
var EquinixGrantTypes = []string{ClientCredentials, Password, RefreshToken, TokenExchange}

func (g Equinix) request() (*request, error) {
	if g.GrantType == TokenExchange {
		return g.exchange()
	}
	var check checks
	base, path := check.url("base_url", g.BaseURL), "/oauth2/v1/token"
	fields := map[string]string{
		"client_id":     check.text("client_id", g.ClientID),
		"client_secret": check.secret("client_secret", g.ClientSecret),
	}
	r := &request{
		platform:   "Equinix",
		habits:     equinixHabits,
		credential: []Secret{NewSecret(g.ClientID), g.ClientSecret},
		secrets:    []Secret{g.ClientSecret},
		refresh:    g.refreshedBy,
	}
	check.value("grant_type", NewSecret(g.GrantType), CheckOneOf(EquinixGrantTypes...))
	switch g.GrantType {
	case ClientCredentials:
		fields["grant_type"] = ClientCredentials // without it, Equinix takes the request for a password grant
	case Password:
		fields["grant_type"] = Password
		fields["user_name"] = check.text("user_name", g.UserName)
		fields["user_password"] = check.secret("user_password", g.UserPassword)
		if g.PasswordEncoding != "" {
			fields["password_encoding"] = g.PasswordEncoding
			check.value("password_encoding", NewSecret(g.PasswordEncoding), CheckOneOf(MD5Base64))
		}
		if g.PasswordEncoding == MD5Base64 {
			check.value("user_password", g.UserPassword, checkMD5Base64)
		}
		r.user = []Secret{NewSecret(g.UserName), g.UserPassword}
		r.secrets = append(r.secrets, g.UserPassword)
		r.sendOnce = true
	case RefreshToken:
		path = "/oauth2/v1/refreshaccesstoken" // the documentation of this path has no grant_type
		fields["refresh_token"] = check.secret("previous_refresh_token", g.RefreshToken)
		r.secrets = append(r.secrets, g.RefreshToken)
		r.refreshToken = g.RefreshToken
		r.sendOnce = true
		r.fallback = g.withCredentials()
	}
	if err := check.err(r.platform); err != nil {
		return nil, err
	}
	r.endpoint = endpoint(base, "", path)
	r.accepts("application/json")
	r.sends(jsonObject, fields)
	return r, nil
}

// exchange returns the request for a token exchange. It carries no client id and no client secret. The answers are those of
// RFC 8693, and not those of the other endpoints.
func (g Equinix) exchange() (*request, error) {
	const path = "/v1/token"
	var check checks
	base := check.url("sts_url", g.STSURL)
	fields := map[string]string{"scope": check.text("token_exchange_scope", g.Scope)}
	check.identity(g.Identity)
	r := &request{platform: "Equinix"}
	if err := check.err(r.platform); err != nil {
		return nil, err
	}
	r.endpoint = endpoint(base, path, path)
	r.accepts("application/json")
	r.exchanges(g.Identity, fields, form)
	return r, nil
}

// refreshedBy returns the grant that refreshes with token.
func (g Equinix) refreshedBy(token Secret) Grant {
	g.GrantType, g.RefreshToken = RefreshToken, token
	return g
}

// withCredentials returns the client credentials grant for the same client.
func (g Equinix) withCredentials() Grant {
	g.GrantType, g.RefreshToken = ClientCredentials, Secret{}
	return g
}

// checkMD5Base64 checks an encoded password. Without it, a plain password, or a password that the user encoded twice,
// would cost one of the five attempts. An empty password is not checked.
func checkMD5Base64(password Secret) string {
	text := password.Reveal()
	digest, err := base64.StdEncoding.Strict().DecodeString(text)
	// The decoder skips line breaks, so the length of the text is checked too.
	if text != "" && (err != nil || len(digest) != 16 || len(text) != 24) {
		return "is not the base64 of an MD5 digest, as password_encoding says; provider::ixtoken::md5_b64 encodes a password"
	}
	return ""
}
