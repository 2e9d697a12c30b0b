// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

// Interxion is the client credentials grant of Interxion's IX-API (today Digital Realty). The server is an
// IdentityServer. The request is form-encoded, and every failure is a 400 with an RFC 6749 error code.
type Interxion struct {
	// LoginURL is the URL that Interxion sends by e-mail, with or without /connect/token.
	LoginURL string
	// ClientID and ClientSecret are the values that Interxion sends in two further e-mails.
	ClientID     string
	ClientSecret Secret
	// Scope holds the scopes to ask for, separated by blanks (RFC 6749, section 3.3); empty: all scopes that the client
	// may have.
	Scope string
}

func (g Interxion) request() (*request, error) {
	const path = "/connect/token"
	var check checks
	base := check.url("login_url", g.LoginURL)
	fields := map[string]string{
		"grant_type":    ClientCredentials,
		"client_id":     check.text("client_id", g.ClientID),
		"client_secret": check.secret("client_secret", g.ClientSecret),
	}
	if g.Scope != "" {
		fields["scope"] = check.text("scopes", g.Scope)
	}
	r := &request{
		platform:   "Interxion",
		credential: []Secret{NewSecret(g.ClientID), g.ClientSecret},
		secrets:    []Secret{g.ClientSecret},
	}
	if err := check.err(r.platform); err != nil {
		return nil, err
	}
	r.endpoint = endpoint(base, path, path) // the vendor's pages show the login URL with and without path
	r.accepts("application/json")
	r.sends(form, fields)
	return r, nil
}
