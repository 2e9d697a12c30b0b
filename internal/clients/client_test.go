// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// ask calls Client.Token, and returns the token's text and the error.
func ask(t *testing.T, c *Client, grant Grant) (string, error) {
	t.Helper()
	token, err := c.Token(t.Context(), grant, 0)
	return token.AccessToken.Reveal(), err
}

// gets fails the test unless the client returns the token want.
func gets(t *testing.T, c *Client, grant Grant, want string) {
	t.Helper()
	if token, err := ask(t, c, grant); err != nil || token != want {
		t.Errorf("%q, %v; want %q", token, err, want)
	}
}

// together calls ask n times at the same time.
func together(n int, ask func(i int) (string, error)) (tokens []string, errs []error) {
	tokens, errs = make([]string, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { tokens[i], errs[i] = ask(i) })
	}
	all.Wait()
	return tokens, errs
}

// pass waits in virtual time.
func pass(d time.Duration) { <-time.After(d) }

// counted answers each request with another token.
func counted() http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) { grantsToken(fmt.Sprint("t-", n.Add(1)))(w, r) }
}

// Sharing.

func TestCallersShareOneRequest(t *testing.T) { // K02
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(time.Second, func(w http.ResponseWriter, r *http.Request) {
			grantsToken("of-"+r.PostFormValue("scope"))(w, r)
		}))
		c := p.client(Options{})
		tokens, errs := together(1000, func(i int) (string, error) { return ask(t, c, p.interxion(fmt.Sprint(i%10))) })
		for i, token := range tokens {
			if token != fmt.Sprint("of-", i%10) || errs[i] != nil {
				t.Fatalf("caller %d: %q, %v", i, token, errs[i])
			}
		}
		p.sent(10, "")
	})
}

func TestCallersShareOneRejection(t *testing.T) { // K03
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(time.Second, says(401, "")))
		c := p.client(Options{})
		_, errs := together(1000, func(int) (string, error) { return ask(t, c, p.interxion("")) })
		for _, err := range errs {
			if fault := failed(t, err); fault.Kind != CredentialsRejected || err.Error() != errs[0].Error() {
				t.Fatalf("%v, others: %v", err, errs[0])
			}
		}
		p.sent(1, "")
	})
}

func TestWhateverChangesTheRequestHasItsOwnToken(t *testing.T) {
	p, sandbox := onLoopback(t, counted()), onLoopback(t, counted())
	c := p.client(Options{})
	otherUser, otherVersion, otherClient := p.equinix(Password), p.cloudLX(ClientCredentials), p.interxion("")
	otherUser.UserName, otherVersion.APIVersion, otherClient.ClientID = "user-2", "v2", "client-2"
	grants := []Grant{
		p.interxion(""), p.equinix(ClientCredentials), p.equinix(Password), p.cloudLX(ClientCredentials),
		p.interxion("a"), p.interxion("a b"), otherClient, otherUser, otherVersion, // K13
		p.equinix(RefreshToken), p.cloudLX(RefreshToken), // K13
		sandbox.interxion(""), sandbox.equinix(ClientCredentials), sandbox.cloudLX(ClientCredentials), // K12
	}
	for _, grant := range grants {
		first, err := ask(t, c, grant)
		if err != nil {
			t.Fatal(err)
		}
		gets(t, c, grant, first)
	}
	p.sent(11, "")
	sandbox.sent(3, "")
}

func TestMinValidityDecides(t *testing.T) { // K14
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, counted())
		c := p.client(Options{})
		for _, row := range []struct {
			wait time.Duration
			want string
		}{
			{0, "t-1"},
			{3299 * time.Second, "t-1"}, // 301 s are left
			{time.Second, "t-1"},        // 300 s
			{time.Second, "t-2"},        // 299 s
		} {
			pass(row.wait)
			if token, err := c.Token(t.Context(), p.interxion(""), 300*time.Second); err != nil || token.AccessToken.Reveal() != row.want {
				t.Errorf("%q, %v; want %q", token.AccessToken.Reveal(), err, row.want)
			}
		}
		pass(361 * time.Second) // more than a tenth of its lifetime: the token is no longer new
		for range 2 {
			if token, err := c.Token(t.Context(), p.interxion(""), 2*time.Hour); err != nil || token.AccessToken.Reveal() != "t-3" {
				t.Errorf("%q, %v; want a new token, although it lasts for less", token.AccessToken.Reveal(), err)
			}
			pass(5 * time.Minute)
		}
	})
}

func TestTokenLasts(t *testing.T) {
	obtained := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	hour := Token{obtained: obtained, Expiry: obtained.Add(time.Hour)}
	for _, row := range []struct {
		name  string
		token Token
		now   time.Time
		least time.Duration
		want  bool
	}{
		{"K14 301 s left", hour, obtained.Add(3299 * time.Second), 300 * time.Second, true},
		{"K14 300 s left", hour, obtained.Add(3300 * time.Second), 300 * time.Second, true},
		{"K14 299 s left", hour, obtained.Add(3301 * time.Second), 300 * time.Second, false},
		{"at its end", hour, obtained.Add(time.Hour), 0, false},
		{"K15 clock back", hour, obtained.Add(-time.Hour), 0, false},
		{"K15 clock forward", hour, obtained.Add(2 * time.Hour), 0, false},
		{"M15 of unknown lifetime", Token{obtained: obtained}, obtained, 0, false},
		{"never obtained", Token{}, obtained, 0, false},
	} {
		if got := row.token.reusable(row.now, row.least); got != row.want {
			t.Errorf("%s: %t", row.name, got)
		}
	}
}

func TestWallClockDecides(t *testing.T) { // K16: while a machine sleeps, the monotonic clock stops
	p := onLoopback(t, grantsToken("t-1"))
	token, err := p.client(Options{}).Token(t.Context(), p.interxion(""), 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, moment := range map[string]time.Time{"Expiry": token.Expiry, "obtained": token.obtained} {
		if moment != moment.Round(0) {
			t.Errorf("%s has a monotonic reading", name)
		}
	}
}

// Leaving.

func TestFlightOutlivesItsFirstCaller(t *testing.T) { // K04
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(10*time.Second, grantsToken("t-1")))
		c := p.client(Options{})
		leader, leave := context.WithCancel(t.Context())
		go func() {
			_, err := c.Token(leader, p.interxion(""), 0)
			if fault := failed(t, err); fault.Kind != Cancelled {
				t.Error(err)
			}
		}()
		synctest.Wait()
		go func() {
			pass(time.Second)
			leave()
		}()
		tokens, errs := together(999, func(int) (string, error) { return ask(t, c, p.interxion("")) })
		for i, token := range tokens {
			if token != "t-1" || errs[i] != nil {
				t.Fatalf("follower %d: %q, %v", i, token, errs[i])
			}
		}
		p.sent(1, "")
	})
}

func TestFlightEndsWithItsLastCaller(t *testing.T) { // K04
	synctest.Test(t, func(t *testing.T) {
		ended := time.Time{}
		p := inMemory(t, func(w http.ResponseWriter, r *http.Request) { defer func() { ended = time.Now() }(); hangs(w, r) }, takes(time.Second, grantsToken("t-2")))
		c := p.client(Options{})
		start := time.Now()
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		together(10, func(int) (string, error) {
			_, err := c.Token(ctx, p.interxion(""), 0)
			failed(t, err)
			return "", err
		})
		together(10, func(i int) (string, error) { // later callers share the next flight
			pass(time.Duration(i) * time.Millisecond)
			gets(t, c, p.interxion(""), "t-2")
			return "", nil
		})
		if took := ended.Sub(start); took != time.Second {
			t.Errorf("the request ended after %s, want 1s", took)
		}
		p.sent(2, "")
	})
}

func TestDeadlineOfTheCaller(t *testing.T) { // X07
	synctest.Test(t, func(t *testing.T) {
		p, start := inMemory(t, hangs), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := p.client(Options{}).Token(ctx, p.interxion(""), 0)
		if fault := failed(t, err); fault.Kind != TimedOut || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestNothingIsSentForACanceledCaller(t *testing.T) { // X07
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		interrupted := make(chan struct{})
		close(interrupted)
		for _, row := range []struct {
			ctx     context.Context
			options Options
		}{
			{ctx, Options{}},
			{t.Context(), Options{Interrupted: interrupted}}, // X08
		} {
			p := inMemory(t, grantsToken("t-1"))
			c := p.client(row.options)
			_, err := c.Token(row.ctx, p.interxion(""), 0)
			synctest.Wait()
			if fault := failed(t, err); fault.Kind != Cancelled || len(c.gate().accounts) != 0 {
				t.Errorf("%v, and %d requests were prepared", err, len(c.gate().accounts))
			}
			p.sent(0, "")
		}
	})
}

func TestInterruptEndsEveryWait(t *testing.T) { // X08
	for _, row := range []struct {
		name     string
		answer   http.HandlerFunc
		grant    func(*fakePlatform) Grant
		requests int
	}{
		{"for an answer", hangs, interxion, 1},
		{"between attempts", says(429, "", "Retry-After: 30"), interxion, 1},
		{"for the turn", hangs, func(p *fakePlatform) Grant { return p.interxion("behind another scope") }, 1},
		{"for the fallback", refreshes(rejects("invalid_grant"), hangs), func(p *fakePlatform) Grant { return p.cloudLX(RefreshToken) }, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, interrupted := inMemory(t, row.answer), make(chan struct{})
				c := p.client(Options{Interrupted: interrupted})
				start := time.Now()
				go func() {
					pass(2 * time.Second)
					close(interrupted)
				}()
				if strings.Contains(row.name, "turn") {
					go func() { _, _ = ask(t, c, p.interxion("")) }()
					synctest.Wait()
				}
				for range 2 { // the second call starts nothing
					_, err := ask(t, c, row.grant(p))
					if fault := failed(t, err); fault.Kind != Cancelled || time.Since(start) != 2*time.Second {
						t.Errorf("%v after %s", err, time.Since(start))
					}
				}
				synctest.Wait()
				if n := c.underWay(); n != 0 {
					t.Errorf("%d requests are still under way", n)
				}
				p.sent(row.requests, "")
			})
		})
	}
}

func TestInterruptHandsNoTurnOn(t *testing.T) { // X08
	synctest.Test(t, func(t *testing.T) {
		p, interrupted := inMemory(t, hangs), make(chan struct{})
		c := p.client(Options{Interrupted: interrupted})
		go func() {
			synctest.Wait()
			close(interrupted)
		}()
		_, errs := together(100, func(i int) (string, error) { return ask(t, c, p.interxion(fmt.Sprint(i))) })
		for _, err := range errs {
			failed(t, err)
		}
		synctest.Wait()
		p.sent(1, "")
	})
}

// underWay returns the number of requests in progress, including those that wait.
func (c *Client) underWay() (n int) {
	c.flights.memory.mu.Lock()
	defer c.flights.memory.mu.Unlock()
	for _, e := range c.flights.memory.entries {
		if e.flight != nil {
			n++
		}
	}
	return n
}

func TestWaitEndsWithItsLastCaller(t *testing.T) { // K04, X02
	for name, answer := range map[string]http.HandlerFunc{"for the turn": hangs, "between attempts": says(429, "", "Retry-After: 30")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, answer)
				c := p.client(Options{})
				first, stop := context.WithCancel(t.Context())
				go func() { _, _ = c.Token(first, p.interxion(""), 0) }()
				synctest.Wait()
				ctx, leave := context.WithTimeout(t.Context(), time.Second)
				defer leave()
				_, err := c.Token(ctx, p.interxion("behind the first"), 0)
				failed(t, err)
				synctest.Wait()
				if n := c.underWay(); n != 1 {
					t.Errorf("%d requests are under way, want the first alone", n)
				}
				stop()
				synctest.Wait()
				if n := c.underWay(); n != 0 {
					t.Errorf("%d requests are still under way", n)
				}
				p.sent(1, "")
			})
		})
	}
}

func TestFlightThatEndsLateDisturbsNoOther(t *testing.T) { // K04
	synctest.Test(t, func(t *testing.T) {
		release, sent := [3]chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}, 0
		c := New(Options{})
		c.sender().transport.RegisterProtocol("http", answering(func(*http.Request) (*http.Response, error) {
			sent++
			<-release[sent-1]                                 // ignores the end of the caller
			return answered(200, `{"access_token":"t"}`), nil // of unknown lifetime: only for the callers that wait
		}))
		p := &fakePlatform{t: t, url: "http://127.0.0.1"}
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		_, err := c.Token(ctx, p.interxion(""), 0)
		failed(t, err)
		for i := range 2 { // the second caller comes after the first flight has ended
			go func() { gets(t, c, p.interxion(""), "t") }()
			synctest.Wait()
			close(release[i])
			synctest.Wait()
		}
		if sent != 2 {
			t.Errorf("%d requests, want one that was given up and one for all others", sent)
		}
	})
}

func TestMemoryAnswersAfterAnInterrupt(t *testing.T) { // X08
	p, interrupted := onLoopback(t, grantsToken("t-1")), make(chan struct{})
	c := p.client(Options{Interrupted: interrupted})
	gets(t, c, p.interxion(""), "t-1")
	close(interrupted)
	gets(t, c, p.interxion(""), "t-1")
}

func TestThousandCancelledCallsLeaveNothing(t *testing.T) { // X10, K22
	p := onLoopback(t, grantsToken("t-1"), hangs)
	c := p.client(Options{})
	gets(t, c, p.interxion("first"), "t-1") // proves the credentials, so that the others need not wait for each other
	before := descriptors()
	for round := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		seen := len(p.seen(""))
		go func() { // cancel when some requests have arrived and others have not
			for len(p.seen("")) < seen+25 {
				<-time.After(time.Millisecond)
			}
			cancel()
		}()
		_, errs := together(50, func(i int) (string, error) {
			_, err := c.Token(ctx, p.interxion(fmt.Sprint(round, i)), 0)
			return "", err
		})
		for _, err := range errs {
			if fault := failed(t, err); fault.Kind != Cancelled {
				t.Fatal(err)
			}
		}
	}
	nothingLeft(t)
	for end := time.Now().Add(5 * time.Second); descriptors() > before; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d file descriptors, before %d", descriptors(), before)
		}
	}
}

// descriptors counts the open file descriptors; 0: unknown on this system.
func descriptors() int {
	open, _ := os.ReadDir("/proc/self/fd")
	return len(open)
}

// Rejections.

func TestWrongSecretIsSentOnce(t *testing.T) { // K03: with however many scopes
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(time.Second, rejects("invalid_client")))
		c := p.client(Options{})
		_, errs := together(100, func(i int) (string, error) { return ask(t, c, p.interxion(fmt.Sprint(i))) })
		for _, err := range errs {
			if fault := failed(t, err); fault.Kind != CredentialsRejected {
				t.Fatal(err)
			}
		}
		pass(time.Hour)
		_, err := ask(t, c, p.interxion("later"))
		failed(t, err)
		p.sent(1, "")
	})
}

func TestProvenCredentialsNeedNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(time.Second, grantsToken("t-1")))
		c, start := p.client(Options{}), time.Now()
		together(100, func(i int) (string, error) { return ask(t, c, p.interxion(fmt.Sprint(i))) })
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("100 requests took %s; want 1 s for the first and 1 s for all others", took)
		}
		p.sent(100, "")
	})
}

func TestSecretThatIsChangedMeanwhile(t *testing.T) {
	p := onLoopback(t, grantsToken("t-1"), rejects("invalid_client"))
	c := p.client(Options{})
	gets(t, c, p.interxion("a"), "t-1")
	for _, scope := range []string{"b", "c", "b"} {
		_, err := ask(t, c, p.interxion(scope))
		failed(t, err)
	}
	gets(t, c, p.interxion("a"), "t-1") // the token in memory is still used
	p.sent(2, "")
}

func TestRejectionIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, answer := range []http.HandlerFunc{rejects("invalid_scope"), rejects("unauthorized_client"), says(403, ""), says(404, ""), says(302, "")} {
			p := inMemory(t, answer)
			c := p.client(Options{})
			for range 3 {
				_, err := ask(t, c, p.interxion(""))
				failed(t, err)
				pass(24 * time.Hour)
			}
			p.sent(1, "")
		}
	})
}

// Passing failures.

func TestPassingFailureIsSharedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, says(503, ""), says(503, ""), grantsToken("t-1"))
		c := p.client(Options{MaxAttempts: 2})
		_, first := ask(t, c, p.interxion(""))
		for range 1000 {
			if _, err := ask(t, c, p.interxion("")); failed(t, err).Error() != first.Error() {
				t.Fatal(err)
			}
		}
		pass(failureShared - time.Millisecond)
		_, err := ask(t, c, p.interxion(""))
		failed(t, err)
		p.sent(2, "")
		pass(time.Millisecond)
		gets(t, c, p.interxion(""), "t-1")
		p.sent(3, "")
	})
}

func TestPauseThatThePlatformAskedForIsKept(t *testing.T) { // S13
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, says(429, "", "Retry-After: 600"), grantsToken("t-1"))
		c := p.client(Options{})
		_, err := ask(t, c, p.interxion(""))
		failed(t, err)
		pass(599 * time.Second)
		_, err = ask(t, c, p.interxion(""))
		failed(t, err)
		p.sent(1, "")
		pass(time.Second)
		gets(t, c, p.interxion(""), "t-1")
	})
}

func TestWaitForTheTurnIsBounded(t *testing.T) { // S14, T04
	synctest.Test(t, func(t *testing.T) {
		var recovered atomic.Bool
		p := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			if recovered.Load() {
				grantsToken("t-1")(w, r)
			} else {
				hangs(w, r)
			}
		})
		c, start := p.client(Options{}), time.Now()
		_, errs := together(10, func(i int) (string, error) { return ask(t, c, p.interxion(fmt.Sprint(i))) })
		for _, err := range errs {
			if fault := failed(t, err); fault.Kind != TimedOut || time.Since(start) > budget+time.Second {
				t.Errorf("%v after %s", err, time.Since(start))
			}
		}
		pass(failureShared)
		recovered.Store(true)
		for i := range 10 { // the waiting requests were not rejected, so they can be sent later
			gets(t, c, p.interxion(fmt.Sprint(i)), "t-1")
		}
	})
}

func TestRefreshAndFallbackShareOneBudget(t *testing.T) { // T04
	synctest.Test(t, func(t *testing.T) {
		p, start := inMemory(t, hangs), time.Now()
		_, err := ask(t, p.client(Options{RequestTimeout: 100 * time.Second}), p.cloudLX(RefreshToken))
		if fault := failed(t, err); fault.Kind != TimedOut || time.Since(start) != budget {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		p.sent(1, "refresh-token")
		p.sent(1, "access-token")
	})
}

// Requests that are sent once.

func TestRejectedRefreshTokenFallsBack(t *testing.T) { // S04
	for name, refused := range map[string]http.HandlerFunc{"invalid_grant": rejects("invalid_grant"), "401": says(401, ""), "S05 unauthorized_client": rejects("unauthorized_client"), "422": says(422, "")} {
		for _, grant := range []func(*fakePlatform) Grant{refreshAtEquinix, refreshAtCloudLX, refreshAtIXAPI, refreshAtOAuth2} {
			t.Run(name, func(t *testing.T) {
				p := onLoopback(t, refreshes(refused, grantsToken("t-1")))
				c := p.client(Options{})
				for range 2 {
					token, err := c.Token(t.Context(), grant(p), 0)
					if err != nil || token.AccessToken.Reveal() != "t-1" || failed(t, token.Fallback).Kind != RefreshTokenRejected {
						t.Errorf("%v, %v", token, err)
					}
				}
				p.sent(1, "/refresh")
				p.sent(2, "")
			})
		}
	}
	t.Run("all rejected", func(t *testing.T) {
		p := onLoopback(t, refreshes(rejects("invalid_grant"), rejects("invalid_client")))
		c := p.client(Options{})
		for range 2 {
			_, err := ask(t, c, refreshAtCloudLX(p))
			if fault := failed(t, err); fault.Kind != CredentialsRejected {
				t.Error(err)
			}
		}
		p.sent(2, "")
	})
}

// TestRefreshTokenThatIsStillGoodIsKept tests failures that say nothing about the refresh token. Then there is no fallback,
// because its warning would be wrong.
func TestRefreshTokenThatIsStillGoodIsKept(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"S01 invalid_client": rejects("invalid_client"), "S17 501": says(501, htmlPage), "S17 511": says(511, htmlPage),
		"S06 403": says(403, ""), "S07 404": says(404, ""), "S08 405": says(405, ""), "S18 302": says(302, ""),
		"S13 429": says(429, "", "Retry-After: 86400"), "S15 503": says(503, ""),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, refreshes(answer, grantsToken("t-1")))
				_, err := ask(t, p.client(Options{}), refreshAtCloudLX(p))
				failed(t, err)
				p.sent(0, "/access-token")
			})
		})
	}
}

func refreshAtEquinix(p *fakePlatform) Grant { return p.equinix(RefreshToken) }
func refreshAtCloudLX(p *fakePlatform) Grant { return p.cloudLX(RefreshToken) }
func refreshAtOAuth2(p *fakePlatform) Grant  { return p.oauth2(RefreshToken) }

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

// A gateway says 503 also after the platform has worked. So this process sends a request that may be sent once not again, with
// or without a pause. The refresh token stays for another process, and the client credentials are not used in its place.
func TestA503IsForALaterProcess(t *testing.T) { // S32
	for _, answer := range []http.HandlerFunc{says(503, htmlPage), says(503, "", "Retry-After: 2"), says(503, `{"error":"server_error"}`)} {
		for _, grant := range []func(*fakePlatform) Grant{password, refreshAtEquinix, refreshAtCloudLX, refreshAtIXAPI, refreshAtOAuth2, exchangeAtOAuth2} {
			synctest.Test(t, func(t *testing.T) {
				p, dir := inMemory(t, answer, grantsToken("t-1")), t.TempDir()
				c, wanted := p.another(dir), grant(p)
				for range 3 {
					_, err := ask(t, c, wanted)
					if e := failed(t, err); e.Kind != Unavailable || !e.Temporary() {
						t.Errorf("kind %d: %v", e.Kind, err)
					}
					pass(time.Minute)
				}
				p.sent(1, "")
				gets(t, p.another(dir), wanted, "t-1")
				gets(t, c, wanted, "t-1")
				p.sent(2, p.seen("")[0].path)
				p.sent(2, "")
			})
		}
	}
}

// After the 503 of a refresh that no caller has asked for, this process waits, and then asks for a new token. Another process
// uses the refresh token.
func TestA503OfARefreshThatNobodyAskedFor(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p, dir := inMemory(t, says(503, htmlPage), grantsToken("t-1")), t.TempDir()
			store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
			c := p.another(dir)
			for range 2 {
				_, err := ask(t, c, p.cloudLX(ClientCredentials))
				if e := failed(t, err); e.Kind != Unavailable {
					t.Error(err)
				}
			}
			p.sent(1, "")
			pass(failureShared)
			next, path := c, "/access-token"
			if elsewhere {
				next, path = p.another(dir), "/refresh-token"
			}
			gets(t, next, p.cloudLX(ClientCredentials), "t-1")
			if sent := p.seen(""); len(sent) != 2 || !strings.HasSuffix(sent[1].path, path) {
				t.Errorf("%d requests, the last to %s; want 2, %s", len(sent), sent[len(sent)-1].path, path)
			}
		})
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

func TestRequestThatWaitedInVainIsStillSent(t *testing.T) { // X07
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(10*time.Second, grantsToken("t-1")))
		c := p.client(Options{})
		go func() { _, _ = ask(t, c, p.cloudLX(ClientCredentials)) }() // holds the gate
		synctest.Wait()
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		_, err := c.Token(ctx, refreshAtCloudLX(p), 0)
		failed(t, err)
		synctest.Wait()
		p.sent(0, "/refresh")
		token, err := c.Token(t.Context(), refreshAtCloudLX(p), 0)
		if err != nil || token.Fallback != nil {
			t.Errorf("%v, %v", token.Fallback, err)
		}
		p.sent(1, "/refresh")
	})
}

// sentOnce are the requests that must not be sent again if their outcome stays unknown.
func sentOnce(t *testing.T) map[string]func(*fakePlatform) Grant {
	identity := idToken(t, map[string]any{"exp": 1 << 40})
	return map[string]func(*fakePlatform) Grant{
		"Equinix refresh": refreshAtEquinix, "CloudLX refresh": refreshAtCloudLX, "Equinix login": password,
		"exchange": func(p *fakePlatform) Grant { return p.exchange(IdentitySource{Token: identity}) },
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

func TestRefreshTokenIsSpentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := map[string]int{}
		p := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			sent[r.FormValue("refresh_token")]++
			grantsToken("t-1", fmt.Sprintf(`,"refresh_token":"next-%d"`, len(sent)))(w, r)
		})
		c := p.client(Options{})
		for range 3 {
			gets(t, c, p.cloudLX(RefreshToken), "t-1")
			pass(2 * time.Hour)
		}
		for token, times := range sent {
			if times != 1 || token == "" {
				t.Errorf("the refresh token %q was sent %d times", token, times)
			}
		}
		p.sent(3, "/refresh")
	})
}

func TestRefreshTokenThatIsNotRotatedStaysInForce(t *testing.T) { // K10
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, grantsToken("t-1"))
		c := p.client(Options{})
		for range 3 {
			token, err := c.Token(t.Context(), p.cloudLX(RefreshToken), 0)
			if err != nil || token.RefreshToken.IsZero() {
				t.Errorf("%v: the old refresh token is gone", err)
			}
			pass(2 * time.Hour)
		}
		p.sent(3, "/refresh")
		p.sent(3, "")
	})
}

func TestLongRunAlwaysGetsATokenThatLasts(t *testing.T) { // X12
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, counted())
		c := p.client(Options{})
		for range 13 { // two hours
			token, err := c.Token(t.Context(), p.interxion(""), 25*time.Minute)
			if err != nil || time.Until(token.Expiry) < 25*time.Minute {
				t.Errorf("%v: %s left", err, time.Until(token.Expiry))
			}
			pass(10 * time.Minute)
		}
		p.sent(4, "") // every 40 minutes
	})
}

func TestAcceptedLoginCanBeRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, grantsToken("t-1", `,"refresh_token":"next-1"`), grantsToken("t-2"))
		c := p.client(Options{})
		gets(t, c, p.equinix(Password), "t-1")
		pass(2 * time.Hour)
		gets(t, c, p.equinix(Password), "t-2")
	})
}

// Memory.

// answering is a transport without a network.
type answering func(*http.Request) (*http.Response, error)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func answered(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// TestMemoryOfManyRequests tests that a request takes little memory, because the client keeps every request of a configuration.
func TestMemoryOfManyRequests(t *testing.T) { // K27
	synctest.Test(t, func(t *testing.T) {
		const many = 10_000
		var requests atomic.Int32
		c := New(Options{})
		c.sender().transport.RegisterProtocol("http", answering(func(r *http.Request) (*http.Response, error) {
			requests.Add(1)
			if r.PostFormValue("scope") != "" {
				return answered(403, ""), nil
			}
			return answered(200, `{"access_token":"t","expires_in":3600}`), nil
		}))
		askAll := func() {
			for i := range many / 2 {
				grant := Interxion{LoginURL: "http://127.0.0.1", ClientID: fmt.Sprint("client-", i), ClientSecret: NewSecret(clientSecret)}
				gets(t, c, grant, "t")
				grant.Scope = "another"
				_, err := ask(t, c, grant)
				failed(t, err)
			}
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 2 {
			askAll()
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > many*3<<10 {
			t.Errorf("%d requests take %d bytes each", many, grown/many)
		}
		if n := requests.Load(); n != many {
			t.Errorf("%d requests were sent, want %d", n, many)
		}
		runtime.KeepAlive(c)
	})
}

// Discarding.

func TestADiscardedTokenIsReplacedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(time.Second, counted()))
		c := p.client(Options{})
		grant := p.interxion("")
		refused, err := c.Token(t.Context(), grant, 0)
		must(t, err)
		tokens, errs := together(100, func(int) (string, error) { // a hundred callers whose token the API has refused
			c.Discard(grant, refused)
			return ask(t, c, grant)
		})
		for i := range tokens {
			if errs[i] != nil || tokens[i] != "t-2" {
				t.Fatalf("%q, %v; want t-2", tokens[i], errs[i])
			}
		}
		c.Discard(grant, refused) // has no effect, because the token was replaced already
		gets(t, c, grant, "t-2")
		p.sent(2, "")
	})
}

// A token may have come from a refresh, from the client credentials in its place, or from a request that another grant
// shares with them.
func TestADiscardedTokenIsNotReturnedAgain(t *testing.T) {
	p, dir := onLoopback(t, refreshes(rejects("invalid_grant"), grantsToken("t-1")), refreshes(rejects("invalid_grant"), grantsToken("t-1")), grantsToken("t-2")), t.TempDir()
	c, grant := p.another(dir), p.cloudLX(RefreshToken)
	refused, err := c.Token(t.Context(), grant, 0)
	must(t, err)
	if !c.Discard(grant, refused) {
		t.Error("the client's own token is not replaced")
	}
	gets(t, p.another(dir), grant, "t-2")
	gets(t, c, grant, "t-2") // the token that another process has stored
	sent := len(p.seen(""))
	gets(t, c, p.cloudLX(ClientCredentials), "t-2")
	if more := len(p.seen("")) - sent; more != 0 {
		t.Errorf("%d requests more", more)
	}
}

// A token that came from a password or from a refresh token of the user may belong to another principal than the client's
// own. It is not replaced, and nothing is sent.
func TestATokenOfAUserIsNotReplaced(t *testing.T) {
	for name, grantOf := range map[string]func(*fakePlatform) Grant{
		"a password": password, "Equinix": refreshAtEquinix, "CloudLX": refreshAtCloudLX, "IX-API": refreshAtIXAPI, "OAuth 2.0": refreshAtOAuth2,
	} {
		p, dir := onLoopback(t, grantsToken("t-1", `,"refresh_token":"next"`)), t.TempDir()
		c := p.another(dir)
		token, err := c.Token(t.Context(), grantOf(p), 0)
		must(t, err)
		if c.Discard(grantOf(p), token) {
			t.Errorf("%s: the token is replaced", name)
		}
		gets(t, c, grantOf(p), "t-1")
		gets(t, p.another(dir), grantOf(p), "t-1")
		p.sent(1, "")
	}
}

// An API may refuse every token. However many API proxies share it, fresh tokens are replaced at most once a minute.
func TestFreshTokensAreReplacedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, counted())
		c, grant := p.client(Options{}), p.interxion("")
		for range 180 { // three minutes
			for range 10 { // proxies
				token, err := c.Token(t.Context(), grant, 0)
				must(t, err)
				c.Discard(grant, token)
			}
			pass(time.Second)
		}
		p.sent(4, "")
		pass(10 * time.Minute)
		token, err := c.Token(t.Context(), grant, 0) // no longer fresh: it may have been revoked
		must(t, err)
		c.Discard(grant, token)
		gets(t, c, grant, "t-5")
	})
}

// A token that an API has refused has not ended: other processes may use it. So it is refreshed only after its real end,
// and the new token comes from the same grant.
func TestARefusedTokenIsNotEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform, dir := &rotating{life: 3600}, t.TempDir()
		p := inMemory(t, platform.ServeHTTP)
		grant := p.cloudLX(ClientCredentials)
		holder, proxy := p.another(dir), p.another(dir)
		gets(t, holder, grant, "t-1")
		refused, err := proxy.Token(t.Context(), grant, 0)
		must(t, err)
		for range 10 {
			proxy.Discard(grant, refused)
			gets(t, proxy, grant, "t-2")
		}
		platform.count(t, 2, 0, 0)
		gets(t, holder, grant, "t-1") // nobody else's token
		gets(t, p.another(dir), grant, "t-2")
		pass(2 * time.Hour)
		gets(t, p.another(dir), grant, "t-3")
		platform.count(t, 2, 1, 0)

		dir = t.TempDir()
		gets(t, p.another(dir), grant, "t-4")
		c := p.another(dir)
		refused, err = c.Token(t.Context(), grant, 0)
		must(t, err)
		c.Discard(grant, refused) // and the process ends
		pass(2 * time.Hour)
		gets(t, p.another(dir), grant, "t-5")
		platform.count(t, 3, 2, 0)
	})
}

func TestADiscardedTokenIsNotTakenFromTheCache(t *testing.T) {
	platform, dir := &rotating{life: 3600}, t.TempDir()
	p := onLoopback(t, platform.ServeHTTP)
	c, grant := p.another(dir), p.cloudLX(ClientCredentials)
	refused, err := c.Token(t.Context(), grant, 0)
	must(t, err)
	release := lockFor(t, opened(t, dir), grant)
	c.Discard(grant, refused) // does not wait for the lock
	release()
	gets(t, p.another(dir), grant, "t-1") // the entry was not changed, because another process held the lock
	c.Discard(grant, refused)
	gets(t, p.another(dir), grant, "t-2")
	platform.count(t, 2, 0, 0)
	c.Discard(grant, refused)
	gets(t, p.another(dir), grant, "t-2")
	platform.count(t, 2, 0, 0)
}

// Secrets.

func TestPanicBecomesAnError(t *testing.T) { // H07
	c, panics := New(Options{}), true
	c.sender().transport.RegisterProtocol("http", answering(func(*http.Request) (*http.Response, error) {
		if panics {
			panic("the secret is " + clientSecret)
		}
		return answered(200, `{"access_token":"t-1"}`), nil
	}))
	p := &fakePlatform{t: t, url: "http://127.0.0.1"}
	_, err := ask(t, c, p.interxion(""))
	if fault := failed(t, err); fault.Kind != Internal {
		t.Error(err)
	}
	panics = false
	gets(t, c, p.interxion(""), "t-1") // neither the failure nor the gate is kept
}

func TestSecretsAreOnlyInBodyAndBasic(t *testing.T) { // H19; the fake platform checks the rest of the request
	for _, grant := range []func(*fakePlatform) Grant{interxion, equinix, password, cloudLX, digitalRealty, megaport, ixAPI, refreshAtEquinix, refreshAtCloudLX, refreshAtIXAPI, oauth2, refreshAtOAuth2} {
		var agent string
		p := onLoopback(t, func(w http.ResponseWriter, r *http.Request) {
			agent = r.UserAgent()
			grantsToken("t-1")(w, r)
		})
		gets(t, p.client(Options{UserAgent: "test/1"}), grant(p), "t-1")
		if agent != "test/1" {
			t.Errorf("User-Agent is %q", agent)
		}
	}
}

func TestEachErrorIsScrubbedOfItsOwnSecrets(t *testing.T) { // H24
	p := onLoopback(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		says(400, fmt.Sprintf(`{"error":"invalid_scope","error_description":%q}`, "you sent "+fields(body)["client_secret"]))(w, r)
	})
	clients := []*Client{p.client(Options{}), p.client(Options{})}
	_, errs := together(100, func(i int) (string, error) {
		return ask(t, clients[i%2], p.interxion(fmt.Sprint(i)))
	})
	for _, err := range errs {
		if failed(t, err); !strings.HasSuffix(err.Error(), "code invalid_scope: \""+redacted+"\"") {
			t.Error(err)
		}
	}
}

// A refresh that was cancelled before it was sent is sent for the next caller, even if that caller comes at the same moment.
func TestARefreshGivenUpUnsentIsNotSpent(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			p := inMemory(t, takes(10*time.Second, grantsToken("t-1")))
			c := p.client(Options{})
			go func() { _, _ = ask(t, c, p.cloudLX(ClientCredentials)) }() // the first request with these credentials holds the gate
			pass(time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, _ = c.Token(ctx, p.cloudLX(RefreshToken), 0)
			token, err := c.Token(t.Context(), p.cloudLX(RefreshToken), 0)
			if must(t, err); token.Fallback != nil {
				t.Fatal(token.Fallback)
			}
		})
	}
}

// M18: if a platform grants less than min_validity, the client does not ask again for a longer token.
func TestAShortTokenIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(time.Second, grantsToken("t-1")))
		c := p.client(Options{})
		_, errs := together(10, func(int) (string, error) {
			_, err := c.Token(t.Context(), p.interxion(""), 2*time.Hour)
			return "", err
		})
		for _, err := range errs {
			must(t, err)
		}
		p.sent(1, "")
	})
}

// fly starts a flight, and returns the function that ends it with a token.
func fly(c *Client, r *request) (*flight, func(Token)) {
	e := c.flights.memory.entry(r.key())
	f := &flight{done: make(chan struct{}), cancel: func() {}, began: time.Now().Round(0), waiting: 1}
	e.flight, e.spent = f, !r.refreshToken.IsZero()
	return f, func(token Token) { c.flights.finish(r, f, token, nil) }
}

func (c *Client) gate() *gate     { return c.sharer.next }
func (c *Client) sender() *sender { return c.gate().next }

// A caller joins a flight that returns a token from the cache. It gets a token with its own min_validity.
func TestWhoJoinsAFlightGetsItsOwnMinValidity(t *testing.T) {
	for _, row := range []struct {
		obtained time.Duration // relative to the start of the flight
		want     string
	}{{-50 * time.Minute, "fresh"}, {0, "short"}} { // a token that was obtained in the flight is not replaced: the platform grants no more
		synctest.Test(t, func(t *testing.T) {
			p := inMemory(t, grantsToken("fresh"))
			c := p.client(Options{})
			_, land := fly(c, requestFor(t, p.interxion("")))
			token := tokenOf("short", time.Hour, 10*time.Minute, "")
			token.obtained = time.Now().Round(0).Add(row.obtained)
			go func() {
				pass(time.Second)
				land(token)
			}()
			got, err := c.Token(t.Context(), p.interxion(""), 30*time.Minute)
			if must(t, err); got.AccessToken.Reveal() != row.want {
				t.Errorf("got %q, want %q", got.AccessToken.Reveal(), row.want)
			}
		})
	}
}

// A token that arrives after its callers have left is kept, together with its refresh token.
func TestATokenThatCameTooLateIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, grantsToken("other"))
		c, request := p.client(Options{}), requestFor(t, p.cloudLX(RefreshToken))
		f, land := fly(c, request)
		_ = c.flights.leave(t.Context(), request, f)
		go func() {
			pass(time.Second)
			token := tokenOf("refreshed", time.Minute, time.Minute, "next")
			token.obtained = time.Now().Round(0)
			land(token)
		}()
		token, err := c.Token(t.Context(), p.cloudLX(RefreshToken), 5*time.Minute)
		if must(t, err); token.AccessToken.Reveal() != "refreshed" {
			t.Errorf("got %q, fallback %v", token.AccessToken.Reveal(), token.Fallback)
		}
	})
}

// A token that lasts five minutes never meets a min_validity of five minutes. A thousand blocks that are opened one after the
// other within a minute cause two requests, not a thousand. A token that has met min_validity once is replaced as usual.
func TestATokenThatNeverMeetsMinValidityIsSharedWhileItIsNew(t *testing.T) { // K25
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			life, least time.Duration
			want        int
		}{
			{5*time.Minute - time.Second, 5 * time.Minute, 2}, // new for 30 s
			{5 * time.Minute, 5 * time.Minute, 2},
			{time.Minute, 5 * time.Minute, 10},
			{24 * time.Hour, 24 * time.Hour, 1},
			{5*time.Minute + 30*time.Second, 5 * time.Minute, 2}, // it meets min_validity for 30 s
			{time.Hour, 5 * time.Minute, 1},
		} {
			sent := 0
			p := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
				sent++
				says(http.StatusOK, fmt.Sprintf(`{"access_token":"t-%d","expires_in":%d}`, sent, row.life/time.Second))(w, r)
			})
			c := p.client(Options{})
			for range 1000 {
				if _, err := c.Token(t.Context(), p.interxion(""), row.least); err != nil {
					t.Fatal(err)
				}
				pass(59 * time.Millisecond)
			}
			if sent != row.want {
				t.Errorf("%d requests for tokens of %s and min_validity %s, want %d", sent, row.life, row.least, row.want)
			}
		}
	})
}
