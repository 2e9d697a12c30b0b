// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base64"
	"regexp"
)

// Equinix is a grant of Equinix's OAuth 2.0 API: JSON in both directions, lifetimes as strings under names of its own
// (token_timeout), and an account that is locked after five failed attempts.
type Equinix struct {
	// BaseURL is that of the API, such as https://api.equinix.com.
	BaseURL string
	// GrantType is ClientCredentials, Password or RefreshToken.
	GrantType string
	// ClientID and ClientSecret are the app's consumer key and consumer secret.
	ClientID     string
	ClientSecret Secret
	// UserName and UserPassword are for the password grant alone, which Equinix retired.
	UserName     string
	UserPassword Secret
	// PasswordEncoding says how UserPassword is encoded already: empty (not at all) or md5-b64.
	PasswordEncoding string
	// RefreshToken is for the refresh token grant alone.
	RefreshToken Secret
}

// MD5Base64 is the only password encoding that Equinix documents.
const MD5Base64 = "md5-b64"

// equinixHabits are from the API's documentation, "Requesting Access and Refresh tokens", and from answers that other
// clients' tests record. The codes of a rejected login begin with an S ("S1006", Login Failure). Those that begin with
// EQ or IC belong to the APIs behind the gateway, which document some as "try again later". A rejected login may come
// with the status 500.
var equinixHabits = habits{
	lifetime: "token_timeout", refreshLifetime: "refresh_token_timeout", userName: "user_name",
	rejection:      regexp.MustCompile(`^[Ss][0-9]+$`),
	outage:         regexp.MustCompile(`^(EQ|IC)-`),
	rejectsWith500: true,
}

// EquinixGrantTypes are those that an Equinix grant can have.
var EquinixGrantTypes = []string{ClientCredentials, Password, RefreshToken}

func (g Equinix) request() (request, error) {
	var check checks
	base, path := check.url("base_url", g.BaseURL), "/oauth2/v1/token"
	fields := map[string]string{
		"client_id":     check.text("client_id", g.ClientID),
		"client_secret": check.secret("client_secret", g.ClientSecret),
	}
	r := request{
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
		r.credential = append(r.credential, NewSecret(g.UserName), g.UserPassword)
		r.secrets = append(r.secrets, g.UserPassword)
		r.sendOnce = true
	case RefreshToken:
		path = "/oauth2/v1/refreshaccesstoken" // its documentation names no grant_type
		fields["refresh_token"] = check.secret("previous_refresh_token", g.RefreshToken)
		r.secrets = append(r.secrets, g.RefreshToken)
		r.refreshToken = g.RefreshToken
		r.sendOnce = true
		r.fallback = Equinix{BaseURL: g.BaseURL, GrantType: ClientCredentials, ClientID: g.ClientID, ClientSecret: g.ClientSecret}
	}
	if err := check.err(r.platform); err != nil {
		return request{}, err
	}
	r.endpoint = endpoint(base, "", path)
	r.accepts("application/json")
	r.sends(jsonObject(fields))
	if g.GrantType == Password {
		delete(fields, "user_password")
		_, r.impersonal = jsonObject(fields)
	}
	return r, nil
}

// refreshedBy is the grant that uses a refresh token of this one.
func (g Equinix) refreshedBy(token Secret) Grant {
	return Equinix{BaseURL: g.BaseURL, GrantType: RefreshToken, ClientID: g.ClientID, ClientSecret: g.ClientSecret, RefreshToken: token}
}

// checkMD5Base64 is the check of a password that is encoded already. It keeps a plain password, or one encoded twice,
// from costing one of the five attempts. One that is not set is not looked at.
func checkMD5Base64(password Secret) string {
	text := password.Reveal()
	digest, err := base64.StdEncoding.Strict().DecodeString(text)
	// The decoder skips line breaks, so the text's own length counts too.
	if text != "" && (err != nil || len(digest) != 16 || len(text) != 24) {
		return "is not the base64 of an MD5 digest, as password_encoding says; provider::ixtoken::md5_b64 encodes a password"
	}
	return ""
}
