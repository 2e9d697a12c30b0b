// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// This file tests every error status with every shape of body, for every platform and every grant. The oracle below returns
// the required behaviour. It shares no code with the client.

// shape is a body of an error as servers, gateways and frameworks send it.
type shape struct {
	name     string
	body     string
	encoding string // Content-Encoding; "": none
	header   string // a further header; "": none

	code      string // the error code in it
	json      bool   // it is JSON, complete or not, or a reader cannot tell
	unsettled bool   // it cannot be decoded
}

var shapes = []shape{
	{name: "empty"},
	{name: "text", body: "upstream connect error"},
	{name: "HTML", body: "<html><body>Sorry</body></html>"},
	{name: "HTML that names a login failure", body: "<html><b>S1006</b>: Login Failure</html>", json: true},
	{name: "JSON without a code", body: `{"message":"Sorry"}`, json: true},
	{name: "problem details", body: `{"type":"about:blank","title":"Sorry","detail":"Later"}`, json: true},
	{name: "a JSON string", body: `"Sorry"`, json: true},
	{name: "JSON null", body: "null", json: true},
	{name: "invalid_client", body: `{"error":"invalid_client"}`, code: "invalid_client", json: true},
	{name: "invalid_client, gzip", body: gzipped(`{"error":"invalid_client"}`), encoding: "gzip", code: "invalid_client", json: true},
	{name: "invalid_grant", body: `{"error":"invalid_grant","error_description":"x"}`, code: "invalid_grant", json: true},
	{name: "invalid_request", body: `{"error":"invalid_request"}`, code: "invalid_request", json: true},
	{name: "invalid_scope", body: `{"error":"invalid_scope"}`, code: "invalid_scope", json: true},
	{name: "unauthorized_client", body: `{"error":"unauthorized_client"}`, code: "unauthorized_client", json: true},
	{name: "unsupported_grant_type", body: `{"ErrorCode":"unsupported_grant_type","Error":"x"}`, code: "unsupported_grant_type", json: true},
	{name: "S1006", body: `{"errorCode":"S1006","errorMessage":"Login Failure"}`, code: "S1006", json: true},
	{name: "S1006, snake case", body: `{"error_code":"S1006"}`, code: "S1006", json: true},
	{name: "S1006 in an array", body: `[{"errorCode":"S1006"}]`, code: "S1006", json: true},
	{name: "S1006 in errors", body: `{"errors":[{"code":"S1006"}]}`, code: "S1006", json: true},
	{name: "S1006, gzip", body: gzipped(`{"errorCode":"S1006"}`), encoding: "gzip", code: "S1006", json: true},
	{name: "S1006, gzip without a word of it", body: gzipped(`{"errorCode":"S1006"}`), code: "S1006", json: true},
	{name: "S1006, deflate", body: deflated(`{"errorCode":"S1006"}`), encoding: "deflate", code: "S1006", json: true},
	{name: "S1006, cut short", body: `{"errorCode":"S1006","errorMess`, code: "S1006", json: true},
	{name: "JSON that is cut short before a code", body: `{"errorMessage":"Login Fai`, json: true},
	{name: "a gateway's fault", body: `{"fault":{"faultstring":"x","detail":{"errorcode":"oauth.v2.InvalidClientIdentifier"}}}`, code: "oauth.v2.InvalidClientIdentifier", json: true},
	{name: "a gateway's quota", body: `{"fault":{"faultstring":"x","detail":{"errorcode":"policies.ratelimit.QuotaViolation"}}}`, code: "policies.ratelimit.QuotaViolation", json: true},
	{name: "access_denied", body: `{"error":"access_denied"}`, code: "access_denied", json: true},
	{name: "maintenance", body: `{"error":"maintenance"}`, code: "maintenance", json: true},
	{name: "internal_server_error", body: `{"error":"internal_server_error"}`, code: "internal_server_error", json: true},
	{name: "words in the place of a code", body: `{"error":"Your IP is blocked"}`, json: true},
	{name: "server_error", body: `{"error":"server_error"}`, code: "server_error", json: true},
	{name: "temporarily_unavailable", body: `{"error":"temporarily_unavailable"}`, code: "temporarily_unavailable", json: true},
	{name: "slow_down", body: `{"error":"slow_down"}`, code: "slow_down", json: true},
	{name: "rate_limit_exceeded", body: `{"code":"rate_limit_exceeded"}`, code: "rate_limit_exceeded", json: true},
	{name: "try again later", body: `{"errorCode":"EQ-2010101"}`, code: "EQ-2010101", json: true},
	{name: "try again later, IC", body: `[{"errorCode":"IC-999-99"}]`, code: "IC-999-99", json: true},
	{name: "zero", body: `{"errorCode":"0"}`, json: true},
	{name: "gzip that is none", body: "not gzip", encoding: "gzip", json: true, unsettled: true},
	{name: "another coding", body: "\x1b\x00\xf8", encoding: "br", json: true, unsettled: true},
	{name: "UTF-16", body: utf16Text(`{"errorCode":"S1006"}`), json: true, unsettled: true},
	{name: "UTF-16, the other order", body: "\x00" + strings.TrimSuffix(utf16Text(`{"errorCode":"S1006"}`), "\x00"), json: true, unsettled: true},
	{name: "bytes that are no text", body: "Sorry\xff\xfe", json: true, unsettled: true},
	{name: "a pause", header: "Retry-After: 2"},
	{name: "a code and a pause", body: `{"error":"access_denied"}`, header: "Retry-After: 2", code: "access_denied", json: true},
}

func gzipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, text) // never fails for a Buffer
	_ = w.Close()
	return out.String()
}

func deflated(text string) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

func utf16Text(text string) string {
	var out strings.Builder
	for _, letter := range text {
		out.WriteString(string(letter) + "\x00")
	}
	return out.String()
}

// verdict is the required behaviour for an answer.
type verdict struct {
	kind     Kind
	repeated bool   // the request is sent again, if its grant allows that
	notActed bool   // the platform did not process the request: it may be sent again with every grant, and a refresh token is kept
	later    bool   // only another process may send the request again, if it may be sent once; a refresh token is kept
	rejected string // what is not sent again, in the words of rejectedIn
}

func anyOf(status int, wanted ...int) bool { return slices.Contains(wanted, status) }

// oracle returns the required behaviour. The first matching row decides. refreshing says that the answer is to a refresh.
func oracle(equinix, refreshing bool, status int, s shape) verdict {
	found := verdict{kind: -1}
	standard := map[string]Kind{
		"invalid_request": RequestRejected, "invalid_client": CredentialsRejected, "invalid_grant": CredentialsRejected,
		"unauthorized_client": GrantRejected, "unsupported_grant_type": GrantRejected, "invalid_scope": ScopeRejected,
	}
	ownPause := strings.HasPrefix(s.header, "Retry-After")
	ofClient := s.code == "invalid_client" || s.code == "unauthorized_client" && status == 401
	switch {
	case ofClient:
		found.kind = CredentialsRejected
	case s.code != "" && standard[s.code] != 0:
		found.kind = standard[s.code]
	case equinix && s.code == "S1006":
		found.kind = CredentialsRejected
	case status == 429, s.code == "slow_down", s.code == "rate_limit_exceeded", strings.HasPrefix(s.code, "policies.ratelimit."), status == 403 && ownPause:
		found = verdict{kind: Throttled, repeated: true, notActed: true}
	case status == 408:
		found = verdict{kind: TimedOut, repeated: true, notActed: true}
	case status == 425:
		found = verdict{kind: Unavailable, repeated: true, notActed: true}
	case anyOf(status, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530),
		s.code == "server_error", s.code == "temporarily_unavailable",
		equinix && status >= 500 && (strings.HasPrefix(s.code, "EQ-") || strings.HasPrefix(s.code, "IC-")):
		kept := s.code == "temporarily_unavailable"
		found = verdict{kind: Unavailable, repeated: true, notActed: kept || anyOf(status, 521, 522, 523, 525, 526, 527, 530)}
		found.later = status == 503 && !kept
	case anyOf(status, 501, 505, 511):
		found = verdict{kind: BadAnswer, notActed: true}
	case status >= 500 && equinix && (s.json || s.unsettled):
		found.kind = RejectionNotUnderstood
	case status >= 500:
		found = verdict{kind: Unavailable, repeated: true}
	case status == 403:
		found = verdict{kind: Forbidden, notActed: true}
	case status == 401:
		found.kind = CredentialsRejected
	case status == 404, status == 410:
		found = verdict{kind: NotFound, notActed: true}
	case anyOf(status, 405, 406, 415, 421):
		found = verdict{kind: NotAcceptable, notActed: true}
	case equinix && s.code != "":
		found.kind = CredentialsRejected
	default:
		found.kind = RequestRejected
	}
	if refreshing && ofClient {
		found.notActed = true
	} else if refreshing {
		switch found.kind {
		case CredentialsRejected, RejectionNotUnderstood, GrantRejected, ScopeRejected, RequestRejected:
			found.kind = RefreshTokenRejected
		}
	}
	return found
}

// verdictOn returns the required behaviour for a grant of platformsGrants. Every platform answers a token exchange as RFC 8693
// says, because Equinix's own deviations are those of its other endpoints. 409 means that the request was not processed, and
// invalid_request means that the identity token is not accepted (section 2.2.2).
func verdictOn(name string, status int, s shape) verdict {
	exchanging := strings.HasSuffix(name, "exchange")
	found := oracle(strings.HasPrefix(name, "Equinix") && !exchanging, strings.HasSuffix(name, "refresh"), status, s)
	switch {
	case !exchanging:
	case s.code == "invalid_request":
		found.kind = CredentialsRejected
	case status == 409 && (found.kind == RequestRejected || found.kind == Unavailable):
		found = verdict{kind: Unavailable, repeated: true, notActed: true}
	}
	switch rejects := found.kind == CredentialsRejected || found.kind == RejectionNotUnderstood; {
	case rejects && status == 401 && s.code == "unauthorized_client":
		found.rejected = "the client in this grant type"
	case rejects && strings.HasSuffix(name, "password") && s.code != "invalid_client":
		found.rejected = "the user"
	case rejects:
		found.rejected = "the client"
	}
	return found
}

// rejectedIn names what the client does not send again.
func rejectedIn(s *gate, r *request) string {
	var names []string
	for i, a := range s.of(r) {
		for grantType, err := range a.rejected {
			switch {
			case err != nil && grantType != "":
				names = append(names, "the client in this grant type")
			case err != nil:
				names = append(names, []string{"the client", "the user"}[i])
			}
		}
	}
	return strings.Join(names, " and ")
}

// walk calls do for every combination of status and shape.
func walk(statuses []int, do func(status int, s shape, answer http.HandlerFunc)) {
	for _, status := range statuses {
		for _, s := range shapes {
			do(status, s, func(w http.ResponseWriter, _ *http.Request) {
				if s.encoding != "" {
					w.Header().Set("Content-Encoding", s.encoding)
				}
				if name, value, ok := strings.Cut(s.header, ": "); ok {
					w.Header().Set(name, value)
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, s.body)
			})
		}
	}
}

// statusesFor returns the statuses to test with a grant: all of them or, for platforms whose answers differ from RFC 6749 only
// in names, a selection.
func statusesFor(name string) []int {
	for _, ofAll := range []string{"Interxion", "Equinix", "Equinix, password", "CloudLX", "Equinix, refresh"} {
		if name == ofAll {
			return everyErrorStatus()
		}
	}
	return []int{
		400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 415, 421, 422, 425, 429, 451, 499,
		500, 501, 502, 503, 504, 505, 507, 511, 520, 521, 522, 524, 527, 529, 530, 599,
	}
}

func everyErrorStatus() (all []int) {
	for status := 400; status <= 599; status++ {
		all = append(all, status)
	}
	return all
}

// handled makes the client send its requests to a handler, without a network.
func handled(c *Client, handler http.HandlerFunc) {
	c.sender().transport.RegisterProtocol("http", answering(func(r *http.Request) (*http.Response, error) {
		w := &recorded{header: http.Header{}}
		handler(w, r)
		return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r}, nil
	}))
}

// recorded keeps an answer.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorded) Header() http.Header    { return w.header }
func (w *recorded) WriteHeader(status int) { w.status = status }
func (w *recorded) Write(data []byte) (int, error) {
	w.status = max(w.status, 200)
	return w.body.Write(data)
}

var platformsGrants = map[string]func(*fakePlatform) Grant{
	"Interxion":         interxion,
	"Equinix":           equinix,
	"Equinix, password": password,
	"CloudLX":           cloudLX,
	"IX-API":            ixAPI,
	"IX-API, refresh":   refreshAtIXAPI,
	"Digital Realty":    digitalRealty,
	"Megaport":          megaport,
	"Equinix, refresh":  refreshAtEquinix,
	"CloudLX, refresh":  refreshAtCloudLX,
	"OAuth2":            oauth2,
	"OAuth2, refresh":   refreshAtOAuth2,
	"Equinix, exchange": exchangeAtEquinix,
	"OAuth2, exchange":  exchangeAtOAuth2,
}

// TestEveryAnswerIsJudgedByTheTable tests what every answer means to a request of every grant. The two tests below test what a
// client does about it.
func TestEveryAnswerIsJudgedByTheTable(t *testing.T) {
	for name, grantOf := range platformsGrants {
		t.Run(name, func(t *testing.T) {
			r := requestFor(t, grantOf(&fakePlatform{t: t, url: "http://127.0.0.1"}))
			if r.identity != nil {
				r.credential = []Secret{idToken(t, nil)}
			}
			walk(statusesFor(name), func(status int, s shape, answers http.HandlerFunc) {
				w := &recorded{header: http.Header{}}
				answers(w, nil)
				_, err := r.read(&Error{Status: status}, answer{Response: &http.Response{Header: w.header}, body: w.body.Bytes(), whole: true})
				want, gate := verdictOn(name, status, s), newGate(nil)
				gate.learn(r, gate.of(r), err)
				if got := (verdict{err.Kind, err.temporary, err.notActedOn, err.keptForLater, rejectedIn(gate, r)}); got != want {
					t.Fatalf("%d, %s: %+v, want %+v: %v", status, s.name, got, want, err)
				}
			})
		})
	}
}

// oneOfEach calls do for one answer of each verdict on a grant.
func oneOfEach(name string, do func(status int, s shape, answer http.HandlerFunc)) {
	seen := map[verdict]bool{}
	walk(statusesFor(name), func(status int, s shape, answer http.HandlerFunc) {
		if found := verdictOn(name, status, s); !seen[found] {
			seen[found] = true
			do(status, s, answer)
		}
	})
}

// TestEveryVerdictIsObeyed tests the kind of the error, the number of requests, and whether this process sends the refresh token
// and the credentials again.
func TestEveryVerdictIsObeyed(t *testing.T) {
	for name, grantOf := range platformsGrants {
		t.Run(name, func(t *testing.T) {
			p := &fakePlatform{t: t, url: "http://127.0.0.1"}
			grant, refreshing := grantOf(p), strings.HasSuffix(name, "refresh")
			synctest.Test(t, func(t *testing.T) {
				oneOfEach(name, func(status int, s shape, answer http.HandlerFunc) {
					want, about := verdictOn(name, status, s), fmt.Sprintf("%d, %s", status, s.name)
					refreshed, others := 0, 0
					c := New(Options{})
					handled(c, func(w http.ResponseWriter, r *http.Request) {
						body, _ := io.ReadAll(r.Body)
						if isRefresh(r.URL.Path, body) {
							refreshed++
						} else if others++; refreshing {
							grantsToken("t-1")(w, r)
							return
						}
						answer(w, r)
					})
					var err error
					var token Token
					for range 2 { // the second answer comes from memory
						token, err = c.Token(t.Context(), grant, 0)
					}
					requests := 1
					if want.repeated && (want.notActed || !refreshing && !strings.HasSuffix(name, "password") && !strings.HasSuffix(name, "exchange")) {
						requests = DefaultMaxAttempts
					}
					if got := refreshed + others; !refreshing && got != requests {
						t.Fatalf("%s: %d requests, want %d", about, got, requests)
					}
					got := failedOf(token.Fallback, err)
					if got == nil || got.Kind != want.kind {
						t.Fatalf("%s: %v is of kind %d, want %d", about, got, got.Kind, want.kind)
					}
					r := c.sharer.memory.lastComplete(requestFor(t, grant))
					if rejected := rejectedIn(c.gate(), r); rejected != want.rejected {
						t.Fatalf("%s: not sent again: %q, want %q", about, rejected, want.rejected)
					}
					if !refreshing {
						return
					}
					lost := !want.notActed && !want.later && want.kind != CredentialsRejected
					if refreshed != requests || (others == 1) != lost || (token.Fallback != nil) != lost {
						t.Fatalf("%s: %d refreshes, want %d; %d full grants, lost %t: %v", about, refreshed, requests, others, lost, got)
					}
					if spent := c.flights.memory.entry(r.mark()).spent; spent == want.notActed {
						t.Fatalf("%s: the refresh token is spent: %t, want %t", about, spent, !want.notActed)
					}
				})
			})
		})
	}
}

// failedOf returns the error of a request or, if the client fell back, the error that caused the fallback.
func failedOf(fallback, err error) *Error {
	for _, err := range []error{err, fallback} {
		if failure, ok := err.(*Error); ok { //nolint:errorlint // Token wraps none
			return failure
		}
	}
	return nil
}

// TestEveryVerdictIsToldToOtherProcesses tests what another process does, which knows the answer only from the cache. It does not
// send rejected credentials. It sends a refresh token only if that was kept.
func TestEveryVerdictIsToldToOtherProcesses(t *testing.T) {
	for name, grantOf := range platformsGrants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &fakePlatform{t: t, url: "http://127.0.0.1"}
			grant, refreshing := grantOf(p), strings.HasSuffix(name, "refresh")
			synctest.Test(t, func(t *testing.T) {
				oneOfEach(name, func(status int, s shape, answer http.HandlerFunc) {
					want, about := verdictOn(name, status, s), fmt.Sprintf("%d, %s", status, s.name)
					dir, sent := t.TempDir(), [2]int{}
					for process := range sent {
						c := p.another(dir)
						handled(c, func(w http.ResponseWriter, r *http.Request) {
							body, _ := io.ReadAll(r.Body)
							if refreshing && !isRefresh(r.URL.Path, body) {
								says(400, `{"error":"temporarily_unavailable"}`)(w, r) // not a token, which would hide the next answer
								return
							}
							sent[process]++
							answer(w, r)
						})
						_, _ = c.Token(t.Context(), grant, 0)
					}
					again := sent[0]
					switch {
					case want.kind == CredentialsRejected, want.kind == RejectionNotUnderstood, refreshing && !want.notActed && !want.later:
						again = 0
					}
					if sent[1] != again {
						t.Fatalf("%s: the second process sends %d requests, want %d", about, sent[1], again)
					}
				})
			})
		})
	}
}

// TestAnswersOfRealServers tests the kind of the error for answers of real platforms, gateways and proxies.
func TestAnswersOfRealServers(t *testing.T) {
	token := grantsToken("t-1")
	html := says(500, "<html></html>", "Content-Type: text/html")
	coded := func(status int, text, coding string) http.HandlerFunc {
		return says(status, text, "Content-Encoding: "+coding)
	}
	for _, row := range []struct {
		name     string
		grant    func(*fakePlatform) Grant
		script   []http.HandlerFunc
		requests int
		want     Kind   // -1: a token
		text     string // in the error
	}{
		{"Equinix 500, gzip", equinix, []http.HandlerFunc{coded(500, gzipped(`{"errorCode":"S1006","errorMessage":"Login Failure"}`), "gzip")}, 1, CredentialsRejected, `code S1006: "Login Failure"`},
		{"Equinix 500, Apigee's fault", equinix, []http.HandlerFunc{says(500, `{"fault":{"faultstring":"Invalid client identifier","detail":{"errorcode":"oauth.v2.InvalidClientIdentifier"}}}`)}, 1, RejectionNotUnderstood, `code oauth.v2.InvalidClientIdentifier: "Invalid client identifier"`},
		{"Equinix 500, code", equinix, []http.HandlerFunc{says(500, `{"code":"S1006"}`)}, 1, CredentialsRejected, "code S1006"},
		{"Equinix 500, code in errors", equinix, []http.HandlerFunc{says(500, `{"errors":[{"code":"S1006"}]}`)}, 1, CredentialsRejected, "code S1006"},
		{"Equinix 500, HTML", equinix, []http.HandlerFunc{html, token}, 2, -1, ""},
		{"Equinix 500, try again later", equinix, []http.HandlerFunc{says(500, `{"errorCode":"EQ-2010101"}`), token}, 2, -1, ""},
		{"Equinix 401 with a code for try again later", equinix, []http.HandlerFunc{says(401, `{"errorCode":"EQ-2010101"}`), token}, 1, CredentialsRejected, "code EQ-2010101"},
		{"503 maintenance", interxion, []http.HandlerFunc{says(503, `{"error":"maintenance"}`), token}, 2, -1, ""},
		{"502 bad_gateway", interxion, []http.HandlerFunc{says(502, `{"error":"bad_gateway"}`), token}, 2, -1, ""},
		{"504 gateway_timeout", cloudLX, []http.HandlerFunc{says(504, `{"error":"gateway_timeout"}`), token}, 2, -1, ""},
		{"500 internal_server_error", interxion, []http.HandlerFunc{says(500, `{"error":"internal_server_error"}`), token}, 2, -1, ""},
		{"Equinix 500 internal_server_error", equinix, []http.HandlerFunc{says(500, `{"error":"internal_server_error"}`), token}, 1, RejectionNotUnderstood, "code internal_server_error"},
		{"403 access_denied", interxion, []http.HandlerFunc{says(403, `{"error":"access_denied"}`)}, 1, Forbidden, "code access_denied"},
		{"403 in words", interxion, []http.HandlerFunc{says(403, `{"error":"Your IP is blocked"}`)}, 1, Forbidden, `: "Your IP is blocked"`},
		{"200 in gzip", interxion, []http.HandlerFunc{coded(200, gzipped(`{"access_token":"t-1"}`), "gzip")}, 1, -1, ""},
		{"200 in gzip, without a word of it", interxion, []http.HandlerFunc{says(200, gzipped(`{"access_token":"t-1"}`))}, 1, -1, ""},
		{"200 in deflate", interxion, []http.HandlerFunc{coded(200, deflated(`{"access_token":"t-1"}`), "deflate")}, 1, -1, ""},
		{"200 in deflate without its header", interxion, []http.HandlerFunc{coded(200, deflated(`{"access_token":"t-1"}`)[2:], "deflate")}, 1, -1, ""},
		{"200 in two codings", interxion, []http.HandlerFunc{coded(200, gzipped(deflated(`{"access_token":"t-1"}`)), "deflate, gzip")}, 1, -1, ""},
		{"200 in another coding", interxion, []http.HandlerFunc{coded(200, "\x1b", "br")}, 1, BadAnswer, "compressed with br, which was not asked for"},
		{"200 in gzip that is cut", interxion, []http.HandlerFunc{coded(200, gzipped(`{"access_token":"t-1"}`)[:30], "gzip")}, 1, BadAnswer, "compressed and cannot be decoded"},
		{"200 in gzip that grows", interxion, []http.HandlerFunc{coded(200, gzipped(strings.Repeat(" ", maxBody+1)), "gzip")}, 1, BadAnswer, "too large"},
		{"401 in Apigee's words", interxion, []http.HandlerFunc{says(401, `{"ErrorCode":"invalid_client","Error":"ClientId is Invalid"}`)}, 1, CredentialsRejected, `code invalid_client: "ClientId is Invalid"`},
		{"401 with an object", interxion, []http.HandlerFunc{says(401, `{"error":{"code":401,"message":"key expired"}}`)}, 1, CredentialsRejected, `401 Unauthorized: "key expired"`},
		{"400 problem details", interxion, []http.HandlerFunc{says(400, `{"type":"about:blank","title":"Bad Request","status":400,"detail":"no such client"}`)}, 1, RequestRejected, `: "no such client"`},
		{"308 to the same host", interxion, []http.HandlerFunc{says(308, "", "Location: /connect/token/?key="+bodyMark)}, 1, Redirected, "/connect/token/, which is not followed: this path is not the token endpoint"},
		{"Retry-After of nineteen digits", interxion, []http.HandlerFunc{says(503, "", "Retry-After: 9999999999999999999")}, 1, Unavailable, "asked for a pause of 87600h0m0s"},
		{"200 with an error code of zero", interxion, []http.HandlerFunc{says(200, `{"access_token":"t-1","errorCode":"0"}`)}, 1, -1, ""},
		{"200 with an error", interxion, []http.HandlerFunc{says(200, `{"error":"maintenance"}`)}, 1, BadAnswer, "answered 200 OK, code maintenance"},
		{"a status that nobody knows", interxion, []http.HandlerFunc{says(599, ""), token}, 2, -1, ""},
		{"Equinix, a status that nobody knows", equinix, []http.HandlerFunc{says(529, `{"x":1}`), token}, 1, RejectionNotUnderstood, "answered 529"},
		{"Equinix 500 that breaks off before its body", equinix, []http.HandlerFunc{writes("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 50\r\n\r\n"), token}, 1, RejectionNotUnderstood, "answered 500"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, row.script...)
				got, err := ask(t, p.client(Options{}), row.grant(p))
				switch {
				case row.want < 0 && (err != nil || got != "t-1"):
					t.Errorf("%q, %v; want a token", got, err)
				case row.want >= 0:
					if e := failed(t, err); e.Kind != row.want || !strings.Contains(err.Error(), row.text) {
						t.Errorf("kind %d, %v; want %d, %q", e.Kind, err, row.want, row.text)
					}
				}
				p.sent(row.requests, "")
			})
		})
	}
}

// A maintenance page does not use up a refresh token. This run ends with an error, and the next run uses the refresh token.
func TestAnOutageCostsNoRefreshToken(t *testing.T) { // S04
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, says(503, `{"error":"maintenance"}`), grantsToken("t-1")), t.TempDir()
		_, err := ask(t, p.another(dir), p.cloudLX(RefreshToken))
		if e := failed(t, err); e.Kind != Unavailable {
			t.Error(err)
		}
		gets(t, p.another(dir), p.cloudLX(RefreshToken), "t-1")
		p.sent(2, "/refresh")
		p.sent(2, "")
	})
}

// A point in time in place of a lifetime does not count as a lifetime. Such a token is not stored for other processes.
func TestAMomentIsNoLifetime(t *testing.T) {
	dir := t.TempDir()
	p := onLoopback(t, says(200, `{"access_token":"t-1","expires_in":1795650000}`), grantsToken("t-2"))
	token, err := p.another(dir).Token(t.Context(), p.interxion(""), 0)
	if err != nil || !token.Expiry.IsZero() {
		t.Errorf("it ends at %s: %v", token.Expiry, err)
	}
	if names := filesIn(t, dir, entrySuffix); len(names) != 0 {
		t.Errorf("the cache holds %q", names)
	}
	gets(t, p.another(dir), p.interxion(""), "t-2")
}
