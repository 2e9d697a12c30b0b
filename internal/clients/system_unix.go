// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package clients

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

const (
	noFollow = syscall.O_NOFOLLOW
	noWait   = syscall.O_NONBLOCK

	refused = syscall.ECONNREFUSED
	reset   = syscall.ECONNRESET
	aborted = syscall.ECONNABORTED
)

// ownAlone refuses a directory in which another user could put or replace files.
func ownAlone(info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("others may write there; take that from them with chmod go-w")
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return errors.New("it belongs to another user")
	}
	return nil
}

// replace renames a file over another.
func replace(from, to string) error { return os.Rename(from, to) }

// removeLock removes a lock that this process holds, and then releases it. In the other order, it could remove the lock
// of another process.
func removeLock(path string, release func()) {
	_ = os.Remove(path)
	release()
}
