// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import "golang.org/x/sys/unix"

// forbidInspection keeps other processes of the same user from reading the memory (/proc/PID/mem, ptrace), and the
// kernel from piping a core dump to a handler, which ignores the limit.
func forbidInspection() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
