// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

// IXAPI is the login of an internet exchange's IX-API, version 2 (/auth/token and /auth/refresh in its specification). The answer has an access
// token and a refresh token, and names no lifetime: that of a JWT counts. Errors are problem details (RFC 9457). The
// IX-API of Interxion has another login.
type IXAPI struct {
	// BaseURL is the API's URL, such as https://ixapi.de-cix.net/api/v2.
	BaseURL string
	// APIKey and APISecret come from the exchange.
	APIKey    string
	APISecret Secret
	// RefreshToken is the refresh token to use. If it is zero, the login uses the key and the secret.
	RefreshToken Secret
}

func (g IXAPI) request() (*request, error) {
	const path, refreshPath = "/auth/token", "/auth/refresh"
	fields := map[string]string{"api_key": g.APIKey, "api_secret": g.APISecret.Reveal()}
	r := &request{
		platform:   "IX-API",
		credential: []Secret{NewSecret(g.APIKey), g.APISecret},
		secrets:    []Secret{g.APISecret},
		refresh:    g.refreshedBy,
	}
	target := path
	if !g.RefreshToken.IsZero() {
		target = refreshPath
		fields = map[string]string{}
		r.credential = []Secret{g.RefreshToken} // the key and the secret are not sent, so the answer says nothing about them
		r.setRefreshToken(g.RefreshToken, fields)
	}
	r.setAccept("application/json")
	r.setBody(jsonObject, fields)
	return r.toPath(g.BaseURL, path, target)
}

// refreshedBy returns the grant that refreshes with token, or the one that logs in if token is zero.
func (g IXAPI) refreshedBy(token Secret) Grant {
	g.RefreshToken = token
	return g
}
