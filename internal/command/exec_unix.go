// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"context"
	"syscall"
)

// replaceProcess replaces this process by a program, as a shell's exec does. The program then has the streams, the signals,
// the terminal and the exit status to itself, and no token stays in the memory of a parent process.
func (c *invocation) replaceProcess(ctx context.Context, path string, args, env []string) error {
	if ctx.Err() != nil {
		return &failure{status: statusInterrupted}
	}
	err := syscall.Exec(path, args, env) //nolint:gosec // the user's own command
	return newFailure(statusFailed, sectionStart, "The program could not be started", cause(err)+".")
}
