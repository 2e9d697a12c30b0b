// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// This file tests what is tied to a refresh token, an identity token or a secret, and not to the request that carries it.

// A refresh token is sent once, whatever else differs between the requests that carry it: in one process, in several
// ones, and in several at once.
func TestARefreshTokenIsSentOnceInEveryRequest(t *testing.T) {
	for name, row := range map[string]struct {
		grant  func(*fakePlatform) Grant
		others func(*fakePlatform) []Grant
	}{
		"the version of the API": {refreshAtCloudLX, func(p *fakePlatform) []Grant {
			other := p.cloudLX(RefreshToken)
			other.APIVersion = "v2"
			return []Grant{other}
		}},
		"the client": {refreshAtCloudLX, func(p *fakePlatform) []Grant {
			other := p.cloudLX(RefreshToken)
			other.ClientID = "client-2"
			return []Grant{other}
		}},
		"scopes and parameters": {refreshAtOAuth2, func(p *fakePlatform) []Grant {
			scopes, parameters, audience := p.oauth2(RefreshToken), p.oauth2(RefreshToken), p.oauth2(RefreshToken)
			scopes.Scope, audience.Audience = "ports", "api"
			parameters.Parameters = Pairs(map[string]string{"pin": parameter, "resource": "x"})
			return []Grant{scopes, parameters, audience}
		}},
		"the platform": {refreshAtCloudLX, func(p *fakePlatform) []Grant { return []Grant{p.oauth2(RefreshToken), p.equinix(RefreshToken)} }},
		"the spelling of the host": {refreshAtCloudLX, func(p *fakePlatform) []Grant {
			port, scheme := p.cloudLX(RefreshToken), p.cloudLX(RefreshToken)
			port.BaseURL, scheme.BaseURL = p.url+":80", strings.ToUpper(p.url[:4])+p.url[4:]+"/api/"
			return []Grant{port, scheme}
		}},
	} {
		for _, processes := range []int{1, 2, 20} {
			t.Run(fmt.Sprintf("%s, %d processes", name, processes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p, dir := inMemory(t, takes(time.Second, grantsToken("t-1", `,"refresh_token":"next"`))), t.TempDir()
					grants := append(row.others(p), row.grant(p))
					clients := make([]*Client, processes)
					for i := range clients {
						clients[i] = p.another(dir)
					}
					_, errs := together(20*len(grants), func(i int) (string, error) { return ask(t, clients[i%processes], grants[i%len(grants)]) })
					for _, err := range errs {
						must(t, err)
					}
					p.sent(1, "/refresh")
				})
			})
		}
	}
}

// The refresh that a client sends by itself, without the scopes, and the one that a user asks for carry the same refresh
// token.
func TestAnAutomaticRefreshSpendsTheUsersRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, givenFirst := range []bool{true, false} {
			p, dir := inMemory(t, grantsToken("t-1", `,"refresh_token":"next"`)), t.TempDir()
			own, given := p.oauth2(ClientCredentials), p.oauth2(RefreshToken)
			own.Scope, given.Scope = "ports", "ports"
			store(t, dir, own, tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
			grants := []Grant{own, given}
			if givenFirst {
				grants = []Grant{given, own}
			}
			for _, grant := range grants {
				gets(t, p.another(dir), grant, "t-1")
			}
			p.sent(1, "/refresh")
		}
	})
}

// Marks.

// Clear removes tokens, and keeps the marks: a refresh token that was sent stays spent.
func TestClearKeepsMarks(t *testing.T) {
	platform, dir := &rotating{life: 3600}, t.TempDir()
	p := onLoopback(t, platform.ServeHTTP)
	gets(t, p.another(dir), p.cloudLX(RefreshToken), "t-1")
	removed, inUse, err := opened(t, dir).Clear(t.Context())
	if err != nil || removed != 1 || inUse != 0 || len(filesIn(t, dir, entrySuffix)) != 0 {
		t.Errorf("%d entries removed, %d in use: %v", removed, inUse, err)
	}
	token, err := p.another(dir).Token(t.Context(), p.cloudLX(RefreshToken), 0)
	if err != nil || failed(t, token.Fallback).Kind != RefreshTokenRejected {
		t.Errorf("%v, %v", err, token.Fallback)
	}
	platform.count(t, 1, 1, 0)
}

// The mark on a refresh token ends with it. That of a refresh token from the user stays for a year, whatever the platform
// says about the next one.
func TestHowLongAMarkIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, grantsToken("t-1", `,"refresh_token":"next"`)), t.TempDir()
		ends := time.Now().Add(100 * 24 * time.Hour).Round(0)
		known := tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken)
		known.RefreshTokenExpiry = ends
		store(t, dir, p.cloudLX(ClientCredentials), known)
		gets(t, p.another(dir), p.cloudLX(ClientCredentials), "t-1")
		given := p.cloudLX(RefreshToken)
		given.RefreshToken = NewSecret("given")
		gets(t, p.another(dir), given, "t-1")
		for grant, want := range map[Grant]time.Time{p.cloudLX(RefreshToken): ends, given: time.Now().Add(365 * 24 * time.Hour)} {
			if until := string(read(t, markOf(t, dir, grant))); until != fmt.Sprint(want.Unix()) {
				t.Errorf("the mark is kept until %s, want %d", until, want.Unix())
			}
		}
	})
}

// After a 503 the platform may have worked, so no process of the same run sends the refresh token again. A later one does.
func TestA503IsForALaterRun(t *testing.T) {
	for name, given := range map[string]bool{"an automatic refresh": false, "a refresh token of the user": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, dir := inMemory(t, takes(time.Second, says(503, "")), grantsToken("t-1", `,"refresh_token":"next"`)), t.TempDir()
				grant := p.cloudLX(RefreshToken)
				if !given {
					grant = p.cloudLX(ClientCredentials)
					store(t, dir, grant, tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
				}
				clients := make([]*Client, 6)
				for i := range clients {
					clients[i] = p.another(dir)
				}
				_, errs := together(len(clients), func(i int) (string, error) { return ask(t, clients[i], grant) })
				for _, err := range errs {
					if fault := failed(t, err); fault.Kind != Unavailable || !fault.Temporary() {
						t.Error(err)
					}
				}
				p.sent(1, "")
				gets(t, p.another(dir), grant, "t-1")
				p.sent(2, "/refresh")
				p.sent(2, "")
			})
		})
	}
}

// Identity tokens.

// If the outcome of an exchange stays unknown, no other process sends the identity token again. An outcome that is known is no
// reason.
func TestAnExchangeOfUnknownOutcomeIsNotRepeatedByOthers(t *testing.T) {
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		sent   int // by three processes
	}{
		"no answer":    {resets, 1},
		"half a token": {says(200, `{"access_token":"t`), 1},
		"502":          {says(502, ""), 1},
		"busy":         {says(429, ""), 3},
		"maintenance":  {says(503, ""), 3},
		"wrong scope":  {says(400, `{"error":"invalid_scope"}`), 3},
	} {
		t.Run(name, func(t *testing.T) {
			p, dir := onLoopback(t, row.answer), t.TempDir()
			grant := p.exchange(IdentitySource{Token: idToken(t, nil)})
			for range 3 {
				_, err := ask(t, p.client(Options{Cache: opened(t, dir), MaxAttempts: 1}), grant)
				failed(t, err)
			}
			p.sent(row.sent, "")
			grant.Identity.Token = idToken(t, map[string]any{"jti": "another"})
			_, err := ask(t, p.client(Options{Cache: opened(t, dir), MaxAttempts: 1}), grant)
			failed(t, err)
			p.sent(row.sent+1, "")
		})
	}
}

// Each job has an identity token of its own, and alone can read its entry. So jobs do not wait for each other.
func TestJobsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir, start := inMemory(t, takes(time.Second, grantsToken("t-1"))), t.TempDir(), time.Now()
		together(20, func(i int) (string, error) {
			environment := variables{"ID_TOKEN": idToken(t, map[string]any{"jti": i}).Reveal()}
			c := p.client(Options{Cache: opened(t, dir), Getenv: environment.get})
			return ask(t, c, p.exchange(IdentitySource{Variable: "ID_TOKEN"}))
		})
		if took := time.Since(start); took >= 2*time.Second {
			t.Errorf("20 jobs took %s, want hardly more than a second", took)
		}
		p.sent(20, "")
	})
}

// Secrets.

// A right and a wrong secret in turns cost one login and one failed login in a minute, also if both have the same name.
func TestARightAndAWrongSecretInTurns(t *testing.T) {
	for name, grantOf := range map[string]func(*fakePlatform, Secret) Grant{
		"client secret": func(p *fakePlatform, secret Secret) Grant {
			g := p.interxion("")
			g.ClientSecret = secret
			return g
		},
		"password": func(p *fakePlatform, secret Secret) Grant {
			g := p.equinix(Password)
			g.UserPassword = secret
			return g
		},
	} {
		for _, sameName := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, the same name: %t", name, sameName), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p, dir := inMemory(t), t.TempDir()
					right, wrong := grantOf(p, NewSecret("right")), Grant(nil)
					for i := 0; wrong == nil; i++ {
						guess := grantOf(p, NewSecret(fmt.Sprint("wrong-", i)))
						if (requestFor(t, guess).name() == requestFor(t, right).name()) == sameName {
							wrong = guess
						}
					}
					var logins, failures int
					for range 10 {
						for _, grant := range []Grant{right, wrong} {
							c := p.another(dir)
							handled(c, func(w http.ResponseWriter, r *http.Request) {
								if grant == right {
									logins++
									grantsToken("t-1")(w, r)
								} else {
									failures++
									rejects("invalid_grant")(w, r)
								}
							})
							_, _ = ask(t, c, grant)
							pass(2 * time.Second)
						}
					}
					if logins != 1 || failures != 1 {
						t.Errorf("%d logins and %d failed logins", logins, failures)
					}
				})
			})
		}
	}
}

// A storm of callers that leave, APIs that refuse tokens, processes that come and go, and a platform that fails in every way. It
// takes 25 seconds with IXTOKEN_SOAK, and a second otherwise.
func TestAStorm(t *testing.T) {
	length := time.Second
	if os.Getenv("IXTOKEN_SOAK") != "" {
		length = 25 * time.Second
	}
	platform, dir := &rotating{life: 1}, t.TempDir()
	p := onLoopback(t, func(w http.ResponseWriter, r *http.Request) {
		<-time.After(rand.N(30 * time.Millisecond))
		switch rand.N(8) {
		case 0:
			says(503, "")(w, r)
		case 1:
			says(429, "")(w, r)
		case 2: // the platform acts, and the answer is lost
			platform.ServeHTTP(httptest.NewRecorder(), r)
			resets(w, r)
		default:
			platform.ServeHTTP(w, r)
		}
	})
	grant := p.cloudLX(ClientCredentials)
	process := func() *Client { return p.client(Options{Cache: opened(t, dir), MaxAttempts: 2}) }
	shared := []*Client{process(), process(), process(), process()}
	var calls, expired, failures atomic.Int32
	var all sync.WaitGroup
	for i, end := 0, time.Now().Add(length); i < 40; i++ {
		all.Go(func() {
			c := shared[i%len(shared)]
			for time.Now().Before(end) {
				patience := 5 * time.Second
				if rand.N(4) == 0 {
					patience = rand.N(30 * time.Millisecond)
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				token, err := c.Token(ctx, grant, 0) // a token that is used to its end is refreshed
				cancel()
				calls.Add(1)
				switch {
				case err != nil:
					failures.Add(1)
					if rand.N(3) == 0 {
						c = process()
					}
				case time.Now().After(token.Expiry.Add(200 * time.Millisecond)): // a busy machine may take a moment
					expired.Add(1)
				case rand.N(500) == 0: // more often, and no token would last until its refresh
					c.Discard(grant, token)
				}
				<-time.After(rand.N(40 * time.Millisecond))
			}
		})
	}
	all.Wait()
	t.Logf("%d calls, %d failures, %d full grants, %d refreshes", calls.Load(), failures.Load(), platform.full, platform.refreshed)
	if platform.reused != 0 || expired.Load() != 0 || failures.Load() == calls.Load() || length > time.Second && platform.refreshed == 0 {
		t.Errorf("%d refreshes, %d refresh tokens used again, %d ended tokens of %d", platform.refreshed, platform.reused, expired.Load(), calls.Load())
	}
	if left := filesIn(t, dir, writeSuffix); len(left) != 0 {
		t.Errorf("left: %q", filepath.Join(left...))
	}
}
