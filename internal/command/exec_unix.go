// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"context"
	"syscall"
)

// replaceProcess puts a program into the place of this one, as a shell's exec does. So its streams, its signals, its terminal and
// its exit status are its own, and no token stays behind in this process.
func (c *invocation) replaceProcess(ctx context.Context, path string, args, env []string) error {
	if ctx.Err() != nil {
		return &failure{status: statusInterrupted}
	}
	err := syscall.Exec(path, args, env) //nolint:gosec // the user's own command
	return newFailure(statusFailed, sectionStart, "The program could not be started", cause(err)+".")
}
