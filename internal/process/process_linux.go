// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"errors"

	"golang.org/x/sys/unix"
)

// forbidInspection keeps other processes of the same user from reading this process's memory (/proc/PID/mem, ptrace). It
// also keeps the kernel from piping a core dump to a handler, to which RLIMIT_CORE does not apply. It ends when another
// program takes the place of this one.
func forbidInspection() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// Watch returns a channel that is closed when the process with this id has ended. Before Linux 5.3, that takes up to a second.
func Watch(pid int) (ended <-chan struct{}, err error) {
	handle, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, err
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if err != nil {
			awaitEnd(pid)
			return
		}
		for {
			if n, err := unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, -1); n > 0 || !errors.Is(err, unix.EINTR) { //nolint:gosec // a descriptor is small
				return
			}
		}
	}()
	return gone, nil
}
