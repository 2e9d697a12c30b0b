// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package process

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ForbidCoreDumps keeps a crash from writing the memory to disk.
func ForbidCoreDumps() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // lowering a limit is always allowed
	ForbidInspection()
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
