// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"os"
	"syscall"
)

// forwardedSignals are caught so that they do not end this process. They are not passed on: Windows sends Ctrl-C to every
// process of the console.
var forwardedSignals = []os.Signal{os.Interrupt}

func childAttributes() *syscall.SysProcAttr { return nil }

func forwardSignal(*os.Process, os.Signal) {}

func statusOfProcess(state *os.ProcessState) int { return state.ExitCode() }

// replaceProcess runs a program and waits for its end: Windows cannot replace the running process.
func (c *invocation) replaceProcess(ctx context.Context, path string, args, env []string) error {
	return c.runChild(ctx, path, args, env)
}
