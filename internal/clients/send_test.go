// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// lines takes what a logger writes.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// After three seconds without a result, one record says whom the process waits for. A quick answer has none.
func TestALongWaitIsAnnouncedOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script []http.HandlerFunc
		want   string
	}{
		"quick":        {[]http.HandlerFunc{takes(2*time.Second, grantsToken("t-1"))}, ""},
		"slow":         {[]http.HandlerFunc{takes(20*time.Second, grantsToken("t-1"))}, "waiting for Interxion at 127.0.0.1/connect/token, attempt 1 of 4, for another 1m57s at most"},
		"second retry": {[]http.HandlerFunc{says(503, "", "Retry-After: 2"), takes(20*time.Second, grantsToken("t-1"))}, "waiting for Interxion at 127.0.0.1/connect/token, attempt 2 of 4, for another 1m57s at most"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, test.script...)
				var log lines
				gets(t, p.client(Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))}), p.interxion(""), "t-1")
				if got := strings.Count(log.String(), "waiting"); (got == 1) != (test.want != "") || !strings.Contains(log.String(), test.want) {
					t.Errorf("%s", log.String())
				}
			})
		})
	}
}

// TestUnknownOutcomeIsNeverRepeated tests every fault after which the platform may have processed a login or a refresh.
func TestUnknownOutcomeIsNeverRepeated(t *testing.T) { // T11, T12
	faults := map[string]http.HandlerFunc{
		"T04 silence":               hangs,
		"T07 a byte a second":       drips,
		"T08 cut short":             writes("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access_token\":\"t-0\"}"),
		"T09 no last chunk":         writes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n{\"access_token\":\"t-0\"}\r\n"),
		"T11 broken off":            resets,
		"T13 noise":                 writes(bodyMark + "\r\n\r\n"),
		"T23 headers without end":   writes("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<17)),
		"M02 empty":                 says(200, ""),
		"M01 a page":                says(200, htmlPage),
		"M08 no token":              says(200, `{"expires_in":60}`),
		"M22 a body without end":    says(200, strings.Repeat(" ", maxBody+1)),
		"S14 500":                   says(500, htmlPage),
		"S15 502":                   says(502, htmlPage),
		"S15 504":                   says(504, htmlPage),
		"S22 202":                   says(202, `{"access_token":"t-0"}`),
		"S22 204":                   says(204, ""),
		"S15 500 with server_error": says(500, `{"error":"server_error"}`),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, grant := range []func(*fakePlatform) Grant{refreshAtEquinix, refreshAtCloudLX, refreshAtIXAPI, refreshAtOAuth2} {
					p := inMemory(t, refreshes(fault, grantsToken("t-1")))
					c := p.client(Options{})
					for range 3 {
						token, err := c.Token(t.Context(), grant(p), 0)
						if err != nil || token.AccessToken.Reveal() != "t-1" {
							t.Fatalf("no fallback: %v", err)
						}
						failed(t, token.Fallback)
						pass(2 * time.Hour) // the token ends
					}
					p.sent(1, "/refresh")
					p.sent(4, "")
				}
				p := inMemory(t, fault)
				c := p.client(Options{})
				for range 3 {
					_, err := ask(t, c, p.equinix(Password))
					failed(t, err)
					pass(2 * time.Hour)
				}
				p.sent(1, "")
			})
		})
	}
}

// TestRefusedForNowIsRepeated tests answers that say that the platform has not processed the request.
func TestRefusedForNowIsRepeated(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"408": says(408, htmlPage), "429": says(429, htmlPage), "521": says(521, htmlPage),
		"503 of the platform itself": says(503, `{"error":"temporarily_unavailable"}`),
	} {
		for _, grant := range []func(*fakePlatform) Grant{password, refreshAtEquinix, refreshAtCloudLX, refreshAtIXAPI} {
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, answer, grantsToken("t-1"))
				token, err := p.client(Options{}).Token(t.Context(), grant(p), 0)
				if err != nil || token.Fallback != nil {
					t.Errorf("%s: %v, %v", name, token.Fallback, err)
				}
				p.sent(2, p.seen("")[0].path)
			})
		}
	}
}

func TestRequestThatWasNotSentIsRepeated(t *testing.T) { // T01
	for _, grant := range []func(*fakePlatform) Grant{password, refreshAtEquinix, refreshAtCloudLX, refreshAtIXAPI} {
		synctest.Test(t, func(t *testing.T) {
			p := inMemory(t, grantsToken("t-1"))
			c, works := p.client(Options{MaxAttempts: 2}), false
			c.sender().transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if !works {
					return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
				}
				return p.dial(ctx, network, address)
			}
			_, err := ask(t, c, grant(p))
			failed(t, err)
			works = true
			pass(failureShared)
			token, err := c.Token(t.Context(), grant(p), 0)
			if err != nil || token.Fallback != nil {
				t.Errorf("%v, %v", token.Fallback, err)
			}
			p.sent(1, "")
		})
	}
}

// If every caller leaves, a request that may be sent once goes on to its end. The next caller gets its result.
func TestARequestThatIsSentOnceOutlivesItsCallers(t *testing.T) { // K04, X07
	for name, grantOf := range sentOnce(t) {
		for way, cached := range map[string]bool{"in this process": false, "in the next process": true} {
			t.Run(name+", "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p, options := inMemory(t, takes(5*time.Second, grantsToken("t-1"))), Options{}
					if cached {
						options.Cache = opened(t, t.TempDir())
					}
					c := p.client(options)
					ctx, leave := context.WithTimeout(t.Context(), time.Second)
					defer leave()
					_, err := c.Token(ctx, grantOf(p), 0)
					if failed(t, err).Kind != TimedOut {
						t.Error(err)
					}
					if cached {
						c = p.client(options)
					}
					token, err := c.Token(t.Context(), grantOf(p), 0)
					if err != nil || token.AccessToken.Reveal() != "t-1" || token.Fallback != nil {
						t.Errorf("%v, %v", err, token.Fallback)
					}
					p.sent(1, "")
				})
			})
		}
	}
}

// An interrupt ends a request that may be sent once. Its outcome stays unknown, so neither this process nor the next one
// sends it again.
func TestAnInterruptEndsARequestThatIsSentOnce(t *testing.T) { // X01
	for name, grantOf := range sentOnce(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, dir, start := inMemory(t, hangs, grantsToken("t-2")), t.TempDir(), time.Now()
				interrupted := make(chan struct{})
				c := p.client(Options{Interrupted: interrupted, Cache: opened(t, dir)})
				time.AfterFunc(time.Second, func() { close(interrupted) })
				_, err := c.Token(t.Context(), grantOf(p), 0)
				if failed(t, err).Kind != Cancelled || time.Since(start) != time.Second {
					t.Errorf("%v after %s", err, time.Since(start))
				}
				synctest.Wait()
				nothingUnderWay(t, c)
				if requestFor(t, grantOf(p)).hasPassword() {
					return // a login that is interrupted is marked in this process only
				}
				token, err := p.another(dir).Token(t.Context(), grantOf(p), 0)
				if requestFor(t, grantOf(p)).fallback != nil {
					err = token.Fallback
				}
				if failed(t, err).Endpoint != "" {
					t.Errorf("sent again: %v", err)
				}
			})
		})
	}
}

// TestPassingFaultIsTriedAgain tests answers after which a retry may succeed.
func TestPassingFaultIsTriedAgain(t *testing.T) {
	ok := grantsToken("t-1")
	slow := func(header ...string) http.HandlerFunc { return says(429, htmlPage, header...) }
	unavailable := func(status int) http.HandlerFunc { return says(status, htmlPage, "Content-Type: text/html") }
	const whole = `{"access_token":"t-0","expires_in":60}`
	for _, row := range []struct {
		name     string
		script   []http.HandlerFunc
		requests int
		from, to time.Duration // how long the call takes
	}{
		{"S09 408", []http.HandlerFunc{says(408, htmlPage), ok}, 2, 0, backoffBase},
		{"S10 Retry-After", []http.HandlerFunc{slow("Retry-After: 2"), ok}, 2, 2 * time.Second, 2500 * time.Millisecond},
		{"S10 Retry-After, the longest that is waited", []http.HandlerFunc{slow("Retry-After: 60"), ok}, 2, 60 * time.Second, 60500 * time.Millisecond},
		{"S10 Retry-After as a date", []http.HandlerFunc{slow("Date: Sat, 01 Jan 2000 00:00:00 GMT", "Retry-After: Sat, 01 Jan 2000 00:00:03 GMT"), ok}, 2, 3 * time.Second, 3500 * time.Millisecond},
		{"S11 without Retry-After", []http.HandlerFunc{slow(), slow(), ok}, 3, 0, 1500 * time.Millisecond},
		{"S13 past date", []http.HandlerFunc{slow("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT"), ok}, 2, 0, backoffBase},
		{"S13 negative", []http.HandlerFunc{slow("Retry-After: -7"), ok}, 2, 0, backoffBase},
		{"S13 fraction", []http.HandlerFunc{slow("Retry-After: 1.5"), ok}, 2, 0, backoffBase},
		{"S13 garbage", []http.HandlerFunc{slow("Retry-After: soon"), ok}, 2, 0, backoffBase},
		{"S13 two headers", []http.HandlerFunc{slow("Retry-After: 5", "Retry-After: 7"), ok}, 2, 0, backoffBase},
		{"S12 a reset", []http.HandlerFunc{slow("X-RateLimit-Reset: 60", "X-RateLimit-Remaining: 0"), ok}, 2, 60 * time.Second, 60500 * time.Millisecond},
		{"S12 a reset beside Retry-After", []http.HandlerFunc{slow("X-RateLimit-Reset: 60", "Retry-After: 2"), ok}, 2, 2 * time.Second, 2500 * time.Millisecond},
		{"S12 a reset beside Retry-After that makes no sense", []http.HandlerFunc{slow("X-RateLimit-Reset: 60", "Retry-After: soon"), ok}, 2, 60 * time.Second, 60500 * time.Millisecond},
		{"S12 a reset beside another status", []http.HandlerFunc{says(503, "", "X-RateLimit-Reset: 60"), ok}, 2, 0, backoffBase},
		{"S12 a reset by a clock that is a day off", []http.HandlerFunc{slow("Date: Sun, 02 Jan 2000 00:00:00 GMT", "X-Rate-Limit-Reset: 946771202"), ok}, 2, 2 * time.Second, 2500 * time.Millisecond},
		{"S15 502 503 504", []http.HandlerFunc{unavailable(502), unavailable(503), unavailable(504), ok}, 4, 0, 3500 * time.Millisecond},
		{"S15 a code that says so", []http.HandlerFunc{rejects("temporarily_unavailable"), says(500, `{"error":"server_error"}`), ok}, 3, 0, 1500 * time.Millisecond},
		{"S26 one after the other", []http.HandlerFunc{unavailable(503), slow("Retry-After: 9"), resets, writes("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + whole), ok}, 5, 9 * time.Second, 17 * time.Second},
		{"T08 Content-Length of more than comes", []http.HandlerFunc{writes("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + whole), ok}, 2, 0, backoffBase},
		{"T09 no last chunk", []http.HandlerFunc{writes(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(whole), whole)), ok}, 2, 0, backoffBase},
		{"T11 broken off after the request", []http.HandlerFunc{resets, ok}, 2, 0, backoffBase},
		{"T28 a clock that is a day off", []http.HandlerFunc{slow("Date: Sun, 02 Jan 2000 00:00:00 GMT", "Retry-After: Sun, 02 Jan 2000 00:00:02 GMT"), ok}, 2, 2 * time.Second, 2500 * time.Millisecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, start := inMemory(t, row.script...), time.Now()
				token, err := p.client(Options{MaxAttempts: 5}).Token(t.Context(), p.interxion(""), 0)
				if took := time.Since(start); err != nil || took < row.from || took > row.to || token.AccessToken.Reveal() != "t-1" {
					t.Errorf("%q, %v after %s; want t-1 after %s to %s", token.AccessToken.Reveal(), err, took, row.from, row.to)
				}
				p.sent(row.requests, "")
			})
		})
	}
}

func TestBrokenConnectionIsTriedAgainOnLoopback(t *testing.T) { // T08, T11, T12
	p := onLoopback(t,
		says(503, "", "Connection: keep-alive"),
		resets,
		writes("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access_token\":\"t-0\"}"),
		grantsToken("t-1"))
	c := p.client(Options{})
	synctest.Test(t, func(t *testing.T) { // only for the pauses
		token, err := c.Token(t.Context(), p.interxion(""), 0)
		if err != nil || token.AccessToken.Reveal() != "t-1" {
			t.Errorf("%q, %v", token.AccessToken.Reveal(), err)
		}
	})
	p.sent(4, "")
	peers := map[string]bool{}
	for _, r := range p.seen("") {
		peers[r.peer] = true
	}
	if len(peers) != 4 { // T12
		t.Errorf("4 requests over %d connections", len(peers))
	}
}

func TestAttemptsEnd(t *testing.T) {
	const day = "Retry-After: 86400"
	for _, row := range []struct {
		name     string
		options  Options
		answer   http.HandlerFunc
		requests int
		to       time.Duration
		text     string
	}{
		{"S14 500 for ever", Options{}, says(500, htmlPage), 4, 3500 * time.Millisecond, "answered 500 Internal Server Error, after 4 attempts"},
		{"S14 one attempt allowed", Options{MaxAttempts: 1}, says(500, htmlPage), 1, 0, "answered 500 Internal Server Error: "},
		{"S13 Retry-After of a day", Options{}, says(429, htmlPage, day), 1, 0, "answered 429 Too Many Requests, asked for a pause of 24h0m0s"},
		{"S13 Retry-After of a day, 503", Options{}, says(503, htmlPage, day), 1, 0, "asked for a pause of 24h0m0s"},
		{"S12 a reset that is too far", Options{}, says(429, htmlPage, "RateLimit-Reset: 61"), 1, 0, "asked for a pause of 1m1s"},
		{"S13 Retry-After just too long", Options{}, says(429, htmlPage, "Retry-After: 61"), 1, 0, "asked for a pause of 1m1s"},
		{"S13 Retry-After without end", Options{}, says(429, htmlPage, "Retry-After: 9223372036854775807"), 1, 0, "answered 429"},
		{"S26 pauses that add up to more than the budget", Options{}, says(429, htmlPage, "Retry-After: 50"), 3, 101 * time.Second, "after 3 attempts"},
		{"S14 any number of attempts", Options{MaxAttempts: 1000}, says(500, htmlPage), -1, budget, "answered 500"},
		{"T04 silence", Options{}, hangs, 4, budget, "gave no answer, after 4 attempts: no whole answer within"},
		{"T04 silence, one attempt", Options{MaxAttempts: 1, RequestTimeout: 7 * time.Second}, hangs, 1, 7 * time.Second, "no whole answer within 7s (request_timeout)"},
		{"T07 a byte a second", Options{MaxAttempts: 1}, drips, 1, DefaultRequestTimeout, "answered 200 OK: no whole answer within 30s"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, start := inMemory(t, row.answer), time.Now()
				_, err := p.client(row.options).Token(t.Context(), p.interxion(""), 0)
				fault := failed(t, err)
				if took := time.Since(start); took > row.to || !strings.Contains(err.Error(), row.text) || fault.Kind == Internal {
					t.Errorf("%v after %s, want %q within %s", err, took, row.text, row.to)
				}
				if row.requests >= 0 {
					p.sent(row.requests, "")
				}
			})
		})
	}
}

func TestPausesDoubleAndDiffer(t *testing.T) { // S11, S14
	var runs [2][]time.Duration
	for i := range runs {
		synctest.Test(t, func(t *testing.T) {
			p := inMemory(t, says(500, ""))
			_, err := p.client(Options{MaxAttempts: 12}).Token(t.Context(), p.interxion(""), 0)
			failed(t, err)
			requests := p.seen("")
			for n := range len(requests) - 1 {
				gap := requests[n+1].at.Sub(requests[n].at)
				if most := min(backoffBase<<n, 8*time.Second); gap > most {
					t.Errorf("pause %d took %s, more than %s", n+1, gap, most)
				}
				runs[i] = append(runs[i], gap)
			}
		})
	}
	if fmt.Sprint(runs[0]) == fmt.Sprint(runs[1]) {
		t.Errorf("two runs paused alike: %v", runs[0])
	}
}
