// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"time"
)

// CloudLX is a grant of the CloudLX API (Epsilon, today Infiny). The platform issues a refresh token with every access
// token. A refresh may revoke the old access token at once, as the server software does by default.
type CloudLX struct {
	// BaseURL is the portal's URL, with or without /api.
	BaseURL string
	// APIVersion is the API version in the Accept header. If it is empty, it is v1.
	APIVersion string
	// GrantType is ClientCredentials or RefreshToken.
	GrantType string
	// ClientID and ClientSecret are created in the portal's section "API Applications".
	ClientID     string
	ClientSecret Secret
	// RefreshToken is used only with the refresh token grant.
	RefreshToken Secret
}

// cloudLXRefreshLifetime is the lifetime of a refresh token ("Authorisation" in the API's documentation). The answer
// does not name it.
const cloudLXRefreshLifetime = 604800 * time.Second

var apiVersion = lazily(`^v[0-9]{1,4}(\.[0-9]{1,4})*$`)

// CloudLXGrantTypes are the grant types of a CloudLX grant.
var CloudLXGrantTypes = []string{ClientCredentials, RefreshToken}

// CheckAPIVersion checks an API version.
func CheckAPIVersion(version Secret) string {
	if apiVersion().MatchString(version.Reveal()) {
		return ""
	}
	return `is not a version such as "v1"`
}

func (g CloudLX) request() (*request, error) {
	r := &request{
		platform:   "CloudLX",
		credential: []Secret{NewSecret(g.ClientID), g.ClientSecret},
		secrets:    []Secret{g.ClientSecret},
		deviations: deviations{refreshLasts: cloudLXRefreshLifetime},
		refresh:    g.refreshedBy,
	}
	fields, path := clientFields(g.GrantType, g.ClientID, g.ClientSecret), "/api/oauth2/access-token"
	if g.GrantType == RefreshToken {
		path = "/api/oauth2/refresh-token"
		r.setRefreshToken(g.RefreshToken, fields)
	}
	r.setAccept("application/vnd.cloudlx." + cmp.Or(g.APIVersion, "v1") + "+json")
	r.setBody(form, fields)
	return r.toPath(g.BaseURL, "/api", path) // the vendor's pages and other sources name portals with and without /api
}

// refreshedBy returns the grant that refreshes with token, or the client credentials grant if token is zero.
func (g CloudLX) refreshedBy(token Secret) Grant {
	g.GrantType, g.RefreshToken = grantTypeWith(token), token
	return g
}
