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
	aborted = syscall.Errno(10053) // WSAECONNABORTED: the system ended the connection after a reset

	sharingViolation = syscall.Errno(32) // ERROR_SHARING_VIOLATION
)

// ownAlone accepts every directory. The directory's access control list says which users may write to it. A user's own
// directories inherit that list from the profile.
func ownAlone(fs.FileInfo) error { return nil }

// replace renames a file over another. The rename fails while another process reads that file, so replace tries again
// for 100 ms.
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

// removeLock releases a lock that this process holds, and then removes it. Windows cannot remove an open file. If
// another process has opened the file in between, it stays, and the lock belongs to that process.
func removeLock(path string, release func()) {
	release()
	_ = os.Remove(path)
}
