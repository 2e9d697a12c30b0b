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
	// Scope holds the scopes to ask for, separated by blanks (RFC 6749, section 3.3). If it is empty, the client gets all that
	// it may have.
	Scope string
}

func (g Interxion) request() (*request, error) {
	const path = "/connect/token"
	fields := clientFields(ClientCredentials, g.ClientID, g.ClientSecret)
	if g.Scope != "" {
		fields["scope"] = g.Scope
	}
	r := &request{
		platform:   "Interxion",
		credential: []Secret{NewSecret(g.ClientID), g.ClientSecret},
		secrets:    []Secret{g.ClientSecret},
	}
	r.setAccept("application/json")
	r.setBody(form, fields)
	return r.toPath(g.LoginURL, path, path) // the vendor's pages show the login URL with and without path
}
