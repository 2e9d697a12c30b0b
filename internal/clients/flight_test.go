// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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

// fly starts a flight, and returns the function that ends it with a token.
func fly(c *Client, r *request) (*flight, func(Token)) {
	e := c.flights.memory.entry(r.key())
	f := &flight{done: make(chan struct{}), cancel: func() {}, began: time.Now().Round(0), waiting: 1}
	e.flight, e.spent = f, !r.refreshToken.IsZero()
	return f, func(token Token) { c.flights.finish(r, f, token, nil) }
}

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
