// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache_test

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache/s3test"
)

// eachStore runs a test on each kind of store. open opens it as a new process does.
func eachStore(t *testing.T, do func(t *testing.T, open func() cache.Store)) {
	t.Run("a directory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			do(t, func() cache.Store {
				d, err := cache.Open(dir)
				must(t, err)
				t.Cleanup(func() { _ = d.Close() })
				return d
			})
		})
	})
	t.Run("a bucket", func(t *testing.T) {
		storage := s3test.New(t)
		synctest.Test(t, func(t *testing.T) {
			do(t, func() cache.Store { return storage.Bucket(t) })
		})
	})
	t.Run("a bucket at a server", func(t *testing.T) {
		storage := s3test.New(t)
		server := httptest.NewServer(storage)
		defer server.Close()
		do(t, func() cache.Store { return at(t, server.URL, "") })
	})
	// versitygw or another server that others wrote, with an empty bucket called fleet
	if endpoint := os.Getenv("IXTOKEN_TEST_S3"); endpoint != "" {
		t.Run("a bucket at "+endpoint, func(t *testing.T) {
			prefix := t.Name() + time.Now().Format("150405.000000")
			escaped := "/a+b=c@d,(e)!/" // signatures are about how it is escaped
			do(t, func() cache.Store { return at(t, endpoint, escaped+cacheName(prefix)) })
		})
	}
}

// cacheName returns a prefix for a test.
func cacheName(text string) string {
	digest := sha256.Sum256([]byte(text))
	return string(cache.EntryName(digest))
}

func at(t *testing.T, endpoint, prefix string) *cache.Bucket {
	t.Helper()
	location, err := cache.ParseLocation("s3://" + s3test.Name + prefix + "?endpoint=" + endpoint)
	must(t, err)
	bucket, err := cache.OpenBucket(t.Context(), location, cache.Network{})
	must(t, err)
	return bucket
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func keyOf(text string) cache.Key {
	return cache.Key{Name: cache.EntryName(sha256.Sum256([]byte(text))), Bound: sha256.Sum256([]byte("of " + text)), Secret: sha256.Sum256([]byte("the secret of " + text))}
}

func never(cache.Found) bool { return false }

func inAnHour() time.Time { return time.Now().Add(time.Hour) }

func claim(t *testing.T, store cache.Store, key cache.Key) cache.Claim {
	t.Helper()
	claim, err := store.Claim(t.Context(), key, never)
	must(t, err)
	return claim
}

func wantToken(t *testing.T, store cache.Store, key cache.Key, token string) {
	t.Helper()
	if found := store.Look(t.Context(), key); string(found.Token) != token || (found.Miss == "") != (token != "") || found.Damaged || found.Problem != nil {
		t.Errorf("%q is stored, want %q: %+v", found.Token, token, found)
	}
}

// What one process stores, another one finds. Nobody finds it without the secret.
func TestStoresShare(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() cache.Store) {
		one, other, key := open(), open(), keyOf("a")
		wantToken(t, one, key, "")
		held := claim(t, one, key)
		must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
		held.Release()
		wantToken(t, other, key, "token")
		wantToken(t, other, keyOf("b"), "")
		for _, change := range []func(*cache.Key){func(k *cache.Key) { k.Secret[0]++ }, func(k *cache.Key) { k.Bound[0]++ }, func(k *cache.Key) { k.Memory = 64 }} {
			wrong := key
			change(&wrong)
			if found := other.Look(t.Context(), wrong); found.Token != nil || !found.Damaged {
				t.Errorf("%+v", found)
			}
		}
	})
}

// A rejection stands beside a token, and a claim over either changes nothing.
func TestARejectionLeavesTheToken(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() cache.Store) {
		right, wrong := keyOf("a"), keyOf("a")
		wrong.Secret[0]++ // with the same name
		held := claim(t, open(), right)
		must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
		held.Release()
		held = claim(t, open(), wrong)
		must(t, held.Store(cache.Rejection, []byte("rejection"), inAnHour()))
		held.Release()
		claim(t, open(), wrong).Release()
		wantToken(t, open(), right, "token")
		if found := open().Look(t.Context(), wrong); string(found.Rejection) != "rejection" || found.Token != nil {
			t.Errorf("%+v", found)
		}
	})
}

// A claim keeps others out until it is released, or until there is a result that is good enough for them.
func TestAClaimIsExclusive(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() cache.Store) {
		key, order := keyOf("a"), make(chan string, 3)
		held := claim(t, open(), key)
		for _, text := range []string{"token", ""} {
			go func() {
				later, err := open().Claim(t.Context(), key, func(found cache.Found) bool { return text != "" && string(found.Token) == text })
				if err != nil {
					t.Error(err)
				}
				order <- "other " + text
				if (later == nil) != (text != "") {
					t.Errorf("a claim after the result %q: %v", text, later)
				}
				if later != nil {
					later.Release()
				}
			}()
		}
		<-time.After(time.Second)
		order <- "first"
		must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
		held.Release()
		if got := []string{<-order, <-order, <-order}; got[0] != "first" {
			t.Errorf("%q", got)
		}
	})
}

// A mark is set once, by one of all processes, until it is removed. What is held may be used by processes that begin later.
func TestAMarkHasOneOwner(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() cache.Store) {
		mark, owners := cache.Mark{Name: cache.MarkName(keyOf("a").Bound), Began: time.Now(), Ends: inAnHour()}, make(chan cache.Spending, 10)
		for range cap(owners) {
			go func() {
				owner, err := open().Spend(t.Context(), mark)
				if err != nil && !errors.Is(err, cache.ErrSpent) {
					t.Error(err)
				}
				if owner != nil {
					owner.Release()
				}
				owners <- owner
			}()
		}
		var all []cache.Spending
		for range cap(owners) {
			if owner := <-owners; owner != nil {
				all = append(all, owner)
			}
		}
		if len(all) != 1 {
			t.Fatalf("%d owners", len(all))
		}
		spend := func(want error) cache.Spending {
			t.Helper()
			owner, err := open().Spend(t.Context(), mark)
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			return owner
		}
		spend(cache.ErrSpent)
		all[0].Unmark()
		<-time.After(10 * time.Millisecond)
		owner := spend(nil)
		owner.Hold()
		owner.Release()
		spend(cache.ErrHeld)
		<-time.After(10 * time.Millisecond)
		mark.Began = time.Now()
		spend(nil).Release()
		spend(cache.ErrSpent)
	})
}

// Update changes a token that nobody has claimed.
func TestUpdateSkipsAClaim(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() cache.Store) {
		store, key := open(), keyOf("a")
		update := func(ok bool) {
			store.Update(t.Context(), key, func(found cache.Found) ([]byte, time.Time, bool) {
				return append(slices.Clone(found.Token), '+'), inAnHour(), ok
			})
		}
		update(true)
		wantToken(t, open(), key, "")
		held := claim(t, open(), key)
		must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
		held.Release()
		update(true)
		wantToken(t, open(), key, "token+")
		update(false)
		wantToken(t, open(), key, "token+")
		held = claim(t, open(), key)
		update(true)
		held.Release()
		wantToken(t, open(), key, "token+")
	})
}

// Clear removes what Entries lists, and neither a mark nor what is claimed.
func TestClearKeepsWhatIsInUse(t *testing.T) {
	eachStore(t, func(t *testing.T, open func() cache.Store) {
		store, mark := open(), cache.Mark{Name: cache.MarkName(keyOf("a").Bound), Began: time.Now(), Ends: inAnHour()}
		for _, text := range []string{"a", "b", "c"} {
			held := claim(t, store, keyOf(text))
			must(t, held.Store(cache.Token, []byte("token"), inAnHour()))
			held.Release()
		}
		owner, err := store.Spend(t.Context(), mark)
		must(t, err)
		owner.Release()
		entries, err := open().Entries(t.Context())
		if err != nil || len(entries) != 3 || entries[0].Size == 0 || time.Until(entries[0].UsefulUntil).Round(time.Minute) != time.Hour {
			t.Errorf("%+v, %v", entries, err)
		}
		held := claim(t, open(), keyOf("b"))
		if removed, inUse, err := open().Clear(t.Context()); removed != 2 || inUse != 1 || err != nil {
			t.Errorf("%d removed, %d in use, %v", removed, inUse, err)
		}
		held.Release()
		wantToken(t, open(), keyOf("a"), "")
		wantToken(t, open(), keyOf("b"), "token")
		if _, err := open().Spend(t.Context(), mark); !errors.Is(err, cache.ErrSpent) {
			t.Errorf("after the end of all entries: %v", err)
		}
	})
}

// Check finds a role that may not read, although the storage says nothing about what is not there.
func TestCheckFindsARoleThatMayNotRead(t *testing.T) {
	storage := s3test.New(t)
	must(t, storage.Bucket(t).Check(t.Context()))
	storage.Fault = func(r *http.Request) s3test.Fault {
		if r.Method == http.MethodGet {
			return s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return s3test.Fault{}
	}
	if err := storage.Bucket(t).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "s3:GetObject") {
		t.Errorf("%v", err)
	}
}
