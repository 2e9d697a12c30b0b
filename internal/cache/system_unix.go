// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package cache

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const noWait = syscall.O_NONBLOCK

// ownAlone refuses a directory in which another user could put or replace files.
func ownAlone(info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("others may write there; take that from them with chmod go-w")
	}
	if !ownedBy(info, os.Geteuid()) {
		return errors.New("it belongs to another user")
	}
	return nil
}

// cannotBeReplaced refuses a directory in which another user could rename what is in it. The sticky bit forbids that.
func cannotBeReplaced(info fs.FileInfo) error {
	switch {
	case !ownedBy(info, os.Geteuid(), 0):
		return errors.New("a directory above it belongs to another user")
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return errors.New("others may write to a directory above it")
	}
	return nil
}

// ownedBy reports whether one of the users owns the file, as far as the system tells.
func ownedBy(info fs.FileInfo, users ...int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	for _, user := range users {
		if !ok || int(stat.Uid) == user {
			return true
		}
	}
	return false
}

// lockFile takes the lock of an open file without waiting; false: another process has it.
func lockFile(file *os.File) (held bool, err error) {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		default:
			return err == nil, err
		}
	}
}

// unlockFile releases the lock of an open file.
func unlockFile(file *os.File) { _ = unix.Flock(int(file.Fd()), unix.LOCK_UN) }

// replace renames a file over another.
func replace(root *os.Root, from, to string) error { return root.Rename(from, to) }

// syncDirectory returns when the names in the directory are on the disk.
func syncDirectory(root *os.Root) error {
	directory, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// removeLock removes a lock that this process holds, and then releases it. In the other order, it could remove the lock
// of another process.
func removeLock(root *os.Root, name string, release func()) {
	_ = root.Remove(name)
	release()
}
