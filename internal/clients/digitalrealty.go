// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

// DigitalRealty is the client credentials grant of Digital Realty's API. In the answer, token_type is BearerToken and
// expires_in is a string ("Authentication" in the API's documentation).
type DigitalRealty struct {
	// BaseURL is the API's URL, such as https://api.digitalrealty.com, with or without /v2/auth/token.
	BaseURL string
	// ClientID and ClientSecret come from Digital Realty's developer portal.
	ClientID     string
	ClientSecret Secret
}

func (g DigitalRealty) request() (*request, error) {
	const path = "/v2/auth/token"
	r := &request{
		platform:   "Digital Realty",
		credential: []Secret{NewSecret(g.ClientID), g.ClientSecret},
		secrets:    []Secret{g.ClientSecret},
	}
	r.setAccept("application/json")
	r.setBody(form, clientFields(ClientCredentials, g.ClientID, g.ClientSecret))
	return r.toPath(g.BaseURL, path, path) // the documentation prints the URL with the path
}
