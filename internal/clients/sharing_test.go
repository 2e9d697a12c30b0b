// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// The ends of the names of files in the cache.
const (
	entrySuffix     = string(cache.Token)
	rejectionSuffix = string(cache.Rejection)
	markSuffix      = ".mark"
	lockSuffix      = ".lock"
	writeSuffix     = ".new"
)

func TestProcessesShareOneToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, takes(20*time.Second, counted())), t.TempDir()
		clients := make([]*Client, 50)
		for i := range clients {
			clients[i] = p.another(dir)
		}
		tokens, errs := together(50*20, func(i int) (string, error) { return ask(t, clients[i%50], p.cloudLX(ClientCredentials)) })
		for i, token := range tokens {
			if token != "t-1" || errs[i] != nil {
				t.Fatalf("%q, %v", token, errs[i])
			}
		}
		p.sent(1, "")
	})
}

func TestTheCacheStoresTheWholeToken(t *testing.T) {
	p, dir := onLoopback(t, says(200, `{"access_token":"t-1","token_type":"BearerToken","expires_in":3600,"scope":"a b",`+
		`"refresh_token":"next","refresh_token_timeout":"7200","user_name":"user-1"}`)), t.TempDir()
	for i, grant := range []Grant{p.interxion(""), p.equinix(ClientCredentials), p.equinix(Password), p.equinix(RefreshToken), p.cloudLX(ClientCredentials), p.cloudLX(RefreshToken), digitalRealty(p), megaport(p), ixAPI(p), refreshAtIXAPI(p), p.oauth2(ClientCredentials), p.oauth2(RefreshToken)} {
		grant = withRefreshToken(grant, fmt.Sprint(refreshToken, i))
		first, err := p.another(dir).Token(t.Context(), grant, 0)
		if err != nil {
			t.Fatal(err)
		}
		second, err := p.another(dir).Token(t.Context(), grant, 0)
		if err != nil || !second.Expiry.Equal(first.Expiry) || !second.obtained.Equal(first.obtained) || !second.RefreshTokenExpiry.Equal(first.RefreshTokenExpiry) {
			t.Fatalf("%v; %v", err, second)
		}
		if first.Tally.Logins == 0 || second.Tally.Logins != 0 || second.Tally.Hits == 0 {
			t.Errorf("%T: %+v, then %+v", grant, first.Tally, second.Tally)
		}
		second.Tally, second.Expiry, second.obtained, second.RefreshTokenExpiry = first.Tally, first.Expiry, first.obtained, first.RefreshTokenExpiry
		if first != second {
			t.Errorf("%T: what comes from the cache is another token", grant)
		}
	}
	p.sent(12, "")
}

func TestMinValidityDecidesOverProcesses(t *testing.T) { // K14
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, counted()), t.TempDir()
		for _, row := range []struct {
			wait time.Duration
			want string
		}{{0, "t-1"}, {3300 * time.Second, "t-1"}, {time.Second, "t-2"}} {
			pass(row.wait)
			token, err := p.another(dir).Token(t.Context(), p.interxion(""), 300*time.Second)
			if err != nil || token.AccessToken.Reveal() != row.want {
				t.Errorf("%q, %v; want %q", token.AccessToken.Reveal(), err, row.want)
			}
		}
	})
}

func TestWhateverChangesTheRequestHasItsOwnEntry(t *testing.T) { // F10, F20, K12, K13
	p, sandbox, dir := &fakePlatform{url: "http://127.0.0.1:1"}, &fakePlatform{url: "http://127.0.0.1:2"}, t.TempDir()
	otherUser, otherPassword, otherVersion, otherClient, otherSecret := p.equinix(Password), p.equinix(Password), p.cloudLX(ClientCredentials), p.interxion(""), p.interxion("")
	otherUser.UserName, otherPassword.UserPassword, otherVersion.APIVersion = "user-2", NewSecret("another password"), "v2"
	otherClient.ClientID, otherSecret.ClientSecret = "client-2", NewSecret("another secret")
	otherToken := p.cloudLX(RefreshToken)
	otherToken.RefreshToken = NewSecret("another refresh token")
	otherKey, otherSecretKey := megaport(p).(Megaport), megaport(p).(Megaport)
	otherKey.AccessKey, otherSecretKey.SecretKey = "client-2", NewSecret("another secret")
	otherParameter, otherHeader, otherName := p.oauth2(ClientCredentials), p.oauth2(ClientCredentials), p.oauth2(ClientCredentials)
	otherParameter.Parameters, otherHeader.Headers = Pairs(map[string]string{"pin": "another"}), Pairs(map[string]string{"X-Key": "another"})
	otherName.Headers = Pairs(map[string]string{"X-Other-Key": headerValue})
	otherAudience, otherMethod, otherFormat := p.oauth2(ClientCredentials), p.oauth2(ClientCredentials), p.oauth2(ClientCredentials)
	otherAudience.Audience, otherMethod.AuthMethod, otherFormat.Format = "another", ClientSecretPost, JSONBody
	grants := []Grant{
		ixAPI(p), refreshAtIXAPI(p), ixAPI(sandbox), megaport(p), otherKey, otherSecretKey, megaport(sandbox), digitalRealty(p), digitalRealty(sandbox),
		p.interxion(""), p.interxion("a"), p.interxion("a b"), otherClient, otherSecret, p.equinix(ClientCredentials), p.equinix(Password), otherUser, otherPassword,
		p.equinix(RefreshToken), p.cloudLX(ClientCredentials), otherVersion, p.cloudLX(RefreshToken), otherToken,
		p.oauth2(ClientCredentials), p.oauth2(RefreshToken), otherParameter, otherHeader, otherName, otherAudience, otherMethod, otherFormat,
		sandbox.interxion(""), sandbox.equinix(ClientCredentials), sandbox.cloudLX(ClientCredentials),
	}
	d := opened(t, dir)
	for i, owner := range grants {
		store(t, dir, owner, tokenOf("t-1", 0, time.Hour, ""))
		data := read(t, entryOf(t, dir, owner))
		for j, other := range grants {
			write(t, entryOf(t, dir, other), data)
			found, why := stored(t, d, other)
			if (i == j) != (why == "") || (i == j) == found.Token.AccessToken.IsZero() {
				t.Errorf("an entry of grant %d, in the place of that of grant %d: %q", i, j, why)
			}
		}
	}
}

// Rejections.

func TestProcessesShareARejectionForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			answer http.HandlerFunc
			fault  Kind
		}{{rejects("invalid_client"), CredentialsRejected}, {says(401, htmlPage), CredentialsRejected}} {
			p, dir := inMemory(t, row.answer), t.TempDir()
			_, errs := together(50, func(int) (string, error) { return ask(t, p.another(dir), p.interxion("")) })
			asked := 0
			for _, err := range errs {
				fault := failed(t, err)
				// All processes except the one that sent the request say that another process sent it.
				if _, says, _ := strings.Cut(err.Error(), " (to another process; asked again after "); (says != "") == fault.CachedUntil.IsZero() {
					t.Fatal(err)
				}
				if fault.CachedUntil.IsZero() {
					asked++
				}
				if fault.Kind != row.fault || fault.Status == 0 {
					t.Fatal(err)
				}
			}
			if asked != 1 {
				t.Errorf("%d of 50 say that they have asked", asked)
			}
			known, _ := stored(t, opened(t, dir), p.interxion(""))
			pass(time.Until(known.Until) - time.Millisecond)
			_, err := ask(t, p.another(dir), p.interxion(""))
			failed(t, err)
			p.sent(1, "")
			pass(time.Millisecond)
			_, err = ask(t, p.another(dir), p.interxion(""))
			failed(t, err)
			p.sent(2, "")
		}
	})
}

func TestACorrectedSecretPassesAtOnce(t *testing.T) {
	dir := t.TempDir()
	mux := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(bytes.Buffer)
		_, _ = body.ReadFrom(r.Body)
		sent := fields(body.Bytes())
		if sent["client_secret"] == clientSecret && (sent["user_password"] == "" || sent["user_password"] == userPassword) {
			grantsToken("t-1")(w, r)
		} else {
			rejects("invalid_client")(w, r)
		}
	})
	p := onLoopback(t, grantsToken("unused"))
	server := &fakePlatform{t: t, url: serve(t, mux)}
	wrongSecret, wrongPassword := server.interxion(""), server.equinix(Password)
	wrongSecret.ClientSecret, wrongPassword.UserPassword = NewSecret("a stale secret"), NewSecret("a stale password")
	for _, row := range []struct{ wrong, right Grant }{{wrongSecret, server.interxion("")}, {wrongPassword, server.equinix(Password)}} {
		for range 2 {
			_, err := ask(t, p.another(dir), row.wrong)
			failed(t, err)
		}
		gets(t, p.another(dir), row.right, "t-1")
	}
}

func TestPassingFailuresAreNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, says(500, ""), grantsToken("t-1")), t.TempDir()
		c := p.client(Options{Cache: opened(t, dir), MaxAttempts: 1})
		_, err := ask(t, c, p.interxion(""))
		failed(t, err)
		gets(t, p.another(dir), p.interxion(""), "t-1")
	})
}

// Clocks.

func TestEntriesFromTheFutureAreMissed(t *testing.T) { // K15
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, takes(time.Second, grantsToken("t-1"))), t.TempDir()
		store(t, dir, p.cloudLX(ClientCredentials), tokenOf("of the future", -time.Hour, 2*time.Hour, "refresh"))
		tokens, _ := together(20, func(int) (string, error) { return ask(t, p.another(dir), p.cloudLX(ClientCredentials)) })
		for _, token := range tokens {
			if token != "t-1" {
				t.Errorf("%q", token)
			}
		}
		p.sent(1, "") // the wrong entry was replaced, and the new one is used
		p.sent(0, "/refresh")

		p, dir = inMemory(t, grantsToken("t-1")), t.TempDir()
		claim := claimFor(t, opened(t, dir), p.interxion(""))
		must(t, storeRejection(claim, &Error{Kind: CredentialsRejected}, time.Now().Round(0).Add(time.Hour+rejectionShared)))
		claim.Release()
		gets(t, p.another(dir), p.interxion(""), "t-1")
	})
}

func TestEntriesOfThePastAreMissed(t *testing.T) { // K15
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, counted()), t.TempDir()
		gets(t, p.another(dir), p.interxion(""), "t-1")
		pass(2 * time.Hour)
		gets(t, p.another(dir), p.interxion(""), "t-2")
	})
}

// Entries.

func TestWaitForALockIsBounded(t *testing.T) { // K18, K20
	for _, row := range []struct {
		name     string
		grant    func(*fakePlatform) Grant
		held     func(*fakePlatform) Grant
		fallback bool
		within   time.Duration
	}{
		{"the request's", cloudLX, cloudLX, false, lockWait},
		{"that of a refresh", refreshAtCloudLX, refreshAtCloudLX, true, lockWait},
		{"that of a refresh token", refreshAtCloudLX, nil, true, budget},
		{"that of the refresh token at hand", cloudLX, refreshAtCloudLX, false, budget / 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				platform, dir, logged, start := &rotating{life: 3600}, t.TempDir(), new(notes), time.Now()
				p := inMemory(t, platform.ServeHTTP)
				// The stored token has ended, so its refresh token is used.
				store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
				name := requestFor(t, refreshAtCloudLX(p)).markName()
				if row.held != nil {
					name = requestFor(t, row.held(p)).name()
				}
				release := claimKey(t, opened(t, dir), cache.Key{Name: name}).Release
				token, err := p.logging(dir, logged.handler()).Token(t.Context(), row.grant(p), time.Minute)
				if err != nil || token.AccessToken.Reveal() != "t-1" || (token.Fallback != nil) != row.fallback {
					t.Errorf("%v, %v", err, token.Fallback)
				}
				if took := time.Since(start); took != row.within {
					t.Errorf("it took %s, want %s", took, row.within)
				}
				platform.count(t, 1, 0, 0)
				synctest.Wait()
				release()
				if lines := logged.with("level=WARN"); row.within == lockWait && len(lines) != 1 || len(lines) > 1 {
					t.Errorf("warnings: %q", lines)
				}
			})
		})
	}
}

func TestAPlatformSlowerThanAnyIsAskedOnce(t *testing.T) { // K20
	synctest.Test(t, func(t *testing.T) {
		platform, dir := &rotating{life: 3600}, t.TempDir()
		p := inMemory(t, takes(budget/2-time.Second, platform.ServeHTTP))
		store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
		grants := []Grant{p.cloudLX(ClientCredentials), p.cloudLX(RefreshToken)}
		tokens, errs := together(40, func(i int) (string, error) { return ask(t, p.another(dir), grants[i%2]) })
		for i, token := range tokens {
			if token != "t-1" || errs[i] != nil {
				t.Errorf("%q, %v", token, errs[i])
			}
		}
		platform.count(t, 0, 1, 0)
	})
}

func TestWaitForALockEndsAtOnce(t *testing.T) { // X03
	for _, way := range []string{"cancelled", "interrupted"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, dir, start := inMemory(t, grantsToken("t-1")), t.TempDir(), time.Now()
				interrupted := make(chan struct{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := p.client(Options{Cache: opened(t, dir), Interrupted: interrupted})
				release := lockFor(t, opened(t, dir), p.cloudLX(RefreshToken))
				time.AfterFunc(2*time.Second, map[string]func(){"cancelled": cancel, "interrupted": func() { close(interrupted) }}[way])
				_, errs := together(10, func(int) (string, error) {
					_, err := c.Token(ctx, p.cloudLX(RefreshToken), 0)
					return "", err
				})
				for _, err := range errs {
					if fault := failed(t, err); fault.Kind != Cancelled || time.Since(start) != 2*time.Second {
						t.Errorf("%v after %s", err, time.Since(start))
					}
				}
				synctest.Wait()
				nothingUnderWay(t, c)
				p.sent(0, "")
				release()
				token, err := p.another(dir).Token(t.Context(), p.cloudLX(RefreshToken), 0) // the refresh token was not spent
				if err != nil || token.Fallback != nil {
					t.Errorf("%v, %v", err, token.Fallback)
				}
				nothingOpen(t, dir)
			})
		})
	}
}

// Without the lock, nothing is written, because another process may be writing the entry.
func TestWithoutTheLockNothingIsWritten(t *testing.T) { // K19
	for name, grantOf := range map[string]func(*fakePlatform) Grant{"request": cloudLX, "refresh": refreshAtCloudLX} {
		t.Run(name, func(t *testing.T) {
			p, dir := onLoopback(t, counted()), t.TempDir()
			must(t, os.Mkdir(lockOf(t, dir, grantOf(p)), 0o700))
			gets(t, p.another(dir), grantOf(p), "t-1") // for the refresh by its fallback
			if _, err := os.Lstat(entryOf(t, dir, grantOf(p))); err == nil {
				t.Error("an entry was written")
			}
		})
	}
}

func TestLogsSayWhereTokensComeFrom(t *testing.T) { // H21
	synctest.Test(t, func(t *testing.T) {
		p, dir, logged := inMemory(t, takes(5*time.Second, grantsToken("ACCESS-TOKEN-77", `,"refresh_token":"REFRESH-TOKEN-77"`))), t.TempDir(), new(notes)
		together(2, func(int) (string, error) {
			return ask(t, p.logging(dir, logged.handler()), p.cloudLX(ClientCredentials))
		})
		gets(t, p.logging(dir, logged.handler()), p.cloudLX(ClientCredentials), "ACCESS-TOKEN-77")
		pass(2 * time.Hour)
		gets(t, p.logging(dir, logged.handler()), p.cloudLX(ClientCredentials), "ACCESS-TOKEN-77")
		for _, want := range [][]string{
			{"cache miss", "there is no entry"},
			{"cache wait", "waited="},
			{"cache hit", "expires_at="},
			{"cache miss", "less than min_validity left"},
			{"refreshing the token"},
		} {
			if len(logged.with(want...)) == 0 {
				t.Errorf("no line says %q", want)
			}
		}
		for _, secret := range []string{"ACCESS-TOKEN-77", "REFRESH-TOKEN-77", "CL1ENT", refreshToken, "client-1"} {
			if lines := logged.with(secret); len(lines) != 0 {
				t.Errorf("%q", lines)
			}
		}
	})
}

// The log has one warning per request if an entry was manipulated, and no warning for a normal miss.
func TestAChangedEntryIsAWarning(t *testing.T) { // F01, F02, F18
	for name, row := range map[string]struct {
		grant func(*fakePlatform) Grant
		put   func(whole []byte) []byte // nil: there is no entry
		want  int
	}{
		"missing":         {(*fakePlatform).anInterxion, nil, 0},
		"whole":           {(*fakePlatform).anInterxion, func(whole []byte) []byte { return whole }, 0},
		"cut":             {(*fakePlatform).anInterxion, func(whole []byte) []byte { return whole[:len(whole)-1] }, 1},
		"empty":           {(*fakePlatform).anInterxion, func([]byte) []byte { return nil }, 1},
		"changed":         {(*fakePlatform).anInterxion, func(whole []byte) []byte { whole[len(whole)-1]++; return whole }, 1},
		"another version": {(*fakePlatform).anInterxion, func(whole []byte) []byte { whole[len("ixtoken")]++; return whole }, 0},
		"another file":    {(*fakePlatform).anInterxion, func([]byte) []byte { return []byte("{}") }, 1},
		"of a password":   {(*fakePlatform).aUser, func(whole []byte) []byte { whole[len(whole)-1]++; return whole }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p, dir, logged := onLoopback(t, grantsToken("t-1")), t.TempDir(), new(notes)
			grant := row.grant(p)
			store(t, dir, grant, tokenOf("t-0", 0, time.Hour, ""))
			path := entryOf(t, dir, grant)
			whole := read(t, path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if row.put != nil {
				write(t, path, row.put(whole))
			}
			want := "t-1"
			if name == "whole" {
				want = "t-0"
			}
			gets(t, p.logging(dir, logged.handler()), grant, want)
			gets(t, p.logging(dir, logged.handler()), grant, want) // the entry was replaced
			if lines := logged.with("level=WARN"); len(lines) != row.want {
				t.Errorf("warnings: %q, want %d", lines, row.want)
			}
		})
	}
}

func TestADirectoryThatGoesAway(t *testing.T) { // F17
	p, dir := onLoopback(t, counted()), filepath.Join(t.TempDir(), "a", "cache")
	c := p.another(dir)
	gets(t, c, p.interxion("a"), "t-1")
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	gets(t, c, p.interxion("b"), "t-2")
	c = p.client(Options{Cache: opened(t, dir)})
	p.script = []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
		_ = os.RemoveAll(dir) // while the lock is held
		grantsToken("t-3")(w, r)
	}}
	gets(t, c, p.interxion("c"), "t-3")
	gets(t, p.another(dir), p.interxion("c"), "t-3")
}

// BenchmarkHitFromDisk measures the first call of a process for a token that another process has stored.
func BenchmarkHitFromDisk(b *testing.B) {
	p := &fakePlatform{url: "http://127.0.0.1"}
	for name, grant := range map[string]Grant{"client secret": p.interxion(""), "password": p.equinix(Password)} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			store(b, dir, grant, tokenOf("t-1", 0, time.Hour, ""))
			for b.Loop() {
				if _, err := New(Options{Cache: opened(b, dir)}).Token(b.Context(), grant, time.Minute); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A process that read a rejection from the cache sends its own request after the time in the error.
func TestARejectionFromTheCacheHoldsForAsLongAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, rejects("invalid_client"), grantsToken("t-1")), t.TempDir()
		_, _ = ask(t, p.another(dir), p.interxion(""))
		c := p.another(dir)
		_, err := ask(t, c, p.interxion(""))
		pass(time.Until(failed(t, err).CachedUntil) + time.Millisecond)
		gets(t, c, p.interxion(""), "t-1")
	})
}

// stuckLog is a log handler that blocks, as if its reader had stopped.
type stuckLog struct {
	slog.Handler
	until chan struct{}
}

func (stuckLog) Enabled(context.Context, slog.Level) bool { return true }

func (s stuckLog) Handle(context.Context, slog.Record) error {
	<-s.until
	return nil
}

// A caller can leave while its flight waits for something that no context ends: a log that is stuck, or the derivation of a key.
// Nothing is sent for it.
func TestAStuckLogBlocksNoCaller(t *testing.T) { // X03
	for _, way := range []string{"cancelled", "interrupted"} {
		synctest.Test(t, func(t *testing.T) {
			p, dir := inMemory(t, grantsToken("t-1")), t.TempDir()
			interrupted, until := make(chan struct{}), make(chan struct{})
			c := p.client(Options{Cache: opened(t, dir), Interrupted: interrupted, Logger: slog.New(stuckLog{slog.DiscardHandler, until})})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			left := make(chan error, 1)
			go func() {
				_, err := c.Token(ctx, p.interxion(""), 0)
				left <- err
			}()
			synctest.Wait()
			map[string]func(){"cancelled": cancel, "interrupted": func() { close(interrupted) }}[way]()
			synctest.Wait()
			select {
			case err := <-left:
				if failed(t, err).Kind != Cancelled {
					t.Error(err)
				}
			default:
				t.Errorf("%s: the caller waits for the log", way)
			}
			close(until)
			synctest.Wait() // for the flight's remaining work in the directory
			p.sent(0, "")
		})
	}
}
