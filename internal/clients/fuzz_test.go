// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/transport"
)

// fuzzStart is the time at which the requests of the fuzz targets are sent.
var fuzzStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// wantNoPiece fails the test if text contains six consecutive bytes of hidden.
func wantNoPiece(t *testing.T, text, hidden string) {
	t.Helper()
	text = strings.ReplaceAll(text, redacted, "\x00")
	for i := 0; i+6 <= len(hidden); i++ {
		if strings.Contains(text, hidden[i:i+6]) {
			t.Fatalf("%q has %q of the secret", text, hidden[i:i+6])
		}
	}
}

// wantWithin fails the test unless expiry is zero or between start and the longest lifetime after it.
func wantWithin(t *testing.T, expiry, start time.Time) {
	t.Helper()
	if !expiry.IsZero() && (expiry.Before(start) || expiry.After(start.Add(maxLifetime))) {
		t.Fatalf("expiry %s is out of range", expiry)
	}
}

// FuzzToken tests that the decoder returns a token that fits into a header and has a plausible lifetime, or an error that
// repeats nothing of the answer.
func FuzzToken(f *testing.F) {
	f.Add([]byte(`{"access_token":"`), []byte(`","token_type":"Bearer","expires_in":3600,"scope":"a b"}`), "Fri, 02 Jan 2026 03:04:05 GMT")
	f.Add([]byte("{\n \"access_token\": \"x\", \"token_timeout\": \"3600\", \"token_type\": \"Bearer\", \"refresh_token\": \""), []byte("\",\"refresh_token_timeout\":\"5184000\"\n}"), "")
	f.Add([]byte(`{"access_token":"x","Access_Token":"`), []byte(`"}`), "")
	f.Add([]byte(`{"access_token":"e30.`+base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1767326645}`))+`.`), []byte(`"}`), "x")
	f.Add([]byte("\xef\xbb\xbf{\"access_token\":[\""), []byte("\"]} {}"), "")
	f.Add([]byte("<html>"), []byte("</html>"), "")
	f.Fuzz(func(t *testing.T, before, after []byte, date string) {
		body := slices.Concat(before, []byte(canary), after)
		token, err := readToken(answer{Response: &http.Response{Header: http.Header{"Date": {date}}}, body: body, sent: fuzzStart}, equinixDeviations)
		if err != nil {
			if token != (Token{}) {
				t.Fatal("there is a token and an error")
			}
			wantNoPiece(t, err.Error(), canary)
			return
		}
		if token.AccessToken.IsZero() {
			t.Fatal("the token is empty")
		}
		for _, secret := range []Secret{token.AccessToken, token.RefreshToken} {
			text := secret.Reveal()
			if len(text) > maxToken || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Fatalf("%q is not fit for a header", text)
			}
		}
		for _, text := range []string{token.TokenType, token.Scope, token.UserName} {
			if text != printable.OneLine(text) {
				t.Fatalf("%q is not fit for a terminal", text)
			}
		}
		wantWithin(t, token.Expiry, fuzzStart)
		wantWithin(t, token.RefreshTokenExpiry, fuzzStart)
	})
}

// FuzzLifetime tests that any value in place of a number of seconds is a plausible lifetime or none, as a number and as text.
func FuzzLifetime(f *testing.F) {
	for _, text := range []string{"3600", "3599 (60 minutes)", "-1", "0.5", "3.6e3", "1e999", "-1e999", "NaN", "0x10", " 60 ", "+", "9223372036854775808", "1_000", "null", `{"a":1}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		asText := readLifetime(quoted)
		wantWithin(t, expiry(fuzzStart, asText), fuzzStart)
		if !json.Valid([]byte(text)) || jsonKind([]byte(text)) != "a number" {
			return
		}
		asNumber := readLifetime([]byte(text))
		wantWithin(t, expiry(fuzzStart, asNumber), fuzzStart)
		if (asNumber == nil) != (asText == nil) || asNumber != nil && *asNumber != *asText {
			t.Fatalf("%s is %v as number and %v as text", text, asNumber, asText)
		}
	})
}

// FuzzErrorBody tests that a platform's error is shown in one short line, without a secret that it repeats.
func FuzzErrorBody(f *testing.F) {
	f.Add(`{"error":"invalid_client","error_description":"wrong: `, `"}`)
	f.Add(`[{"errorCode":"S1006","errorMessage":"Login Failure, `, `"}]`)
	f.Add(`{"errors":[{"error_code":"`, `","error_message":"a"},7]}`)
	f.Add(`{"message":"\u0041%41&#65;`, `","status_code":401}`)
	f.Add(`{"error":{"message":"`, `"}}`)
	f.Add("\xef\xbb\xbf", "")
	request := request{secrets: []Secret{NewSecret(canary)}}
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, write := range []func(string) string{strings.Clone, url.QueryEscape, inJSON, func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }} {
			written := write(canary)
			body := []byte(before + written + after)
			e := &Error{Status: 400}
			request.describe(e, readReply(body, 400), answer{Response: &http.Response{Header: http.Header{}}, body: body}, nil)
			wantNoPiece(t, e.Code+"\x00"+e.Description, canary)
			wantNoPiece(t, e.Code+"\x00"+e.Description, written)
			for _, text := range []string{e.Code, e.Description} {
				if text != printable.OneLine(text) || len(text) > 3*maxDescription {
					t.Fatalf("%q is not fit to be shown", text)
				}
			}
		}
	})
}

// FuzzRetryAfter tests that any value of the header, or of a reset, is a valid wait or none.
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"2", "0", "-1", "1.5", "86400", "18446744073709551616", "Fri, 02 Jan 2026 03:05:05 GMT", "Friday, 02-Jan-26 03:03:05 GMT", "soon", ""} {
		f.Add(value, "Fri, 02 Jan 2026 03:04:05 GMT")
	}
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		header := http.Header{"Retry-After": {value}, "Date": {date}}
		wait, ok := retryAfter(header, serverTime(header, fuzzStart))
		if wait < 0 || wait > longestPause || !ok && wait != 0 {
			t.Fatalf("%q is a wait of %s, %t", value, wait, ok)
		}
		header = http.Header{"X-Ratelimit-Reset": {value}, "Ratelimit": {`"a";r=0;t=` + value}, "Date": {date}}
		if wait := rateLimitPause(header, serverTime(header, fuzzStart)); wait < 0 || wait > longestReset {
			t.Fatalf("%q is a wait of %s until the reset", value, wait)
		}
	})
}

// FuzzURL tests that a request for an accepted URL goes to its host only, and that the error for another URL repeats nothing of
// it.
func FuzzURL(f *testing.F) {
	for _, text := range []string{
		"https://api.equinix.com", "https://login.example:8443/tenant/connect/token/", "http://[::1]:80/api", "http://127.0.0.1//api//",
		"https://a@b.example?c#d", `https://a\@b.example`, "https://a.example/%2f%0a;x=1/../..", "https:a.example", "https://a%41.example", "HTTPS://É.example:", "https://[fe80::1%25eth0]",
	} {
		f.Add(text, "user:", "@a.example/?key=")
	}
	f.Fuzz(func(t *testing.T, text, before, after string) {
		if _, err := ParseURL("https://" + before + canary + after); err != nil {
			wantNoPiece(t, err.Error(), canary)
		}
		base, err := ParseURL(text)
		if err != nil {
			return
		}
		if base.User != nil || base.RawQuery != "" || base.Fragment != "" || base.Scheme != "https" && !transport.Loopback(base.Hostname()) {
			t.Fatalf("%q was taken", text)
		}
		for _, optional := range []string{"", "/api", "/connect/token"} {
			c := request{endpoint: endpoint(base, optional, "/connect/token")}
			r, err := http.NewRequest(http.MethodPost, c.endpoint.String(), http.NoBody)
			if err != nil {
				t.Fatalf("%q gives no request: %v", text, err)
			}
			if r.URL.Host != base.Host || r.URL.Scheme != base.Scheme || !strings.HasSuffix(r.URL.EscapedPath(), "/connect/token") || strings.HasSuffix(r.URL.EscapedPath(), "//connect/token") {
				t.Fatalf("%q is asked at %q", text, r.URL)
			}
			if address := c.address(); strings.ContainsFunc(address, printable.NotGraphic) || !strings.HasPrefix(address, base.Host+"/") {
				t.Fatalf("%q is shown as %q", text, address)
			}
		}
	})
}

// FuzzScrub tests that the scrubber leaves no six consecutive characters of any secret, however it is encoded and cut.
func FuzzScrub(f *testing.F) {
	f.Add("nykSBHIDynMHrwkGyXWzLFAXYbOVP3EKtk6pprOS", "invalid secret '", "' for client", uint8(0), uint8(255))
	f.Add(`a"b'c<d>e&f%41\n g`, "&amp;", "\\", uint8(9), uint8(128))
	f.Add("äöüßéè", "%C3", "%A4", uint8(20), uint8(10))
	f.Add("%2541%41", "%25", "", uint8(4), uint8(255))
	f.Add("a", "", "", uint8(1), uint8(0))
	names := slices.Sorted(maps.Keys(escapings))
	f.Fuzz(func(t *testing.T, secret, before, after string, how, length uint8) {
		if !utf8.ValidString(secret) || secret != printable.OneLine(secret) || len(secret) > maxInput {
			return
		}
		write := escapings[names[int(how)%len(names)]]
		written := write(secret)
		part := printable.Clip(written, int(length))
		text := newScrubber(NewSecret(secret)).scrub(before+part+after, 300)
		if text != printable.OneLine(text) || len(text) > 300+len("…") {
			t.Fatalf("%q is not fit to be shown", text)
		}
		if how%2 == 0 { // escape the surrounding text together with the secret
			before, after = "", ""
		}
		text = newScrubber(NewSecret(secret)).scrub(before+" "+part+" "+after, 4096)
		if left := survives(text, secret, write); left != "" {
			t.Fatalf("%q survives in %q", left, text)
		}
	})
}

// FuzzPairs tests that a map can be read back from its Secret unchanged, and that an error about it does not show a value.
func FuzzPairs(f *testing.F) {
	f.Add("resource", "https://api.example/things", "X-Key", canary)
	f.Add("", "a=b&c", "grant_type", "\xff")
	f.Add("Host", "a\r\nb", "host", "ä")
	f.Add("a&b=c", "%41+ ", "a", "")
	f.Fuzz(func(t *testing.T, name, value, other, another string) {
		all := map[string]string{name: value, other: another + canary}
		pairs := Pairs(all)
		maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
		if got := unpair(pairs); !maps.Equal(got, all) {
			t.Fatalf("%q became %q", all, got)
		}
		for _, fault := range []string{CheckParameters(pairs), CheckHeaders(pairs)} {
			if !strings.Contains(name+other, canary[:6]) {
				wantNoPiece(t, fault, canary)
			}
			if strings.ContainsAny(fault, "\r\n") {
				t.Fatalf("it is more than one line: %q", fault)
			}
		}
	})
}

// FuzzIdentityToken tests that the claims of an identity token are shown in one line of bounded length, and that an error does
// not repeat the token.
func FuzzIdentityToken(f *testing.F) {
	f.Add([]byte(`{"iss":"https://issuer.example","sub":"job","aud":["a","b"],"exp":1767326645}`))
	f.Add([]byte(`{"iss":"` + canary + `","sub":"\u001b[31m\n","aud":1,"exp":-1e400}`))
	f.Add([]byte(`{"iss":"a","iss":"b"`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		token := NewSecret("e30." + base64.RawURLEncoding.EncodeToString(payload) + "." + canary)
		found, err := readIdentity(token)
		if err != nil {
			wantNoPiece(t, err.Error(), canary)
			return
		}
		text := found.describe(fuzzStart)
		if text != printable.OneLine(text) || len(text) > 8*maxDescription || !utf8.ValidString(text) {
			t.Fatalf("%d bytes: %q", len(text), text)
		}
		if found.issuer == "" || found.subject == "" || found.key == "" {
			t.Fatal("nothing tells this identity from another one")
		}
	})
}
