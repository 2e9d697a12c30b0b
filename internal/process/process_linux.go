// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package process

import "golang.org/x/sys/unix"

// ForbidInspection keeps other processes of the same user from reading this process's memory (/proc/PID/mem, ptrace). It
// also keeps the kernel from piping a core dump to a handler, to which RLIMIT_CORE does not apply.
func ForbidInspection() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
