// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"crypto/md5" //nolint:gosec // for the size of a digest
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

// equinixDeviations are from the API's documentation, "Requesting Access and Refresh tokens", and from answers that the
// tests of other clients record. The codes of a rejected login begin with an S ("S1006", Login Failure). Codes that
// begin with EQ or IC belong to the APIs behind the gateway, and the documentation describes some of them as "try again
// later". A rejected login may have the status 500.
var equinixDeviations = deviations{
	lifetime: "token_timeout", refreshLifetime: "refresh_token_timeout", userName: "user_name",
	rejection:      regexp.MustCompile(`^[Ss][0-9]+$`),
	outage:         regexp.MustCompile(`^(EQ|IC)-`),
	rejectsWith500: true,
}

// EquinixGrantTypes are the grant types of an Equinix grant.
var EquinixGrantTypes = []string{ClientCredentials, Password, RefreshToken, TokenExchange}

func (g Equinix) request() (*request, error) {
	if g.GrantType == TokenExchange {
		return g.tokenExchange()
	}
	r := &request{
		platform:   "Equinix",
		deviations: equinixDeviations,
		credential: []Secret{NewSecret(g.ClientID), g.ClientSecret},
		secrets:    []Secret{g.ClientSecret},
		refresh:    g.refreshedBy,
	}
	path := "/oauth2/v1/token"
	fields := clientFields(g.GrantType, g.ClientID, g.ClientSecret) // without grant_type, Equinix takes the request for a password grant
	switch g.GrantType {
	case Password:
		fields["user_name"], fields["user_password"] = g.UserName, g.UserPassword.Reveal()
		if g.PasswordEncoding != "" {
			fields["password_encoding"] = g.PasswordEncoding
		}
		if g.PasswordEncoding == MD5Base64 && !isMD5Base64(g.UserPassword) {
			err := r.invalid("user_password is not the base64 of an MD5 digest, as password_encoding says")
			err.Hint = PlainPassword
			return nil, err
		}
		r.user = []Secret{NewSecret(g.UserName), g.UserPassword}
		r.secrets = append(r.secrets, g.UserPassword)
		r.sendOnce = true
	case RefreshToken:
		path = "/oauth2/v1/refreshaccesstoken" // the documentation of this path has no grant_type
		delete(fields, "grant_type")
		r.setRefreshToken(g.RefreshToken, fields)
	}
	r.setAccept("application/json")
	r.setBody(jsonObject, fields)
	return r.toPath(g.BaseURL, "", path)
}

// tokenExchange returns the request for a token exchange. It carries no client id and no client secret. The answers are those of
// RFC 8693, and not those of the other endpoints.
func (g Equinix) tokenExchange() (*request, error) {
	const path = "/v1/token"
	r := &request{platform: "Equinix"}
	r.setAccept("application/json")
	r.setTokenExchange(g.Identity, map[string]string{"scope": g.Scope}, form)
	return r.toPath(g.STSURL, path, path)
}

// refreshedBy returns the grant that refreshes with token, or the client credentials grant if token is zero.
func (g Equinix) refreshedBy(token Secret) Grant {
	g.GrantType, g.RefreshToken = grantTypeWith(token), token
	return g
}

// isMD5Base64 reports whether a password is encoded. A plain password, or one that the user encoded twice, would cost one of
// the five attempts.
func isMD5Base64(password Secret) bool {
	text := password.Reveal()
	digest, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && len(digest) == md5.Size && len(text) == base64.StdEncoding.EncodedLen(md5.Size) // the decoder skips line breaks
}
