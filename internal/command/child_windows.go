// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"os"
	"syscall"
)

// forwardedSignals is what would end this process. Ctrl-C reaches every process of the console, so the program has it already.
var forwardedSignals = []os.Signal{os.Interrupt}

func childAttributes() *syscall.SysProcAttr { return nil }

func forwardSignal(*os.Process, os.Signal) {}

func statusOfProcess(state *os.ProcessState) int { return state.ExitCode() }

// replaceProcess runs a program to its end: Windows cannot put it into the place of this one.
func (c *invocation) replaceProcess(ctx context.Context, path string, args, env []string) error {
	return c.runChild(ctx, path, args, env)
}
