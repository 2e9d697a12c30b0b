// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package transport

import "syscall"

const (
	refused = syscall.ECONNREFUSED
	reset   = syscall.ECONNRESET
	aborted = syscall.ECONNABORTED
)
