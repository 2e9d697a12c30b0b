// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"mime"
	"net/http"
	"strings"
	"time"
)

// The paths of CloudLX: "Obtaining an access token", "Obtaining an access token from a refresh token", and the list
// of services.
const (
	cloudLXTokenPath    = "/api/oauth2/access-token"
	cloudLXRefreshPath  = "/api/oauth2/refresh-token"
	cloudLXServicesPath = "/api/services"
)

// cloudLXVersion is the media type of "API Versioning".
const cloudLXVersion = "application/vnd.cloudlx.v1+json"

// cloudLXTokenLength is the length of the tokens, ids and secrets in "Obtaining an access token".
const cloudLXTokenLength = 40

// cloudLX behaves like a Laravel application with the PHP League's OAuth 2.0 server, which is what the platform's errors,
// versions and tokens suggest. The errors of the framework and of that server have different shapes.
type cloudLX struct{ *Platform }

// cloudLXToken is the answer of "Obtaining an access token". It does not say when the refresh token expires.
type cloudLXToken struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token"`
}

// cloudLXError is an error of the framework.
type cloudLXError struct {
	Message    string `json:"message"`
	StatusCode int    `json:"status_code"`
}

// cloudLXTokenError is an error of the OAuth 2.0 server (RFC 6749, section 5.2).
type cloudLXTokenError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

type cloudLXServices struct {
	Services []cloudLXService `json:"services"`
}

type cloudLXService struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
}

func newCloudLX(now func() time.Time) *Platform {
	p := &Platform{
		name:      "CloudLX",
		apiPath:   cloudLXServicesPath,
		variables: variables{url: "CLOUDLX_BASE_URL", clientID: "CLOUDLX_CLIENT_ID", clientSecret: "CLOUDLX_CLIENT_SECRET"},
		now:       now,
		// "access tokens expire after 3600 seconds", "Refresh tokens expire after 604800 seconds (7 days)".
		ledger: newLedger(now, time.Hour, 7*24*time.Hour),
		account: Credentials{
			ClientID:     randomString(cloudLXTokenLength),
			ClientSecret: randomSecret(cloudLXTokenLength),
		},
	}
	p.service = &cloudLX{p}
	return p
}

func (lx *cloudLX) grant(q request) string { return q.grantType() }

func (lx *cloudLX) answer(q request) answer {
	switch q.URL.EscapedPath() {
	case cloudLXTokenPath:
		return route(q, http.MethodPost, lx.accessToken, cloudLXRefusal(http.StatusMethodNotAllowed))
	case cloudLXRefreshPath:
		return route(q, http.MethodPost, lx.refreshToken, cloudLXRefusal(http.StatusMethodNotAllowed))
	case cloudLXServicesPath:
		return route(q, http.MethodGet, lx.services, cloudLXRefusal(http.StatusMethodNotAllowed))
	}
	return cloudLXRefusal(http.StatusNotFound)
}

// accessToken implements "Obtaining an access token".
func (lx *cloudLX) accessToken(q request) answer {
	return lx.authorize(q, grantClientCredentials, func(parameters) answer { return lx.issue(&family{}) })
}

// refreshToken implements "Obtaining an access token from a refresh token". By default, the server rotates the refresh token
// and revokes the old access token at once.
func (lx *cloudLX) refreshToken(q request) answer {
	return lx.authorize(q, grantRefreshToken, func(sent parameters) answer {
		family := lx.ledger.spend(sent["refresh_token"])
		if family == nil {
			return cloudLXTokenRefusal(http.StatusBadRequest, "invalid_grant", "The refresh token is invalid.").reject()
		}
		family.revoke()
		return lx.issue(family)
	}, "refresh_token")
}

// authorize checks a token request, and calls next if the request is valid. Each endpoint accepts one grant, with the
// parameters in further. The order of the checks is that of the software: version, grant, client.
func (lx *cloudLX) authorize(q request, grant string, next func(parameters) answer, further ...string) answer {
	if !cloudLXAccepts(q, cloudLXVersion) {
		return cloudLXRefusal(http.StatusNotAcceptable)
	}
	// The software treats a body that is neither a form nor JSON as one without parameters.
	sent, err := q.parameters()
	if err != nil || q.queries() || !sent.has("grant_type") {
		return cloudLXInvalidRequest()
	}
	if sent["grant_type"] != grant {
		return cloudLXTokenRefusal(http.StatusBadRequest, "unsupported_grant_type",
			"The authorization grant type is not supported by the authorization server.")
	}
	if q.authenticates() {
		return cloudLXInvalidClient().with("WWW-Authenticate", `Basic realm="OAuth"`)
	}
	names := append([]string{"grant_type", "client_id", "client_secret"}, further...)
	if !sent.has(names...) || !sent.only(names...) {
		return cloudLXInvalidRequest()
	}
	if !lx.isClient(sent) {
		return cloudLXInvalidClient()
	}
	return next(sent)
}

func (lx *cloudLX) issue(f *family) answer {
	body := cloudLXToken{
		AccessToken:  randomString(cloudLXTokenLength),
		TokenType:    "Bearer",
		ExpiresIn:    int64(lx.ledger.accessLifetime / time.Second),
		RefreshToken: randomString(cloudLXTokenLength),
	}
	lx.ledger.issueAccess(body.AccessToken, f)
	lx.ledger.issueRefresh(body.RefreshToken, f)
	return cloudLXAnswer(http.StatusOK, body)
}

// services does not require the version: "You can request endpoints of the API specifying the Accept: header".
func (lx *cloudLX) services(q request) answer {
	if !cloudLXAccepts(q, "", "*/*", "application/json", cloudLXVersion) {
		return cloudLXRefusal(http.StatusNotAcceptable)
	}
	if challenge := lx.challenge(q); challenge != "" {
		return cloudLXRefusal(http.StatusUnauthorized).with("WWW-Authenticate", challenge).reject()
	}
	return cloudLXAnswer(http.StatusOK, cloudLXServices{
		Services: []cloudLXService{{ID: 1, Name: "Test Service", Status: "Active"}},
	})
}

// cloudLXAccepts reports whether the Accept header lists one of the media types. "" matches a missing header.
func cloudLXAccepts(q request, mediaTypes ...string) bool {
	for item := range strings.SplitSeq(strings.Join(q.Header.Values("Accept"), ","), ",") {
		item, _, _ = mime.ParseMediaType(item)
		for _, mediaType := range mediaTypes {
			if item == mediaType {
				return true
			}
		}
	}
	return false
}

func cloudLXRefusal(status int) answer {
	return cloudLXAnswer(status, cloudLXError{Message: http.StatusText(status), StatusCode: status})
}

func cloudLXInvalidRequest() answer {
	return cloudLXTokenRefusal(http.StatusBadRequest, "invalid_request",
		"The request is missing a required parameter, includes an invalid parameter value, "+
			"includes a parameter more than once, or is otherwise malformed.")
}

func cloudLXInvalidClient() answer {
	return cloudLXTokenRefusal(http.StatusUnauthorized, "invalid_client", "Client authentication failed.").reject()
}

func cloudLXTokenRefusal(status int, code, description string) answer {
	a := cloudLXAnswer(status, cloudLXTokenError{Error: code, Description: description})
	a.code = code
	return a
}

func cloudLXAnswer(status int, body any) answer {
	return answer{status: status, body: body, header: map[string]string{
		"Content-Type":  "application/json",
		"Cache-Control": "no-store",
		"Pragma":        "no-cache",
	}}
}
