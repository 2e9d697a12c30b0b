// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// forwardedSignals are the signals that are a program's and not its parent's.
var forwardedSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// childAttributes gives the program a process group of its own where there is no terminal. A pipeline that ends a job by a signal
// to the group would else reach the program twice. With a terminal, a group of its own could not read from that.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: !inForeground()}
}

// forwardSignal passes a signal on. What the terminal's keys send has reached the program too.
func forwardSignal(program *os.Process, sent os.Signal) {
	if (sent == syscall.SIGINT || sent == syscall.SIGQUIT) && inForeground() {
		return
	}
	_ = program.Signal(sent) // or it has ended
}

// inForeground reports whether keys such as Ctrl-C reach this process.
func inForeground() bool {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer func() { _ = terminal.Close() }() // nothing was written
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// statusOfProcess is the exit status as shells write it: a signal counts from 128.
func statusOfProcess(state *os.ProcessState) int {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return 128 + int(wait.Signal())
	}
	return state.ExitCode()
}
