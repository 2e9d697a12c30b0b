// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build !windows

package command

import (
	"os"

	"golang.org/x/sys/unix"
)

// sameVariable reports whether two names denote the same environment variable.
func sameVariable(a, b string) bool { return a == b }

// isClosed reports whether standard output was closed when this process started. Go has opened the null device for reading and
// writing in its place. Nothing tells that apart from a parent who has done the same.
func isClosed(stdout *os.File) bool {
	flags, err := unix.FcntlInt(stdout.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR && isNull(stdout)
}

// isNull reports whether a file is the null device.
func isNull(file *os.File) bool {
	null, err := os.Stat(os.DevNull)
	if err != nil {
		return false
	}
	info, err := file.Stat()
	return err == nil && os.SameFile(null, info)
}

// replaceFile renames a file over another. Programs that have the old file open keep it.
func replaceFile(from, to string) error { return os.Rename(from, to) }

// showsColours reports whether a terminal understands escape sequences.
func showsColours(*os.File) bool { return true }
