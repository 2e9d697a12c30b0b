// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache/s3test"
)

// inFleet runs a test with a bucket that is 20 ms away, in virtual time.
func inFleet(t *testing.T, test func(t *testing.T, storage *s3test.Storage)) {
	t.Helper()
	storage := s3test.New(t)
	storage.Latency = 20 * time.Millisecond
	synctest.Test(t, func(t *testing.T) { test(t, storage) })
}

// machine returns a client like that of a process on another machine: with the bucket and an empty memory.
func (p *fakePlatform) machine(storage *s3test.Storage) *Client {
	return p.client(Options{Cache: storage.Bucket(p.t)})
}

// Fifty machines start at once, and the bucket is empty. They send one token request, and get equal tokens.
func TestAFleetSharesOneLogin(t *testing.T) { // B01
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		p, start := inMemory(t, takes(2*time.Second, counted())), time.Now()
		var tally Tally
		tokens, errs := together(50, func(int) (string, error) {
			c := p.machine(storage)
			token, err := ask(t, c, p.cloudLX(ClientCredentials))
			tally.add(c.Tallies()...)
			return token, err
		})
		for i := range tokens {
			if errs[i] != nil || tokens[i] != "t-1" {
				t.Errorf("machine %d: %q, %v", i, tokens[i], errs[i])
			}
		}
		p.sent(1, "")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("the last one has its token after %s, %s after the platform has answered", took, took-2*time.Second)
		}
		if tally.Logins != 1 || tally.Hits != 49 || tally.Waits != 49 {
			t.Errorf("%+v", tally)
		}
	})
}

var tallying sync.Mutex

func (t *Tally) add(all ...Tally) {
	tallying.Lock()
	defer tallying.Unlock()
	for _, other := range all {
		t.Logins, t.Hits, t.Waits = t.Logins+other.Logins, t.Hits+other.Hits, t.Waits+other.Waits
	}
}

// Fifty machines with a wrong secret are one failed login a minute.
func TestAFleetSharesOneFailedLogin(t *testing.T) { // B02
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		p := inMemory(t, rejects("invalid_client"))
		for minute := 1; minute <= 3; minute++ {
			_, errs := together(50, func(int) (string, error) { return ask(t, p.machine(storage), p.cloudLX(ClientCredentials)) })
			for _, err := range errs {
				if fault := failed(t, err); fault.Kind != CredentialsRejected {
					t.Error(err)
				}
			}
			p.sent(minute, "")
			pass(rejectionShared)
		}
	})
}

// Machines with the right and with an old secret, in turns, are one login and one failed login: neither result replaces the
// other, not even if both have one name.
func TestARightAndAnOldSecretInAFleet(t *testing.T) { // B02
	for _, sameName := range []bool{false, true} {
		inFleet(t, func(t *testing.T, storage *s3test.Storage) {
			const right = "the-right-secret"
			p := inMemory(t)
			var logins, failures int
			machine := func(grant Grant) *Client {
				c := p.machine(storage)
				handled(c, func(w http.ResponseWriter, r *http.Request) {
					if grant.(Interxion).ClientSecret.Reveal() == right {
						logins++
						grantsToken("t-1")(w, r)
					} else {
						failures++
						rejects("invalid_client")(w, r)
					}
				})
				return c
			}
			grant, old := p.interxion(""), p.interxion("")
			grant.ClientSecret = NewSecret(right)
			for i := 0; ; i++ {
				old.ClientSecret = NewSecret(fmt.Sprint("an-old-secret-", i))
				if (requestFor(t, old).name() == requestFor(t, grant).name()) == sameName {
					break
				}
			}
			for range 10 {
				gets(t, machine(grant), grant, "t-1")
				_, err := ask(t, machine(old), old)
				failed(t, err)
				pass(5 * time.Second)
			}
			if logins != 1 || failures != 1 {
				t.Errorf("the same name: %t: %d logins, %d failed logins", sameName, logins, failures)
			}
		})
	}
}

// The number of requests to the bucket, without contention: 1 for a hit, 4 for a miss, 6 for a refresh.
func TestRequestsToTheBucket(t *testing.T) {
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		platform := &rotating{life: 3600}
		p := inMemory(t, platform.ServeHTTP)
		grant := p.cloudLX(ClientCredentials)
		gets(t, p.machine(storage), p.interxion(""), "t-1") // the first use of a bucket leaves a marker there
		t.Logf("first use: %q", storage.Requests())
		for _, row := range []struct {
			what  string
			token string
			most  int
		}{{"miss", "t-2", 4}, {"hit", "t-2", 1}, {"refresh", "t-3", 6}} {
			if row.what == "refresh" {
				pass(time.Hour)
			}
			gets(t, p.machine(storage), grant, row.token)
			if sent := storage.Requests(); len(sent) > row.most {
				t.Errorf("%s: %d requests: %q", row.what, len(sent), sent)
			}
		}
		platform.count(t, 2, 1, 0)
	})
}

// A storage that fails costs a warning and the sharing, and no token. Without it, no refresh token is sent.
func TestABucketThatFails(t *testing.T) { // B05
	is := func(fault s3test.Fault, methods string) func(*http.Request) s3test.Fault {
		return func(r *http.Request) s3test.Fault {
			if strings.Contains(methods, r.Method) {
				return fault
			}
			return s3test.Fault{}
		}
	}
	for name, row := range map[string]struct {
		fault  func(*http.Request) s3test.Fault
		within time.Duration
		says   string
	}{
		"it hangs":                 {is(s3test.Fault{Hang: true}, "GET PUT"), 15 * time.Second, "no answer to GetObject"},
		"writes hang":              {is(s3test.Fault{Hang: true}, "PUT"), 15 * time.Second, "no answer to PutObject"},
		"all answers are lost":     {is(s3test.Fault{Lost: true}, "GET PUT"), 5 * time.Second, "no answer to GetObject"},
		"busy":                     {is(s3test.Fault{Status: 503, Code: "SlowDown"}, "GET PUT"), 5 * time.Second, "answered 503 to GetObject, code SlowDown"},
		"busy with writes":         {is(s3test.Fault{Status: 503, Code: "SlowDown"}, "PUT"), 15 * time.Second, "answered 503 to PutObject, code SlowDown"},
		"a storm of 409":           {is(s3test.Fault{Status: 409, Code: "ConditionalRequestConflict"}, "PUT"), 15 * time.Second, "answered 409"},
		"no right to write":        {is(s3test.Fault{Status: 403, Code: "AccessDenied"}, "PUT"), 5 * time.Second, "answered 403 to PutObject, code AccessDenied: the role needs s3:PutObject"},
		"no such bucket":           {is(s3test.Fault{Status: 404, Code: "NoSuchBucket"}, "GET PUT"), 5 * time.Second, "code NoSuchBucket: there is no such bucket"},
		"another region":           {is(s3test.Fault{Status: 301, Code: "PermanentRedirect"}, "GET PUT"), 5 * time.Second, "code PermanentRedirect: the bucket is in another region: add ?region="},
		"a wrong clock":            {is(s3test.Fault{Status: 403, Code: "RequestTimeTooSkewed"}, "GET PUT"), 5 * time.Second, "code RequestTimeTooSkewed: the clock of this machine is wrong"},
		"unknown credentials":      {is(s3test.Fault{Status: 403, Code: "InvalidAccessKeyId"}, "GET PUT"), 5 * time.Second, "code InvalidAccessKeyId: the storage does not know the credentials"},
		"If-None-Match is unknown": {is(s3test.Fault{Ignore: "If-None-Match"}, "PUT"), 5 * time.Second, "does not honour the condition If-None-Match"},
		"If-Match is unknown":      {is(s3test.Fault{Ignore: "If-Match"}, "PUT"), 5 * time.Second, "does not honour the condition If-Match"},
		"conditions are refused":   {is(s3test.Fault{Status: 501, Code: "NotImplemented"}, "PUT"), 5 * time.Second, "code NotImplemented: it does not know conditional writes"},
	} {
		t.Run(name, func(t *testing.T) {
			inFleet(t, func(t *testing.T, storage *s3test.Storage) {
				platform := &rotating{life: 3600}
				p := inMemory(t, platform.ServeHTTP)
				gets(t, p.machine(storage), p.cloudLX(ClientCredentials), "t-1")
				if strings.Contains(row.says, "honour") {
					for name := range storage.Objects(t) { // as at a server that was never used
						storage.Remove(name)
					}
				}
				pass(time.Hour) // the stored token has ended, and its refresh token has not
				logged := new(notes)
				storage.Fault = row.fault
				for machine := range 2 {
					start := time.Now()
					c := p.client(Options{Cache: storage.Bucket(t), Logger: slog.New(logged.handler())})
					gets(t, c, p.cloudLX(ClientCredentials), fmt.Sprint("t-", 2+2*machine))
					if took := time.Since(start); took > row.within {
						t.Errorf("it took %s", took)
					}
					gets(t, c, p.interxion(""), fmt.Sprint("t-", 3+2*machine))
					token, err := c.Token(t.Context(), p.cloudLX(RefreshToken), time.Minute)
					if err != nil || token.Fallback == nil {
						t.Errorf("a refresh token was sent without the bucket: %v", err)
					}
					if warned := logged.with("level=WARN"); len(warned) != 1+machine || !strings.Contains(warned[machine], row.says) {
						t.Errorf("%q", warned)
					}
					if problem := c.Unshared(); problem == nil || !strings.Contains(problem.Error(), row.says) || c.Unshared() != nil {
						t.Error(problem)
					}
				}
				platform.count(t, 1+4, 0, 0)
			})
		})
	}
}

// Answers of AWS to a role that may not list: 403 says nothing about what is there.
func TestARoleThatMayNotList(t *testing.T) { // B07
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		p := inMemory(t, counted())
		denied := func(r *http.Request) s3test.Fault {
			if _, there := storage.Objects(t)[s3test.Object(r)]; r.Method == http.MethodGet && !there {
				return s3test.Fault{Status: 403, Code: "AccessDenied"}
			}
			return s3test.Fault{}
		}
		storage.Fault = denied
		for range 3 {
			gets(t, p.machine(storage), p.cloudLX(ClientCredentials), "t-1")
		}
		storage.Fault = func(r *http.Request) s3test.Fault { // a role that may not read at all
			if r.Method == http.MethodGet {
				return s3test.Fault{Status: 403, Code: "AccessDenied"}
			}
			return s3test.Fault{}
		}
		c := p.machine(storage)
		gets(t, c, p.cloudLX(ClientCredentials), "t-2")
		if problem := c.Unshared(); problem == nil || !strings.Contains(problem.Error(), "s3:GetObject") {
			t.Error(problem)
		}
	})
}

// If a machine dies while it asks, the others wait for its lease, and then go on.
func TestAMachineThatDies(t *testing.T) {
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		p, start := inMemory(t, counted()), time.Now()
		claimFor(t, storage.Bucket(t), p.cloudLX(ClientCredentials)) // never released
		gets(t, p.machine(storage), p.cloudLX(ClientCredentials), "t-1")
		if took := time.Since(start); took < budget || took > lockWait+2*time.Second {
			t.Errorf("it waited for %s", took)
		}
		gets(t, p.machine(storage), p.cloudLX(ClientCredentials), "t-1")
	})
}

// A process that is interrupted while it asks lets the others go on.
func TestAnInterruptReleasesAClaim(t *testing.T) {
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		p := inMemory(t, takes(time.Minute, counted()))
		interrupted := make(chan struct{})
		c := p.client(Options{Cache: storage.Bucket(t), Interrupted: interrupted})
		time.AfterFunc(time.Second, func() { close(interrupted) })
		start := time.Now()
		_, err := ask(t, c, p.cloudLX(ClientCredentials))
		if fault := failed(t, err); fault.Kind != Cancelled || time.Since(start) > 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		synctest.Wait()
		pass(time.Second)
		claim := claimFor(t, storage.Bucket(t), p.cloudLX(ClientCredentials))
		if claim.Release(); time.Since(start) > 5*time.Second {
			t.Errorf("others wait for %s", time.Since(start))
		}
		pass(time.Minute) // for the platform to end
	})
}

// Clocks that are wrong by an hour change nothing: the times in an entry are in the time of the storage.
func TestClocksOfAFleet(t *testing.T) { // B08
	for _, ahead := range []time.Duration{-time.Hour, time.Hour} {
		inFleet(t, func(t *testing.T, storage *s3test.Storage) {
			p := inMemory(t, counted())
			storage.Ahead = ahead // of the first machine
			grant := p.cloudLX(ClientCredentials)
			gets(t, p.machine(storage), grant, "t-1")
			rejected := inMemory(t, rejects("invalid_client"))
			_, err := ask(t, rejected.machine(storage), rejected.interxion(""))
			failed(t, err)
			storage.Ahead = 0 // of the second one
			// Its clock shows the time of the storage, in which the token was stored an hour earlier or later.
			pass(max(0, ahead))
			token, err := p.machine(storage).Token(t.Context(), grant, time.Minute)
			switch {
			case err != nil:
				t.Error(err)
			case ahead > 0 && (token.AccessToken.Reveal() != "t-1" || time.Until(token.Expiry).Round(time.Minute) != time.Hour):
				t.Errorf("%s is left", time.Until(token.Expiry))
			}
			_, err = ask(t, rejected.machine(storage), rejected.interxion(""))
			failed(t, err)
			if ahead > 0 {
				rejected.sent(1, "")
			}
		})
	}
}

// Machines whose clocks are wrong by the same hour share too: each reads the times as the other has written them.
func TestClocksThatAreWrongTogether(t *testing.T) { // B08
	for _, ahead := range []time.Duration{-time.Hour, time.Hour} {
		inFleet(t, func(t *testing.T, storage *s3test.Storage) {
			storage.Ahead = ahead
			p, rejected := inMemory(t, counted()), inMemory(t, rejects("invalid_client"))
			for range 2 {
				token, err := p.machine(storage).Token(t.Context(), p.cloudLX(ClientCredentials), time.Minute)
				if err != nil || token.AccessToken.Reveal() != "t-1" || time.Until(token.Expiry).Round(time.Minute) != time.Hour {
					t.Errorf("%s: %s is left, %v", ahead, time.Until(token.Expiry), err)
				}
				_, err = ask(t, rejected.machine(storage), rejected.interxion(""))
				failed(t, err)
			}
			p.sent(1, "")
			rejected.sent(1, "")
		})
	}
}

// Clocks that differ by a few seconds are right. A token that was obtained "in the future" by so little is shared, and so is a
// rejection.
func TestClocksThatDifferALittle(t *testing.T) { // B08
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		p := inMemory(t, counted())
		for _, ahead := range []time.Duration{-4 * time.Second, 4 * time.Second} {
			claim := claimFor(t, storage.Bucket(t), p.cloudLX(ClientCredentials))
			must(t, storeToken(claim, tokenOf("t-0", -ahead, time.Hour+ahead, "")))
			gets(t, p.machine(storage), p.cloudLX(ClientCredentials), "t-0")
			claim = claimFor(t, storage.Bucket(t), p.interxion(""))
			must(t, storeRejection(claim, &Error{Kind: CredentialsRejected}, time.Now().Round(0).Add(rejectionShared+ahead)))
			_, err := ask(t, p.machine(storage), p.interxion(""))
			failed(t, err)
		}
		p.sent(0, "")
	})
}

// After a bucket was emptied, no refresh token is sent again that another machine may have used meanwhile.
func TestABucketThatIsEmptied(t *testing.T) { // B09
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		platform := &rotating{life: 60}
		p := inMemory(t, platform.ServeHTTP)
		grant := p.cloudLX(ClientCredentials)
		one, other := p.machine(storage), p.machine(storage)
		gets(t, one, grant, "t-1")
		gets(t, other, grant, "t-1")
		pass(time.Minute)
		gets(t, one, grant, "t-2")
		platform.count(t, 1, 1, 0)
		for name := range storage.Objects(t) {
			storage.Remove(name)
		}
		gets(t, other, grant, "t-3")
		platform.count(t, 2, 1, 0)
	})
}

// A token exchange does not use the bucket: only the job itself could read the entry.
func TestAnExchangeDoesNotUseTheBucket(t *testing.T) {
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		p := inMemory(t, counted())
		grant := p.exchange(IdentitySource{Token: idToken(t, nil)})
		gets(t, p.machine(storage), grant, "t-1")
		if sent := storage.Requests(); len(sent) != 0 {
			t.Errorf("%q", sent)
		}
	})
}

// Nothing in the bucket can be read without the secrets, and no name tells more than eight bits of one.
func TestTheBucketHoldsNoSecret(t *testing.T) { // B12
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		platform := &rotating{life: 60}
		p := inMemory(t, platform.ServeHTTP)
		c := p.machine(storage)
		for range 2 {
			for name, grantOf := range platformsGrants {
				if !strings.Contains(name, "exchange") {
					_, _ = c.Token(t.Context(), grantOf(p), 0)
				}
			}
			pass(time.Minute)
		}
		objects := storage.Objects(t)
		if len(objects) < 10 {
			t.Errorf("%d objects", len(objects))
		}
		for name, content := range objects {
			for _, secret := range []string{clientSecret, refreshToken, userPassword, "client-1", "t-1", "refresh-1", p.url} {
				for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret))} {
					if len(form) > 4 && strings.Contains(name+content, form) {
						t.Errorf("%s holds %q", name, form)
					}
				}
			}
		}
	})
}

// A secret that a person may have chosen is slow to guess in a bucket, and so is a password everywhere.
func TestChosenSecretsAreSlowToGuess(t *testing.T) { // B12
	storage := s3test.New(t)
	p, key := &fakePlatform{t: t, url: "http://127.0.0.1"}, keyOf("P-256", "")
	for _, row := range []struct {
		grant             Grant
		bucket, directory bool
	}{
		{p.oauth2(ClientCredentials), true, false},
		{p.oauth2(RefreshToken), true, false},
		{p.equinix(Password), true, true},
		{p.equinix(ClientCredentials), false, false},
		{p.cloudLX(ClientCredentials), false, false},
		{p.interxion(""), false, false},
		{p.signing(key), false, false},
		{p.proven(func(g *OAuth2) { g.Key.PEM, g.Headers = pkcs8(key), Pairs(map[string]string{"X-Key": "chosen"}) }), true, false},
		{p.proven(func(g *OAuth2) { g.AuthMethod, g.Certificate = TLSClientAuth, pairOf(t, key) }), false, false},
		{p.proven(func(g *OAuth2) {
			g.AuthMethod, g.Certificate, g.ClientSecret = ClientSecretPost, pairOf(t, key), NewSecret("chosen")
		}), true, false},
	} {
		r := completed(t, row.grant)
		inBucket, inDirectory := r.cacheKey(storage.Bucket(t)).Memory > 0, r.cacheKey(opened(t, t.TempDir())).Memory > 0
		if inBucket != row.bucket || inDirectory != row.directory {
			t.Errorf("%T: %t in a bucket, %t in a directory", row.grant, inBucket, inDirectory)
		}
	}
}

// Twenty machines share a refresh token that the platform rotates. A third of all answers to a PUT are lost, machines come
// and go at any moment, and the storage and the platform have bad moments. No refresh token is used twice, and none refused.
func TestAStormInAFleet(t *testing.T) {
	length := 20 * time.Second
	if os.Getenv("IXTOKEN_SOAK") != "" {
		length = 5 * time.Minute
	}
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		platform := &rotating{life: 2}
		p := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			<-time.After(rand.N(100 * time.Millisecond))
			platform.ServeHTTP(w, r)
		})
		storage.Fault = func(r *http.Request) s3test.Fault {
			switch n := rand.N(60); {
			case r.Method == http.MethodPut && n < 20:
				return s3test.Fault{Lost: true}
			case n == 20:
				return s3test.Fault{Status: 503, Code: "SlowDown"}
			case n == 21 && r.Method == http.MethodPut:
				return s3test.Fault{Status: 409, Code: "ConditionalRequestConflict"}
			}
			return s3test.Fault{}
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		var tokens, failures, machines, killed int
		for end, machine := time.Now().Add(length), 0; machine < 20; machine++ {
			all.Go(func() {
				for time.Now().Before(end) {
					alive, die := context.WithCancel(t.Context())
					if rand.N(20) == 0 {
						time.AfterFunc(rand.N(3*time.Second), die)
					}
					c := p.client(Options{Cache: storage.Mortal(alive, t), MaxAttempts: 1})
					for range rand.N(20) {
						if alive.Err() != nil {
							break
						}
						ctx, cancel := context.WithTimeout(alive, 5*time.Minute)
						if rand.N(10) == 0 {
							ctx, cancel = context.WithTimeout(alive, rand.N(100*time.Millisecond)) // the caller leaves
						}
						_, err := c.Token(ctx, p.cloudLX(ClientCredentials), 0)
						mu.Lock()
						switch {
						case err == nil:
							tokens++
						case ctx.Err() == nil:
							failures++
							t.Log(err)
						}
						mu.Unlock()
						cancel()
						<-time.After(rand.N(time.Second))
					}
					mu.Lock()
					if machines++; alive.Err() != nil {
						killed++
					}
					mu.Unlock()
					die()
				}
			})
		}
		all.Wait()
		t.Logf("%d tokens, %d failures, %d machines, %d of them killed, %d logins, %d refreshes, %d refresh tokens used twice", tokens, failures, machines, killed, platform.full, platform.refreshed, platform.reused)
		if platform.reused != 0 || platform.refreshed == 0 || failures > 0 {
			t.Error("see above")
		}
	})
}

var _ cache.Store = (*cache.Bucket)(nil)
