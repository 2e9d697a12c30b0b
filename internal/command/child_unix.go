// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// forwardedSignals are the signals that the proxy passes on to its command.
var forwardedSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// childAttributes puts the program into its own process group, unless this process is in the foreground of a terminal.
// Without a group of its own, a signal that a pipeline sends to the whole group would reach the program twice: directly,
// and passed on. In the foreground of a terminal, a program in another group could not read from the terminal.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: !inForeground()}
}

// forwardSignal passes a signal on to the program. It skips the signals of a terminal's keys, such as Ctrl-C: the terminal
// has sent them to the program too.
func forwardSignal(program *os.Process, sent os.Signal) {
	if (sent == syscall.SIGINT || sent == syscall.SIGQUIT) && inForeground() {
		return
	}
	_ = program.Signal(sent) // fails only if the program has ended
}

// inForeground reports whether this process is in the foreground of a terminal, so that keys such as Ctrl-C reach it.
func inForeground() bool {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer func() { _ = terminal.Close() }() // nothing was written
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// statusOfProcess returns the exit status as shells report it: 128 plus the number of the signal that ended the process.
func statusOfProcess(state *os.ProcessState) int {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return 128 + int(wait.Signal())
	}
	return state.ExitCode()
}
