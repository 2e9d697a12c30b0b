// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"crypto/sha256"
	"os"
	"strings"
	"testing"
	"time"
)

// opened opens the store in dir, as a new process does.
func opened(t testing.TB, dir string) *Directory {
	t.Helper()
	d, err := Open(dir)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() }) // Windows removes no directory that is open
	return d
}

// keyOf returns a key that belongs to a text.
func keyOf(text string) Key {
	return Key{Name: EntryName(sha256.Sum256([]byte(text))), Bound: sha256.Sum256([]byte("of " + text)), Secret: sha256.Sum256([]byte("the secret of " + text))}
}

// lockFor takes the lock of a key.
func lockFor(t testing.TB, d *Directory, key Key) (release func()) {
	t.Helper()
	release, err := d.lock(t.Context(), key.Name)
	must(t, err)
	return release
}

// wantContent fails the test unless content is stored under the key.
func wantContent(t testing.TB, d *Directory, key Key, content string) {
	t.Helper()
	if found, why, damaged := d.look(key, Token); string(found) != content || why != "" || damaged {
		t.Errorf("%q is stored, want %q; missed because %q, damaged: %t", found, content, why, damaged)
	}
}

// inAnHour is when the entries of most tests become useless.
func inAnHour() time.Time { return time.Now().Add(time.Hour) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	must(t, os.WriteFile(path, data, 0o600))
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

// filesIn returns the names in a directory that end with suffix.
func filesIn(t testing.TB, dir, suffix string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, file := range files {
		if strings.HasSuffix(file.Name(), suffix) {
			names = append(names, file.Name())
		}
	}
	return names
}

// nothingOpen fails the test if this process has a file in dir open. Only Linux can tell.
func nothingOpen(t *testing.T, dir string) {
	t.Helper()
	open, _ := os.ReadDir("/proc/self/fd")
	for _, file := range open {
		if path, err := os.Readlink("/proc/self/fd/" + file.Name()); err == nil && strings.HasPrefix(path, dir+"/") {
			t.Errorf("%s is left open", path)
		}
	}
}
