// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import "syscall"

const (
	refused = syscall.Errno(10061) // WSAECONNREFUSED
	reset   = syscall.WSAECONNRESET
	aborted = syscall.Errno(10053) // WSAECONNABORTED: the system ended the connection after a reset
)
