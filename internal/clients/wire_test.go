// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// content is the text of answers wherever a platform can put text. No error may repeat any of it.
const content = "c0nteNt-0f-thE-aNsweR"

// platform is a server that gives every request the same answer.
type platform struct {
	status int               // zero: 200
	header map[string]string // Content-Type, if not application/json, and Date, if not now
	body   string

	requests atomic.Int32
	url      string
}

// token asks for a token with a new Client.
func (p *platform) token(t *testing.T) (clients.Token, error) {
	t.Helper()
	return p.start(t, clients.Options{MaxAttempts: 1})(0)
}

// start returns a function that asks for a token, always with the same Client.
func (p *platform) start(t *testing.T, options clients.Options) func(minValidity time.Duration) (clients.Token, error) {
	t.Helper()
	return p.startFor(t, options, cloudLX)
}

// startFor is start for a grant of any platform.
func (p *platform) startFor(t *testing.T, options clients.Options, grant clients.Grant) func(minValidity time.Duration) (clients.Token, error) {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	client := clients.New(options)
	return func(minValidity time.Duration) (clients.Token, error) {
		return client.Token(t.Context(), at(p.url, grant), minValidity)
	}
}

func (p *platform) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.requests.Add(1)
	w.Header().Set("Content-Type", "application/json")
	for name, value := range p.header {
		w.Header().Set(name, value)
		if value == "" {
			w.Header()[name] = nil // keeps net/http from setting a default
		}
	}
	if p.status != 0 {
		w.WriteHeader(p.status)
	}
	_, _ = io.WriteString(w, p.body)
}

// wantBadAnswer fails the test unless there is no token, and an error with the text want and without any text of the answer or
// of a secret.
func wantBadAnswer(t *testing.T, token clients.Token, err error, want string) {
	t.Helper()
	if token != (clients.Token{}) {
		t.Error("there is a token")
	}
	var fault *clients.Error
	if !errors.As(err, &fault) || fault.Kind != clients.BadAnswer {
		t.Fatalf("error %v, want a bad answer", err)
	}
	if !strings.Contains(fault.Description, want) {
		t.Errorf("error %q, want %q", err, want)
	}
	for _, hidden := range []string{content, cloudLX.ClientSecret.Reveal()} {
		for i := range len(hidden) - 5 {
			if strings.Contains(err.Error(), hidden[i:i+6]) {
				t.Fatalf("error %q repeats %q", err, hidden[i:i+6])
			}
		}
	}
}

// TestBadAnswers tests answers without a usable token. Each has a clear error.
func TestBadAnswers(t *testing.T) {
	tests := []struct {
		name        string
		contentType string // empty: application/json
		body        string
		want        string
	}{
		{"M01 HTML login page", "text/html", "<!DOCTYPE html><title>" + content + "</title>", "HTML"},
		{"M01 HTML with a charset", "text/html; charset=utf-8", "\n<html>" + content, "HTML"},
		{"M01 HTML that claims to be JSON", "", "<html>" + content, "HTML"},
		{"M01 HTML in Latin-1", "text/html; charset=iso-8859-1", "<html>\xe9" + content, "HTML"},
		{"M01 plain text", "text/plain", content, "not valid JSON (at byte 1 of 21)"},
		{"M02 empty body", "", "", "empty"},
		{"M02 white space", "", " \r\n\t", "empty"},
		{"M02 byte order mark alone", "", "\xef\xbb\xbf", "empty"},
		{"M03 null", "", "null", "null"},
		{"M03 empty array", "", "[]", "an array"},
		{"M03 array of an object", "", `[{}]`, "an array"},
		{"M03 array of a token", "", `[{"access_token":"` + content + `"}]`, "an array"},
		{"M03 string", "", `"` + content + `"`, "a string"},
		{"M03 number", "", "1", "a number"},
		{"M03 true", "", "true", "a boolean"},
		{"M03 false", "", " false ", "a boolean"},
		{"M05 trailing garbage", "", `{"access_token":"` + content + `"}` + content, "not valid JSON (at byte 41 of 61)"},
		{"M05 second document", "", `{"access_token":"x"}{"access_token":"` + content + `"}`, "not valid JSON (at byte 21 of 60)"},
		{"M05 trailing NUL", "", `{"access_token":"x"}` + "\x00", "not valid JSON"},
		{"M06 UTF-16, little endian", "application/json; charset=utf-16", utf16("\ufeff"+`{"access_token":"x"}`, 0), "UTF-16"},
		{"M06 UTF-16, big endian", "application/json; charset=utf-16", utf16("\ufeff"+`{"access_token":"x"}`, 1), "UTF-16"},
		{"M06 UTF-16LE without mark", "", utf16(`{"access_token":"x"}`, 0), "UTF-16"},
		{"M06 UTF-16BE without mark", "", utf16(`{"access_token":"x"}`, 1), "UTF-16"},
		{"M06 two byte order marks", "", "\xef\xbb\xbf\xef\xbb\xbf" + `{"access_token":"x"}`, "not valid JSON (at byte 1"},
		{"M08 token missing", "", `{"expires_in":3600,"note":"` + content + `"}`, "no access_token"},
		{"M08 token null", "", `{"access_token":null}`, "no access_token"},
		{"M08 token empty", "", `{"access_token":""}`, "no access_token"},
		{"M08 token blank", "", `{"access_token":"   "}`, "access_token has a blank"},
		{"M09 token a number", "", `{"access_token":12345678}`, "access_token is a number, not a string"},
		{"M09 token an object", "", `{"access_token":{"value":"` + content + `"}}`, "access_token is an object, not a string"},
		{"M09 token an array", "", `{"access_token":["` + content + `"]}`, "access_token is an array, not a string"},
		{"M09 token a boolean", "", `{"access_token":true}`, "access_token is a boolean, not a string"},
		{"M10 carriage return and line feed", "", `{"access_token":"` + content + `\r\nX-Other: 1"}`, "access_token has a blank, a control character"},
		{"M10 NUL", "", `{"access_token":"` + content + `\u0000"}`, "control character"},
		{"M10 tab", "", `{"access_token":"` + content + `\t"}`, "control character"},
		{"M10 space at the end", "", `{"access_token":"` + content + ` "}`, "blank"},
		{"M10 DEL", "", `{"access_token":"` + content + `\u007f"}`, "control character"},
		{"M10 letter outside ASCII", "", `{"access_token":"` + content + `é"}`, "outside ASCII"},
		{"M10 no-break space", "", `{"access_token":"` + content + `\u00a0"}`, "outside ASCII"},
		{"M10 half of a surrogate pair", "", `{"access_token":"` + content + `\ud83d"}`, "outside ASCII"},
		{"M10 raw line feed", "", `{"access_token":"` + content + "\n" + `"}`, "not valid JSON"},
		{"M11 invalid UTF-8 in the token", "", `{"access_token":"` + content + "\xff" + `"}`, "not valid UTF-8"},
		{"M11 invalid UTF-8 elsewhere", "", `{"access_token":"` + content + `","x":"` + "\xc3\x28" + `"}`, "not valid UTF-8"},
		{"M12 token of 100 KiB", "", `{"access_token":"` + strings.Repeat("x", 100<<10) + `"}`, "access_token is too long"},
		{"M12 token of 64 KiB and 1", "", `{"access_token":"` + strings.Repeat("x", 64<<10+1) + `"}`, "access_token is too long"},
		{"M13 token type mac", "", `{"access_token":"x","token_type":"mac"}`, "token_type is MAC: each use of the token needs a signature"},
		{"M13 token type DPoP", "", `{"access_token":"x","token_type":"DPoP"}`, "token_type is DPoP: each use of the token needs a proof"},
		{"M13 token type PoP", "", `{"access_token":"x","token_type":"pop"}`, "token_type is PoP: each use of the token needs a proof"},
		{"M13 token type N_A", "", `{"access_token":"x","token_type":" N_A"}`, "token_type is N_A: the server issued a token that is not an access token"},
		{"M13 another token type", "", `{"access_token":"x","token_type":"Basic"}`, "token_type is neither Bearer"},
		{"M13 token type N_A", "", `{"access_token":"x","token_type":"` + content + `"}`, "token_type is neither Bearer"},
		{"M13 token type 7", "", `{"access_token":"x","token_type":7}`, "token_type is a number, not a string"},
		{"M24 form-encoded", "application/x-www-form-urlencoded", "access_token=" + content + "&token_type=bearer", "form-encoded"},
		{"M24 form-encoded, in another order", "text/plain", "expires_in=3600&access_token=" + content, "form-encoded"},
		{"M25 Equinix's sample", "", "{\n\n    \"access_token\": \"" + content + "\",\n\n    \"token_type\": \"Bearer\",\n\n}", "not valid JSON (at byte 79 of 79)"},
		{"token twice", "", `{"access_token":"` + content + `","access_token":"y"}`, "access_token twice"},
		{"the same token twice, once escaped", "", `{"access_token":"x","\u0061ccess_token":"x"}`, "access_token twice"},
		{"token type twice, once null", "", `{"access_token":"x","token_type":null,"token_type":"mac"}`, "token_type twice"},
		{"lifetime twice", "", `{"access_token":"x","expires_in":1,"expires_in":99999}`, "expires_in twice"},
		{"token in other letters", "", `{"Access_Token":"` + content + `"}`, "access_token in other letters"},
		{"token again, in other letters", "", `{"access_token":"x","ACCESS_TOKEN":"` + content + `"}`, "access_token in other letters"},
		{"lifetime in other letters", "", `{"access_token":"x","Expires_In":1}`, "expires_in in other letters"},
		{"a letter that folds to one", "", `{"access_token":"x","\u017fcope":"a"}`, "scope in other letters"},
		{"compressed without a word of it, and cut", "", "\x1f\x8b\x08\x00\x00\x00\x00\x00", "compressed and cannot be decoded"},
		{"nested too deep", "", `{"x":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `,"access_token":"x"}`, "not valid JSON"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := platform{body: test.body}
			if test.contentType != "" {
				p.header = map[string]string{"Content-Type": test.contentType}
			}
			token, err := p.token(t)
			wantBadAnswer(t, token, err, test.want)
			if n := p.requests.Load(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// utf16 encodes text of ASCII and the byte order mark, the low byte of each character at offset low.
func utf16(text string, high int) string {
	var out strings.Builder
	for _, r := range text {
		pair := [2]byte{byte(r), byte(r >> 8)}
		out.Write([]byte{pair[high], pair[1-high]})
	}
	return out.String()
}

// TestCutAnswers is M04: an answer that ends early never counts as a token, wherever it ends.
func TestCutAnswers(t *testing.T) {
	whole := `{"token_type":"Bearer","expires_in":3600,"scope":"a b","access_token":"` + content + `"}`
	for length := range len(whole) {
		p := platform{body: whole[:length]}
		token, err := p.token(t)
		wantBadAnswer(t, token, err, "the answer is ")
	}
	p := platform{body: whole}
	if _, err := p.token(t); err != nil {
		t.Error(err)
	}
}

// TestGoodAnswers tests odd answers with a valid token.
func TestGoodAnswers(t *testing.T) {
	const plain = `{"access_token":"x","token_type":"Bearer","expires_in":3600}`
	long := strings.Repeat("x", 60<<10)
	tests := []struct {
		name        string
		contentType string
		body        string
		want        clients.Token
	}{
		{"M06 byte order mark", "application/json", "\xef\xbb\xbf" + plain, clients.Token{}},
		{"M06 ASCII as Latin-1", "application/json; charset=iso-8859-1", plain, clients.Token{}},
		{"M10 every character that is allowed", "application/json", `{"access_token":"!#$%&'()*+,-./0:;<=>?@A[]^_` + "`" + `a{|}~"}`, clients.Token{AccessToken: clients.NewSecret("!#$%&'()*+,-./0:;<=>?@A[]^_`a{|}~")}},
		{"M12 token of 60 KiB", "application/json", `{"access_token":"` + long + `"}`, clients.Token{AccessToken: clients.NewSecret(long)}},
		{"M13 bearer", "application/json", `{"access_token":"x","token_type":"bearer"}`, clients.Token{TokenType: "bearer"}},
		{"M13 BEARER", "application/json", `{"access_token":"x","token_type":"BEARER"}`, clients.Token{TokenType: "BEARER"}},
		{"M13 BearerToken", "application/json", `{"access_token":"x","token_type":"BearerToken"}`, clients.Token{TokenType: "BearerToken"}},
		{"M13 client_credentials", "application/json", `{"access_token":"x","token_type":"client_credentials"}`, clients.Token{TokenType: "client_credentials"}},
		{"M13 type missing", "application/json", `{"access_token":"x"}`, clients.Token{}},
		{"M13 type null", "application/json", `{"access_token":"x","token_type":null}`, clients.Token{}},
		{"M13 type empty", "application/json", `{"access_token":"x","token_type":""}`, clients.Token{}},
		{"M20 refresh token a number", "application/json", `{"access_token":"x","refresh_token":604800}`, clients.Token{}},
		{"M20 refresh token with a line break", "application/json", `{"access_token":"x","refresh_token":"a\r\nb"}`, clients.Token{}},
		{"M20 refresh token null", "application/json", `{"access_token":"x","refresh_token":null,"refresh_token_timeout":5}`, clients.Token{}},
		{"M20 lifetime of the refresh token junk", "application/json", `{"access_token":"x","refresh_token":"r","refresh_token_timeout":{"a":[]}}`, clients.Token{RefreshToken: clients.NewSecret("r")}},
		{"M21 unknown members", "application/json", `{"x":{"access_token":7},"access_token":"x","":null,"x":[],"X":1}`, clients.Token{}},
		{"M23 as text", "text/plain; charset=utf-8", plain, clients.Token{}},
		{"M23 as bytes", "application/octet-stream", plain, clients.Token{}},
		{"M23 without a type", "", plain, clients.Token{}},
		{"M23 with a charset", "application/json;charset=UTF-8", plain, clients.Token{}},
		{"M27 scope", "application/json", `{"access_token":"x","scope":"ix-api.read"}`, clients.Token{Scope: "ix-api.read"}},
		{"M27 scope null", "application/json", `{"access_token":"x","scope":null}`, clients.Token{}},
		{"M27 scope an array", "application/json", `{"access_token":"x","scope":["a","b"]}`, clients.Token{Scope: "a b"}},
		{"M27 scope an array of numbers", "application/json", `{"access_token":"x","scope":[1]}`, clients.Token{}},
		{"M13 Bearer with blanks", "application/json", `{"access_token":"x","token_type":" Bearer "}`, clients.Token{TokenType: "Bearer"}},
		{"an error code of zero", "application/json", `{"access_token":"x","errorCode":"0","error":"none"}`, clients.Token{}},
		{"M27 scope with a terminal's escape sequence", "application/json", `{"access_token":"x","scope":"a\u001b[31m\u202eb"}`, clients.Token{Scope: "a [31m b"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := platform{body: test.body, header: map[string]string{"Content-Type": test.contentType}}
			token, err := p.token(t)
			if err != nil {
				t.Fatal(err)
			}
			want := test.want
			if want.AccessToken.IsZero() {
				want.AccessToken = clients.NewSecret("x")
			}
			if want.TokenType == "" {
				want.TokenType = "Bearer"
			}
			if token.AccessToken != want.AccessToken || token.TokenType != want.TokenType || token.Scope != want.Scope || token.RefreshToken != want.RefreshToken {
				t.Errorf("type %q, scope %q, access token right %t, refresh token right %t; want type %q, scope %q",
					token.TokenType, token.Scope, token.AccessToken == want.AccessToken, token.RefreshToken == want.RefreshToken, want.TokenType, want.Scope)
			}
		})
	}
}

// TestLifetimes tests all kinds of lifetimes in answers, and whether such a token is used again.
func TestLifetimes(t *testing.T) {
	none := time.Duration(-1)
	tests := []struct {
		name    string
		members string
		want    time.Duration // none: unknown
	}{
		{"M15 missing", ``, none},
		{"M15 null", `,"expires_in":null`, none},
		{"M15 empty", `,"expires_in":""`, none},
		{"M16 zero", `,"expires_in":0`, 0},
		{"M16 zero as text", `,"expires_in":"0"`, 0},
		{"M16 negative", `,"expires_in":-3600`, 0},
		{"M16 negative as text", `,"token_timeout":"-1"`, 0},
		{"M17 words", `,"expires_in":"abc"`, none},
		{"M17 NaN", `,"expires_in":"NaN"`, none},
		{"M17 infinite", `,"expires_in":"Infinity"`, none},
		{"M17 1e30", `,"expires_in":1e30`, none},
		{"M17 1e999", `,"expires_in":1e999`, none},
		{"M17 -1e999", `,"expires_in":-1e999`, 0},
		{"M17 2^63", `,"expires_in":9223372036854775808`, none},
		{"M17 a thousand digits", `,"expires_in":"` + strings.Repeat("9", 1000) + `"`, none},
		{"M17 a thousand zeros first", `,"expires_in":"` + strings.Repeat("0", 1000) + `60"`, time.Minute},
		{"M17 true", `,"expires_in":true`, none},
		{"M17 object", `,"expires_in":{}`, none},
		{"M17 array", `,"expires_in":[3600]`, none},
		{"M17 sign alone", `,"expires_in":"-"`, none},
		{"M18 five seconds", `,"expires_in":5`, 5 * time.Second},
		{"M19 both, token_timeout shorter", `,"expires_in":3600,"token_timeout":"60"`, time.Minute},
		{"M19 both, expires_in shorter", `,"expires_in":60,"token_timeout":"3600"`, time.Minute},
		{"M19 both, one junk", `,"expires_in":"soon","token_timeout":"3600"`, time.Hour},
		{"number", `,"expires_in":3600`, time.Hour},
		{"text", `,"expires_in":"3600"`, time.Hour},
		{"blanks around", `,"expires_in":" 3600\n"`, time.Hour},
		{"words behind", `,"token_timeout":"3599 (60 minutes)"`, 3599 * time.Second},
		{"letters behind", `,"token_timeout":"3600s"`, time.Hour},
		{"fraction", `,"expires_in":3599.5`, 3599500 * time.Millisecond},
		{"fraction as text", `,"expires_in":"0.5"`, 500 * time.Millisecond},
		{"exponent", `,"expires_in":3.6e3`, time.Hour},
		{"exponent as text", `,"expires_in":"+3.6E+3"`, time.Hour},
		{"letter e without exponent", `,"expires_in":"60e"`, none},
		{"seconds", `,"expires_in":"3600 Seconds"`, time.Hour},
		{"sec, and words", `,"expires_in":"3600 sec (an hour)"`, time.Hour},
		{"a date", `,"expires_in":"2026-11-25T12:00:00Z"`, none},
		{"an hour in words", `,"expires_in":"1 hour"`, none},
		{"minutes", `,"expires_in":"60m"`, none},
		{"separators", `,"expires_in":"3,600"`, none},
		{"two numbers", `,"expires_in":"3600 7200"`, none},
		{"hexadecimal", `,"expires_in":"0xe10"`, none},
		{"400 days", `,"expires_in":34560000`, 400 * 24 * time.Hour},
		{"more than 400 days", `,"expires_in":34560001`, none},
		{"a moment since 1970", `,"expires_in":1795650000`, none},
		{"milliseconds", `,"expires_in":3600000000`, none},
		{"a moment, and a lifetime", `,"expires_in":1795650000,"token_timeout":"3600"`, time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := platform{body: `{"access_token":"x"` + test.members + `}`}
			token := p.startFor(t, clients.Options{}, equinix)
			before := time.Now().Round(0)
			first, err := token(5 * time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == none && !first.Expiry.IsZero():
				t.Errorf("expiry in %s, want none", first.Expiry.Sub(before))
			case test.want != none && (first.Expiry.Before(before.Add(test.want)) || first.Expiry.After(time.Now().Add(test.want))):
				t.Errorf("expiry in %s, want in %s", first.Expiry.Sub(before), test.want)
			}
			if _, err := token(5 * time.Minute); err != nil {
				t.Fatal(err)
			}
			wantRequests := int32(2) // a token that has ended or has an unknown lifetime is not used again
			if test.want >= time.Minute {
				wantRequests = 1
			}
			if n := p.requests.Load(); n != wantRequests && (test.want <= 0 || test.want >= time.Minute) { // a shorter token is shared for a moment while it is new
				t.Errorf("%d requests for two tokens, want %d", n, wantRequests)
			}
		})
	}
}

// TestJWTLifetimes is M26: if the token is a JWT, its exp claim counts if it is earlier, by the server's own clock.
func TestJWTLifetimes(t *testing.T) {
	now := time.Now()
	jwt := func(payload string) string {
		return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2lnbmF0dXJl"
	}
	exp := func(clock time.Time, lifetime time.Duration) string {
		return jwt(fmt.Sprintf(`{"iss":"x","exp":%d}`, clock.Add(lifetime).Unix()))
	}
	yesterday, tomorrow := now.Add(-24*time.Hour), now.Add(24*time.Hour)
	tests := []struct {
		name    string
		token   string
		date    time.Time // of the server's clock; zero: the answer has no Date header
		members string
		want    time.Duration
	}{
		{"sooner than expires_in", exp(now, time.Minute), now, `,"expires_in":3600`, time.Minute},
		{"later than expires_in", exp(now, time.Hour), now, `,"expires_in":60`, time.Minute},
		{"without expires_in", exp(now, time.Hour), now, ``, time.Hour},
		{"the server's clock is behind", exp(yesterday, time.Hour), yesterday, `,"expires_in":7200`, time.Hour},
		{"the server's clock is ahead", exp(tomorrow, time.Hour), tomorrow, `,"expires_in":7200`, time.Hour},
		{"the server names no time", exp(now, time.Hour), time.Time{}, ``, time.Hour},
		{"has run out", exp(now, -time.Hour), now, `,"expires_in":3600`, 0},
		{"absurdly late", jwt(`{"exp":99999999999}`), now, `,"expires_in":3600`, time.Hour},
		{"the Date header is wrong", exp(now, time.Hour), now.Add(2 * time.Hour), `,"expires_in":3600`, time.Hour},
		{"the Date header is wrong, and no other lifetime", exp(now, time.Hour), now.Add(2 * time.Hour), ``, 0},
		{"has run out by both clocks", exp(now, -time.Hour), now.Add(time.Hour), `,"expires_in":3600`, 0},
		{"issued and ended by a clock that is ahead", jwt(fmt.Sprintf(`{"iat":%d,"exp":%d}`, tomorrow.Unix(), tomorrow.Add(time.Hour).Unix())), now, ``, time.Hour},
		{"issued and ended by a clock that is behind", jwt(fmt.Sprintf(`{"iat":%d,"exp":%d}`, yesterday.Unix(), yesterday.Add(time.Hour).Unix())), now, ``, time.Hour},
		{"bad: ended before it was issued", jwt(fmt.Sprintf(`{"iat":%d,"exp":%d}`, now.Unix(), yesterday.Unix())), now, `,"expires_in":3600`, time.Hour},
		{"with a fraction", jwt(fmt.Sprintf(`{"exp":%d.75}`, now.Add(time.Minute).Unix())), now, ``, time.Minute},

		{"bad: exp is text", jwt(`{"exp":"1"}`), now, `,"expires_in":3600`, time.Hour},
		{"bad: exp is zero", jwt(`{"exp":0}`), now, `,"expires_in":3600`, time.Hour},
		{"bad: exp is negative", jwt(`{"exp":-1}`), now, `,"expires_in":3600`, time.Hour},
		{"bad: exp is null", jwt(`{"exp":null}`), now, `,"expires_in":3600`, time.Hour},
		{"bad: exp is out of range", jwt(`{"exp":1e999}`), now, `,"expires_in":3600`, time.Hour},
		{"bad: exp is twice there", jwt(`{"exp":1,"exp":2}`), now, `,"expires_in":3600`, time.Hour},
		{"bad: no exp", jwt(`{"sub":"x"}`), now, `,"expires_in":3600`, time.Hour},
		{"bad: no object", jwt(`[1]`), now, `,"expires_in":3600`, time.Hour},
		{"bad: no JSON", jwt(`{`), now, `,"expires_in":3600`, time.Hour},
		{"bad: no base64", "a.*.c", now, `,"expires_in":3600`, time.Hour},
		{"bad: two parts", exp(now, 0)[:30] + "." + exp(now, 0)[30:40], now, `,"expires_in":3600`, time.Hour},
		{"bad: four parts", exp(now, time.Minute) + ".e30", now, `,"expires_in":3600`, time.Hour},
		{"bad: five parts, as a JWE has", exp(now, time.Minute) + ".e30.e30", now, `,"expires_in":3600`, time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			date := ""
			if !test.date.IsZero() {
				date = test.date.UTC().Format(http.TimeFormat)
			}
			p := platform{
				body:   fmt.Sprintf(`{"access_token":%q%s}`, test.token, test.members),
				header: map[string]string{"Date": date},
			}
			before := time.Now()
			token, err := p.token(t)
			if err != nil {
				t.Fatal(err)
			}
			// exp and Date have whole seconds.
			if left := token.Expiry.Sub(before); left < test.want-2*time.Second || left > test.want+2*time.Second {
				t.Errorf("expiry in %s, want in %s", left, test.want)
			}
		})
	}
}

// TestHostileAnswers is M21: decoding an answer that is made to be slow takes little longer than encoding/json takes to validate
// it. The comparison is right on a busy machine and with the race detector too.
func TestHostileAnswers(t *testing.T) {
	const times, slack = 25, time.Second
	var members strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&members, `"%d":0,`, i)
	}
	const deep = 9_998 // the decoder's own limit is 10,000
	for name, part := range map[string]string{
		"M21 100,000 members":     members.String(),
		"M21 10,000 arrays deep":  `"x":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + ",",
		"M21 10,000 objects deep": `"x":` + strings.Repeat(`{"a":`, deep) + "0" + strings.Repeat("}", deep) + ",",
		"M17 1,000,000 digits":    `"expires_in":` + strings.Repeat("9", 1_000_000) + ",",
	} {
		t.Run(name, func(t *testing.T) {
			p := platform{body: "{" + part + `"access_token":"x"}`}
			began := time.Now()
			if err := json.Unmarshal([]byte(p.body), &map[string]json.RawMessage{}); err != nil {
				t.Fatal(err)
			}
			limit := times*time.Since(began) + slack
			began = time.Now()
			if _, err := p.token(t); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > limit {
				t.Errorf("took %s, more than %s", took, limit)
			}
		})
	}
}

// TestLargestAnswer is M22: an answer of 1 MiB is read. With one byte more, it is an error and not cut.
func TestLargestAnswer(t *testing.T) {
	const limit = 1 << 20
	body := `{"access_token":"x","expires_in":3600}`
	p := platform{body: body + strings.Repeat(" ", limit-len(body))}
	if _, err := p.token(t); err != nil {
		t.Error(err)
	}
	p = platform{body: p.body + " "}
	token, err := p.token(t)
	wantBadAnswer(t, token, err, "the answer is too large: more than 1048576 bytes")
}
