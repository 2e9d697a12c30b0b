// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Windows refuses to rename over a file that another process has open. Readers of an entry are quick, so the writer tries again.
func TestAnEntryThatIsBeingReadIsReplaced(t *testing.T) {
	dir := t.TempDir()
	entry, next := filepath.Join(dir, "entry"), filepath.Join(dir, "next")
	write(t, entry, []byte("old"))
	write(t, next, []byte("new"))
	reader, err := os.Open(entry)
	must(t, err)
	if os.Rename(next, entry) == nil {
		t.Error("an open file was replaced at once, so replace need not try again")
	}
	if replace(next, entry) == nil {
		t.Error("an open file was replaced")
	}
	time.AfterFunc(20*time.Millisecond, func() { reader.Close() })
	must(t, replace(next, entry))
	if got := string(read(t, entry)); got != "new" {
		t.Errorf("the entry holds %q", got)
	}
}

// Windows refuses to remove a lock that is open, so it is released first. One that another process has opened meanwhile stays.
func TestALockInUseIsNotRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := tryLock(path)
	must(t, err)
	removeLock(path, release)
	if _, err := os.Lstat(path); err == nil {
		t.Error("a free lock was not removed")
	}
	var other func()
	release, err = tryLock(path)
	must(t, err)
	removeLock(path, func() {
		release()
		other, err = tryLock(path)
		must(t, err)
	})
	if release, err := tryLock(path); release != nil || err != nil {
		t.Errorf("a lock that another holds was taken, or removed: %v", err)
	}
	other()
}
