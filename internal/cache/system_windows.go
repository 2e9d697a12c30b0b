// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

const noWait = 0

// ownAlone accepts every directory. The directory's access control list says which users may write to it. A user's own
// directories inherit that list from the profile.
func ownAlone(fs.FileInfo) error { return nil }

// cannotBeReplaced accepts every directory, for the same reason.
func cannotBeReplaced(fs.FileInfo) error { return nil }

// lockFile takes the lock of an open file without waiting; false: another process has it.
func lockFile(file *os.File) (held bool, err error) {
	err = windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// unlockFile releases the lock of an open file. Windows releases it some time after the file was closed otherwise.
func unlockFile(file *os.File) {
	_ = windows.UnlockFileEx(windows.Handle(file.Fd()), 0, 1, 0, new(windows.Overlapped))
}

// replace renames a file over another. The rename fails while another process reads that file, so replace tries again
// for 100 ms.
func replace(root *os.Root, from, to string) error {
	err := root.Rename(from, to)
	for range 20 {
		if !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			break
		}
		<-time.After(5 * time.Millisecond)
		err = root.Rename(from, to)
	}
	return err
}

// syncDirectory does nothing: Windows cannot sync a directory.
func syncDirectory(*os.Root) error { return nil }

// removeLock releases a lock that this process holds, and then removes it. Windows cannot remove an open file. If
// another process has opened the file in between, it stays, and the lock belongs to that process.
func removeLock(root *os.Root, name string, release func()) {
	release()
	_ = root.Remove(name)
}
