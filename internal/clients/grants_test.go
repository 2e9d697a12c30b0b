// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// The example credentials of the platforms' documentation.
var (
	interxion = clients.Interxion{
		ClientID:     "Jupiter-12",
		ClientSecret: clients.NewSecret("<Your Client Secret>"),
	}
	equinix = clients.Equinix{
		GrantType:    clients.ClientCredentials,
		ClientID:     "ABCDE12345",
		ClientSecret: clients.NewSecret("FGHIJ67890"),
	}
	equinixPassword = clients.Equinix{
		GrantType:    clients.Password,
		ClientID:     "ABCDE12345",
		ClientSecret: clients.NewSecret("FGHIJ67890"),
		UserName:     "john.doe@example.com",
		UserPassword: clients.NewSecret("jd1@#$"),
	}
	digitalRealty = clients.DigitalRealty{
		ClientID:     "your_client_id",
		ClientSecret: clients.NewSecret("your_client_secret"),
	}
	megaport = clients.Megaport{
		AccessKey: "5k4vuqpg6i7fbhp8jtp9lfbo4r",
		SecretKey: clients.NewSecret("1kqr3v+8Zs/a%2B:7"),
	}
	ixAPI = clients.IXAPI{
		APIKey:    "9gvbkWSFWm9p",
		APISecret: clients.NewSecret("iXUTgSmJ5RIY1v2lWzeCtw"),
	}
	cloudLX = clients.CloudLX{
		GrantType:    clients.ClientCredentials,
		ClientID:     "xYrKf2x3qWXm0Zn35l8ki5kRH22IP0RPmLR0TlLB",
		ClientSecret: clients.NewSecret("nykSBHIDynMHrwkGyXWzLFAXYbOVP3EKtk6pprOS"),
	}
	oauth2 = clients.OAuth2{
		GrantType:    clients.ClientCredentials,
		ClientID:     "s6BhdRkqt3",
		ClientSecret: clients.NewSecret("gX1fBat3bV"),
		AuthMethod:   clients.ClientSecretBasic,
		Format:       clients.FormBody,
	}
)

// with returns grant with some settings changed.
func with[G clients.Grant](grant G, change func(*G)) G {
	change(&grant)
	return grant
}

func at(base string, grant clients.Grant) clients.Grant {
	switch g := grant.(type) {
	case clients.Interxion:
		g.LoginURL = base
		return g
	case clients.Equinix:
		g.BaseURL, g.STSURL = base, base
		return g
	case clients.CloudLX:
		g.BaseURL = base
		return g
	case clients.IXAPI:
		g.BaseURL = base
		return g
	case clients.Megaport:
		g.TokenURL = base
		return g
	case clients.DigitalRealty:
		g.BaseURL = base
		return g
	case clients.OAuth2:
		if g.TokenURL = base; base != "" && !strings.Contains(base, "?") {
			g.TokenURL += "/token" // the client does not change this URL
		}
		return g
	}
	panic("no such grant")
}

// The ways in which users write a base URL, without scheme and host.
var (
	anyPath           = []string{"", "/"}
	interxionPath     = []string{"", "/", "/connect/token", "/connect/token/", "//connect/token//"}
	digitalRealtyPath = []string{"", "/", "/v2/auth/token", "/v2/auth/token/"}
	megaportPath      = []string{"/oauth2/token", "/oauth2/token/"}
	noPath            = []string{""}
	ixAPIPath         = []string{"/api/v2", "/api/v2/", "/api/v2/auth/token"}
	cloudLXPath       = []string{"", "/", "/api", "/api/", "//api//"}
)

// TestRecordedExchanges compares every request with the platform's documentation, byte by byte, and reads the answer.
func TestRecordedExchanges(t *testing.T) {
	const (
		jwt        = "eyJhbGciOiJSUzI1NiIsImtpZCI6IkI0RkFBMTA5RDI1N0VEMDREQ0M2MzhGQTAzMEUxNDQ0MDY..."
		cxl        = "cxl784Nu0NNbsUhotFWNFOyC2noFs7ImlnEtNoCr"
		cxlRefresh = "PlaIgVUTpQpGKWgRqIXjfNn3GWQzkizPraHQLhGQ"
		ixAccess   = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMH0.c2lnbmF0dXJl"
		ixRefresh  = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDA4NjQwMH0.c2lnbmF0dXJl"
		example    = "2YotnFZFEjr1zCsicMWpAA" // of RFC 6749
		idToken    = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoiam9iIn0.c2ln"
	)
	secret := clients.NewSecret
	tests := map[string]struct {
		grant             clients.Grant
		paths             []string
		want              clients.Token
		lifetime, refresh time.Duration // zero: the token's Expiry or RefreshTokenExpiry is zero
		fault             clients.Error
	}{
		"interxion/client_credentials": {
			grant: interxion, paths: interxionPath,
			want:     clients.Token{AccessToken: secret(jwt), TokenType: "Bearer", Scope: "List of scopes"},
			lifetime: time.Hour,
		},
		"interxion/client_credentials_scope": { // M27: the granted scope, not the requested one
			grant: with(interxion, func(g *clients.Interxion) { g.Scope = "ix-api.read ix-api.write" }), paths: interxionPath,
			want:     clients.Token{AccessToken: secret(jwt), TokenType: "Bearer", Scope: "ix-api.read"},
			lifetime: 30 * time.Minute,
		},
		"interxion/bearer_token": {
			grant: interxion, paths: interxionPath,
			want:     clients.Token{AccessToken: secret(jwt), TokenType: "BearerToken"},
			lifetime: 3599 * time.Second,
		},
		"interxion/invalid_client": {
			grant: interxion, paths: interxionPath, // the secret contains the letters of the error code
			fault: clients.Error{Platform: "Interxion", Kind: clients.CredentialsRejected, Status: 400, Code: "invalid_client"},
		},
		"equinix/client_credentials": {
			grant: equinix, paths: anyPath,
			want:     clients.Token{AccessToken: secret("qwErtY8zyW1abcdefGHI"), TokenType: "Bearer", UserName: "john.doe@example.com"},
			lifetime: time.Hour,
		},
		"equinix/password": {
			grant: equinixPassword, paths: anyPath,
			want:     clients.Token{AccessToken: secret("qwErtY8zyW1abcdefGHI"), TokenType: "Bearer", UserName: "john.doe@example.com", RefreshToken: secret("zxcvbn1JKLMNOPQRSTU")},
			lifetime: time.Hour, refresh: 60 * 24 * time.Hour,
		},
		"equinix/password_md5": { // C13: sent as given, not encoded again
			grant: with(equinixPassword, func(g *clients.Equinix) {
				g.PasswordEncoding, g.UserPassword = clients.MD5Base64, secret("pJThQGD0QG7R0iedSipwIA==")
			}), paths: anyPath,
			want:     clients.Token{AccessToken: secret("qwErtY8zyW1abcdefGHI"), TokenType: "Bearer", UserName: "john.doe@example.com", RefreshToken: secret("zxcvbn1JKLMNOPQRSTU")},
			lifetime: time.Hour, refresh: 60 * 24 * time.Hour,
		},
		"equinix/refresh_token": {
			grant: with(equinix, func(g *clients.Equinix) {
				g.GrantType, g.RefreshToken = clients.RefreshToken, secret("zxcvbn1JKLMNOPQRSTU")
			}), paths: anyPath,
			want:     clients.Token{AccessToken: secret("1abcdefGHIqwErtY8zyW"), TokenType: "Bearer", UserName: "john.doe@example.com", RefreshToken: secret("1JKLMNOPQRSTUzxcvbn")},
			lifetime: time.Hour, refresh: 60 * 24 * time.Hour,
		},
		"equinix/default_timeout": {
			grant: equinix, paths: anyPath,
			want:     clients.Token{AccessToken: secret("qwErtY8zyW1abcdefGHI"), TokenType: "Bearer", UserName: "john.doe@example.com"},
			lifetime: 3599 * time.Second,
		},
		"equinix/login_failure": {
			grant: equinix, paths: anyPath,
			fault: clients.Error{Platform: "Equinix", Kind: clients.CredentialsRejected, Status: 500, Code: "S1006", Description: "Login Failure, no such user"},
		},
		"cloudlx/client_credentials": {
			grant: cloudLX, paths: cloudLXPath,
			want:     clients.Token{AccessToken: secret(cxl), TokenType: "Bearer", RefreshToken: secret(cxlRefresh)},
			lifetime: time.Hour, refresh: 7 * 24 * time.Hour,
		},
		"cloudlx/refresh_token": {
			grant: with(cloudLX, func(g *clients.CloudLX) { g.GrantType, g.RefreshToken = clients.RefreshToken, secret(cxlRefresh) }), paths: cloudLXPath,
			want:     clients.Token{AccessToken: secret(cxl), TokenType: "Bearer", RefreshToken: secret(cxlRefresh)},
			lifetime: time.Hour, refresh: 7 * 24 * time.Hour,
		},
		"cloudlx/version_2": {
			grant: with(cloudLX, func(g *clients.CloudLX) { g.APIVersion = "v2" }), paths: cloudLXPath,
			want:     clients.Token{AccessToken: secret(cxl), TokenType: "client_credentials", RefreshToken: secret(cxlRefresh)},
			lifetime: time.Hour, refresh: 7 * 24 * time.Hour,
		},
		"cloudlx/unauthorized": {
			grant: cloudLX, paths: cloudLXPath,
			fault: clients.Error{Platform: "CloudLX", Kind: clients.CredentialsRejected, Status: 401, Description: "Client authentication failed"},
		},
		"digitalrealty/client_credentials": {
			grant: digitalRealty, paths: digitalRealtyPath,
			want:     clients.Token{AccessToken: secret("eyJ4NXQiOiJ0UHFoQ2RKWDdRVGN4amo2QXc0VVJBWTNsN2ciLCJraWQiOiJCNEZBQTEwOUQyNTd"), TokenType: "BearerToken", Scope: "playground_api"},
			lifetime: 3599 * time.Second,
		},
		"digitalrealty/invalid_client": {
			grant: digitalRealty, paths: digitalRealtyPath,
			fault: clients.Error{Platform: "Digital Realty", Kind: clients.CredentialsRejected, Status: 401, Code: "invalid_client"},
		},
		"megaport/client_credentials": {
			grant: megaport, paths: megaportPath,
			want:     clients.Token{AccessToken: secret("eyJraWQiOiJzd0NyQ1..."), TokenType: "Bearer"},
			lifetime: 24 * time.Hour,
		},
		"megaport/invalid_client": {
			grant: megaport, paths: megaportPath,
			fault: clients.Error{Platform: "Megaport", Kind: clients.CredentialsRejected, Status: 400, Code: "invalid_client"},
		},
		"ixapi/token": { // a JSON Web Token says how long it lasts
			grant: ixAPI, paths: ixAPIPath,
			want:     clients.Token{AccessToken: secret(ixAccess), TokenType: "Bearer", RefreshToken: secret(ixRefresh)},
			lifetime: 5 * time.Minute, refresh: 24 * time.Hour,
		},
		"ixapi/opaque": { // the lifetime is unknown
			grant: ixAPI, paths: ixAPIPath,
			want: clients.Token{AccessToken: secret("6vdmEmyHEkMDyYtX"), TokenType: "Bearer", RefreshToken: secret("yGXMk5SlgJ8mIqUa")},
		},
		"ixapi/refresh": {
			grant: with(ixAPI, func(g *clients.IXAPI) { g.RefreshToken = secret(ixRefresh) }), paths: ixAPIPath,
			want:     clients.Token{AccessToken: secret(ixAccess), TokenType: "Bearer", RefreshToken: secret("yGXMk5SlgJ8mIqUa")},
			lifetime: 5 * time.Minute,
		},
		"ixapi/authentication_error": {
			grant: ixAPI, paths: ixAPIPath,
			fault: clients.Error{Platform: "IX-API", Kind: clients.CredentialsRejected, Status: 401, Description: "The given credentials are not valid."},
		},
		"equinix/token_exchange": { // without client credentials
			grant: with(equinix, func(g *clients.Equinix) {
				g.GrantType, g.ClientID, g.ClientSecret = clients.TokenExchange, "", secret("")
				g.Scope = "roleassignments:64eb2dae-f77a-4af9-967b-d9e3a2e4d2f0"
				g.Identity = clients.IdentitySource{Token: secret(idToken)}
			}), paths: []string{"", "/", "/v1/token", "/v1/token/"},
			want:     clients.Token{AccessToken: secret("eyJraWQiOiI5NzQxIiwiYWxnIjoiUlMyNTYifQ.e30.c2ln"), TokenType: "Bearer"},
			lifetime: 3599500 * time.Millisecond,
		},
		"oauth2/token_exchange": {
			grant: with(oauth2, func(g *clients.OAuth2) {
				g.GrantType, g.AuthMethod, g.ClientID, g.ClientSecret, g.Audience = clients.TokenExchange, "", "", secret(""), "https://backend.example.com/api"
				g.Identity = clients.IdentitySource{Token: secret(idToken)}
			}), paths: noPath,
			want:     clients.Token{AccessToken: secret("eyJhbGciOiJFUzI1NiIsImtpZCI6IjllciJ9.eyJhdWQiOiJodHRwczovL2JhY2tlbmQifQ.c2ln"), TokenType: "Bearer"},
			lifetime: time.Minute,
		},
		"oauth2/client_secret_basic": {
			grant: oauth2, paths: noPath, want: clients.Token{AccessToken: secret(example), TokenType: "Bearer"}, lifetime: time.Hour,
		},
		"oauth2/client_secret_basic_encoded": {
			grant: with(oauth2, func(g *clients.OAuth2) { g.ClientID, g.ClientSecret = "a:b c/é", secret("p%4:ö+&=") }), paths: noPath,
			want: clients.Token{AccessToken: secret(example), TokenType: "Bearer"},
		},
		"oauth2/client_secret_post": {
			grant: with(oauth2, func(g *clients.OAuth2) {
				g.AuthMethod, g.ClientSecret, g.Scope = clients.ClientSecretPost, secret("7Fjfp0ZBr1KtDRbnfVdmIw"), "read write"
			}), paths: noPath,
			want: clients.Token{AccessToken: secret(example), TokenType: "Bearer", Scope: "read"}, lifetime: time.Hour,
		},
		"oauth2/json": {
			grant: with(oauth2, func(g *clients.OAuth2) {
				g.AuthMethod, g.Format, g.Audience = clients.ClientSecretPost, clients.JSONBody, "https://api.example/"
			}), paths: noPath,
			want: clients.Token{AccessToken: secret(example), TokenType: "Bearer"}, lifetime: 24 * time.Hour,
		},
		"oauth2/refresh_token": {
			grant: with(oauth2, func(g *clients.OAuth2) {
				g.GrantType, g.RefreshToken = clients.RefreshToken, secret("tGzv3JOkF0XG5Qx2TlKWIA")
			}), paths: noPath,
			want:     clients.Token{AccessToken: secret(example), TokenType: "Bearer", RefreshToken: secret("tGzv3JOkF0XG5Qx2TlKWIA")},
			lifetime: time.Hour,
		},
		"oauth2/lumen": {
			grant: oauth2, paths: noPath, want: clients.Token{AccessToken: secret(example), TokenType: "BearerToken"}, lifetime: 3599 * time.Second,
		},
		"oauth2/colt": {
			grant: with(oauth2, func(g *clients.OAuth2) { g.Headers = clients.Pairs(map[string]string{"x-tracking-id": "5f0b"}) }), paths: noPath,
			fault: clients.Error{Platform: "OAuth2", Kind: clients.CredentialsRejected, Status: 401, Code: "401001", Description: "The client is not known"},
		},
		"oauth2/telstra": {
			grant: with(oauth2, func(g *clients.OAuth2) { g.AuthMethod, g.Scope = clients.ClientSecretPost, "NSMS" }), paths: noPath,
			want: clients.Token{AccessToken: secret(example), TokenType: "Bearer"}, lifetime: 3599 * time.Second,
		},
		"oauth2/verizon": {
			grant: oauth2, paths: noPath, want: clients.Token{AccessToken: secret(example), TokenType: "Bearer"}, lifetime: time.Hour,
		},
		"oauth2/invalid_client": {
			grant: oauth2, paths: noPath,
			fault: clients.Error{Platform: "OAuth2", Kind: clients.CredentialsRejected, Status: 401, Code: "invalid_client"},
		},
	}
	if diff := cmp.Diff(recordings(t), slices.Sorted(maps.Keys(tests))); diff != "" {
		t.Errorf("recordings (-) and rows of this test (+) differ:\n%s", diff)
	}
	for name, test := range tests {
		for _, path := range test.paths {
			t.Run(name+"?"+path, func(t *testing.T) {
				server := replay(t, readRecording(t, name))
				before := time.Now().Round(0)
				token, err := clients.New(clients.Options{}).Token(t.Context(), at(server.URL+path, test.grant), 0)
				if test.fault.Status != 0 {
					wantFault(t, err, test.fault)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				wantExpiry(t, before, token.Expiry, test.lifetime)
				wantExpiry(t, before, token.RefreshTokenExpiry, test.refresh)
				ignored := cmpopts.IgnoreFields(clients.Token{}, "Expiry", "RefreshTokenExpiry", "Tally")
				if diff := cmp.Diff(test.want, token, ignored, cmpopts.IgnoreUnexported(clients.Token{}), cmpopts.EquateComparable(clients.Secret{})); diff != "" {
					t.Errorf("token (-want +got):\n%s", diff)
				}
				if got, want := token.Authorization().Reveal(), "Bearer "+test.want.AccessToken.Reveal(); got != want {
					t.Errorf("authorization %q, want %q", got, want)
				}
			})
		}
	}
}

// recording is one exchange in testdata.
type recording struct {
	method, target string
	header         http.Header
	body           string

	status       int
	answerHeader http.Header
	answer       []byte
}

func recordings(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.http")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "testdata/"), ".http")
		names = append(names, name)
	}
	return names
}

func readRecording(t *testing.T, name string) recording {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(file), "\r\n", "\n")
	for strings.HasPrefix(text, "#") {
		_, text, _ = strings.Cut(text, "\n")
	}
	asked, answered, found := strings.Cut(text, "\nHTTP/1.1 ")
	if !found {
		t.Fatalf("%s has no answer", name)
	}
	_, body, _ := strings.Cut(asked, "\n\n")
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(asked)))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader("HTTP/1.1 "+answered)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return recording{
		request.Method, request.RequestURI, request.Header, strings.TrimSpace(body),
		response.StatusCode, response.Header, answer,
	}
}

// replay serves the recorded answer once, and only to the recorded request.
func replay(t *testing.T, want recording) *httptest.Server {
	t.Helper()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		got := recording{method: r.Method, target: r.RequestURI, header: http.Header{}}
		for name := range want.header {
			got.header[name] = r.Header[name]
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got.body = string(body)
		compared := cmpopts.IgnoreFields(recording{}, "status", "answerHeader", "answer")
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(recording{}), compared); diff != "" {
			t.Errorf("request (-recorded +sent):\n%s", diff)
		}
		for _, name := range []string{"Authorization", "Cookie", "Referer"} {
			if r.Header[name] != nil && want.header[name] == nil {
				t.Errorf("the request has the header %s", name)
			}
		}
		maps.Copy(w.Header(), want.answerHeader)
		w.WriteHeader(want.status)
		_, _ = w.Write(want.answer)
	}))
	t.Cleanup(func() {
		server.Close()
		if asked != 1 {
			t.Errorf("%d requests were sent, want 1", asked)
		}
	})
	return server
}

// wantFault compares the fields of an error that depend on the platform's answer.
func wantFault(t *testing.T, err error, want clients.Error) {
	t.Helper()
	var got *clients.Error
	if !errors.As(err, &got) {
		t.Fatalf("error %v, want one of type *clients.Error", err)
	}
	seen := clients.Error{Platform: got.Platform, Kind: got.Kind, Status: got.Status, Code: got.Code}
	if want.Description != "" { // the platform's own description; otherwise the client's text, which other tests check
		seen.Description = strings.Trim(got.Description, `"`)
	}
	if diff := cmp.Diff(want, seen, cmpopts.IgnoreUnexported(clients.Error{})); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// wantExpiry checks the expiry of a token that was requested at or after before. If lifetime is zero, the expiry must be unknown.
func wantExpiry(t *testing.T, before, expiry time.Time, lifetime time.Duration) {
	t.Helper()
	if lifetime == 0 {
		if !expiry.IsZero() {
			t.Errorf("expiry %s, want none", expiry)
		}
		return
	}
	if expiry.Before(before.Add(lifetime)) || expiry.After(time.Now().Add(lifetime)) {
		t.Errorf("expiry in %s, want in %s", expiry.Sub(before), lifetime)
	}
}

// TestBadSettings tests the settings that the engine itself refuses: what would cost a failed login, mix up two clients, or
// send a secret to another place. The front ends check all others. Nothing is sent.
func TestBadSettings(t *testing.T) {
	const noEndpoint = "nothing was sent: the URL of the token endpoint is not accepted: it must "
	tests := map[string]struct {
		grant clients.Grant
		want  string
	}{
		"C13 plain password":                      {encoded("jd1@#$"), notEncoded},
		"C13 hexadecimal":                         {encoded("a494e14060f4406ed1d2279d4a2a7020"), notEncoded},
		"C13 encoded twice":                       {encoded("cEpUaFFHRDBRRzdSMGllZFNpcHdJQT09"), notEncoded},
		"C13 base64 of hexadecimal":               {encoded("YTQ5NGUxNDA2MGY0NDA2ZWQxZDIyNzlkNGEyYTcwMjA="), notEncoded},
		"C13 plain password that could be base64": {encoded("abcdefghijklmnopqrstuvwx"), notEncoded},
		"C13 without padding":                     {encoded("pJThQGD0QG7R0iedSipwIA"), notEncoded},
		"C13 with a line feed":                    {encoded("pJThQGD0QG7R0iedSipwIA==\n"), notEncoded},
		"C13 other last bits":                     {encoded("pJThQGD0QG7R0iedSipwIB=="), notEncoded},
		"C15 Megaport, a colon in the key": {
			with(megaport, func(g *clients.Megaport) { g.AccessKey = "CANARY:1" }), "Megaport: nothing was sent: access_key has a colon, which a key must not have",
		},
		"C08 Megaport, an unknown environment": {
			with(megaport, func(g *clients.Megaport) { g.Environment, g.TokenURL = "CANARY", "" }), "Megaport: " + noEndpoint + "start with https://, or for a loopback address with http://",
		},
		"C07 Interxion, http":            {at("http://CANARY.example", interxion), "Interxion: " + noEndpoint + "start with https://; http:// is accepted for loopback addresses only, because the secret would cross the network in clear"},
		"C07 Equinix, no URL":            {equinix, "Equinix: " + noEndpoint + "start with https://, or for a loopback address with http://"},
		"C07 CloudLX, another scheme":    {at("ftp://CANARY.example", cloudLX), "CloudLX: " + noEndpoint + "start with https://, or for a loopback address with http://"},
		"C07 OAuth2, a query":            {at("https://host.example/token?secret=CANARY", oauth2), "OAuth2: " + noEndpoint + "not contain a query (?) or a fragment (#)"}, // servers would log it
		"C07 IX-API, a password":         {at("https://CANARY@host.example", ixAPI), "IX-API: " + noEndpoint + "not contain a user name or password"},
		"C07 Digital Realty, a fragment": {at("https://host.example/#CANARY", digitalRealty), "Digital Realty: " + noEndpoint + "not contain a query (?) or a fragment (#)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				t.Error("a request was sent")
			}))
			defer server.Close()
			grant := test.grant
			if !strings.HasPrefix(name, "C07") && !strings.HasPrefix(name, "C08") {
				grant = at(server.URL, grant)
			}
			token, err := clients.New(clients.Options{}).Token(t.Context(), grant, 0)
			wantFault(t, err, clients.Error{Platform: strings.SplitN(test.want, ":", 2)[0], Kind: clients.InvalidInput})
			if err.Error() != test.want {
				t.Errorf("error %q, want %q", err, test.want)
			}
			if !token.AccessToken.IsZero() {
				t.Error("there is a token")
			}
		})
	}
}

// TestUserAgentWithLineBreak is C15 for the only header from the environment (TF_APPEND_USER_AGENT).
func TestUserAgentWithLineBreak(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request was sent")
	}))
	defer server.Close()
	client := clients.New(clients.Options{UserAgent: "CANARY\r\nX-Other: 1", MaxAttempts: 1})
	_, err := client.Token(t.Context(), at(server.URL, interxion), 0)
	if err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("error %v", err)
	}
}

const notEncoded = "Equinix: nothing was sent: user_password is not the base64 of an MD5 digest, as password_encoding says"

func encoded(password string) clients.Equinix {
	return with(equinixPassword, func(g *clients.Equinix) {
		g.PasswordEncoding, g.UserPassword = clients.MD5Base64, clients.NewSecret(password)
	})
}

// TestSecretsAreSentAsGiven tests that a secret arrives unchanged, whatever characters it has.
func TestSecretsAreSentAsGiven(t *testing.T) {
	for _, text := range []string{"ends in a line feed\n", " blanks ", "\t\x00\x7f", `"quoted" \ <&>`, "%41+%2B=&client_id=x", "ß€😀\u2028"} {
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if _, secret, ok := r.BasicAuth(); ok {
				if got = secret; r.URL.Path == "/token" { // OAuth2 form-encodes it
					got, _ = url.QueryUnescape(secret)
				}
			} else if r.Header.Get("Content-Type") == "application/json" {
				var fields map[string]string
				_ = json.Unmarshal(body, &fields)
				got = fields["client_secret"]
			} else {
				fields, _ := url.ParseQuery(string(body))
				got = fields.Get("client_secret")
			}
			_, _ = io.WriteString(w, `{"access_token":"x"}`)
		}))
		for _, grant := range []clients.Grant{
			with(interxion, func(g *clients.Interxion) { g.ClientSecret = clients.NewSecret(text) }),
			with(equinix, func(g *clients.Equinix) { g.ClientSecret = clients.NewSecret(text) }),
			with(megaport, func(g *clients.Megaport) { g.SecretKey = clients.NewSecret(text) }),
			with(oauth2, func(g *clients.OAuth2) { g.ClientSecret = clients.NewSecret(text) }),
		} {
			if _, err := clients.New(clients.Options{}).Token(t.Context(), at(server.URL, grant), 0); err != nil {
				t.Error(err)
			}
			if got != text {
				t.Errorf("secret %q arrived as %q", text, got)
			}
		}
		server.Close()
	}
}

// TestURLs is C07 and C20: which URLs are accepted, and which token endpoint follows from them.
func TestURLs(t *testing.T) {
	tests := []struct {
		text string
		want string // the token endpoint, or the error
	}{
		{"https://api.equinix.com", "https://api.equinix.com"},
		{"https://api.equinix.com/", "https://api.equinix.com/"},
		{"HTTPS://API.Equinix.COM/Path", "https://api.equinix.com/Path"},
		{"https://api.equinix.com:8443/a/b", "https://api.equinix.com:8443/a/b"},
		{"https://api.equinix.com:", "https://api.equinix.com"},
		{"https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"},
		{"https://portal.example/a%2Fb%0a", "https://portal.example/a%2Fb%0a"},
		{"https://bücher.example", "https://b%C3%BCcher.example"},

		// C20
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"http://127.255.0.3", "http://127.255.0.3"},
		{"http://[::1]:8080", "http://[::1]:8080"},
		{"http://localhost:8080", "http://localhost:8080"},
		{"http://LocalHost", "http://localhost"},
		{"http://api.equinix.com", "accepted for loopback addresses only"},
		{"http://localhost.example.com", "accepted for loopback addresses only"},
		{"http://127.0.0.1.example.com", "accepted for loopback addresses only"},
		{"http://10.0.0.1", "accepted for loopback addresses only"},
		{"http://0.0.0.0", "accepted for loopback addresses only"},
		{"http://128.0.0.1", "accepted for loopback addresses only"},
		{"http://[::]", "accepted for loopback addresses only"},
		{"http://2130706433", "accepted for loopback addresses only"},

		{"api.equinix.com", "it must start with https://, or for a loopback address with http://"},
		{"api.equinix.com:443", "it must start with https://, or for a loopback address with http://"},
		{"//api.equinix.com", "it must start with https://, or for a loopback address with http://"},
		{"file:///etc/passwd", "it must start with https://, or for a loopback address with http://"},
		{"ftp://api.equinix.com", "it must start with https://, or for a loopback address with http://"},
		{"javascript:alert(1)", "it must start with https://, or for a loopback address with http://"},
		{"", "it must start with https://, or for a loopback address with http://"},
		{"https:", "it names no host"},
		{"https://", "it names no host"},
		{"https:///path", "it names no host"},
		{"https:api.equinix.com", "it names no host"},
		{"https://:443", "it names no host"},
		{"https://user:CANARY@api.equinix.com", "it must not contain a user name or password"},
		{"https://CANARY@api.equinix.com", "it must not contain a user name or password"},
		{"https://@api.equinix.com", "it must not contain a user name or password"},
		{"https://user:CANARY%zz@api.equinix.com", "it is not a URL"},
		{"http://localhost@CANARY.example", "accepted for loopback addresses only"},
		{"https://api.equinix.com?key=CANARY", "it must not contain a query"},
		{"https://api.equinix.com/?", "it must not contain a query"},
		{"https://api.equinix.com/#CANARY", "it must not contain a query"},
		{"https://api.equinix.com#", "it must not contain a query"},
		{"https://api.equinix.com:CANARY", "it is not a URL"},
		{"https://api.equinix.com:0", "its port is not a number from 1 to 65535"},
		{"https://api.equinix.com:65536", "its port is not a number from 1 to 65535"},
		{"https://api.equinix.com/a b", "it has a blank"},
		{" https://api.equinix.com", "it has a blank"},
		{"https://api.equinix.com\n", "it has a line break"},
		{"https://api.equinix.com/\r\nX: CANARY", "it has a line break"},
		{`https://api.equinix.com\@CANARY.example`, "it is not a URL"},
		{"https://[::1", "it is not a URL"},
		{"https://a\u202eb.example", "its host has a character"},
		{"https://a%C2%85b.example", "its host has a character"},
		{"https://a%FFb.example", "its host has a character"},
		{"https://" + strings.Repeat("a", 8192), "it is longer than 8192 bytes"},
	}
	for _, test := range tests {
		u, err := clients.ParseURL(test.text)
		switch {
		case err == nil && u.String() != test.want:
			t.Errorf("%q was read as %q, want %q", test.text, u, test.want)
		case err != nil && !strings.Contains(err.Error(), test.want):
			t.Errorf("%q: error %q, want %q", test.text, err, test.want)
		case err != nil && strings.Contains(err.Error(), "CANARY"):
			t.Errorf("%q: the error repeats a part of it: %q", test.text, err)
		}
	}
}

// TestEndpoints tests the rest of C07: base URL and path are joined correctly, whatever slashes they have.
func TestEndpoints(t *testing.T) {
	tests := []struct {
		grant      clients.Grant
		base, want string
	}{
		{interxion, "/tenant", "/tenant/connect/token"},
		{interxion, "/tenant//connect/token/", "/tenant/connect/token"},
		{interxion, "/myconnect/token", "/myconnect/token/connect/token"},
		{interxion, "/connect/token/more", "/connect/token/more/connect/token"},
		{interxion, "/a%2Fb%20c/", "/a%2Fb%20c/connect/token"},
		{interxion, "/%0d%0aX:%20y", "/%0d%0aX:%20y/connect/token"},
		{equinix, "/gateway/", "/gateway/oauth2/v1/token"},
		{ixAPI, "/api/v2/auth/token", "/api/v2/auth/token"},
		{with(ixAPI, func(g *clients.IXAPI) { g.RefreshToken = clients.NewSecret("x") }), "/api/v2/auth/token/", "/api/v2/auth/refresh"},
		{digitalRealty, "/gateway/v2/auth/token/", "/gateway/v2/auth/token"},
		{cloudLX, "/portal/api/", "/portal/api/oauth2/access-token"},
		{cloudLX, "/v2api", "/v2api/api/oauth2/access-token"},
		{oauth2, "//a%2Fb/", "//a%2Fb//token"}, // the path is not changed
	}
	for _, test := range tests {
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.RequestURI
			w.WriteHeader(http.StatusNotFound)
		}))
		_, err := clients.New(clients.Options{}).Token(t.Context(), at(server.URL+test.base, test.grant), 0)
		if got != test.want {
			t.Errorf("base %q: the request went to %q, want %q", test.base, got, test.want)
		}
		if address := strings.TrimPrefix(server.URL, "http://") + test.want; err == nil || !strings.HasPrefix(err.Error(), address+" ") {
			t.Errorf("base %q: error %q does not begin with %q", test.base, err, address)
		}
		server.Close()
	}
}
