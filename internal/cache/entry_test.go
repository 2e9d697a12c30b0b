// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDamagedEntriesAreMissed(t *testing.T) { // F01, F02
	dir, key := t.TempDir(), keyOf("a")
	d, path := opened(t, dir), filepath.Join(dir, key.Name.file(Token))
	must(t, d.store(key, Token, []byte("content"), inAnHour()))
	whole := read(t, path)
	missed := func(what string, at int, data []byte) {
		write(t, path, data)
		found, why, damaged := d.look(key, Token)
		if why == "" || found != nil {
			t.Fatalf("%s at %d of %d: not missed", what, at, len(whole))
		}
		if version := strings.Contains(why, "of another version"); damaged == version || version != (what == "flipped" && at == len(entryMagic)-1) {
			t.Fatalf("%s at %d of %d: %s, damaged: %t", what, at, len(whole), why, damaged)
		}
	}
	for at := range whole {
		missed("cut", at, whole[:at])
		for bit := range 8 {
			flipped := slices.Clone(whole)
			flipped[at] ^= 1 << bit
			missed("flipped", at, flipped)
		}
	}
	missed("more", len(whole), append(slices.Clone(whole), 0))
	write(t, path, make([]byte, maxEntrySize+1))
	if _, why, damaged := d.look(key, Token); !strings.Contains(why, "of a fitting size") || !damaged {
		t.Errorf("a huge file is missed because %s, damaged: %t", why, damaged)
	}
	for i, at := range []int{0, 1, headerSize - 1, headerSize, headerSize + nonceSize - 1, headerSize + nonceSize, len(whole) - 1} {
		write(t, path, whole[:at])
		want := fmt.Sprint("content ", i)
		must(t, d.store(key, Token, []byte(want), inAnHour()))
		wantContent(t, d, key, want)
	}
}

// An entry opens with its own key, as its own part, and in no other way.
func TestPlantedEntriesAreMissed(t *testing.T) { // F09, F18, F20
	key := keyOf("a")
	bound, secret, slow, slower := key, key, key, key
	bound.Bound[31]++
	secret.Secret[31]++
	slow.Memory, slower.Memory = 1<<10, 2<<10
	seal := func(key Key, part Part) []byte {
		data, err := key.seal(entryMagic, part, []byte("planted"), inAnHour())
		must(t, err)
		return data
	}
	whole := seal(key, Token)
	for name, row := range map[string]struct {
		data []byte
		why  string
	}{
		"plain":                   {[]byte(`{"access_token":"planted","obtained":"2020-01-01T00:00:00Z","expiry":"2100-01-01T00:00:00Z"}`), "damaged or foreign"},
		"bound to something else": {seal(bound, Token), "of another secret"},
		"another secret":          {seal(secret, Token), "of another secret"},
		"no secret":               {seal(Key{Name: key.Name, Bound: key.Bound}, Token), "of another secret"},
		"another derivation":      {seal(slow, Token), "of another secret"},
		"another part":            {seal(key, Rejection), "of another secret"},
		"another format":          {append([]byte("ixtoken\x03"), whole[len(entryMagic):]...), "of another version"},
		"another program":         {append([]byte("ixtokem\x02"), whole[len(entryMagic):]...), "damaged or foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := opened(t, dir) // opened now, because opening later would sweep some entries
			write(t, filepath.Join(dir, key.Name.file(Token)), row.data)
			if found, why, damaged := d.look(key, Token); found != nil || !strings.Contains(why, row.why) || damaged == (name == "another format") {
				t.Errorf("%q, missed because %s, damaged: %t", found, why, damaged)
			}
			must(t, d.store(key, Token, []byte("right"), inAnHour()))
			wantContent(t, d, key, "right")
		})
	}
	if _, err := slower.open(seal(slow, Token), Token); err == nil {
		t.Error("the key of the cipher does not depend on the memory")
	}
	for _, key := range []Key{key, slow} {
		if content, err := key.open(seal(key, Token), Token); string(content) != "planted" {
			t.Errorf("its own key opens %q: %v", content, err)
		}
	}
}

func TestEqualEntriesLookDifferent(t *testing.T) { // F20: no pair of key and nonce is used twice
	seen := map[string]bool{}
	for range 100 {
		data, err := keyOf("a").seal(entryMagic, Token, []byte("content"), inAnHour())
		must(t, err)
		salt, nonce := string(data[headerSize-saltSize:headerSize]), string(data[headerSize:headerSize+nonceSize])
		if seen[salt] || seen[nonce] {
			t.Fatal("a salt or a nonce came twice")
		}
		seen[salt], seen[nonce] = true, true
	}
}

// With the digest of the secrets, a password could be guessed.
func TestAKeyShowsItsNameAlone(t *testing.T) { // F20
	key := keyOf("a")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		for _, value := range []any{key, &key} {
			if got := fmt.Sprintf(verb, value); got != string(key.Name) {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
}

// Update changes an entry that is there. It leaves an entry alone that another process may be about to replace.
func TestUpdate(t *testing.T) {
	d, key := opened(t, t.TempDir()), keyOf("a")
	calls := 0
	update := func(ok bool) {
		d.Update(t.Context(), key, func(found Found) ([]byte, time.Time, bool) {
			calls++
			return append(slices.Clone(found.Token), '+'), inAnHour(), ok
		})
	}
	update(true)
	if _, why, _ := d.look(key, Token); calls != 0 || why != "there is no entry" {
		t.Errorf("%d calls without an entry; then %q", calls, why)
	}
	must(t, d.store(key, Token, []byte("content"), inAnHour()))
	release := lockFor(t, d, key)
	update(true)
	release()
	wantContent(t, d, key, "content")
	update(false)
	wantContent(t, d, key, "content")
	update(true)
	wantContent(t, d, key, "content+")
	if calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
	lockFor(t, d, key)() // it is free again
}
