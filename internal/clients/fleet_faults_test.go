// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache/s3test"
)

// This file holds what happens to a fleet if any one request to the bucket meets a fault.

// mostRequests is more than one machine sends to the bucket for a token.
const mostRequests = 12

// atRequest returns what calls do for the n-th request from now on.
func atRequest(n int, do func(r *http.Request) s3test.Fault) func(*http.Request) s3test.Fault {
	var requests atomic.Int32
	return func(r *http.Request) s3test.Fault {
		if int(requests.Add(1)) == n {
			return do(r)
		}
		return s3test.Fault{}
	}
}

// anyFault returns what may happen to one request, and whether the machine that sends it may do without the bucket then.
func anyFault() map[string]struct {
	fault     s3test.Fault
	mayGiveUp bool
} {
	cutOff := func(answer *http.Response) {
		answer.Body = io.NopCloser(io.MultiReader(io.LimitReader(answer.Body, 10), cut{}))
	}
	return map[string]struct {
		fault     s3test.Fault
		mayGiveUp bool
	}{
		"lost":           {s3test.Fault{Lost: true}, false},
		"late":           {s3test.Fault{Late: 30 * time.Millisecond}, false},
		"later":          {s3test.Fault{Late: time.Second}, false},
		"twice":          {s3test.Fault{Again: 30 * time.Millisecond}, false},
		"twice and lost": {s3test.Fault{Again: 30 * time.Millisecond, Lost: true}, false},
		"busy":           {s3test.Fault{Status: 503, Code: "SlowDown"}, false},
		"a conflict":     {s3test.Fault{Status: 409, Code: "ConditionalRequestConflict"}, false},
		"timed out":      {s3test.Fault{Status: 400, Code: "RequestTimeout"}, false},
		"cut off":        {s3test.Fault{Change: cutOff}, false},
		"hanging":        {s3test.Fault{Hang: true}, true},
		"denied":         {s3test.Fault{Status: 403, Code: "AccessDenied"}, true},
		"not understood": {s3test.Fault{Status: 418}, true},
	}
}

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Five machines whose token has ended, and any one request that meets a fault: no refresh token is used twice, each machine
// has a token soon, and without a machine that gives up the bucket there is one request to the platform.
func TestAnyFaultOfAnyRequest(t *testing.T) { // B03
	for name, row := range anyFault() {
		for n := 1; n <= mostRequests; n++ {
			inFleet(t, func(t *testing.T, storage *s3test.Storage) {
				platform := &rotating{life: 3600}
				p := inMemory(t, platform.ServeHTTP)
				gets(t, p.machine(storage), p.cloudLX(ClientCredentials), "t-1")
				pass(time.Hour)
				storage.Fault = atRequest(n, func(*http.Request) s3test.Fault { return row.fault })
				start := time.Now()
				_, errs := together(5, func(i int) (string, error) {
					pass(time.Duration(i) * 15 * time.Millisecond)
					return ask(t, p.machine(storage), p.cloudLX(ClientCredentials))
				})
				for _, err := range errs {
					if err != nil {
						t.Errorf("%s, request %d: %v", name, n, err)
					}
				}
				if took := time.Since(start); took > 15*time.Second && !row.mayGiveUp || took > lockWait+15*time.Second {
					t.Errorf("%s, request %d: it took %s", name, n, took)
				}
				if platform.reused > 0 || platform.full+platform.refreshed > 2 && !row.mayGiveUp {
					t.Errorf("%s, request %d: %d logins, %d refreshes, %d refresh tokens used twice", name, n, platform.full, platform.refreshed, platform.reused)
				}
				pass(time.Minute)
			})
		}
	}
}

// The same with a wrong secret: one failed login, and one more for a machine that gives up the bucket.
func TestAnyFaultWithAWrongSecret(t *testing.T) {
	for name, row := range anyFault() {
		for n := 1; n <= mostRequests; n++ {
			inFleet(t, func(t *testing.T, storage *s3test.Storage) {
				p := inMemory(t, rejects("invalid_client"))
				storage.Fault = atRequest(n, func(*http.Request) s3test.Fault { return row.fault })
				_, errs := together(5, func(i int) (string, error) {
					pass(time.Duration(i) * 15 * time.Millisecond)
					return ask(t, p.machine(storage), p.cloudLX(ClientCredentials))
				})
				for _, err := range errs {
					if fault := failed(t, err); fault.Kind != CredentialsRejected {
						t.Errorf("%s, request %d: %v", name, n, err)
					}
				}
				if failures := len(p.seen("")); failures > 1 && !row.mayGiveUp || failures > 2 {
					t.Errorf("%s, request %d: %d failed logins", name, n, failures)
				}
				pass(time.Minute)
			})
		}
	}
}

// A machine dies before or after any request to the bucket, while another one waits. No refresh token is used twice, and the
// other machine has a token when the claim of the dead one has ended.
func TestAMachineThatDiesAnywhere(t *testing.T) { // B04
	for n := 1; n <= mostRequests; n++ {
		for _, before := range []bool{false, true} {
			inFleet(t, func(t *testing.T, storage *s3test.Storage) {
				platform := &rotating{life: 3600}
				p := inMemory(t, platform.ServeHTTP)
				gets(t, p.machine(storage), p.cloudLX(ClientCredentials), "t-1")
				pass(time.Hour)
				alive, die := context.WithCancel(t.Context())
				defer die()
				storage.Fault = atRequest(n, func(*http.Request) s3test.Fault {
					die()
					return s3test.Fault{Hang: before}
				})
				go func() {
					_, _ = p.client(Options{Cache: storage.Mortal(alive, t), MaxAttempts: 1}).Token(alive, p.cloudLX(ClientCredentials), 0)
				}()
				pass(10 * time.Millisecond)
				start := time.Now()
				_, err := ask(t, p.machine(storage), p.cloudLX(ClientCredentials))
				if took := time.Since(start); err != nil || took > budget+5*time.Second {
					t.Errorf("request %d, before: %t: %v after %s", n, before, err, took)
				}
				if platform.reused > 0 || platform.full > 2 {
					t.Errorf("request %d, before: %t: %d logins, %d refreshes, %d refresh tokens used twice", n, before, platform.full, platform.refreshed, platform.reused)
				}
				pass(time.Minute)
			})
		}
	}
}

// The bucket is emptied, or the clock of the storage jumps, at any request: no refresh token is used twice.
func TestABucketThatChangesInTheMiddle(t *testing.T) { // B09
	changes := map[string]func(*testing.T, *s3test.Storage){
		"emptied": func(t *testing.T, storage *s3test.Storage) {
			for name := range storage.Objects(t) {
				storage.Remove(name)
			}
		},
	}
	for _, jump := range []time.Duration{-24 * 365 * time.Hour, -time.Hour, -time.Minute, time.Minute, time.Hour, 24 * 365 * time.Hour} {
		changes[fmt.Sprint("a jump by ", jump)] = func(_ *testing.T, storage *s3test.Storage) { storage.Jump(jump) }
	}
	for name, change := range changes {
		for n := 1; n <= mostRequests; n++ {
			inFleet(t, func(t *testing.T, storage *s3test.Storage) {
				platform := &rotating{life: 3600}
				p := inMemory(t, platform.ServeHTTP)
				var all []*Client
				for range 3 { // they know the refresh token
					all = append(all, p.machine(storage))
					gets(t, all[len(all)-1], p.cloudLX(ClientCredentials), "t-1")
				}
				pass(time.Hour)
				var requests atomic.Int32
				storage.Fault = func(*http.Request) s3test.Fault {
					if int(requests.Add(1)) == n {
						time.AfterFunc(0, func() { change(t, storage) })
					}
					return s3test.Fault{}
				}
				start := time.Now()
				_, errs := together(len(all), func(i int) (string, error) {
					pass(time.Duration(i) * 15 * time.Millisecond)
					return ask(t, all[i], p.cloudLX(ClientCredentials))
				})
				if took := time.Since(start); errors.Join(errs...) != nil || took > lockWait {
					t.Errorf("%s, request %d: %v after %s", name, n, errs, took)
				}
				if platform.reused > 0 {
					t.Errorf("%s, request %d: %d refresh tokens used twice", name, n, platform.reused)
				}
				pass(time.Minute)
			})
		}
	}
}

// A thousand requests of one process, and a bucket that hangs, or whose writes hang: one warning, and no long wait. When the
// bucket is asked again, and still hangs, there is no other warning.
func TestAThousandRequestsAndADeadBucket(t *testing.T) {
	for _, methods := range []string{"GET PUT", "PUT"} {
		inFleet(t, func(t *testing.T, storage *s3test.Storage) {
			p, logged := inMemory(t, counted()), new(notes)
			storage.Fault = func(r *http.Request) s3test.Fault { return s3test.Fault{Hang: strings.Contains(methods, r.Method)} }
			c, start := p.client(Options{Cache: storage.Bucket(t), Logger: slog.New(logged.handler())}), time.Now()
			_, errs := together(1000, func(i int) (string, error) {
				return ask(t, c, p.interxion(fmt.Sprint("scope-", i)))
			})
			if took := time.Since(start); errors.Join(errs...) != nil || took > 15*time.Second {
				t.Errorf("%v after %s", errors.Join(errs...), took)
			}
			pass(2 * time.Minute)
			if _, err := ask(t, c, p.interxion("later")); err != nil {
				t.Error(err)
			}
			if warned := logged.with("level=WARN"); len(warned) != 1 {
				t.Errorf("%s hang: %d warnings: %q", methods, len(warned), warned)
			}
			if c.Unshared() == nil || c.Unshared() != nil {
				t.Error("not one message")
			}
		})
	}
}

// The end of a caller, or of the process, says nothing about the bucket.
func TestAnInterruptIsNoTroubleOfABucket(t *testing.T) {
	for after := 5 * time.Millisecond; after < 200*time.Millisecond; after += 10 * time.Millisecond {
		inFleet(t, func(t *testing.T, storage *s3test.Storage) {
			p, logged := inMemory(t, takes(50*time.Millisecond, counted())), new(notes)
			c := p.client(Options{Cache: storage.Bucket(t), Logger: slog.New(logged.handler())})
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			start := time.Now()
			_, err := c.Token(ctx, p.cloudLX(ClientCredentials), 0)
			if time.Since(start) > after {
				t.Errorf("%v after %s", err, time.Since(start))
			}
			synctest.Wait()
			pass(10 * time.Second)
			if warned := logged.with("level=WARN"); len(warned) > 0 || c.Unshared() != nil {
				t.Errorf("left after %s: %q", after, warned)
			}
			start = time.Now()
			if _, err := ask(t, p.machine(storage), p.cloudLX(ClientCredentials)); err != nil || time.Since(start) > 2*time.Second {
				t.Errorf("left after %s: another machine waits for %s: %v", after, time.Since(start), err)
			}
		})
	}
}
