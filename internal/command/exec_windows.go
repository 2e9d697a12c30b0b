// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
)

// replace runs a program to its end, and ends as it does: Windows cannot put it into the place of this one. Ctrl-C reaches
// every process of the console, so the program decides about it.
func (c *call) replace(ctx context.Context, path string, args, env []string) error {
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, os.Interrupt)
	defer signal.Stop(ignored)
	if ctx.Err() != nil {
		return &failure{status: statusInterrupted}
	}
	command := exec.Command(path, args[1:]...) //nolint:gosec,noctx // the user's own command, which ends by itself
	command.Env, command.Stdin, command.Stdout, command.Stderr = env, c.Stdin, c.Stdout, c.Stderr
	err := command.Run()
	switch exit := (*exec.ExitError)(nil); {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &failure{status: exit.ExitCode()}
	default:
		return failed(statusOther, aboutStart, "The program could not be started", cause(err)+".")
	}
}
