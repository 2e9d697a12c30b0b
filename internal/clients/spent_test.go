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

// A mark that is read while its request is in progress may be removed later, because the refresh token was not rotated or not
// used.
func TestASpentMarkCountsWhenTheRequestHasEnded(t *testing.T) {
	for name, first := range map[string]http.HandlerFunc{
		"not rotated":       takes(10*time.Second, says(200, `{"access_token":"t-1","expires_in":1}`)),
		"out of order":      takes(10*time.Second, says(521, "")),
		"throttled for now": takes(10*time.Second, says(429, "")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, dir := inMemory(t, first, grantsToken("t-2")), t.TempDir()
				var others sync.WaitGroup
				others.Go(func() {
					_, _ = ask(t, p.client(Options{Cache: opened(t, dir), MaxAttempts: 1}), p.cloudLX(RefreshToken))
				})
				pass(time.Second)
				token, err := p.another(dir).Token(t.Context(), p.cloudLX(RefreshToken), 0)
				if err != nil || token.Fallback != nil || token.AccessToken.Reveal() != "t-2" {
					t.Errorf("%v, %v", err, token.Fallback)
				}
				others.Wait()
				p.sent(2, "/refresh")
				p.sent(2, "")
			})
		})
	}
}

func TestARefreshTokenKnownInTwoWaysIsSentOnce(t *testing.T) {
	for _, processes := range []int{1, 20} {
		t.Run(fmt.Sprint(processes, " processes"), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			platform, dir := &rotating{life: 3600}, t.TempDir()
			p := onLoopback(t, platform.ServeHTTP)
			const rounds = 5
			for round := range rounds {
				// One entry has it as the successor of its refresh token; the user has given it to some blocks.
				given := p.cloudLX(RefreshToken)
				given.RefreshToken = NewSecret(fmt.Sprint("given-", round))
				platform.mu.Lock()
				if platform.valid == nil {
					platform.valid = map[string]bool{}
				}
				platform.valid[given.RefreshToken.Reveal()] = true
				platform.mu.Unlock()
				store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", -time.Duration(round)*time.Nanosecond, -time.Hour, given.RefreshToken.Reveal()))
				clients := make([]*Client, processes)
				for i := range clients {
					clients[i] = p.another(dir)
				}
				grants := []Grant{given, p.cloudLX(ClientCredentials)}
				tokens, errs := together(200, func(i int) (string, error) {
					token, err := clients[i%processes].Token(ctx, grants[i/processes%2], time.Minute)
					return token.AccessToken.Reveal(), err
				})
				for i, token := range tokens {
					if errs[i] != nil || token != fmt.Sprint("t-", round+1) {
						t.Fatalf("round %d: %q, %v", round, token, errs[i])
					}
				}
			}
			platform.count(t, 0, rounds, 0)
			nothingOpen(t, dir)
		})
	}
}

func TestARefreshAndItsFallbackAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	p, dir := onLoopback(t, refreshes(rejects("invalid_grant"), grantsToken("t-1", `,"refresh_token":"next"`))), t.TempDir()
	clients := []*Client{p.another(dir), p.another(dir), p.another(dir)}
	grants := []Grant{p.cloudLX(RefreshToken), p.cloudLX(ClientCredentials)}
	tokens, errs := together(200, func(i int) (string, error) {
		token, err := clients[i%3].Token(ctx, grants[i%2], time.Minute)
		return token.AccessToken.Reveal(), err
	})
	for i, token := range tokens {
		if errs[i] != nil || token != "t-1" {
			t.Fatalf("%q, %v", token, errs[i])
		}
	}
	p.sent(1, "/refresh")
	p.sent(2, "")
}

// A refresh token is sent only if a mark keeps all other processes from sending it. Otherwise the client credentials are
// used, also in the place of a refresh token from the user.
func TestARefreshTokenThatCannotBeMarkedIsNotSent(t *testing.T) { // F12, K19
	for name, trouble := range map[string]func(t *testing.T, dir string, refresh Grant){
		"the lock of the refresh token cannot be had": func(t *testing.T, dir string, refresh Grant) {
			must(t, os.Mkdir(strings.TrimSuffix(markOf(t, dir, refresh), markSuffix)+lockSuffix, 0o700))
		},
		"the directory was moved away": func(t *testing.T, dir string, _ Grant) {
			if err := os.Rename(dir, dir+".away"); err != nil {
				t.Skip("this system cannot move it: ", err)
			}
		},
		"another directory is in its place": func(t *testing.T, dir string, _ Grant) {
			if err := os.Rename(dir, dir+".away"); err != nil {
				t.Skip("this system cannot move it: ", err)
			}
			must(t, os.Mkdir(dir, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, dir, logged := onLoopback(t, counted()), filepath.Join(t.TempDir(), "cache"), new(notes)
			given := p.cloudLX(RefreshToken)
			given.RefreshToken = NewSecret("given by the user")
			for i, grant := range []Grant{p.cloudLX(ClientCredentials), given} {
				must(t, os.RemoveAll(dir))
				must(t, os.RemoveAll(dir+".away"))
				if i == 0 {
					store(t, dir, grant, tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
				}
				c := p.logging(dir, logged.handler())
				trouble(t, dir, []Grant{p.cloudLX(RefreshToken), given}[i])
				before := len(logged.with("level=WARN"))
				if _, err := ask(t, c, grant); err != nil || len(logged.with("level=WARN")) == before {
					t.Errorf("%T: %v, warnings: %q", grant, err, logged.with("level=WARN"))
				}
			}
			p.sent(0, "/refresh")
			p.sent(2, "")
		})
	}
}

// A refresh token that is marked as spent is not sent, even if the lock cannot be obtained.
func TestASpentMarkHoldsWithoutTheLock(t *testing.T) {
	platform, dir := &rotating{life: 3600}, t.TempDir()
	p := onLoopback(t, platform.ServeHTTP)
	given := p.cloudLX(RefreshToken)
	gets(t, p.another(dir), given, "t-1")
	store(t, dir, given, tokenOf("t-1", time.Hour, -time.Second, ""))
	lock := lockOf(t, dir, given)
	must(t, os.Remove(lock))
	must(t, os.Mkdir(lock, 0o700)) // so that the lock cannot be opened, as on a read-only disk
	if _, err := ask(t, p.another(dir), given); err != nil {
		t.Error(err)
	}
	platform.count(t, 1, 1, 0)
}

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
