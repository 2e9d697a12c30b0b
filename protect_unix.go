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

// endWithParent ends this process once the CLI is gone: one that was killed tells its plugins nothing.
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
