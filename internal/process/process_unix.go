// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package process

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ForbidCoreDumps keeps a crash from writing the memory to disk. restore allows it again, for a program that is about to take
// the place of this one: it would inherit the limit.
func ForbidCoreDumps() (restore func()) {
	forbidInspection()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &before); err != nil {
		return func() {}
	}
	none := before
	none.Cur = 0
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &none) // lowering a limit is always allowed
	return func() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &before) }
}

// EndWithParent ends this process within about a second after the CLI has ended. A CLI that is killed does not stop its
// plugins.
func EndWithParent() {
	parent := os.Getppid()
	go func() {
		for range time.Tick(time.Second) {
			if os.Getppid() != parent {
				os.Exit(1)
			}
		}
	}()
}

// Detach cuts this process off from what it was started with: signals, standard input and standard output. Standard error
// remains, for warnings.
func Detach() error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = null.Close() }() // nothing was written
	for _, stream := range []int{unix.Stdin, unix.Stdout} {
		if err := unix.Dup2(int(null.Fd()), stream); err != nil {
			return err
		}
	}
	return nil
}

// CloseOnExec keeps the programs that this process starts from inheriting its further files, such as a lock of a shell.
func CloseOnExec() {
	for file := unix.Stderr + 1; file < 256; file++ { // most are not open
		unix.CloseOnExec(file)
	}
}

// awaitEnd looks for a process every second until it has ended. A process that has ended and that its parent has not
// noticed yet counts as running.
func awaitEnd(pid int) {
	for range time.Tick(time.Second) {
		if unix.Kill(pid, 0) == unix.ESRCH {
			return
		}
	}
}
