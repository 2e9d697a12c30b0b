// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache/s3test"
)

// onBucket runs a test with a bucket that is 20 ms away, in virtual time. The bucket was used before.
func onBucket(t *testing.T, do func(t *testing.T, storage *s3test.Storage)) {
	t.Helper()
	storage := s3test.New(t)
	storage.Latency = 20 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		claim(t, storage.Bucket(t), keyOf("first")).Release()
		storage.Requests()
		do(t, storage)
	})
}

// once returns what gives a fault to the first request with a method that is about an object whose name has a part.
func once(method, part string, fault s3test.Fault) func(*http.Request) s3test.Fault {
	var done atomic.Bool
	return func(r *http.Request) s3test.Fault {
		if r.Method == method && strings.Contains(s3test.Object(r), part) && done.CompareAndSwap(false, true) {
			return fault
		}
		return s3test.Fault{}
	}
}

// always returns what gives a fault to all requests with a method.
func always(method string, fault s3test.Fault) func(*http.Request) s3test.Fault {
	return func(r *http.Request) s3test.Fault {
		if r.Method == method {
			return fault
		}
		return s3test.Fault{}
	}
}

// pass waits in virtual time.
func pass(d time.Duration) { <-time.After(d) }

// aMark returns a mark for a process that begins now.
func aMark() cache.Mark {
	return cache.Mark{Name: cache.MarkName(keyOf("a").Bound), Began: time.Now(), Ends: inAnHour()}
}

// wantSpend fails the test unless Spend returns the error that is wanted.
func wantSpend(t *testing.T, store cache.Store, mark cache.Mark, want error) cache.Spending {
	t.Helper()
	owner, err := store.Spend(t.Context(), mark)
	if !errors.Is(err, want) || (owner == nil) != (want != nil) {
		t.Errorf("%v, %v, want %v", owner, err, want)
	}
	return owner
}

// unusable fails the test unless Spend says why the storage cannot keep the mark.
func unusable(t *testing.T, store cache.Store, mark cache.Mark, why string) {
	t.Helper()
	_, err := store.Spend(t.Context(), mark)
	if err == nil || errors.Is(err, cache.ErrSpent) || errors.Is(err, cache.ErrHeld) || !strings.Contains(err.Error(), why) {
		t.Errorf("%v, want %q", err, why)
	}
}

// Whatever request comes late, twice, or without an answer: a mark has one owner at a time.
func TestAMarkHasOneOwnerAfterAnyFault(t *testing.T) { // B03
	faults := map[string]s3test.Fault{
		"none": {}, "lost": {Lost: true}, "late": {Late: 50 * time.Millisecond}, "later": {Late: 3 * time.Second}, "twice": {Again: 100 * time.Millisecond},
		"twice and lost": {Again: 2 * time.Second, Lost: true}, "busy": {Status: 503, Code: "SlowDown"}, "a conflict": {Status: 409, Code: "ConditionalRequestConflict"},
		"hanging": {Hang: true}, "cut off": {Change: cutOff}, "denied": {Status: 403, Code: "AccessDenied"}, "gone": {Status: 404, Code: "NoSuchKey"},
	}
	for name, fault := range faults {
		for after := range 8 {
			onBucket(t, func(t *testing.T, storage *s3test.Storage) {
				var requests atomic.Int32
				storage.Fault = func(r *http.Request) s3test.Fault {
					if strings.Contains(s3test.Object(r), "spent-") && int(requests.Add(1)) == after+1 {
						return fault
					}
					return s3test.Fault{}
				}
				var owners, most atomic.Int32
				for machine := range 6 {
					go func() {
						pass(time.Duration(machine) * 30 * time.Millisecond)
						for range 3 {
							owner, _ := storage.Bucket(t).Spend(t.Context(), aMark())
							if owner != nil {
								most.Store(max(most.Load(), owners.Add(1)))
								pass(100 * time.Millisecond) // it uses what is marked
								owners.Add(-1)
								owner.Unmark()
							}
							pass(time.Second)
						}
					}()
				}
				pass(time.Minute)
				if most.Load() > 1 {
					t.Errorf("%s, request %d: %d owners", name, after, most.Load())
				}
			})
		}
	}
}

// cutOff ends an answer before its end.
func cutOff(answer *http.Response) {
	answer.Body = io.NopCloser(io.MultiReader(io.LimitReader(answer.Body, 10), failing{}))
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A request that lets others use a mark comes again, after another process has set the mark.
func TestALateUnmarkKeepsTheMarkOfAnother(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		owner := wantSpend(t, storage.Bucket(t), aMark(), nil)
		storage.Fault = func(*http.Request) s3test.Fault { return s3test.Fault{Again: time.Second} }
		owner.Unmark()
		storage.Fault = nil
		wantSpend(t, storage.Bucket(t), aMark(), nil)
		pass(2 * time.Second)
		wantSpend(t, storage.Bucket(t), aMark(), cache.ErrSpent)
	})
}

// A process that is interrupted while it sets a mark leaves it as it was: free, or for later processes.
func TestAnInterruptedMark(t *testing.T) {
	for _, held := range []bool{false, true} {
		onBucket(t, func(t *testing.T, storage *s3test.Storage) {
			early := aMark()
			pass(time.Second)
			if held {
				wantSpend(t, storage.Bucket(t), early, nil).Hold()
				pass(time.Second)
			}
			ctx, cancel := context.WithCancel(t.Context())
			puts, wanted := 0, map[bool]int{false: 1, true: 2}[held] // the second one follows the held mark
			storage.Fault = func(r *http.Request) s3test.Fault {
				if strings.Contains(s3test.Object(r), "spent-") && r.Method == http.MethodPut {
					if puts++; puts == wanted {
						time.AfterFunc(5*time.Millisecond, cancel) // when the write is done, and its answer is under way
					}
				}
				return s3test.Fault{}
			}
			if _, err := storage.Bucket(t).Spend(ctx, aMark()); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if held {
				wantSpend(t, storage.Bucket(t), early, cache.ErrHeld)
			}
			wantSpend(t, storage.Bucket(t), aMark(), nil)
			wantSpend(t, storage.Bucket(t), aMark(), cache.ErrSpent)
		})
	}
}

// A storage that knows If-None-Match alone is found, even if the answer to the first write is lost. Where a machine has died
// before it could find it, nobody follows a mark.
func TestAStorageWithoutIfMatch(t *testing.T) { // B06
	without := func(*http.Request) s3test.Fault { return s3test.Fault{Ignore: "If-Match"} }
	t.Run("a lost answer", func(t *testing.T) {
		onBucket(t, func(t *testing.T, storage *s3test.Storage) {
			removeAll(t, storage)
			lose := once(http.MethodPut, "conditions-", s3test.Fault{Lost: true, Ignore: "If-Match"})
			storage.Fault = func(r *http.Request) s3test.Fault {
				if fault := lose(r); fault.Lost {
					return fault
				}
				return without(r)
			}
			for range 2 { // nothing is left that says something else to the next machine
				unusable(t, storage.Bucket(t), aMark(), "does not honour the condition If-Match")
			}
			if left := storage.Objects(t); len(left) > 0 {
				t.Errorf("%q", left)
			}
		})
	})
	t.Run("a machine that has died", func(t *testing.T) {
		onBucket(t, func(t *testing.T, storage *s3test.Storage) {
			wantSpend(t, storage.Bucket(t), aMark(), nil).Hold()
			pass(time.Second)
			storage.Fault = without // the marker is there
			unusable(t, storage.Bucket(t), aMark(), "does not honour the condition If-Match")
		})
	})
	t.Run("the marker cannot be removed", func(t *testing.T) {
		onBucket(t, func(t *testing.T, storage *s3test.Storage) {
			removeAll(t, storage)
			storage.Fault = func(r *http.Request) s3test.Fault {
				return s3test.Fault{Ignore: "If-Match", Hang: r.Method == http.MethodDelete}
			}
			start := time.Now()
			unusable(t, storage.Bucket(t), aMark(), "does not honour the condition If-Match")
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	})
}

func removeAll(t *testing.T, storage *s3test.Storage) {
	t.Helper()
	for name := range storage.Objects(t) {
		storage.Remove(name)
	}
}

// A process that probes the storage lets the others wait, and an end of their contexts ends the wait.
func TestAWaitForTheProbeEnds(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		storage.Fault = always(http.MethodPut, s3test.Fault{Hang: true})
		bucket := storage.Bucket(t)
		go func() { _, _ = bucket.Claim(t.Context(), keyOf("a"), never) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := bucket.Claim(ctx, keyOf("b"), never); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		pass(time.Minute)
	})
}

// A write is done after its answer was lost. The process does not wait for its own claim.
func TestAClaimThatComesLate(t *testing.T) {
	for _, late := range []time.Duration{50 * time.Millisecond, 150 * time.Millisecond, 500 * time.Millisecond} {
		onBucket(t, func(t *testing.T, storage *s3test.Storage) {
			storage.Fault = once(http.MethodPut, ".entry", s3test.Fault{Late: late})
			start := time.Now()
			held := claim(t, storage.Bucket(t), keyOf("a"))
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("%s late: it took %s", late, took)
			}
			pass(time.Second)
			must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
			wantToken(t, storage.Bucket(t), keyOf("a"), "token")
		})
	}
}

// An interrupted claim gives way, and a claim that its write repeats later does not come back.
func TestAnInterruptedClaim(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		held := claim(t, storage.Bucket(t), keyOf("a"))
		must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
		ctx, cancel := context.WithCancel(t.Context())
		interrupt := once(http.MethodPut, ".entry", s3test.Fault{Again: time.Second})
		storage.Fault = func(r *http.Request) s3test.Fault {
			fault := interrupt(r)
			if fault.Again > 0 {
				time.AfterFunc(5*time.Millisecond, cancel)
			}
			return fault
		}
		if _, err := storage.Bucket(t).Claim(ctx, keyOf("a"), never); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		pass(2 * time.Second)
		start := time.Now()
		claim(t, storage.Bucket(t), keyOf("a")).Release()
		if took := time.Since(start); took > time.Second {
			t.Errorf("others wait for %s", took)
		}
		wantToken(t, storage.Bucket(t), keyOf("a"), "token")
	})
}

// A claim waits for another one, until that has ended by the clock of the storage. What an old copy or another clock has left
// does not count.
func TestHowLongAClaimLasts(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		claim(t, storage.Bucket(t), keyOf("a")) // never released
		start := time.Now()
		claim(t, storage.Bucket(t), keyOf("a")).Release()
		if took := time.Since(start); took < 2*time.Minute || took > 2*time.Minute+5*time.Second {
			t.Errorf("it took %s", took)
		}
		claim(t, storage.Bucket(t), keyOf("a"))
		storage.Ahead = -time.Hour // the clock of the storage is set back
		start = time.Now()
		claim(t, storage.Bucket(t), keyOf("a")).Release()
		if took := time.Since(start); took > time.Second {
			t.Errorf("with a claim from the future it took %s", took)
		}
	})
}

// Whoever has lost a claim stores nothing.
func TestALostClaimStoresNothing(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		slow := claim(t, storage.Bucket(t), keyOf("a"))
		pass(3 * time.Minute)
		next := claim(t, storage.Bucket(t), keyOf("a"))
		must(t, next.Store(cache.Token, []byte("new"), inAnHour()))
		if err := slow.Store(cache.Token, []byte("old"), inAnHour()); err == nil {
			t.Error("the old token was stored")
		}
		slow.Release()
		wantToken(t, storage.Bucket(t), keyOf("a"), "new")
	})
}

// Odd answers are found, and cost no more than the sharing: no wait for a claim that nobody can end.
func TestOddAnswers(t *testing.T) { // B11
	headers := func(change func(http.Header)) s3test.Fault {
		return s3test.Fault{Change: func(answer *http.Response) { change(answer.Header) }}
	}
	date := func(text string) s3test.Fault { return headers(func(h http.Header) { h.Set("Date", text) }) }
	tag := func(change func(string) string) s3test.Fault {
		return headers(func(h http.Header) {
			if known := h.Get("ETag"); known != "" {
				h.Set("ETag", change(known))
			}
		})
	}
	none := func(string) string { return "" }
	for name, row := range map[string]struct {
		fault   s3test.Fault
		methods string
		says    string // empty: the storage can be used
	}{
		"no tag in the answer to a write": {tag(none), "PUT", ""},
		"no tag at all":                   {tag(none), "PUT GET", "no strong ETag"},
		"weak tags":                       {tag(func(tag string) string { return "W/" + tag }), "PUT GET", "no strong ETag"},
		"tags without quotes":             {tag(func(tag string) string { return strings.Trim(tag, `"`) }), "PUT GET", ""},
		"an error with status 200":        {s3test.Fault{Status: 200, Code: "InternalError"}, "PUT GET", "no strong ETag"},
		"no date":                         {headers(func(h http.Header) { h.Del("Date") }), "PUT GET", ""},
		"a date that is none":             {date("today"), "PUT GET", ""},
		"the last date":                   {date("Fri, 31 Dec 9999 23:59:59 GMT"), "PUT GET", ""},
		"the first date":                  {date("Sat, 01 Jan 0000 00:00:00 GMT"), "PUT GET", ""},
	} {
		t.Run(name, func(t *testing.T) {
			onBucket(t, func(t *testing.T, storage *s3test.Storage) {
				storage.Fault = func(r *http.Request) s3test.Fault {
					if strings.Contains(row.methods, r.Method) {
						return row.fault
					}
					return s3test.Fault{}
				}
				start := time.Now()
				for machine := range 2 {
					bucket := storage.Bucket(t)
					found := bucket.Look(t.Context(), keyOf("a"))
					held, err := bucket.Claim(t.Context(), keyOf("a"), never)
					if err == nil {
						err = held.Store(cache.Token, []byte("token"), inAnHour())
						held.Release()
					}
					if row.says == "" && (err != nil || found.Problem != nil) || row.says != "" && !strings.Contains(fmt.Sprint(found.Problem, err), row.says) {
						t.Errorf("machine %d: %v, %v", machine, found.Problem, err)
					}
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("it took %s", took)
				}
				mark := aMark()
				mark.Ends = time.Time{} // it is not known
				first, _ := storage.Bucket(t).Spend(t.Context(), mark)
				second, _ := storage.Bucket(t).Spend(t.Context(), mark)
				if (first != nil) != (row.says == "") || second != nil {
					t.Errorf("the mark: %v, %v", first, second)
				}
			})
		})
	}
}

// An answer that ends early is asked for again.
func TestAnAnswerThatIsCutOff(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		held := claim(t, storage.Bucket(t), keyOf("a"))
		must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
		storage.Fault = once(http.MethodGet, ".entry", s3test.Fault{Change: cutOff})
		wantToken(t, storage.Bucket(t), keyOf("a"), "token")
	})
}

// A role that may not list gets 403 about an object that is not there, also after the answer to a write was lost.
func TestALostWriteOfARoleThatMayNotList(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		lose := once(http.MethodPut, ".entry", s3test.Fault{Status: 503, Code: "SlowDown"})
		storage.Fault = func(r *http.Request) s3test.Fault {
			if _, there := storage.Objects(t)[s3test.Object(r)]; r.Method == http.MethodGet && !there {
				return s3test.Fault{Status: 403, Code: "AccessDenied"}
			}
			return lose(r)
		}
		held := claim(t, storage.Bucket(t), keyOf("a"))
		must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
		wantToken(t, storage.Bucket(t), keyOf("a"), "token")
	})
}

// What this program has not written is damaged, and gives way to a token. A mark that it has not written is spent.
func TestGarbageInOurObjects(t *testing.T) { // B10
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		entry, mark := "tokens/"+string(keyOf("a").Name)+".entry", "tokens/"+string(aMark().Name)+".mark"
		for _, garbage := range []string{
			"", "{}", "null", "garbage", `{"ixtoken":2}`, `{"ixtoken":1,"token":"!"}`, `{"ixtoken":1,"claimed_until":"9999-12-31T23:59:59Z"}`, strings.Repeat("x", 5<<20),
			`{"ixtoken":2,"claimed_until":"` + time.Now().Add(time.Minute).Format(time.RFC3339) + `"}`,
			`{"ixtoken":1,"token":"aXh0b2tlbgJnYXJiYWdl"}`, `{"nonce":"AA==","ends":"2100-01-01T00:00:00Z"}`,
		} {
			storage.Put(entry, garbage)
			storage.Put(mark, garbage)
			found := storage.Bucket(t).Look(t.Context(), keyOf("a"))
			if found.Token != nil || found.Miss == "" || found.Problem != nil || !found.Damaged && !strings.HasPrefix(garbage, `{"ixtoken":1,"claimed`) {
				t.Errorf("%.40q: %+v", garbage, found)
			}
			start := time.Now()
			held := claim(t, storage.Bucket(t), keyOf("a"))
			must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
			wantToken(t, storage.Bucket(t), keyOf("a"), "token")
			if took := time.Since(start); took > time.Second {
				t.Errorf("%.40q: it took %s", garbage, took)
			}
			wantSpend(t, storage.Bucket(t), aMark(), cache.ErrSpent)
		}
	})
}

// Other programs have objects under the prefix. They are neither listed nor removed.
func TestObjectsOfOthers(t *testing.T) { // B10
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		held := claim(t, storage.Bucket(t), keyOf("a"))
		must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
		hex := strings.Repeat("0", 32)
		others := []string{"state.json", "v2-x.entry", "v2-" + hex + ".token", "v3-" + hex + ".entry", "x/v2-" + hex + ".entry", "spent-" + hex + ".entry", "v2-" + hex + "0.entry"}
		for _, name := range others {
			storage.Put("tokens/"+name, "other")
		}
		wantSpend(t, storage.Bucket(t), aMark(), nil)
		bucket := storage.Bucket(t)
		if entries, err := bucket.Entries(t.Context()); err != nil || len(entries) != 1 {
			t.Errorf("%+v, %v", entries, err)
		}
		if removed, inUse, err := bucket.Clear(t.Context()); removed != 1 || inUse != 0 || err != nil {
			t.Errorf("%d removed, %d in use, %v", removed, inUse, err)
		}
		left := storage.Objects(t)
		for _, name := range others {
			if left["tokens/"+name] != "other" {
				t.Errorf("%s was changed", name)
			}
		}
		wantSpend(t, storage.Bucket(t), aMark(), cache.ErrSpent)
	})
}

// A bucket that has failed is not asked for a minute.
func TestABucketHasPatience(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		bucket := storage.Bucket(t)
		storage.Fault = always(http.MethodGet, s3test.Fault{Status: 400, Code: "InvalidRequest"})
		if found := bucket.Look(t.Context(), keyOf("a")); found.Problem == nil || bucket.WhyMarksMayBeLost() == nil {
			t.Errorf("%+v", found)
		}
		storage.Fault = nil
		storage.Requests()
		pass(59 * time.Second)
		if found := bucket.Look(t.Context(), keyOf("a")); !errors.Is(found.Problem, cache.ErrOut) {
			t.Errorf("%+v", found)
		}
		if _, err := bucket.Claim(t.Context(), keyOf("a"), never); !errors.Is(err, cache.ErrOut) {
			t.Error(err)
		}
		unusable(t, bucket, aMark(), cache.ErrOut.Error())
		if sent := storage.Requests(); len(sent) > 0 {
			t.Errorf("%q", sent)
		}
		pass(2 * time.Second)
		wantToken(t, bucket, keyOf("a"), "")
		if bucket.WhyMarksMayBeLost() != nil {
			t.Error("it is not used again")
		}
		claim(t, bucket, keyOf("a")).Release()
	})
}

// The end of a caller's context is no fault of the storage.
func TestAnEndOfACallerIsNoFailure(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		bucket := storage.Bucket(t)
		storage.Latency = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if found := bucket.Look(ctx, keyOf("a")); found.Problem == nil {
			t.Errorf("%+v", found)
		}
		if err := bucket.WhyMarksMayBeLost(); err != nil {
			t.Error(err)
		}
	})
}

// Discarding a token is bounded, although nothing ends its context.
func TestUpdateIsBounded(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		for _, method := range []string{http.MethodPut, http.MethodGet} {
			storage.Fault = always(method, s3test.Fault{Hang: true})
			start := time.Now()
			storage.Bucket(t).Update(context.Background(), keyOf("a"), func(cache.Found) ([]byte, time.Time, bool) { return nil, time.Time{}, false })
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%s: it took %s", method, took)
			}
		}
	})
}

// A redirect is not followed, and a list ends, whatever a server says.
func TestHostileServers(t *testing.T) { // B11
	for name, value := range s3test.Environment() {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_SESSION_TOKEN", "session-token")
	for _, status := range []int{301, 302, 303, 307, 308} {
		var asked atomic.Int32
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) }))
		bucket := at(t, server.URL, "")
		if found := bucket.Look(t.Context(), keyOf("a")); found.Problem == nil || !strings.Contains(found.Problem.Error(), fmt.Sprint("answered ", status)) {
			t.Errorf("%d: %+v", status, found)
		}
		if asked.Load() != 0 {
			t.Errorf("%d was followed", status)
		}
		server.Close()
		other.Close()
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken></ListBucketResult>")
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := at(t, server.URL, "").Entries(ctx); err != nil {
		t.Errorf("the list has no end: %v", err)
	}
}

// The password of a proxy, whose address cannot be read, is in no error.
func TestAProxyKeepsItsPassword(t *testing.T) {
	for name, value := range s3test.Environment() {
		t.Setenv(name, value)
	}
	t.Setenv("HTTPS_PROXY", "http://user:proxy password@proxy.invalid:1")
	found := at(t, "https://storage.invalid", "").Look(t.Context(), keyOf("a"))
	if found.Problem == nil || strings.Contains(found.Problem.Error(), "password@") || !strings.Contains(found.Problem.Error(), "HTTPS_PROXY") {
		t.Error(found.Problem)
	}
}

// What a process asks the bucket for: each answer is used once, and the storage is probed once.
func TestRequestsOfABucket(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		sent := func(what string, want int) {
			t.Helper()
			if got := storage.Requests(); len(got) != want {
				t.Errorf("%s: %d requests, want %d: %q", what, len(got), want, got)
			}
		}
		bucket := storage.Bucket(t)
		bucket.Look(t.Context(), keyOf("a"))
		sent("look", 1)
		held := claim(t, bucket, keyOf("a"))
		sent("probe, claim", 2)
		must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
		held.Release()
		sent("store", 1)
		claim(t, bucket, keyOf("a")).Release()
		sent("look, claim, release", 3)
		for i := range 2 {
			mark := aMark()
			mark.Name = cache.MarkName(keyOf(fmt.Sprint(i)).Bound)
			wantSpend(t, storage.Bucket(t), mark, nil).Unmark()
			storage.Requests()
			wantSpend(t, bucket, mark, nil)
			sent("a mark that is free", 4-i) // If-Match is probed once
		}
		marked := keyOf("b")
		marked.Marked = true
		for _, token := range []string{"first", "second"} {
			must(t, claim(t, bucket, marked).Store(cache.Token, []byte(token), inAnHour()))
		}
		wantToken(t, bucket, keyOf("b"), "first")
		storage.Fault = always(http.MethodGet, s3test.Fault{Status: 400})
		bucket.Look(t.Context(), keyOf("a"))
		if _, err := bucket.Claim(t.Context(), marked, never); !errors.Is(err, cache.ErrOut) {
			t.Error(err)
		}
	})
}

// A storage that stays busy with one object costs a bounded time. A release is tried again.
func TestABusyObject(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		held := claim(t, storage.Bucket(t), keyOf("a"))
		storage.Fault = once(http.MethodPut, ".entry", s3test.Fault{Status: 503, Code: "SlowDown"})
		held.Release()
		start := time.Now()
		claim(t, storage.Bucket(t), keyOf("a")).Release()
		if took := time.Since(start); took > time.Second {
			t.Errorf("others wait for %s", took)
		}
		storage.Fault = func(r *http.Request) s3test.Fault {
			if r.Method == http.MethodPut && !strings.Contains(s3test.Object(r), "conditions-") {
				return s3test.Fault{Status: 409, Code: "ConditionalRequestConflict"}
			}
			return s3test.Fault{}
		}
		start = time.Now()
		_, err := storage.Bucket(t).Claim(t.Context(), keyOf("a"), never)
		unusable(t, storage.Bucket(t), aMark(), "")
		if took := time.Since(start); err == nil || took > 15*time.Second {
			t.Errorf("%v after %s", err, took)
		}
	})
}

// If the content of a bucket is copied to another storage, the marker has no meaning there.
func TestAStorageHasItsOwnMarker(t *testing.T) {
	storage := s3test.New(t)
	for range 2 {
		server := httptest.NewServer(storage)
		claim(t, at(t, server.URL, ""), keyOf("a")).Release()
		server.Close()
	}
	markers := 0
	for name := range storage.Objects(t) {
		if strings.HasPrefix(name, "conditions-") {
			markers++
		}
	}
	if markers != 2 {
		t.Errorf("%d markers", markers)
	}
}

// Entries says when something was stored and when it becomes useless. What has ended is missed.
func TestTimesOfEntries(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		start := time.Now()
		for i, text := range []string{"b", "a"} {
			held := claim(t, storage.Bucket(t), keyOf(text))
			part := map[int]cache.Part{0: cache.Token, 1: cache.Rejection}[i]
			must(t, held.Store(part, []byte("content"), time.Now().Add(time.Minute)))
			pass(10 * time.Second)
		}
		entries, err := storage.Bucket(t).Entries(t.Context())
		if err != nil || len(entries) != 2 {
			t.Fatalf("%+v, %v", entries, err)
		}
		for i, entry := range entries {
			written := start.Add(time.Duration(i) * 10 * time.Second)
			if entry.Written.Sub(written).Abs() > time.Second || entry.UsefulUntil.Sub(written.Add(time.Minute)).Abs() > 2*time.Second {
				t.Errorf("%+v", entry)
			}
		}
		pass(time.Minute)
		for text, miss := range map[string]string{"b": "the entry has ended", "a": "there is no entry"} {
			if found := storage.Bucket(t).Look(t.Context(), keyOf(text)); found.Token != nil || found.Rejection != nil || found.Miss != miss {
				t.Errorf("%+v", found)
			}
		}
	})
}

// The first request has more time, because it may ask for credentials. A request without an answer in time is not repeated.
func TestHowLongABucketIsWaitedFor(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		took := func(bucket *cache.Bucket, want time.Duration, do func(*cache.Bucket) error) {
			t.Helper()
			start := time.Now()
			if err := do(bucket); err == nil || time.Since(start).Round(time.Second) != want {
				t.Errorf("%v after %s, want %s", err, time.Since(start), want)
			}
		}
		look := func(b *cache.Bucket) error { return b.Look(t.Context(), keyOf("a")).Problem }
		claims := func(b *cache.Bucket) error { _, err := b.Claim(t.Context(), keyOf("a"), never); return err }
		used := func() *cache.Bucket {
			storage.Fault = nil
			bucket := storage.Bucket(t)
			wantToken(t, bucket, keyOf("a"), "")
			return bucket
		}
		fresh, second, third, fourth := storage.Bucket(t), used(), used(), used()
		storage.Fault = always(http.MethodGet, s3test.Fault{Hang: true})
		took(fresh, 10*time.Second, look)
		took(second, 5*time.Second, look)
		storage.Fault = always(http.MethodPut, s3test.Fault{Hang: true})
		took(third, 5*time.Second, claims)
		storage.Fault = func(r *http.Request) s3test.Fault {
			return s3test.Fault{Hang: r.Method == http.MethodPut && strings.Contains(s3test.Object(r), ".entry")}
		}
		took(fourth, 5*time.Second, claims)
	})
}

// A role that may not read: 403 to a look says nothing, and what is there cannot be used. A mark that is there is spent.
func TestARoleThatMayNotRead(t *testing.T) { // B07
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		claim(t, storage.Bucket(t), keyOf("a")).Release()
		wantSpend(t, storage.Bucket(t), aMark(), nil)
		storage.Fault = always(http.MethodGet, s3test.Fault{Status: 403, Code: "AccessDenied"})
		bucket := storage.Bucket(t)
		wantToken(t, bucket, keyOf("a"), "")
		wantSpend(t, bucket, aMark(), cache.ErrSpent)
		if _, err := bucket.Claim(t.Context(), keyOf("a"), never); err == nil || !strings.Contains(err.Error(), "the role needs s3:GetObject") {
			t.Error(err)
		}
	})
}

// A date has whole seconds, so clocks that differ by little count as the same.
func TestHowFarAClockIsAhead(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		for ahead, want := range map[time.Duration]time.Duration{0: 0, 3 * time.Second: 0, -3 * time.Second: 0, time.Hour: time.Hour, -time.Hour: -time.Hour} {
			storage.Ahead = ahead
			if found := storage.Bucket(t).Look(t.Context(), keyOf("a")); found.Ahead.Round(2*time.Second) != want || want == 0 && found.Ahead != 0 {
				t.Errorf("%s: %s", ahead, found.Ahead)
			}
		}
	})
}

// A process that is interrupted, and whose claim was not written, leaves the claim of another one.
func TestAnInterruptLeavesTheClaimOfAnother(t *testing.T) {
	onBucket(t, func(t *testing.T, storage *s3test.Storage) {
		ctx, cancel := context.WithCancel(t.Context())
		storage.Fault = once(http.MethodPut, ".entry", s3test.Fault{Hang: true})
		go func() { _, _ = storage.Bucket(t).Claim(ctx, keyOf("a"), never) }()
		pass(time.Second)
		held := claim(t, storage.Bucket(t), keyOf("a"))
		cancel()
		pass(2 * time.Second)
		must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
		wantToken(t, storage.Bucket(t), keyOf("a"), "token")
	})
}

// What is held for later processes is so by the clock of the storage.
func TestAHeldMarkAndAClockThatIsWrong(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, time.Hour} {
		onBucket(t, func(t *testing.T, storage *s3test.Storage) {
			storage.Ahead = ahead
			early := aMark()
			pass(time.Minute)
			wantSpend(t, storage.Bucket(t), early, nil).Hold()
			pass(time.Minute)
			wantSpend(t, storage.Bucket(t), early, cache.ErrHeld)
			wantSpend(t, storage.Bucket(t), aMark(), nil)
		})
	}
}
