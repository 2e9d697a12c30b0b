// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestPairsAreOneValue tests that a map becomes one comparable value and can be read back.
func TestPairsAreOneValue(t *testing.T) {
	for range 50 { // because the order of a map is random
		if Pairs(map[string]string{"a": "1", "b": "2&c=3", "c": ""}) != Pairs(map[string]string{"b": "2&c=3", "a": "1"}) {
			t.Fatal("equal maps are not equal")
		}
	}
	if Pairs(map[string]string{"a": "1&b=2"}) == Pairs(map[string]string{"a": "1", "b": "2"}) {
		t.Error("different maps are equal")
	}
	if !Pairs(nil).IsZero() || !Pairs(map[string]string{"a": ""}).IsZero() {
		t.Error("a map without a value is not the zero value")
	}
	if got := unpair(Pairs(map[string]string{"ä ": "\xff\x00%41+"})); len(got) != 1 || got["ä "] != "\xff\x00%41+" {
		t.Errorf("came back as %q", got)
	}
}

// TestOwnParametersAndHeadersAreRefused tests which parameters and headers a user must not set. Errors do not repeat the values.
func TestOwnParametersAndHeadersAreRefused(t *testing.T) {
	const hidden = "CANARY-77"
	for name, want := range map[string]string{
		"grant_type": `must not set "grant_type"`, "client_id": "client_id has", "client_secret": "client_secret has", "scope": "scopes has",
		"audience": "audience has", "refresh_token": "previous_refresh_token has", "client_assertion": "client_assertion has",
		"client_assertion_type": "client_assertion has", "subject_token": "token_exchange_subject_token has",
		"": "without a name", "a\nb": "line break", "a b": "has a blank", " a": "has a blank", "a\u00a0": "has a blank", "\ufeffa": "cannot be seen: \"\\ufeffa\"", "a\u200b": "cannot be seen", "\xff": "not valid UTF-8",
		"resource": "", "subject_token_type": "", "requested_token_type": "", "Scope": "", "username": "", "a[b]:c": "",
	} {
		if got := CheckParameters(Pairs(map[string]string{name: hidden, "x": hidden})); (got == "") != (want == "") || !strings.Contains(got, want) || strings.Contains(got, hidden) {
			t.Errorf("parameter %q: %q, want %q", name, got, want)
		}
	}
	for name, accepted := range map[string]bool{
		"Authorization": false, "authorization": false, "HOST": false, "Content-Length": false, "content-type": false, "Content-Encoding": false,
		"Accept": false, "Accept-Encoding": false, "Accept-Language": false, "Connection": false, "Keep-Alive": false, "TE": false, "Trailer": false,
		"Transfer-Encoding": false, "Upgrade": false, "Cookie": false, "Proxy-Authorization": false, "Proxy-Connection": false, "Expect": false,
		"User-Agent": false, "HTTP2-Settings": false, "": false, "X Y": false, "X:Y": false, "X\r\nY": false, "Ü": false,
		"X-Tracking-Id": true, "Ocp-Apim-Subscription-Key": true, "X-Authorization": true, "Hosts": true, "DPoP": true,
	} {
		got := CheckHeaders(Pairs(map[string]string{name: hidden, "X-Other": hidden}))
		if (got == "") != accepted || strings.Contains(got, hidden) {
			t.Errorf("header %q: %q, accepted %t", name, got, accepted)
		}
	}
	if got := CheckHeaders(Pairs(map[string]string{"X-Key": hidden, "x-key": hidden})); !strings.Contains(got, "twice") {
		t.Errorf("a header in two spellings: %q", got)
	}
	for _, value := range []string{hidden + "\n", hidden + "\r\nHost: x", " " + hidden, hidden + "\t", "ä" + hidden, hidden + "\x7f"} {
		if got := CheckHeaders(Pairs(map[string]string{"X-Key": value})); !strings.Contains(got, `"X-Key"`) || strings.Contains(got, hidden) {
			t.Errorf("header value %q: %q", value, got)
		}
	}
	if got := CheckParameters(Pairs(map[string]string{"x": strings.Repeat("x", maxInput), "y": strings.Repeat("é", maxPairs/8)})); got == "" {
		t.Error("parameters may be of any length")
	}
}

// TestNoSecondWayToAuthenticate tests that a rejection costs one request, even if the server offers another authentication
// method.
func TestNoSecondWayToAuthenticate(t *testing.T) {
	for _, refusal := range []http.HandlerFunc{
		says(401, `{"error":"invalid_client","error_description":"use client_secret_post"}`, `WWW-Authenticate: Basic realm="x"`),
		says(400, `{"error":"invalid_client"}`), says(401, ""),
	} {
		p := onLoopback(t, refusal)
		c := p.client(Options{})
		for range 2 {
			_, err := ask(t, c, p.oauth2(ClientCredentials))
			if fault := failed(t, err); fault.Kind != CredentialsRejected {
				t.Error(err)
			}
		}
		p.sent(1, "")
	}
}

// TestWrongSecretIsSentOnceInAnyForm tests that the same credentials with other parameters, other headers or another
// authentication method are not sent again.
func TestWrongSecretIsSentOnceInAnyForm(t *testing.T) {
	p := onLoopback(t, rejects("invalid_client"))
	c := p.client(Options{})
	json, headers, scopes := p.oauth2(ClientCredentials), p.oauth2(ClientCredentials), p.oauth2(ClientCredentials)
	json.Audience, headers.Parameters, scopes.Scope = "other", Pairs(map[string]string{"pin": parameter, "more": "x"}), "a"
	for _, grant := range []Grant{p.oauth2(ClientCredentials), json, headers, scopes} {
		_, err := ask(t, c, grant)
		failed(t, err)
	}
	p.sent(1, "")
}

// TestParametersAndHeadersAreScrubbed tests that an error shows neither their values nor the HTTP Basic header, however the
// server repeats them.
func TestParametersAndHeadersAreScrubbed(t *testing.T) {
	for name, echo := range map[string]func(*http.Request) string{
		"a parameter":   func(r *http.Request) string { return r.PostFormValue("pin") },
		"a header":      func(r *http.Request) string { return r.Header.Get("X-Key") },
		"HTTP Basic":    func(r *http.Request) string { return r.Header.Get("Authorization") },
		"its inside":    func(r *http.Request) string { _, secret, _ := r.BasicAuth(); return secret },
		"half of that":  func(r *http.Request) string { _, secret, _ := r.BasicAuth(); return secret[len(secret)/2:] },
		"half of Basic": func(r *http.Request) string { s := r.Header.Get("Authorization"); return s[len(s)*2/3:] },
	} {
		t.Run(name, func(t *testing.T) {
			p := onLoopback(t, func(w http.ResponseWriter, r *http.Request) {
				says(400, fmt.Sprintf(`{"error":"invalid_scope","error_description":%q}`, "sent: "+echo(r)))(w, r)
			})
			_, err := ask(t, p.client(Options{}), p.oauth2(ClientCredentials))
			if failed(t, err); !strings.HasSuffix(err.Error(), "code invalid_scope: \""+redacted+"\"") {
				t.Error(err)
			}
		})
	}
}

// TestARefreshNamesNoScope tests that an automatic refresh sends no scope, so the server grants the same scopes again.
func TestARefreshNamesNoScope(t *testing.T) {
	g := (&fakePlatform{url: "http://127.0.0.1"}).oauth2(ClientCredentials)
	g.Scope = "a b"
	r := requestFor(t, requestFor(t, g).refresh(NewSecret(refreshToken)))
	if sent := fields([]byte(r.body.Reveal())); sent["scope"] != "" || sent["refresh_token"] != refreshToken || sent["pin"] != parameter {
		t.Errorf("the refresh has the fields %v", sent)
	}
}

// TestOnlyTwoParametersAreRepeated tests that each line of resource and audience is a value of its own, in both formats, and that
// the value of any other parameter is sent as it is.
func TestOnlyTwoParametersAreRepeated(t *testing.T) {
	p := &fakePlatform{t: t, url: "http://127.0.0.1"}
	for lines, want := range map[string][]string{
		"a": {"a"}, "a\n": {"a"}, "a\nb": {"a", "b"}, "a\r\n\r\nb c\r\n": {"a", "b c"}, "\n": nil,
	} {
		grant := p.oauth2(ClientCredentials)
		grant.Audience, grant.Parameters = lines, Pairs(map[string]string{"resource": lines, "pin": parameter + lines})
		r := requestFor(t, grant)
		sent, err := url.ParseQuery(r.body.Reveal())
		if must(t, err); !slices.Equal(sent["resource"], want) || !slices.Equal(sent["audience"], want) || !slices.Equal(sent["pin"], []string{parameter + lines}) {
			t.Errorf("%q is sent as %q", lines, sent)
		}
		grant.Format = JSONBody
		var object map[string]any
		must(t, json.Unmarshal([]byte(requestFor(t, grant).body.Reveal()), &object))
		var asJSON any
		switch len(want) {
		case 0:
		case 1:
			asJSON = want[0]
		default:
			all := []any{}
			for _, one := range want {
				all = append(all, one)
			}
			asJSON = all
		}
		if !reflect.DeepEqual(object["resource"], asJSON) || !reflect.DeepEqual(object["audience"], asJSON) || object["pin"] != parameter+lines {
			t.Errorf("%q is sent as %v", lines, object)
		}
	}
	if got := CheckLineList(NewSecret("a\tb\nc")); got == "" {
		t.Error("an audience may have a control character")
	}
}
