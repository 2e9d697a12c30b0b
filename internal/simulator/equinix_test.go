// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

func equinixToken(t *testing.T, p *simulator.Platform, pairs ...string) reply {
	t.Helper()
	return send(t, http.MethodPost, p.URL()+"/oauth2/v1/token", object(t, pairs...), headers("Content-Type", jsonType))
}

func equinixRefresh(t *testing.T, p *simulator.Platform, refreshToken string) reply {
	t.Helper()
	c := p.Credentials()
	body := object(t, "client_id", c.ClientID, "client_secret", c.ClientSecret, "refresh_token", refreshToken)
	return send(t, http.MethodPost, p.URL()+"/oauth2/v1/refreshaccesstoken", body, headers("Content-Type", jsonType))
}

// equinixPassword logs in with the password grant.
func equinixPassword(t *testing.T, p *simulator.Platform, password string, further ...string) reply {
	t.Helper()
	c := p.Credentials()
	return equinixToken(t, p, append([]string{
		"grant_type", "password", "client_id", c.ClientID, "client_secret", c.ClientSecret,
		"user_name", c.UserName, "user_password", password,
	}, further...)...)
}

func wrongLogin(t *testing.T, p *simulator.Platform) reply {
	t.Helper()
	c := p.Credentials()
	return equinixToken(t, p, "grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", "wrong")
}

func TestEquinixClientCredentialsGetNoRefreshToken(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	members := login(t, p).members(t)
	if token, ok := members["access_token"].(string); !ok || len(token) != 20 {
		t.Errorf("access_token %T", members["access_token"])
	}
	delete(members, "access_token")
	if members["token_timeout"] != "3600" || members["user_name"] != p.Credentials().UserName ||
		members["token_type"] != "Bearer" || len(members) != 3 {
		t.Errorf("answer %v", members)
	}
}

func TestEquinixIgnoresTheUserOfClientCredentials(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	c := p.Credentials()
	r := equinixToken(t, p, "grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret,
		"user_name", "x", "user_password", "x")
	if r.status != http.StatusOK {
		t.Errorf("status %d", r.status)
	}
}

func TestEquinixPasswordGrant(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	c := p.Credentials()
	digest := md5.Sum([]byte(c.UserPassword))
	encoded := base64.StdEncoding.EncodeToString(digest[:])
	tests := map[string]struct {
		reply reply
		want  int
	}{
		"clear":            {equinixPassword(t, p, c.UserPassword), http.StatusOK},
		"no encoding":      {equinixPassword(t, p, c.UserPassword, "password_encoding", "none"), http.StatusOK},
		"encoded":          {equinixPassword(t, p, encoded, "password_encoding", "md5-b64"), http.StatusOK},
		"not encoded":      {equinixPassword(t, p, c.UserPassword, "password_encoding", "md5-b64"), http.StatusInternalServerError},
		"unnamed encoding": {equinixPassword(t, p, encoded), http.StatusInternalServerError},
		"wrong password":   {equinixPassword(t, p, "wrong"), http.StatusInternalServerError},
		"grant omitted": {equinixToken(t, p, "client_id", c.ClientID, "client_secret", c.ClientSecret,
			"user_name", c.UserName, "user_password", c.UserPassword), http.StatusOK},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.reply.status != test.want {
				t.Fatalf("status %d", test.reply.status)
			}
			if test.want != http.StatusOK {
				return
			}
			members := test.reply.members(t)
			if members["refresh_token_timeout"] != "5184000" || members["refresh_token"] == nil || len(members) != 6 {
				t.Errorf("%d members, refresh_token_timeout %v", len(members), members["refresh_token_timeout"])
			}
		})
	}
	for _, r := range p.Requests() {
		if r.Grant != "password" {
			t.Errorf("recorded as %q", r.Grant)
		}
	}
}

func TestEquinixBadLoginIsAnError500(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	c := p.Credentials()
	tests := map[string][]string{
		"secret":    {"grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", "x"},
		"client id": {"grant_type", "client_credentials", "client_id", "x", "client_secret", c.ClientSecret},
		"user name": {
			"grant_type", "password", "client_id", c.ClientID, "client_secret", c.ClientSecret,
			"user_name", "x", "user_password", c.UserPassword,
		},
		"password": {
			"grant_type", "password", "client_id", c.ClientID, "client_secret", c.ClientSecret,
			"user_name", c.UserName, "user_password", "x",
		},
	}
	for name, pairs := range tests {
		t.Run(name, func(t *testing.T) {
			r := equinixToken(t, p, pairs...)
			if r.status != http.StatusInternalServerError || r.text(t, "errorCode") != "S1006" {
				t.Errorf("status %d, %s", r.status, r.body)
			}
			for _, name := range []string{"errorDomain", "errorTitle", "developerMessage", "errorMessage"} {
				r.text(t, name)
			}
			if got := last(p); got.Code != "S1006" || !got.Rejected {
				t.Errorf("recorded as %+v", got)
			}
		})
	}
}

func TestEquinixLocksAfterFiveFailedLogins(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	c := p.Credentials()
	token := login(t, p).text(t, "access_token")
	refreshToken := equinixPassword(t, p, c.UserPassword).text(t, "refresh_token")
	for range 4 {
		wrongLogin(t, p)
	}
	if p.Locked() {
		t.Error("locked after four")
	}
	login(t, p)
	for range 4 {
		wrongLogin(t, p)
	}
	if p.Locked() {
		t.Error("locked after four that succeed a login")
	}
	if wrongLogin(t, p).text(t, "errorTitle") != "Login Failure" || !p.Locked() {
		t.Error("not locked by the fifth")
	}

	locked := []reply{
		wrongLogin(t, p),
		equinixPassword(t, p, c.UserPassword),
		equinixToken(t, p, "grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret),
		equinixRefresh(t, p, refreshToken),
		send(t, http.MethodPost, p.URL()+"/oauth2/v1/token", "", headers("Authorization", "Basic eDp5")),
	}
	for i, r := range locked {
		if r.status != http.StatusInternalServerError || r.text(t, "errorTitle") != "Account Locked" {
			t.Errorf("%d: status %d, %s", i, r.status, r.body)
		}
	}
	if !opens(t, p, token) {
		t.Error("the lock revoked a token")
	}

	p.Unlock()
	login(t, p)
	if r := equinixRefresh(t, p, refreshToken); r.status != http.StatusOK {
		t.Errorf("the lock spent the refresh token: status %d", r.status)
	}
}

func TestEquinixCountsHTTPBasicAsAFailedLogin(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	for range 5 {
		r := send(t, http.MethodPost, p.URL()+"/oauth2/v1/token", form("grant_type", "client_credentials"),
			headers("Content-Type", formType, "Authorization", "Basic eDp5"))
		if r.status != http.StatusInternalServerError || r.text(t, "errorCode") != "S1006" {
			t.Errorf("status %d, %s", r.status, r.body)
		}
	}
	if !p.Locked() {
		t.Error("not locked")
	}
}

func TestEquinixCountsLoginsAlone(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	for range 5 {
		equinixRefresh(t, p, "x")
		equinixToken(t, p, "grant_type", "x")
		opens(t, p, "x")
	}
	if p.Locked() {
		t.Error("locked")
	}
}

func TestEquinixCountsConcurrentLogins(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	concurrently(t, 10, func(t *testing.T) { wrongLogin(t, p) })
	rejected := 0
	for _, r := range p.Requests() {
		if r.Rejected {
			rejected++
		}
	}
	if rejected != 10 || !p.Locked() {
		t.Errorf("%d rejected, locked %v", rejected, p.Locked())
	}
}

func TestEquinixRefreshBringsAWholeNewSet(t *testing.T) {
	clock := newClock()
	p := start(t, simulator.Options{Now: clock.Now}).Equinix
	first := equinixPassword(t, p, p.Credentials().UserPassword)
	clock.advance(2 * time.Hour)
	second := equinixRefresh(t, p, first.text(t, "refresh_token"))
	if second.status != http.StatusOK || len(second.members(t)) != 6 {
		t.Fatalf("status %d", second.status)
	}
	for _, name := range []string{"access_token", "refresh_token"} {
		if first.text(t, name) == second.text(t, name) {
			t.Errorf("the same %s", name)
		}
	}
	if !opens(t, p, second.text(t, "access_token")) {
		t.Error("the new token does not open the API")
	}
	if got := last(p); got.Path != "/fabric/v4/ports" {
		t.Errorf("last request %+v", got)
	}
}

func TestEquinixReusedRefreshTokenRevokesItsFamily(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	bystander := equinixPassword(t, p, p.Credentials().UserPassword)
	first := equinixPassword(t, p, p.Credentials().UserPassword)
	second := equinixRefresh(t, p, first.text(t, "refresh_token"))
	if !opens(t, p, first.text(t, "access_token")) {
		t.Error("a refresh ended the old access token")
	}

	reused := equinixRefresh(t, p, first.text(t, "refresh_token"))
	if reused.status != http.StatusBadRequest || reused.text(t, "error_code") != "S1006" {
		t.Errorf("status %d, %s", reused.status, reused.body)
	}
	if r := equinixRefresh(t, p, second.text(t, "refresh_token")); r.status != http.StatusBadRequest {
		t.Errorf("the family's refresh token still works: status %d", r.status)
	}
	for _, r := range []reply{first, second} {
		if opens(t, p, r.text(t, "access_token")) {
			t.Error("an access token of the family still opens the API")
		}
	}
	if !opens(t, p, bystander.text(t, "access_token")) {
		t.Error("another login's token was revoked")
	}
}

func TestEquinixRefreshTokenExpires(t *testing.T) {
	clock := newClock()
	p := start(t, simulator.Options{Now: clock.Now}).Equinix
	refreshToken := equinixPassword(t, p, p.Credentials().UserPassword).text(t, "refresh_token")
	clock.advance(60 * 24 * time.Hour)
	if r := equinixRefresh(t, p, refreshToken); r.status != http.StatusBadRequest {
		t.Errorf("status %d", r.status)
	}
}

func TestEquinixRejectsRefreshes(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	c := p.Credentials()
	set := equinixPassword(t, p, c.UserPassword)
	refreshToken, accessToken := set.text(t, "refresh_token"), set.text(t, "access_token")
	tests := map[string]struct {
		id, secret, token string
		header            http.Header
	}{
		"unknown token": {id: c.ClientID, secret: c.ClientSecret, token: "x"},
		"access token":  {id: c.ClientID, secret: c.ClientSecret, token: accessToken},
		"wrong secret":  {id: c.ClientID, secret: "x", token: refreshToken},
		"wrong client":  {id: "x", secret: c.ClientSecret, token: refreshToken},
		"Basic":         {id: c.ClientID, secret: c.ClientSecret, token: refreshToken, header: headers("Authorization", "Basic eDp5")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.header == nil {
				test.header = headers()
			}
			test.header.Set("Content-Type", jsonType)
			body := object(t, "client_id", test.id, "client_secret", test.secret, "refresh_token", test.token)
			r := send(t, http.MethodPost, p.URL()+"/oauth2/v1/refreshaccesstoken", body, test.header)
			if r.status != http.StatusBadRequest || r.text(t, "error_code") != "S1006" {
				t.Errorf("status %d, %s", r.status, r.body)
			}
			if got := last(p); !got.Rejected || got.Grant != "refresh_token" {
				t.Errorf("recorded as %+v", got)
			}
		})
	}
	if r := equinixRefresh(t, p, refreshToken); r.status != http.StatusOK {
		t.Errorf("a rejection spent the refresh token: status %d", r.status)
	}
}

func TestEquinixRefusesMalformedRequests(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	c := p.Credentials()
	pairs := []string{"grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret}
	good := object(t, pairs...)
	with := func(name, value string) string { return object(t, set(pairs, name, value)...) }
	password := set(pairs, "grant_type", "password")
	refreshed := object(t, "client_id", c.ClientID, "client_secret", c.ClientSecret, "refresh_token", "x")
	const token, refresh = "/oauth2/v1/token", "/oauth2/v1/refreshaccesstoken"
	tests := map[string]struct {
		method, path, contentType, body string
		want                            int
	}{
		"GET":                    {method: http.MethodGet, body: good, want: http.StatusMethodNotAllowed},
		"GET refresh":            {method: http.MethodGet, path: refresh, want: http.StatusMethodNotAllowed},
		"form":                   {contentType: formType, body: form(pairs...), want: http.StatusUnsupportedMediaType},
		"text":                   {contentType: "text/plain", body: good, want: http.StatusUnsupportedMediaType},
		"UTF-16":                 {contentType: jsonType + "; charset=utf-16", body: good, want: http.StatusUnsupportedMediaType},
		"unknown attribute":      {contentType: jsonType + "; profile=utf-8", body: good, want: http.StatusUnsupportedMediaType},
		"query":                  {path: token + "?client_id=x", body: good, want: http.StatusBadRequest},
		"empty":                  {body: "", want: http.StatusBadRequest},
		"cut short":              {body: good[:len(good)-1], want: http.StatusBadRequest},
		"second document":        {body: good + "{}", want: http.StatusBadRequest},
		"trailing comma":         {body: good[:len(good)-1] + ",}", want: http.StatusBadRequest},
		"byte-order mark":        {body: "\ufeff" + good, want: http.StatusBadRequest},
		"invalid UTF-8":          {body: good[:len(good)-1] + `,"user_name":"` + "\xff" + `"}`, want: http.StatusBadRequest},
		"array":                  {body: "[" + good + "]", want: http.StatusBadRequest},
		"null":                   {body: "null", want: http.StatusBadRequest},
		"number":                 {body: good[:len(good)-1] + `,"user_name":1}`, want: http.StatusBadRequest},
		"null member":            {body: good[:len(good)-1] + `,"user_name":null}`, want: http.StatusBadRequest},
		"object member":          {body: good[:len(good)-1] + `,"user_name":{}}`, want: http.StatusBadRequest},
		"repeated member":        {body: good[:len(good)-1] + `,"grant_type":"client_credentials"}`, want: http.StatusBadRequest},
		"repeated empty member":  {body: good[:len(good)-1] + `,"user_name":"","user_name":"x"}`, want: http.StatusBadRequest},
		"unknown member":         {body: with("scope", "x"), want: http.StatusBadRequest},
		"camel case":             {body: object(t, "grantType", "client_credentials"), want: http.StatusBadRequest},
		"encoding without user":  {body: with("password_encoding", "md5-b64"), want: http.StatusBadRequest},
		"no client id":           {body: with("client_id", ""), want: http.StatusBadRequest},
		"no secret":              {body: with("client_secret", ""), want: http.StatusBadRequest},
		"unknown grant":          {body: with("grant_type", "x"), want: http.StatusBadRequest},
		"refresh at token":       {body: object(t, set(set(pairs, "grant_type", "refresh_token"), "refresh_token", "x")...), want: http.StatusBadRequest},
		"no grant, no user":      {body: with("grant_type", ""), want: http.StatusBadRequest},
		"no user name":           {body: object(t, set(password, "user_password", "x")...), want: http.StatusBadRequest},
		"no user password":       {body: object(t, set(password, "user_name", "x")...), want: http.StatusBadRequest},
		"refresh, no token":      {path: refresh, body: object(t, pairs[2:]...), want: http.StatusBadRequest},
		"refresh, grant":         {path: refresh, body: refreshed[:len(refreshed)-1] + `,"grant_type":"refresh_token"}`, want: http.StatusBadRequest},
		"refresh, form":          {path: refresh, contentType: formType, body: form(pairs...), want: http.StatusUnsupportedMediaType},
		"refresh, query":         {path: refresh + "?x=y", body: "{}", want: http.StatusBadRequest},
		"refresh, empty":         {path: refresh, body: "", want: http.StatusBadRequest},
		"refresh, unknown field": {path: refresh, body: refreshed[:len(refreshed)-1] + `,"scope":"x"}`, want: http.StatusBadRequest},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.method == "" {
				test.method = http.MethodPost
			}
			if test.path == "" {
				test.path = token
			}
			if test.contentType == "" {
				test.contentType = jsonType
			}
			r := send(t, test.method, p.URL()+test.path, test.body, headers("Content-Type", test.contentType))
			if r.status != test.want {
				t.Errorf("status %d, %s", r.status, r.body)
			}
			if test.want == http.StatusBadRequest {
				for _, name := range []string{"error_domain", "error_title", "error_code", "developer_message", "error_message"} {
					r.text(t, name)
				}
			}
			if got := last(p); got.Rejected || got.Code == "" {
				t.Errorf("recorded as %+v", got)
			}
		})
	}
	if p.Locked() || len(p.Issued()) != 0 {
		t.Error("a malformed request counted")
	}
}

func TestEquinixToleratesACharset(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	c := p.Credentials()
	body := object(t, "grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", c.ClientSecret)
	r := send(t, http.MethodPost, p.URL()+"/oauth2/v1/token", body, headers("Content-Type", "application/json; charset=utf-8"))
	if r.status != http.StatusOK {
		t.Errorf("status %d", r.status)
	}
}

func TestEquinixShowsOnePort(t *testing.T) {
	p := start(t, simulator.Options{}).Equinix
	authorized := headers("Authorization", "Bearer "+login(t, p).text(t, "access_token"))
	const uuid = "c4d85dbe-f965-9659-f7e0-306a5c00af26" // of the only element in the list
	if r := send(t, http.MethodGet, p.APIURL(), "", authorized); !strings.Contains(r.body, uuid) {
		t.Errorf("the list does not hold the port: %s", r.body)
	}
	if r := send(t, http.MethodGet, p.APIURL()+"/"+uuid, "", authorized); r.status != http.StatusOK || r.text(t, "uuid") != uuid {
		t.Errorf("status %d, %s", r.status, r.body)
	}
	for path, want := range map[string]int{"/" + uuid: http.StatusUnauthorized, "/another": http.StatusNotFound} {
		if r := send(t, http.MethodGet, p.APIURL()+path, "", headers()); r.status != want {
			t.Errorf("%s: status %d, want %d", path, r.status, want)
		}
	}
}
