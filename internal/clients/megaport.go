// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"encoding/base64"
	"strings"
)

// Megaport is the client credentials grant of Megaport's API ("Creating an API Key" in its documentation). The credentials are in
// the Authorization header.
type Megaport struct {
	// Environment is one of MegaportEnvironments. TokenURL replaces it.
	Environment string
	// TokenURL is the URL of a token endpoint. If it is empty, it is that of Environment.
	TokenURL string
	// AccessKey and SecretKey come from Megaport's portal.
	AccessKey string
	SecretKey Secret
}

// MegaportEnvironments are the environments, by the names that Megaport's own tools use.
var MegaportEnvironments = []string{"production", "staging", "development"}

// megaportTokenURLs are the token endpoints in Megaport's documentation and in its own client (megaportgo).
var megaportTokenURLs = map[string]string{
	"production":  "https://auth-m2m.megaport.com/oauth2/token",
	"staging":     "https://auth-m2m-staging.megaport.com/oauth2/token",
	"development": "https://auth-m2m-mpone-dev.megaport.com/oauth2/token",
}

// CheckAccessKey checks the user-id of HTTP Basic. It must not contain a colon (RFC 7617, section 2). Two different pairs
// of key and secret could otherwise give the same header, and share a token.
func CheckAccessKey(value Secret) string {
	if strings.Contains(value.Reveal(), ":") {
		return "has a colon, which a key must not have"
	}
	return CheckText(value)
}

func (g Megaport) request() (*request, error) {
	r := &request{
		platform:   "Megaport",
		credential: []Secret{NewSecret(g.AccessKey), g.SecretKey},
		secrets:    []Secret{g.SecretKey},
	}
	if wrong := CheckAccessKey(NewSecret(g.AccessKey)); wrong != "" {
		return nil, r.invalid("access_key " + wrong)
	}
	// RFC 6749, section 2.3.1, would URL-encode both parts first. Megaport and its own tools take them as they are. The
	// two ways differ for keys with reserved characters.
	r.addHeader("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(g.AccessKey+":"+g.SecretKey.Reveal())))
	r.setAccept("application/json")
	r.setBody(form, map[string]string{"grant_type": ClientCredentials}) // Megaport's own client has it in the query
	return r.toPath(cmp.Or(g.TokenURL, megaportTokenURLs[g.Environment]), "", "")
}
