// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix && !linux

package process

import "golang.org/x/sys/unix"

// forbidInspection does nothing: only Linux supports it.
func forbidInspection() {}

// Watch returns a channel that is closed within about a second after the process with this id has ended.
func Watch(pid int) (ended <-chan struct{}, err error) {
	if err := unix.Kill(pid, 0); err == unix.ESRCH {
		return nil, err
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		awaitEnd(pid)
	}()
	return gone, nil
}

// KeepIgnored does nothing: on these systems, Go does not show whether SIGPIPE was ignored at the start.
func KeepIgnored() {}
