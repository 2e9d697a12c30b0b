// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// forbidCoreDumps keeps a crash from writing the memory to disk.
func forbidCoreDumps() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // lowering a limit is always allowed
	forbidInspection()
}

// endWithParent ends this process within about a second after the CLI has ended. A CLI that is killed does not stop its
// plugins.
func endWithParent() {
	parent := os.Getppid()
	go func() {
		for range time.Tick(time.Second) {
			if os.Getppid() != parent {
				os.Exit(1)
			}
		}
	}()
}
