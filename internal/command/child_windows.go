// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"os"
	"syscall"
)

// forwarded is what would end this process. Ctrl-C reaches every process of the console, so the program has it already.
var forwarded = []os.Signal{os.Interrupt}

func attributes() *syscall.SysProcAttr { return nil }

func forward(*os.Process, os.Signal) {}

func statusOfProcess(state *os.ProcessState) int { return state.ExitCode() }

// replace runs a program to its end: Windows cannot put it into the place of this one.
func (c *call) replace(ctx context.Context, path string, args, env []string) error {
	return c.child(ctx, path, args, env)
}
