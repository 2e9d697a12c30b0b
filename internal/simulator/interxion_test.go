// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// interxionLogin returns the parameters of a valid token request, and further parameters.
func interxionLogin(p *simulator.Platform, further ...string) string {
	c := p.Credentials()
	return form(append([]string{
		"grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret,
	}, further...)...)
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// interxionKey returns the public key that the platform publishes.
func interxionKey(t *testing.T, p *simulator.Platform) (key *rsa.PublicKey, id string) {
	t.Helper()
	r := send(t, http.MethodGet, p.URL()+"/.well-known/openid-configuration/jwks", "", headers())
	var set struct {
		Keys []struct{ N, E, Kid string }
	}
	if err := json.Unmarshal([]byte(r.body), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("status %d: %v", r.status, err)
	}
	published := set.Keys[0]
	return &rsa.PublicKey{
		N: new(big.Int).SetBytes(decode(t, published.N)),
		E: int(new(big.Int).SetBytes(decode(t, published.E)).Int64()),
	}, published.Kid
}

func TestInterxionIssuesASignedJWT(t *testing.T) {
	clock := newClock()
	s := start(t, simulator.Options{Now: clock.Now})
	p := s.Interxion
	r := login(t, p)

	members := r.members(t)
	token := r.text(t, "access_token")
	delete(members, "access_token")
	if members["expires_in"] != 3600.0 || members["token_type"] != "Bearer" ||
		members["scope"] != simulator.InterxionScopes || len(members) != 3 {
		t.Errorf("answer %v", members)
	}

	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	key, keyID := interxionKey(t, p)
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], decode(t, parts[2])); err != nil {
		t.Error(err)
	}

	var head struct{ Alg, Kid string }
	if err := json.Unmarshal(decode(t, parts[0]), &head); err != nil || head.Alg != "RS256" || head.Kid != keyID {
		t.Errorf("header %+v, %v", head, err)
	}
	var claims struct {
		Iss           string
		Iat, Nbf, Exp int64
		Scope         []string
		ClientID      string `json:"client_id"`
	}
	if err := json.Unmarshal(decode(t, parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	now := clock.Now().Unix()
	if claims.Iat != now || claims.Nbf != now || claims.Exp != now+3600 {
		t.Errorf("times %d, %d, %d", claims.Iat, claims.Nbf, claims.Exp)
	}
	if claims.Iss != p.URL() || claims.ClientID != p.Credentials().ClientID ||
		!slices.Equal(claims.Scope, strings.Fields(simulator.InterxionScopes)) {
		t.Errorf("claims %+v", claims)
	}
}

func TestInterxionGrantsScopes(t *testing.T) {
	p := start(t, simulator.Options{}).Interxion
	tests := map[string]struct {
		asked, granted, code string
	}{
		"none":          {granted: simulator.InterxionScopes},
		"blank":         {asked: " ", granted: simulator.InterxionScopes},
		"one":           {asked: "ixapi.read", granted: "ixapi.read"},
		"repeated":      {asked: "ixapi.read ixapi.read", granted: "ixapi.read"},
		"all":           {asked: simulator.InterxionScopes, granted: simulator.InterxionScopes},
		"unknown":       {asked: "ixapi.admin", code: "invalid_scope"},
		"one unknown":   {asked: "ixapi.read ixapi.admin", code: "invalid_scope"},
		"refresh token": {asked: "ixapi.read offline_access", code: "invalid_scope"},
		"with a comma":  {asked: "ixapi.read,ixapi.write", code: "invalid_scope"},
		"too long":      {asked: strings.Repeat("ixapi.read ", 30), code: "invalid_scope"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := send(t, http.MethodPost, p.URL()+"/connect/token", interxionLogin(p, "scope", test.asked),
				headers("Content-Type", formType))
			members := r.members(t)
			if test.code != "" {
				if r.status != http.StatusBadRequest || members["error"] != test.code {
					t.Errorf("status %d, %v", r.status, members)
				}
				return
			}
			if r.status != http.StatusOK || members["scope"] != test.granted {
				t.Errorf("status %d, scope %v", r.status, members["scope"])
			}
		})
	}
}

func TestInterxionRefuses(t *testing.T) {
	p := start(t, simulator.Options{}).Interxion
	c := p.Credentials()
	object := object(t, "grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret)
	good := interxionLogin(p)
	client := func(id, secret string) string {
		return form("grant_type", "client_credentials", "client_id", id, "client_secret", secret)
	}
	grant := func(grant string) string {
		return form("grant_type", grant, "client_id", c.ClientID, "client_secret", c.ClientSecret)
	}
	tests := map[string]struct {
		method, query, contentType, authorization, body string
		code                                            string
		rejected                                        bool
	}{
		"GET":                 {method: http.MethodGet, body: good, code: "invalid_request"},
		"PUT":                 {method: http.MethodPut, body: good, code: "invalid_request"},
		"JSON":                {contentType: jsonType, body: object, code: "invalid_request"},
		"text":                {contentType: "text/plain", body: good, code: "invalid_request"},
		"multipart":           {contentType: "multipart/form-data; boundary=x", body: good, code: "invalid_request"},
		"Latin-1":             {contentType: formType + "; charset=iso-8859-1", body: good, code: "invalid_request"},
		"query":               {query: "?" + good, body: good, code: "invalid_request"},
		"empty query":         {query: "?", body: good, code: "invalid_request"},
		"broken escape":       {body: good + "&scope=%zz", code: "invalid_request"},
		"semicolon":           {body: good + ";scope=ixapi.read", code: "invalid_request"},
		"invalid UTF-8":       {body: good + "&scope=%ff", code: "invalid_request"},
		"repeated parameter":  {body: good + "&grant_type=client_credentials", code: "invalid_request"},
		"unknown parameter":   {body: interxionLogin(p, "audience", "ixapi"), code: "invalid_request"},
		"empty body":          {body: "", code: "invalid_client", rejected: true},
		"no client id":        {body: client("", c.ClientSecret), code: "invalid_client", rejected: true},
		"no secret":           {body: client(c.ClientID, ""), code: "invalid_client", rejected: true},
		"wrong client id":     {body: client(c.ClientID+"x", c.ClientSecret), code: "invalid_client", rejected: true},
		"wrong secret":        {body: client(c.ClientID, c.ClientSecret+"x"), code: "invalid_client", rejected: true},
		"long secret":         {body: client(c.ClientID, strings.Repeat("x", 101)), code: "invalid_client", rejected: true},
		"unescaped secret":    {body: "grant_type=client_credentials&client_id=x&client_secret=a+b", code: "invalid_client", rejected: true},
		"Basic":               {authorization: "Basic eDp5", body: good, code: "invalid_client", rejected: true},
		"client before grant": {body: form("grant_type", "x"), code: "invalid_client", rejected: true},
		"no grant":            {body: grant(""), code: "unsupported_grant_type"},
		"unknown grant":       {body: grant("x"), code: "unsupported_grant_type"},
		"password grant":      {body: grant("password"), code: "unauthorized_client"},
		"authorization code":  {body: grant("authorization_code"), code: "unauthorized_client"},
		"refresh token grant": {body: grant("refresh_token"), code: "invalid_request"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			header := headers("Content-Type", formType)
			if test.contentType != "" {
				header.Set("Content-Type", test.contentType)
			}
			if test.authorization != "" {
				header.Set("Authorization", test.authorization)
			}
			if test.method == "" {
				test.method = http.MethodPost
			}
			r := send(t, test.method, p.URL()+"/connect/token"+test.query, test.body, header)
			if want := `{"error":"` + test.code + `"}`; r.status != http.StatusBadRequest || strings.TrimSpace(r.body) != want {
				t.Errorf("status %d, %s; want 400, %s", r.status, r.body, want)
			}
			if got := last(p); got.Code != test.code || got.Rejected != test.rejected || got.Status != r.status {
				t.Errorf("recorded as %+v", got)
			}
		})
	}
	if issued := p.Issued(); len(issued) != 0 {
		t.Errorf("%d tokens issued", len(issued))
	}
}

func TestInterxionToleratesACharset(t *testing.T) {
	p := start(t, simulator.Options{}).Interxion
	for _, contentType := range []string{formType + "; charset=UTF-8", formType + ";charset=utf-8", "Application/X-WWW-Form-Urlencoded"} {
		r := send(t, http.MethodPost, p.URL()+"/connect/token", interxionLogin(p), headers("Content-Type", contentType))
		if r.status != http.StatusOK {
			t.Errorf("%s: status %d", contentType, r.status)
		}
	}
}

func TestInterxionTokenExpiresWithItsClaim(t *testing.T) {
	clock := newClock()
	p := start(t, simulator.Options{Now: clock.Now}).Interxion
	p.SetLifetime(30*time.Minute, 0)
	r := login(t, p)
	var claims struct{ Exp int64 }
	if err := json.Unmarshal(decode(t, strings.Split(r.text(t, "access_token"), ".")[1]), &claims); err != nil {
		t.Fatal(err)
	}
	if want := clock.Now().Add(30 * time.Minute).Unix(); claims.Exp != want {
		t.Errorf("exp %d, want %d", claims.Exp, want)
	}
}

func TestInterxionKeepsContacts(t *testing.T) {
	p := start(t, simulator.Options{}).Interxion
	authorized := headers("Authorization", "Bearer "+login(t, p).text(t, "access_token"), "Content-Type", jsonType)
	contacts := p.URL() + "/api/v2/contacts"
	want := func(r reply, status int) reply {
		t.Helper()
		if r.status != status {
			t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
		}
		return r
	}
	const body = `{"managing_account":"1","consuming_account":"1","name":"NOC"}`
	want(send(t, http.MethodPost, contacts, body, headers("Content-Type", jsonType)), http.StatusUnauthorized)
	want(send(t, http.MethodPost, contacts, `{"name":"NOC"}`, authorized), http.StatusBadRequest)
	want(send(t, http.MethodGet, contacts, "", authorized), http.StatusMethodNotAllowed)
	created := want(send(t, http.MethodPost, contacts, body, authorized), http.StatusCreated)
	contact := contacts + "/" + created.text(t, "id")
	if got := want(send(t, http.MethodGet, contact, "", authorized), http.StatusOK); got.text(t, "name") != "NOC" {
		t.Errorf("read %s", got.body)
	}
	want(send(t, http.MethodGet, contact, "", headers()), http.StatusUnauthorized)
	want(send(t, http.MethodPut, contact, body, authorized), http.StatusMethodNotAllowed)
	want(send(t, http.MethodDelete, contact, "", authorized), http.StatusOK)
	want(send(t, http.MethodGet, contact, "", authorized), http.StatusNotFound)
}
