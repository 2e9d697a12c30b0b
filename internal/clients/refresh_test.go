// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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

func TestWhenToRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const least = 5 * time.Minute
		p := inMemory(t, grantsToken("t-1"))
		expired := tokenOf("t-0", time.Hour, -time.Second, refreshToken)
		known, dead, mute := expired, expired, expired
		known.RefreshTokenExpiry, dead.RefreshTokenExpiry = time.Now().Add(time.Second), time.Now().Add(-time.Second)
		mute.Expiry = time.Time{}
		for name, row := range map[string]struct {
			token Token
			want  string
		}{
			"it has ended":                                {expired, "refresh"},
			"its refresh token is known to be good":       {known, "refresh"},
			"its refresh token has ended":                 {dead, "access"},
			"there is no refresh token":                   {tokenOf("t-0", time.Hour, -time.Second, ""), "access"},
			"its end is unknown":                          {mute, "access"},
			"it lasts, though for less than min_validity": {tokenOf("t-0", time.Hour, least-time.Second, refreshToken), "access"},
			"no less than min_validity left":              {tokenOf("t-0", time.Hour, least, refreshToken), ""},
			"it never lasted for min_validity":            {tokenOf("t-0", time.Minute, time.Minute, refreshToken), "access"},
			"it never lasted so long, and has ended":      {tokenOf("t-0", time.Minute, 0, refreshToken), "refresh"},
			"it comes from the future, and lasts for now": {tokenOf("t-0", -time.Hour, 2*time.Hour, refreshToken), "access"},
		} {
			dir, before := t.TempDir(), len(p.seen(""))
			c := p.another(dir) // opened now, because opening later would sweep some entries
			if _, due := requestFor(t, p.cloudLX(ClientCredentials)).successor(row.token); due != (row.want == "refresh") {
				t.Errorf("%s: a refresh is due: %t", name, due)
			}
			store(t, dir, p.cloudLX(ClientCredentials), row.token)
			if _, err := c.Token(t.Context(), p.cloudLX(ClientCredentials), least); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			sent := ""
			for _, r := range p.seen("")[before:] {
				sent += strings.TrimSuffix(strings.TrimPrefix(r.path, "/api/oauth2/"), "-token")
			}
			if sent != row.want {
				t.Errorf("%s: sent %q, want %q", name, sent, row.want)
			}
		}
	})
}

func TestRefreshesFollowOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, steady := range []bool{false, true} { // K10: a refresh token that is not rotated stays valid
			platform, dir := &rotating{life: 3600, steady: steady}, t.TempDir()
			p := inMemory(t, platform.ServeHTTP)
			store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
			for round := range 5 {
				want := fmt.Sprint("t-", round+1)
				for range 3 {
					gets(t, p.another(dir), p.cloudLX(ClientCredentials), want)
				}
				pass(2 * time.Hour)
			}
			platform.count(t, 0, 5, 0)
		}
	})
}

// A refresh token that is not rotated is its own successor. It must not wait for its own lock.
func TestARefreshTokenFollowsItself(t *testing.T) { // K10
	synctest.Test(t, func(t *testing.T) {
		platform, dir := &rotating{life: 3600, steady: true}, t.TempDir()
		p := inMemory(t, platform.ServeHTTP)
		for round := range 3 {
			start := time.Now()
			gets(t, p.another(dir), p.cloudLX(RefreshToken), fmt.Sprint("t-", round+1))
			if took := time.Since(start); took != 0 {
				t.Errorf("it took %s", took)
			}
			pass(2 * time.Hour)
		}
		platform.count(t, 0, 3, 0)
	})
}

func TestALostRefreshCostsOneFullGrant(t *testing.T) { // S04, F11, K09
	for name, lose := range map[string]http.HandlerFunc{"rejected": rejects("invalid_grant"), "broken off": resets, "without answer": hangs, "garbled": says(200, htmlPage)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, dir := inMemory(t, refreshes(lose, grantsToken("t-1", `,"refresh_token":"next"`))), t.TempDir()
				store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
				tokens, errs := together(20, func(int) (string, error) { return ask(t, p.another(dir), p.cloudLX(ClientCredentials)) })
				for i, token := range tokens {
					if token != "t-1" || errs[i] != nil {
						t.Errorf("%q, %v", token, errs[i])
					}
				}
				token, err := p.another(dir).Token(t.Context(), p.cloudLX(RefreshToken), 0) // no other process sends it again
				if err != nil || failed(t, token.Fallback).Kind != RefreshTokenRejected {
					t.Errorf("%v, %v", err, token.Fallback)
				}
				p.sent(1, "/refresh-token")
				p.sent(1, "/access-token")
			})
		})
	}
}

func TestWithoutTheLockNothingIsRefreshed(t *testing.T) { // K19
	p, dir := onLoopback(t, counted()), t.TempDir()
	store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
	lock := lockOf(t, dir, p.cloudLX(ClientCredentials))
	must(t, os.Remove(lock))
	must(t, os.Mkdir(lock, 0o700))
	gets(t, p.another(dir), p.cloudLX(ClientCredentials), "t-1")
	p.sent(0, "/refresh")
}

// A rejected secret in a refresh counts as a rejection of the credentials, for other processes too.
func TestARefreshWithAWrongSecretIsOneLogin(t *testing.T) { // S04
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, rejects("invalid_client")), t.TempDir()
		for range 3 {
			_, err := ask(t, p.another(dir), p.cloudLX(RefreshToken))
			if fault := failed(t, err); fault.Kind != CredentialsRejected {
				t.Errorf("%v, want rejected credentials", err)
			}
		}
		p.sent(1, "")
	})
}

// Without the refresh's own lock, another process may be sending the same refresh token.
func TestAnAutomaticRefreshNeedsItsOwnLock(t *testing.T) { // K19
	p, dir := onLoopback(t, counted()), t.TempDir()
	store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
	must(t, os.Mkdir(lockOf(t, dir, p.cloudLX(RefreshToken)), 0o700))
	gets(t, p.another(dir), p.cloudLX(ClientCredentials), "t-1")
	p.sent(0, "/refresh")
}

// Logs.

// During a refresh, and after a throttled one, the last token stays in the cache, because it may last long enough for others. A
// token that has ended is kept for its refresh token, which is used instead of the given one.
func TestAThrottledRefreshLosesNothing(t *testing.T) {
	for next, left := range map[string]time.Duration{"": time.Minute, "next": -time.Second} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			var p *fakePlatform
			wantKept := func(when string) {
				found, why := stored(t, opened(t, dir), p.cloudLX(RefreshToken))
				if found.Token.AccessToken.Reveal() != "t-1" || found.Token.RefreshToken.Reveal() != next {
					t.Errorf("%q, %s: access token %t, refresh token %t; %s", next, when, !found.Token.AccessToken.IsZero(), !found.Token.RefreshToken.IsZero(), why)
				}
			}
			throttled := says(429, "")
			p = inMemory(t, func(w http.ResponseWriter, r *http.Request) {
				wantKept("under way")
				throttled(w, r)
			})
			store(t, dir, p.cloudLX(RefreshToken), tokenOf("t-1", time.Hour, left, next))
			if _, err := p.client(Options{Cache: opened(t, dir), MaxAttempts: 1}).Token(t.Context(), p.cloudLX(RefreshToken), 5*time.Minute); err == nil {
				t.Fatal("the platform has granted nothing")
			}
			wantKept("afterwards")
		})
	}
}

// Credentials that were rejected in a refresh are not sent again in a login.
func TestASecretRejectedInARefreshIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, says(401, `{"error":"invalid_client"}`)), t.TempDir()
		store(t, dir, p.equinix(Password), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
		if _, err := ask(t, p.another(dir), p.equinix(Password)); failed(t, err).Kind != CredentialsRejected {
			t.Error(err)
		}
		p.sent(1, "")
	})
}

// If the platform does not support refreshes, an automatic refresh fails, and the client obtains a new token instead.
func TestADeclinedRefreshFallsBack(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"unauthorized_client":    rejects("unauthorized_client"),
		"unsupported_grant_type": rejects("unsupported_grant_type"),
		"403":                    says(403, htmlPage),
		"404":                    says(404, htmlPage),
		"302":                    says(302, "", "Location: /login"),
	} {
		synctest.Test(t, func(t *testing.T) {
			p, dir := inMemory(t, refreshes(answer, grantsToken("t-1", `,"refresh_token":"`+refreshToken+`2"`))), t.TempDir()
			store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
			c := p.client(Options{})
			for run := range 3 {
				if token, err := ask(t, p.another(dir), p.cloudLX(ClientCredentials)); token != "t-1" {
					t.Errorf("%s, process %d: %v", name, run, err)
				}
				if token, err := ask(t, c, p.cloudLX(ClientCredentials)); token != "t-1" {
					t.Errorf("%s, in one process, round %d: %v", name, run, err)
				}
				pass(2 * time.Hour)
			}
		})
	}
}

// CloudLX revokes the old access token in a refresh. So a token that is in use and still valid is not refreshed.
func TestARefreshDoesNotEndATokenInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, grantsToken("t-1", `,"refresh_token":"`+refreshToken+`"`))
		c := p.client(Options{})
		for _, least := range []time.Duration{5 * time.Minute, 55 * time.Minute, 30 * time.Minute, 5 * time.Minute} {
			_, err := c.Token(t.Context(), p.cloudLX(ClientCredentials), least)
			must(t, err)
			pass(10 * time.Minute)
		}
		for _, r := range p.seen("") {
			if strings.Contains(r.path, "refresh") {
				t.Error("a token was refreshed while it lasted")
			}
		}
		pass(2 * time.Hour)
		_, err := ask(t, c, p.cloudLX(ClientCredentials))
		if must(t, err); !strings.Contains(p.seen("")[len(p.seen(""))-1].path, "refresh") {
			t.Error("a token that has ended was not refreshed")
		}
	})
}
