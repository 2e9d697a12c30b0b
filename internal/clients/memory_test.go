// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

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

func TestMemoryAnswersAfterAnInterrupt(t *testing.T) { // X08
	p, interrupted := onLoopback(t, grantsToken("t-1")), make(chan struct{})
	c := p.client(Options{Interrupted: interrupted})
	gets(t, c, p.interxion(""), "t-1")
	close(interrupted)
	gets(t, c, p.interxion(""), "t-1")
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
