// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

// Interxion is the client credentials grant of Interxion's IX-API (today Digital Realty), whose server is an
// IdentityServer: the request is form-encoded, and every failure is a 400 with an RFC 6749 error code.
type Interxion struct {
	// LoginURL is what Interxion sends by e-mail, with or without /connect/token.
	LoginURL string
	// ClientID and ClientSecret are what Interxion sends in two further e-mails.
	ClientID     string
	ClientSecret Secret
	// Scope is the scopes to ask for, separated by blanks (RFC 6749, section 3.3); empty: all that the client may have.
	Scope string
}

func (g Interxion) call() (call, error) {
	const platform = "Interxion"
	if err := required(platform, plain("login_url", g.LoginURL), plain("client_id", g.ClientID), secret("client_secret", g.ClientSecret)); err != nil {
		return call{}, err
	}
	if fault := checkInput(plain("scopes", g.Scope)); fault != "" {
		return call{}, invalidInput(platform, "scopes "+fault)
	}
	base, err := ParseURL(g.LoginURL)
	if err != nil {
		return call{}, invalidInput(platform, "login_url: "+err.Error())
	}
	fields := map[string]string{
		"grant_type":    ClientCredentials,
		"client_id":     g.ClientID,
		"client_secret": g.ClientSecret.Reveal(),
	}
	if g.Scope != "" {
		fields["scope"] = g.Scope
	}
	contentType, body := form(fields)
	return call{
		platform:    platform,
		endpoint:    endpoint(base, "/connect/token", "/connect/token"), // the vendor's own pages print both forms
		accept:      "application/json",
		contentType: contentType,
		body:        NewSecret(body),
		credential:  []Secret{NewSecret(g.ClientID), g.ClientSecret},
		secrets:     []Secret{g.ClientSecret},
	}, nil
}
