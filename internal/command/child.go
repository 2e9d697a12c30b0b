// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"slices"
)

// runChild runs a program and waits for its end. If the program fails, the error has its exit status. Signals that arrive
// in the meantime are passed on to the program.
func (c *invocation) runChild(ctx context.Context, path string, args, env []string) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, slices.DeleteFunc(slices.Clone(forwardedSignals), signal.Ignored)...)
	defer signal.Stop(signals)
	if ctx.Err() != nil {
		return &failure{status: statusInterrupted}
	}
	command := exec.Command(path, args[1:]...) //nolint:gosec,noctx // the user's own program, which ends by itself
	command.Args[0] = args[0]
	command.Env, command.Stdin, command.Stdout, command.Stderr = env, c.Stdin, c.Stdout, c.Stderr
	command.SysProcAttr = childAttributes()
	if err := command.Start(); err != nil {
		return newFailure(statusFailed, sectionStart, "The program could not be started", cause(err)+".")
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case sent := <-signals:
			forwardSignal(command.Process, sent)
		case err := <-ended:
			return childStatus(command.ProcessState, err)
		}
	}
}

func childStatus(state *os.ProcessState, err error) error {
	switch exit := (*exec.ExitError)(nil); {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &failure{status: statusOfProcess(state)}
	default:
		return newFailure(statusFailed, sectionStart, "The program's exit status could not be read", cause(err)+".")
	}
}
