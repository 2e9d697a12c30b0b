// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestErrorBodies tests the shapes of the errors of platforms, gateways and frameworks.
func TestErrorBodies(t *testing.T) {
	said := reply{code: "S1006", description: "Login Failure"}
	tests := []struct {
		body string
		want reply
	}{
		{`{"error":"S1006","error_description":"Login Failure"}`, said},
		{`{"errorCode":"S1006","errorMessage":"Login Failure","errorTitle":"x"}`, said},
		{`{"error_code":"S1006","error_message":"Login Failure"}`, said},
		{`{"ErrorCode":"S1006","Error":"Login Failure"}`, said},
		{`{"code":"S1006","message":"Login Failure"}`, said},
		{`{"code":"S1006","reason":"Login Failure"}`, said},
		{`[{"errorCode":"S1006","errorMessage":"Login Failure"}]`, said},
		{`[{"error_code":"S1006","error_message":"Login Failure"},{"error_code":"S2"},7]`, said},
		{`{"errors":[{"errorCode":"S1006","errorMessage":"Login Failure"},{"errorCode":"S2"}]}`, said},
		{`{"errors":[{"code":"S1006"}],"title":"Login Failure"}`, said},
		{`{"errors":[],"errorCode":"S1006","errorMessage":"Login Failure"}`, said},
		{`{"errors":"many","errorCode":"S1006","errorMessage":"Login Failure"}`, said},
		{`{"errors":{"secret":["wrong"]},"errorCode":"S1006","errorMessage":"Login Failure"}`, said},
		{`{"error":{"code":"S1006","message":"Login Failure"}}`, said},
		{`{"error":{"code":7},"errorCode":"S1006","error_description":null,"message":"Login Failure","status_code":401}`, said},
		{`{"error":"Login Failure","code":"S1006"}`, said},
		{`{"error":"401","code":"0","errorCode":"Unauthorized","error_code":"S1006","message":"Login Failure"}`, said},
		{`{"fault":{"faultstring":"Login Failure","detail":{"errorcode":"S1006"}}}`, said},
		{`{"type":"about:blank","title":"Login Failure","status":401,"code":"S1006"}`, said},
		{`{"detail":"Login Failure","title":"x","code":"S1006"}`, said},
		{"\xef\xbb\xbf" + `{"error":"S1006","message":"Login Failure"}`, said},
		{`{"error":"S1006","message":"Login Failure"`, said},
		{`{"error":"S1006","message":"Login Failure",}`, said},
		{`{"error":"S1006","message":"Login Failure"}{}`, said},
		{`{"message":"Login Failure","status_code":401}`, reply{description: "Login Failure"}},
		{`{"error":{"code":401,"message":"Login Failure"}}`, reply{description: "Login Failure"}},
		{`{"error":"Login Failure"}`, reply{description: "Login Failure"}},
		{`{"error":"Unauthorized"}`, reply{description: "Unauthorized"}},
		{`{"errorCode":7}`, reply{code: "7"}},
		{`{"error":"","errorCode":401}`, reply{}},
		{`{"ERROR":"S1006","Message":"Login Failure"}`, reply{}},
		{`{"error":true,"code":null,"message":["Login Failure"]}`, reply{}},
		{`{"error":"` + strings.Repeat("x", 64) + `"}`, reply{code: strings.Repeat("x", 64)}},
		{`{"error":"` + strings.Repeat("x", 65) + `"}`, reply{description: strings.Repeat("x", 65)}},
		{`{"error_code":"S10`, reply{}},
		{`[]`, reply{}},
		{`[null,{"error":"S1006"}]`, reply{}},
		{`"S1006"`, reply{}},
		{`null`, reply{}},
		{``, reply{}},
		{`<error>S1006</error>`, reply{}},
	}
	for _, test := range tests {
		if got := readReply([]byte(test.body), 401); got != test.want {
			t.Errorf("%s was read as %+v, want %+v", test.body, got, test.want)
		}
	}
}

func TestRetryAfter(t *testing.T) { // S13
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const none = -1
	tests := []struct {
		values []string
		want   time.Duration
	}{
		{nil, none},
		{[]string{"2"}, 2 * time.Second},
		{[]string{"0"}, 0},
		{[]string{"86400"}, 24 * time.Hour},
		{[]string{"9223372036854775807"}, longestPause},
		{[]string{"9999999999999999999"}, longestPause},
		{[]string{"18446744073709551616"}, longestPause},
		{[]string{strings.Repeat("9", 1000)}, longestPause},
		{[]string{"-1"}, none},
		{[]string{"+1"}, none},
		{[]string{"1.5"}, none},
		{[]string{"1s"}, none},
		{[]string{""}, none},
		{[]string{"soon"}, none},
		{[]string{"2", "2"}, none},
		{[]string{"Fri, 02 Jan 2026 03:05:05 GMT"}, time.Minute},
		{[]string{"Friday, 02-Jan-26 03:05:05 GMT"}, time.Minute},
		{[]string{"Fri, 02 Jan 2026 03:04:05 GMT"}, 0},
		{[]string{"Fri, 02 Jan 2026 03:04:04 GMT"}, none},
		{[]string{"Fri, 31 Dec 9999 23:59:59 GMT"}, longestPause},
	}
	for _, test := range tests {
		got, ok := retryAfter(http.Header{"Retry-After": test.values}, now)
		if ok != (test.want != none) || ok && got != test.want {
			t.Errorf("%q is a wait of %s, %t; want %s", test.values, got, ok, test.want)
		}
	}
}

// TestRateLimits tests each name of a reset with each form of its value, and with each number of requests that remain.
func TestRateLimits(t *testing.T) { // S12
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	unix := func(after time.Duration) string { return strconv.FormatInt(now.Add(after).Unix(), 10) }
	names := map[string]func(http.Header, string, string){
		"RateLimit": func(header http.Header, reset, remaining string) {
			header.Set("RateLimit", `"a;t=7,;r=0";t=`+reset+remaining)
		},
	}
	for _, prefix := range []string{"RateLimit", "X-RateLimit", "X-Rate-Limit"} {
		names[prefix+"-Reset"] = func(header http.Header, reset, remaining string) {
			header.Set(prefix+"-Reset", reset)
			if _, value, some := strings.Cut(remaining, "="); some {
				header.Set(prefix+"-Remaining", value)
			}
		}
	}
	for _, set := range names {
		for reset, want := range map[string]time.Duration{
			"1": time.Second, "1.5": 1500 * time.Millisecond, " 60": time.Minute, "86400": 24 * time.Hour, "0": 0, "86401": 0,
			unix(time.Minute): time.Minute, unix(time.Minute) + "000": time.Minute, unix(24 * time.Hour): 24 * time.Hour,
			unix(-time.Second): 0, unix(-time.Second) + "000": 0, unix(24*time.Hour + time.Second): 0, unix(25*time.Hour) + "000": 0,
			"": 0, "-1": 0, "+1": 0, "1e1": 0, "soon": 0, "NaN": 0, "Fri, 02 Jan 2026 03:05:05 GMT": 0, "9999999999999999999": 0, strings.Repeat("9", 400): 0, "999999999999999": 0,
		} {
			for remaining, counts := range map[string]bool{"": true, ";r=0": true, "; r=0 ": true, ";r=1": false, ";r=-1": false, ";r=x": false, ";r=10": false} { //nolint:gocritic // the blanks are what is tested
				header := http.Header{}
				set(header, reset, remaining)
				for _, status := range []int{429, 200, 403, 408, 503} {
					limited := want
					if status != 429 || !counts {
						limited = 0
					}
					if got := pauseOf(status, header, now); got != limited {
						t.Errorf("%d, %v: a wait of %s, want %s", status, header, got, limited)
					}
				}
			}
		}
	}
	for _, row := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{"Ratelimit": {`"burst";r=0;t=5, "hour";r=0;t=50`, `"day";r=9;t=5000`}}, 50 * time.Second},
		{http.Header{"X-Ratelimit-Reset": {"5", "5"}}, 0},
		{http.Header{"Ratelimit-Reset": {"5"}, "Ratelimit-Remaining": {"1"}, "X-Ratelimit-Reset": {"7"}}, 7 * time.Second},
		{http.Header{"Ratelimit-Reset": {"5"}, "X-Ratelimit-Reset": {"7"}}, 5 * time.Second},
		{http.Header{"Retry-After": {"0"}, "Ratelimit-Reset": {"5"}}, 0},
	} {
		if got := pauseOf(429, row.header, now); got != row.want {
			t.Errorf("%v: a wait of %s, want %s", row.header, got, row.want)
		}
	}
}

// TestHostileAnswersTakeLittleMemory limits the memory that the process takes from the system for the largest answers.
func TestHostileAnswersTakeLittleMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // the figure is about the default of GOGC
	request := request{secrets: []Secret{NewSecret(canary)}}
	fill := func(before, part, after string) []byte {
		return []byte(before + strings.Repeat(part, (maxBody-len(before)-len(after))/len(part)) + after)
	}
	taken := func() int {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int(stats.HeapSys - stats.HeapReleased)
	}
	for name, body := range map[string][]byte{
		"members":      fill(`{`, `"a":0,`, `"b":0}`),
		"errors":       fill(`{"errors":[`, `{},`, `{}]}`),
		"long message": fill(`{"message":"`, `\u0001`, `"}`),
	} {
		debug.FreeOSMemory()
		before := taken()
		_, _ = readToken(answer{Response: &http.Response{Header: http.Header{}}, body: body, sent: time.Now()}, deviations{}) // other tests check the result
		request.describe(&Error{}, readReply(body, 400), answer{Response: &http.Response{Header: http.Header{}}, body: body}, nil)
		const limit = 16 << 20
		if more := taken() - before; more > limit {
			t.Errorf("%s: %d KiB were taken, more than %d", name, more>>10, limit>>10)
		}
	}
}
