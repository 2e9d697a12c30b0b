// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// The paths of Equinix: two of "Requesting Access and Refresh tokens", and Fabric's list of ports.
const (
	equinixTokenPath   = "/oauth2/v1/token"
	equinixRefreshPath = "/oauth2/v1/refreshaccesstoken"
	equinixPortsPath   = "/fabric/v4/ports"
	equinixSTSPath     = "/v1/token" // on a host of its own: "Workload Identity Federation"
)

// equinixAttempts is how many failed attempts lock an account. The OpenAPI document of the access token API says: "The user
// account will get locked after 5 successive invalid attempts".
const equinixAttempts = 5

// equinixLoginFailure is the only error code of the token API that is known. It is in the tests of Equinix's own client. The
// simulator answers it to every rejected login and refresh token, and invents no other code.
const equinixLoginFailure = "S1006"

// equinixTokenLength is the length of the tokens in "Requesting Access and Refresh tokens".
const equinixTokenLength = 20

type equinix struct{ *Platform }

// equinixToken is the answer in "Requesting Access and Refresh tokens". Lifetimes are strings, and there is no expires_in.
type equinixToken struct {
	AccessToken         string `json:"access_token"`
	TokenTimeout        string `json:"token_timeout"` // seconds
	UserName            string `json:"user_name"`
	TokenType           string `json:"token_type"`
	RefreshToken        string `json:"refresh_token,omitempty"`
	RefreshTokenTimeout string `json:"refresh_token_timeout,omitempty"` // seconds
}

// equinixLoginError is the error that the tests of Equinix's own client have recorded, with status 500.
type equinixLoginError struct {
	Domain           string `json:"errorDomain"`
	Title            string `json:"errorTitle"`
	Code             string `json:"errorCode"`
	DeveloperMessage string `json:"developerMessage"`
	Message          string `json:"errorMessage"`
}

// equinixTokenError is the error of the OpenAPI document (Oauth2TokenErrorResponse), with status 400.
type equinixTokenError struct {
	Domain           string `json:"error_domain"`
	Title            string `json:"error_title"`
	Code             string `json:"error_code"`
	DeveloperMessage string `json:"developer_message"`
	Message          string `json:"error_message"`
}

// equinixAPIError is an item of the list with which Equinix's other APIs answer an error.
type equinixAPIError struct {
	Code    string `json:"errorCode"`
	Message string `json:"errorMessage"`
}

type equinixPorts struct {
	Pagination equinixPagination `json:"pagination"`
	Data       []equinixPort     `json:"data"`
}

type equinixPagination struct {
	Offset int `json:"offset"`
	Limit  int `json:"limit"`
	Total  int `json:"total"`
}

type equinixPort struct {
	Type  string `json:"type"`
	UUID  string `json:"uuid"`
	Name  string `json:"name"`
	State string `json:"state"`
}

// EquinixPort is the UUID of the only Fabric port that Equinix's API shows.
const EquinixPort = "c4d85dbe-f965-9659-f7e0-306a5c00af26"

var equinixTestPort = equinixPort{
	Type:  "XF_PORT",
	UUID:  EquinixPort,
	Name:  "Test-Port-1",
	State: "ACTIVE",
}

func newEquinix(now func() time.Time) *Platform {
	p := &Platform{
		name:    "Equinix",
		apiPath: equinixPortsPath,
		variables: variables{
			url: "EQUINIX_API_ENDPOINT", clientID: "EQUINIX_API_CLIENTID", clientSecret: "EQUINIX_API_CLIENTSECRET",
			userName: "EQUINIX_USER_NAME", userPassword: "EQUINIX_USER_PASSWORD", sts: "EQUINIX_STS_ENDPOINT",
		},
		now: now,
		// "3600" and "5184000" seconds.
		ledger: newLedger(now, time.Hour, 60*24*time.Hour),
		account: Credentials{
			ClientID:     randomString(32),
			ClientSecret: randomSecret(32),
			UserName:     "api+" + randomString(6) + "@example.com",
			UserPassword: randomSecret(24),
		},
	}
	p.service = &equinix{p}
	return p
}

// grant returns the grant type of a request. The default is password: "If the grant_type is not passed, by default it would consider password".
func (eq *equinix) grant(q request) string {
	switch q.URL.EscapedPath() {
	case equinixRefreshPath:
		return grantRefreshToken
	case equinixSTSPath:
		return q.grantType()
	case equinixTokenPath:
		sent, err := q.parameters()
		if err == nil && sent["grant_type"] == "" {
			return grantPassword
		}
		return sent["grant_type"]
	}
	return ""
}

func (eq *equinix) answer(q request) answer {
	switch q.URL.EscapedPath() {
	case equinixTokenPath:
		return route(q, http.MethodPost, eq.token, equinixRefusal(http.StatusMethodNotAllowed))
	case equinixSTSPath:
		return route(q, http.MethodPost, eq.sts, answer{status: http.StatusMethodNotAllowed})
	case equinixRefreshPath:
		return route(q, http.MethodPost, eq.refresh, equinixRefusal(http.StatusMethodNotAllowed))
	case equinixPortsPath:
		return eq.protect(q, equinixPorts{Pagination: equinixPagination{Limit: 20, Total: 1}, Data: []equinixPort{equinixTestPort}})
	case equinixPortsPath + "/" + equinixTestPort.UUID:
		return eq.protect(q, equinixTestPort)
	}
	return equinixRefusal(http.StatusNotFound)
}

// token answers a request for a token, as "Access Token Flow" says.
func (eq *equinix) token(q request) answer {
	// No page names HTTP Basic. A client that tries it first loses one of its attempts.
	if q.authenticates() {
		return eq.loginFailure()
	}
	sent, status := equinixParameters(q)
	if status != http.StatusOK {
		return equinixRefusal(status)
	}
	if !equinixTokenRequest(sent) {
		return equinixRefusal(http.StatusBadRequest)
	}
	if eq.locked() {
		return equinixLockedOut()
	}
	password := sent["grant_type"] != grantClientCredentials
	if !eq.isClient(sent) || password && !eq.isUser(sent) {
		return eq.loginFailure()
	}
	eq.failures = 0
	return eq.issue(&family{}, password)
}

// equinixTokenRequest reports whether the parameters are those of the table in "Access Token Flow". For client credentials,
// user_name and user_password are optional, and Equinix ignores them. password_encoding "is only applicable to users who use
// password grant".
func equinixTokenRequest(sent parameters) bool {
	switch sent["grant_type"] {
	case grantClientCredentials:
		return sent.has("client_id", "client_secret") &&
			sent.only("grant_type", "client_id", "client_secret", "user_name", "user_password")
	case grantPassword, "":
		return sent.has("client_id", "client_secret", "user_name", "user_password") &&
			sent.only("grant_type", "client_id", "client_secret", "user_name", "user_password", "password_encoding")
	}
	return false
}

// isUser reports whether the parameters have the name and the password of the user. Any password_encoding except md5-b64 counts
// as none, as the OpenAPI document says.
func (eq *equinix) isUser(sent parameters) bool {
	password := eq.account.UserPassword
	if sent["password_encoding"] == "md5-b64" {
		// The documentation does not describe md5-b64. Its name says: base64 of the digest's 16 bytes.
		digest := md5.Sum([]byte(password))
		password = base64.StdEncoding.EncodeToString(digest[:])
	}
	return sent["user_name"] == eq.account.UserName && sent["user_password"] == password
}

// refresh answers a request with a refresh token, as "Refresh Token Flow" says. The documentation names the lock only at the
// token endpoint. So a rejected refresh is no failed attempt, but a locked account gets no token here.
func (eq *equinix) refresh(q request) answer {
	if q.authenticates() {
		return equinixRefreshFailure()
	}
	sent, status := equinixParameters(q)
	if status != http.StatusOK {
		return equinixRefusal(status)
	}
	names := []string{"client_id", "client_secret", "refresh_token"}
	if !sent.has(names...) || !sent.only(names...) {
		return equinixRefusal(http.StatusBadRequest)
	}
	if eq.locked() {
		return equinixLockedOut()
	}
	if !eq.isClient(sent) {
		return equinixRefreshFailure()
	}
	family := eq.ledger.spend(sent["refresh_token"])
	if family == nil {
		return equinixRefreshFailure()
	}
	return eq.issue(family, true)
}

// sts answers a token exchange. The scopes are in "Workload Identity Federation": a request asks for the scope of one
// organization or project.
func (eq *equinix) sts(q request) answer {
	sent, err := q.parameters()
	switch {
	case err != nil || q.authenticates() || q.mediaType() != formType || q.queries() || sent["grant_type"] != grantTokenExchange || !sent.only("grant_type", "scope", "subject_token", "subject_token_type"):
		return oauth2Refusal("invalid_request", "The request is not that of a token exchange.")
	case !equinixScope.MatchString(sent["scope"]):
		return oauth2Refusal("invalid_scope", "There is no such scope.")
	}
	return eq.exchange(sent, func() string {
		token := randomString(equinixTokenLength)
		eq.ledger.issueAccess(token, &family{})
		return token
	})
}

var equinixScope = regexp.MustCompile(`^(ern:|roleassignments:|projectpolicies:|orgpolicies:)\S+( (ern:|roleassignments:|projectpolicies:|orgpolicies:)\S+)?$`)

// equinixParameters returns the parameters of a request to either endpoint, or the status that refuses the request.
func equinixParameters(q request) (sent parameters, status int) {
	if q.mediaType() != jsonType {
		return nil, http.StatusUnsupportedMediaType
	}
	sent, err := q.parameters()
	if err != nil || q.queries() {
		return nil, http.StatusBadRequest
	}
	return sent, http.StatusOK
}

// issue returns a token. It adds a refresh token for the password grant and for each refresh of its token: "Refresh token
// details will only be sent to customers that use password grant."
func (eq *equinix) issue(f *family, refreshable bool) answer {
	body := equinixToken{
		AccessToken:  randomString(equinixTokenLength),
		TokenTimeout: equinixSeconds(eq.ledger.accessLifetime),
		UserName:     eq.account.UserName,
		TokenType:    "Bearer",
	}
	eq.ledger.issueAccess(body.AccessToken, f)
	if refreshable {
		body.RefreshToken = randomString(equinixTokenLength)
		body.RefreshTokenTimeout = equinixSeconds(eq.ledger.refreshLifetime)
		eq.ledger.issueRefresh(body.RefreshToken, f)
	}
	return equinixAnswer(http.StatusOK, body)
}

func equinixSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// protect answers a GET with the body if the request carries an access token.
func (eq *equinix) protect(q request, body any) answer {
	return route(q, http.MethodGet, func(request) answer {
		if challenge := eq.challenge(q); challenge != "" {
			return equinixRefusal(http.StatusUnauthorized).with("WWW-Authenticate", challenge).reject()
		}
		return equinixAnswer(http.StatusOK, body)
	}, equinixRefusal(http.StatusMethodNotAllowed))
}

// locked reports whether the account has had too many successive invalid attempts.
func (p *Platform) locked() bool { return p.failures >= equinixAttempts }

// loginFailure counts a failed attempt. It answers with status 500, as the tests of Equinix's own client have recorded.
func (eq *equinix) loginFailure() answer {
	if eq.locked() {
		return equinixLockedOut()
	}
	eq.failures++
	return equinixLoginRefusal("Login Failure", "Login Failure, please try again")
}

// equinixLockedOut is the same error with another title, because the documentation does not say how Equinix words it.
func equinixLockedOut() answer {
	return equinixLoginRefusal("Account Locked", "Account locked after successive invalid attempts")
}

func equinixLoginRefusal(title, message string) answer {
	a := equinixAnswer(http.StatusInternalServerError, equinixLoginError{
		Domain:           "apps",
		Title:            title,
		Code:             equinixLoginFailure,
		DeveloperMessage: message,
		Message:          message + ".",
	})
	a.code = equinixLoginFailure
	return a.reject()
}

// equinixRefreshFailure is the only error that the OpenAPI document has for the refresh of a token.
func equinixRefreshFailure() answer {
	message := "Please enter valid client id/client secret/refresh token and try again."
	return equinixTokenRefusal(equinixLoginFailure, "Login Failure", message).reject()
}

// equinixRefusal refuses a request that is no login. Status 400 has the shape in the OpenAPI document of the token API. The
// other statuses have the shape of Equinix's other APIs, whose pages give the status as the code.
func equinixRefusal(status int) answer {
	code, text := strconv.Itoa(status), http.StatusText(status)
	if status == http.StatusBadRequest {
		return equinixTokenRefusal(code, text, "Invalid request payload.")
	}
	a := equinixAnswer(status, []equinixAPIError{{Code: code, Message: text}})
	a.code = code
	return a
}

func equinixTokenRefusal(code, title, message string) answer {
	a := equinixAnswer(http.StatusBadRequest, equinixTokenError{
		Domain:           "apps",
		Title:            title,
		Code:             code,
		DeveloperMessage: message,
		Message:          message,
	})
	a.code = code
	return a
}

func equinixAnswer(status int, body any) answer {
	return answer{status: status, body: body, header: map[string]string{
		"Content-Type":  "application/json;charset=UTF-8",
		"Cache-Control": "no-store",
		"Pragma":        "no-cache",
	}}
}
