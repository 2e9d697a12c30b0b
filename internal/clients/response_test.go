// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const htmlPage = "<html>" + bodyMark + "</html>"

// TestAnswerIsJudgedOnce tests answers after which no retry is useful.
func TestAnswerIsJudgedOnce(t *testing.T) {
	for _, row := range []struct {
		name   string
		grant  func(*fakePlatform) Grant
		answer http.HandlerFunc
		want   Kind
		text   string // in the error
	}{
		{"S01 invalid_client", interxion, rejects("invalid_client"), CredentialsRejected, "/connect/token answered 400 Bad Request, code invalid_client"},
		{"S02 401 without a body", interxion, says(401, "", "WWW-Authenticate: Basic realm="+bodyMark), CredentialsRejected, "answered 401 Unauthorized: empty answer"},
		{"S03 password grant", password, rejects("invalid_grant"), CredentialsRejected, "code invalid_grant"},
		{"S05 invalid_scope", interxion, rejects("invalid_scope"), ScopeRejected, "code invalid_scope"},
		{"S05 unsupported_grant_type", interxion, rejects("unsupported_grant_type"), GrantRejected, "code unsupported_grant_type"},
		{"S05 unauthorized_client", interxion, rejects("unauthorized_client"), GrantRejected, "code unauthorized_client"},
		{"S05 invalid_request", interxion, rejects("invalid_request"), RequestRejected, "code invalid_request"},
		{"S05 400 without a code", interxion, says(400, htmlPage), RequestRejected, "answered 400"},
		{"S06 a firewall's page", interxion, says(403, htmlPage, "Content-Type: text/html; charset=utf-8"), Forbidden, "answered 403 Forbidden: the answer is text/html without an error code"},
		{"S07 404", cloudLX, says(404, htmlPage), NotFound, "/api/oauth2/access-token answered 404 Not Found"},
		{"S07 404 with a code", equinix, says(404, `[{"errorCode":"404","errorMessage":"Not Found"}]`), NotFound, `answered 404 Not Found: "Not Found"`},
		{"S08 405", cloudLX, says(405, htmlPage), NotAcceptable, "Accept application/vnd.cloudlx.v1+json, Content-Type application/x-www-form-urlencoded"},
		{"S08 406", cloudLX, says(406, ""), NotAcceptable, "Accept application/vnd.cloudlx.v1+json"},
		{"S08 415", equinix, says(415, ""), NotAcceptable, "Content-Type application/json"},
		{"S16 camelCase", equinix, says(500, `{"errorCode":"S1006","errorMessage":"Login Failure","x":"`+bodyMark+`"}`), CredentialsRejected, `answered 500 Internal Server Error, code S1006: "Login Failure"`},
		{"S16 snake_case", equinix, says(500, `{"error_code":"S1006","error_message":"Login Failure"}`), CredentialsRejected, `code S1006: "Login Failure"`},
		{"S16 errors", equinix, says(500, `{"errors":[{"errorCode":"S1006"}]}`), CredentialsRejected, "code S1006"},
		{"S16 array", equinix, says(500, `[{"errorCode":"S1006"}]`), CredentialsRejected, "code S1006"},
		{"S16 password", password, says(500, `{"errorCode":"S1006"}`), CredentialsRejected, "code S1006"},
		{"S17 501", interxion, says(501, htmlPage), BadAnswer, "answered 501"},
		{"S17 505", interxion, says(505, htmlPage), BadAnswer, "answered 505"},
		{"S17 captive portal", interxion, says(511, htmlPage), BadAnswer, "answered 511 Network Authentication Required"},
		{"S20 307 to another path", interxion, says(307, "", "Location: /elsewhere"), Redirected, "a redirect to 127.0.0.1:"},
		{"S20 loop", interxion, says(302, "", "Location: /connect/token"), Redirected, "a redirect to 127.0.0.1:"},
		{"S20 redirect to nowhere", interxion, says(302, htmlPage), Redirected, "a redirect, which is not followed"},
		{"S20 redirect with an echo", interxion, says(302, "", "Location: https://REFRESH.S3CRET-one~1@elsewhere.example/?x="+bodyMark), Redirected, "a redirect to elsewhere.example/, which"},
		{"S21 200 with an error", interxion, says(200, `{"error":"invalid_client","hint":"`+bodyMark+`"}`), CredentialsRejected, "answered 200 OK, code invalid_client"},
		{"S22 101", interxion, switchesProtocols, BadAnswer, "answered 101 Switching Protocols"},
		{"S22 202", interxion, says(202, `{"access_token":"`+bodyMark+`"}`, "Content-Type: application/json"), BadAnswer, "answered 202 Accepted"},
		{"S22 204", interxion, says(204, ""), BadAnswer, "answered 204 No Content: empty answer"},
		{"S22 206", interxion, says(206, `{"access_token":"`+bodyMark+`"}`), BadAnswer, "answered 206"},
		{"S22 299", interxion, says(299, `{"access_token":"`+bodyMark+`"}`), BadAnswer, "answered 299:"},
		{"a login page", interxion, says(200, htmlPage), BadAnswer, "answered 200 OK: the answer is HTML or XML, not a JSON object"},
		{"an endless error page", interxion, says(404, strings.Repeat(htmlPage, 1<<17)), NotFound, "answered 404"},
		{"an endless answer", interxion, says(200, strings.Repeat(" ", maxBody+1)), BadAnswer, "answered 200 OK: the answer is too large"},
		// A rejection that was cut short is still a rejection. A retry would be a second failed login.
		{"a rejection cut short", password, writes("HTTP/1.1 401 Unauthorized\r\nContent-Length: 500\r\n\r\n" + bodyMark), CredentialsRejected, "answered 401"},
		{"a rejection cut short in a chunk", interxion, writes("HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + bodyMark), RequestRejected, "answered 400"},
		{"a code that is none", interxion, says(400, `{"error":"an odd code"}`), RequestRejected, `answered 400 Bad Request: "an odd code"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := onLoopback(t, row.answer)
			c := p.client(Options{})
			for range 2 { // the second answer comes from memory
				token, err := c.Token(t.Context(), row.grant(p), 0)
				fault := failed(t, err)
				if fault.Code != "" && strings.Contains(err.Error(), "without an error code") {
					t.Errorf("the error contradicts itself: %v", err)
				}
				if token != (Token{}) || fault.Kind != row.want || !strings.Contains(err.Error(), row.text) {
					t.Errorf("fault %d, %v; want %d, %q", fault.Kind, err, row.want, row.text)
				}
			}
			p.sent(1, "")
		})
	}
}

// switchesProtocols keeps the connection open, so a client that continues to read waits for ever.
func switchesProtocols(w http.ResponseWriter, _ *http.Request) {
	conn := hijack(w)
	_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + bodyMark + "\r\n\r\n"))
	_, _ = conn.Read(make([]byte, 1))
	_ = conn.Close()
}

func TestRedirectToAnotherHostIsNotFollowed(t *testing.T) { // S18
	for _, status := range []int{301, 302, 303, 307, 308} {
		other := onLoopback(t, grantsToken("stolen"))
		p := onLoopback(t, says(status, htmlPage, "Location: "+other.url+"/connect/token?x="+bodyMark))
		_, err := p.client(Options{}).Token(t.Context(), p.interxion(""), 0)
		if fault := failed(t, err); fault.Kind != Redirected || !strings.Contains(err.Error(), strings.TrimPrefix(other.url, "http://")) {
			t.Errorf("%d: %v", status, err)
		}
		p.sent(1, "")
		other.sent(0, "")
	}
}

func Test201HoldsAToken(t *testing.T) { // S22
	p := onLoopback(t, says(201, `{"access_token":"t-1","expires_in":60}`))
	token, err := p.client(Options{}).Token(t.Context(), p.interxion(""), 0)
	if err != nil || token.AccessToken.Reveal() != "t-1" {
		t.Errorf("%q, %v", token.AccessToken.Reveal(), err)
	}
}

func TestCookiesAreForgotten(t *testing.T) { // S27; the fake platform rejects requests with cookies
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, says(503, "", "Set-Cookie: session="+bodyMark), grantsToken("t-1"))
		if _, err := p.client(Options{}).Token(t.Context(), p.interxion(""), 0); err != nil {
			t.Error(err)
		}
		p.sent(2, "")
	})
}

func TestLifetimeCountsFromTheRequest(t *testing.T) { // T28
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			<-time.After(20 * time.Second)
			w.Header().Set("Date", time.Now().Add(24*time.Hour).UTC().Format(http.TimeFormat))
			grantsToken("t-1")(w, r)
		})
		start := time.Now()
		token, err := p.client(Options{}).Token(t.Context(), p.interxion(""), 0)
		if err != nil || !token.Expiry.Equal(start.Add(time.Hour)) {
			t.Errorf("expiry %s, %v; want %s", token.Expiry, err, start.Add(time.Hour))
		}
	})
}

// A login that Equinix has rejected is not repeated, in whatever format the error is. Five rejections lock the account.
func TestEquinixErrorsCountHoweverTheyAreWritten(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"number":         says(500, `{"errorCode":1006,"errorMessage":"Login Failure"}`),
		"trailing comma": says(500, `{"errorCode":"S1006","errorMessage":"Login Failure",}`),
		"cut short":      writes("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 500\r\n\r\n" + `{"errorCode":"S1006","errorMessage":"Login`),
		"data behind":    says(500, `{"errorCode":"S1006"} x`),
		"errors object":  says(500, `{"errors":{"error_code":"S1006"}}`),
		"second of list": says(500, `[{},{"errorCode":"S1006"}]`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, answer)
				_, err := ask(t, p.client(Options{}), p.equinix(ClientCredentials))
				if fault := failed(t, err); !fault.Kind.rejectsCredentials() {
					t.Errorf("fault %d: %v", fault.Kind, err)
				}
				p.sent(1, "")
			})
		})
	}
}

// Gateways and frameworks repeat the HTTP status in the place of an error code. It does not count as a code.
func TestAStatusIsNoErrorCode(t *testing.T) {
	for _, row := range []struct {
		answer http.HandlerFunc
		fault  Kind
		sent   int
	}{
		{says(503, `{"timestamp":"2026-01-01T00:00:00Z","status":503,"error":"Service Unavailable","path":"/x"}`), Unavailable, 4},
		{says(502, `{"error":"Bad Gateway"}`), Unavailable, 4},
		{says(403, `{"error":"Forbidden"}`), Forbidden, 1},
		{says(500, `{"errorCode":null,"error":"internal server error"}`), Unavailable, 4},
		{says(503, `{"fault":{"faultstring":"…","detail":{"errorcode":"messaging.adaptors.http.flow.ServiceUnavailable"}}}`), Unavailable, 4},
		{says(503, `{"errorCode":503,"errorMessage":"Service Unavailable"}`), Unavailable, 4},
		{says(503, `{"errorCode":"503","errorMessage":"Service Unavailable"}`), Unavailable, 4},
		{says(502, `{"errorCode":0,"message":"bad gateway"}`), Unavailable, 4},
		{says(502, `{"errorCode":false}`), Unavailable, 4},
		{says(502, `<html><script>var e = {"errorCode":1020}</script></html>`), Unavailable, 4},
		{says(403, `{"errorCode":403,"message":"Forbidden"}`), Forbidden, 1},
		{says(500, `{"error":"invalid_client"}`), CredentialsRejected, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := inMemory(t, row.answer)
			_, err := ask(t, p.client(Options{}), p.interxion(""))
			if fault := failed(t, err); fault.Kind != row.fault {
				t.Errorf("fault %d, want %d: %v", fault.Kind, row.fault, err)
			}
			p.sent(row.sent, "")
		})
	}
}

func TestAContentTypeIsScrubbed(t *testing.T) {
	said := describeBody(newScrubber(NewSecret("nykSBHIDynMHrwkGyXWz")),
		answer{Response: &http.Response{Header: http.Header{"Content-Type": {"text/nyksbhidynmhrwkgyxwz"}}}, body: []byte("x")})
	if strings.Contains(said, "nyks") || !strings.Contains(said, redacted) {
		t.Error(said)
	}
}

func TestALargePageIsNotCalledEmpty(t *testing.T) {
	p := onLoopback(t, says(403, strings.Repeat("x", maxBody+1), "Content-Type: text/html"))
	if _, err := ask(t, p.client(Options{}), p.interxion("")); !strings.Contains(err.Error(), "text/html") {
		t.Error(err)
	}
}

func TestAPauseIsNotCalledAnEmptyAnswer(t *testing.T) {
	p := onLoopback(t, says(429, "", "Retry-After: 3600"))
	if _, err := ask(t, p.client(Options{}), p.interxion("")); !strings.HasSuffix(err.Error(), "asked for a pause of 1h0m0s") {
		t.Error(err)
	}
}
