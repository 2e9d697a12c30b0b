// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Windows refuses to rename over a file that another process has open. Readers of an entry are quick, so the writer tries again.
func TestAnEntryThatIsBeingReadIsReplaced(t *testing.T) {
	dir := t.TempDir()
	entry := filepath.Join(dir, "entry")
	write(t, entry, []byte("old"))
	write(t, filepath.Join(dir, "next"), []byte("new"))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	reader, err := os.Open(entry)
	must(t, err)
	if root.Rename("next", "entry") == nil {
		t.Skip("this version of Windows replaces an open file at once")
	}
	if replace(root, "next", "entry") == nil {
		t.Error("an open file was replaced")
	}
	time.AfterFunc(20*time.Millisecond, func() { reader.Close() })
	must(t, replace(root, "next", "entry"))
	if got := string(read(t, entry)); got != "new" {
		t.Errorf("the entry holds %q", got)
	}
}

// Windows refuses to remove a lock that is open, so it is released first. One that another process has opened meanwhile stays.
func TestALockInUseIsNotRemoved(t *testing.T) {
	d := opened(t, t.TempDir())
	release, err := d.tryLock("x")
	must(t, err)
	removeLock(d.root, "x"+lockSuffix, release)
	if _, err := d.root.Lstat("x" + lockSuffix); err == nil {
		t.Error("a free lock was not removed")
	}
	var other func()
	release, err = d.tryLock("x")
	must(t, err)
	removeLock(d.root, "x"+lockSuffix, func() {
		release()
		other, err = d.tryLock("x")
		must(t, err)
	})
	if release, err := d.tryLock("x"); release != nil || err != nil {
		t.Errorf("a lock that another holds was taken, or removed: %v", err)
	}
	other()
}
