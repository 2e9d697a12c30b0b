// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// replaceProcess runs a program and waits for its end: Windows cannot replace the running process. If the program fails, the
// error has its exit status. Ctrl-C does not end this process: Windows sends it to every process of the console.
func (c *invocation) replaceProcess(ctx context.Context, path string, args, env []string) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	if ctx.Err() != nil {
		return &failure{status: statusInterrupted}
	}
	program := exec.Command(path, args[1:]...) //nolint:gosec,noctx // the user's own program, which ends by itself
	program.Args[0] = args[0]
	program.Env, program.Stdin, program.Stdout, program.Stderr = env, c.Stdin, c.Stdout, c.Stderr
	if isBatch(path) {
		runBatch(program, path, args[1:])
	}
	if err := program.Start(); err != nil {
		return newFailure(statusFailed, sectionStart, "The program could not be started", cause(err)+".")
	}
	release := endTogether(program.Process.Pid)
	defer release()
	switch err, exit := program.Wait(), (*exec.ExitError)(nil); {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &failure{status: program.ProcessState.ExitCode()}
	default:
		return newFailure(statusFailed, sectionStart, "The program's exit status could not be read", cause(err)+".")
	}
}

// runBesideProxy runs a program and the proxy in this process.
func (c *invocation) runBesideProxy(ctx context.Context, r *proxyRun, path string, args []string) error {
	return c.serve(ctx, r, func(url string, secrets []string) error {
		return c.replaceProcess(ctx, path, args, c.proxyEnvironment(r, url, secrets))
	})
}

// systemCommands returns the commands that only this system needs: none.
func (c *invocation) systemCommands() []*cobra.Command { return nil }

// addServeFor adds no flag.
func (r *proxyRun) addServeFor(*pflag.FlagSet) {}

// serveInBackground reports that the proxy belongs to this process.
func (c *invocation) serveInBackground(context.Context, *proxyRun) (served bool, err error) {
	return false, nil
}
