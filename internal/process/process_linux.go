// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"errors"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

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
			if n, err := unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, -1); n > 0 || !errors.Is(err, unix.EINTR) { //nolint:gosec // a descriptor is a small number
				return
			}
		}
	}()
	return gone, nil
}

// KeepIgnored keeps SIGPIPE ignored in the program that takes the place of this one, if it was ignored at the start.
func KeepIgnored() {
	if pipeWasIgnored() {
		signal.Ignore(syscall.SIGPIPE)
	}
}

// pipeWasIgnored reports whether SIGPIPE was ignored at the start. Go replaces the setting before the first line of a program
// runs, and keeps it to itself for all signals but SIGHUP and SIGINT. But it still obeys it where SIGPIPE arrives in a thread
// that runs no Go code: there an ignored SIGPIPE is dropped, and reaches no channel. The second thread of every Go program, the
// runtime's monitor, never runs Go code. SIGWINCH says when it has handled SIGPIPE, because a thread handles the lower number
// first.
func pipeWasIgnored() bool {
	monitor, err := secondThread()
	if err != nil {
		return false
	}
	pipe, after := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	signal.Notify(after, syscall.SIGWINCH)
	defer signal.Stop(after)
	for _, sent := range []syscall.Signal{syscall.SIGPIPE, syscall.SIGWINCH} {
		if err := unix.Tgkill(os.Getpid(), monitor, sent); err != nil {
			return false
		}
	}
	select {
	case <-after:
	case <-time.After(time.Second): // the parent has blocked SIGWINCH, so nothing is known
		return false
	}
	signal.Stop(pipe) // returns after the signal is in the channel
	return len(pipe) == 0
}

// secondThread returns the id of this process's second thread.
func secondThread() (int, error) {
	tasks, err := os.Open("/proc/self/task")
	if err != nil {
		return 0, err
	}
	defer func() { _ = tasks.Close() }()  // only reads
	threads, err := tasks.Readdirnames(2) // in the order in which they were started
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(threads[len(threads)-1])
}
