// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"net/http"
	"strconv"
	"time"
)

// The paths of Digital Realty's API: "Authentication" (AccessToken-v2), and "Get site information" (Sites-v1). The API also
// takes the headers Master-Account-Id and Account-Id. They name accounts and are no credentials, so the simulator ignores
// them.
const (
	digitalRealtyTokenPath = "/v2/auth/token"
	digitalRealtySitesPath = "/v1/sites"
)

// digitalRealty answers as in "Authentication". The documentation shows no errors. The answers have the shape of those of an
// Apigee gateway, so the errors are those of Apigee's OAuthV2 policy.
type digitalRealty struct{ *Platform }

// digitalRealtyToken is the answer of "Authentication": a JSON Web Token, and its lifetime as a string.
type digitalRealtyToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   string `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
}

// digitalRealtyError is an error of Apigee's OAuthV2 policy.
type digitalRealtyError struct {
	Code  string `json:"ErrorCode"`
	Error string `json:"Error"`
}

type digitalRealtySite struct {
	Site    string `json:"site"`
	Metro   string `json:"metro"`
	Country string `json:"country"`
}

// newDigitalRealty returns the platform. Its tokens last "3599" seconds, as in "Authentication".
func newDigitalRealty(now func() time.Time) *Platform {
	p := &Platform{
		name:      "Digital Realty",
		apiPath:   digitalRealtySitesPath,
		variables: variables{url: "DIGITALREALTY_BASE_URL", clientID: "DIGITALREALTY_CLIENT_ID", clientSecret: "DIGITALREALTY_CLIENT_SECRET"},
		now:       now,
		ledger:    newLedger(now, 3599*time.Second, 0),
		account:   Credentials{ClientID: randomString(32), ClientSecret: randomSecret(40)},
	}
	p.service = &digitalRealty{p}
	return p
}

func (dr *digitalRealty) grant(q request) string { return q.grantType() }

func (dr *digitalRealty) answer(q request) answer {
	refusal := digitalRealtyRefusal(http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed")
	switch q.URL.EscapedPath() {
	case digitalRealtyTokenPath:
		return route(q, http.MethodPost, dr.token, refusal)
	case digitalRealtySitesPath:
		return route(q, http.MethodGet, dr.sites, refusal)
	}
	return digitalRealtyRefusal(http.StatusNotFound, "not_found", "No such resource")
}

// token implements "Authentication": a form with exactly these three parameters.
func (dr *digitalRealty) token(q request) answer {
	sent, err := q.parameters()
	switch {
	case err != nil || q.mediaType() != formType || q.queries() || q.authenticates() || !sent.only("grant_type", "client_id", "client_secret"):
		return digitalRealtyRefusal(http.StatusBadRequest, "invalid_request", "The request is not valid")
	case sent["grant_type"] == "":
		return digitalRealtyRefusal(http.StatusBadRequest, "invalid_request", "Required param : grant_type")
	case sent["grant_type"] != grantClientCredentials:
		return digitalRealtyRefusal(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant type")
	case !dr.isClient(sent):
		return digitalRealtyRefusal(http.StatusUnauthorized, "invalid_client", "ClientId is Invalid").reject()
	}
	return dr.issue()
}

func (dr *digitalRealty) issue() answer {
	const scope = "playground_api"
	now := dr.now()
	value, err := signed(claims{
		Issuer: dr.URL(), NotBefore: now.Unix(), IssuedAt: now.Unix(), Expires: now.Add(dr.ledger.accessLifetime).Unix(),
		Audience: "playground", Scope: []string{scope}, ClientID: dr.account.ClientID, ID: randomString(32),
	})
	if err != nil {
		return digitalRealtyRefusal(http.StatusInternalServerError, "server_error", "Internal error")
	}
	dr.ledger.issueAccess(value, &family{})
	return digitalRealtyAnswer(http.StatusOK, digitalRealtyToken{
		AccessToken: value,
		TokenType:   "BearerToken",
		ExpiresIn:   strconv.FormatInt(int64(dr.ledger.accessLifetime/time.Second), 10),
		Scope:       scope,
	})
}

func (dr *digitalRealty) sites(q request) answer {
	if challenge := dr.challenge(q); challenge != "" {
		return digitalRealtyRefusal(http.StatusUnauthorized, "invalid_token", "Invalid access token").with("WWW-Authenticate", challenge).reject()
	}
	return digitalRealtyAnswer(http.StatusOK, []digitalRealtySite{{"DFW010", "Dallas", "United States"}})
}

func digitalRealtyRefusal(status int, code, description string) answer {
	a := digitalRealtyAnswer(status, digitalRealtyError{code, description})
	a.code = code
	return a
}

func digitalRealtyAnswer(status int, body any) answer {
	return answer{status: status, body: body, header: map[string]string{
		"Content-Type":  "application/json",
		"Cache-Control": "no-store",
		"Pragma":        "no-cache",
	}}
}
