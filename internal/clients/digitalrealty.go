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
	var check checks
	base := check.url("base_url", g.BaseURL)
	fields := map[string]string{
		"grant_type":    ClientCredentials,
		"client_id":     check.text("client_id", g.ClientID),
		"client_secret": check.secret("client_secret", g.ClientSecret),
	}
	r := &request{
		platform:   "Digital Realty",
		credential: []Secret{NewSecret(g.ClientID), g.ClientSecret},
		secrets:    []Secret{g.ClientSecret},
	}
	if err := check.err(r.platform); err != nil {
		return nil, err
	}
	r.endpoint = endpoint(base, path, path) // the documentation prints the URL with the path
	r.accepts("application/json")
	r.sends(form, fields)
	return r, nil
}
