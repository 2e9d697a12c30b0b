// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const (
	noFollow = 0
	noWait   = 0

	refused = syscall.Errno(10061) // WSAECONNREFUSED
	reset   = syscall.WSAECONNRESET

	sharingViolation = syscall.Errno(32) // ERROR_SHARING_VIOLATION
)

// ownAlone refuses nothing: who may write to a directory stands in its access control list, which a user's own
// directories inherit from the profile.
func ownAlone(fs.FileInfo) error { return nil }

// replace renames a file over another, which fails for the moment in which somebody reads the other.
func replace(from, to string) error {
	err := os.Rename(from, to)
	for range 20 {
		if !errors.Is(err, syscall.ERROR_ACCESS_DENIED) && !errors.Is(err, sharingViolation) {
			break
		}
		<-time.After(5 * time.Millisecond)
		err = os.Rename(from, to)
	}
	return err
}

// removeLock removes a lock that is held. While it is open it cannot be removed, nor can it once another process has
// opened it, whose lock it is then.
func removeLock(path string, release func()) {
	release()
	_ = os.Remove(path)
}
