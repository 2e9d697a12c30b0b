// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/process"
)

// This file runs a program and the proxy as two processes. The program replaces this process, so signals, the terminal, the
// streams and the exit status are the program's own. The proxy is a process in the background, in a session of its own. It
// watches this process and ends with it. The command "background" starts it and ends, so that the program does not have a
// child that it does not know.

// The hidden command that starts another command in the background, and the hidden flag that names the process whose end ends
// the proxy.
const (
	backgroundName = "background"
	serveForName   = "serve-for"
)

func (r *proxyRun) addServeFor(set *pflag.FlagSet) {
	set.IntVar(&r.servedFor, serveForName, 0, "")
	_ = set.MarkHidden(serveForName) // the flag exists
}

// runBesideProxy starts the proxy in the background and replaces this process by the program.
func (c *invocation) runBesideProxy(ctx context.Context, r *proxyRun, path string, args []string) error {
	own := c.args[:len(c.args)-len(args)-1] // without "--" and the program
	said, err := c.startInBackground(ctx, append(slices.Clone(own), "--"+serveForName+"="+strconv.Itoa(os.Getpid())))
	if err != nil {
		return err
	}
	lines := strings.Fields(said)
	return c.replaceProcess(ctx, path, args, c.proxyEnvironment(r, lines[0], lines[1:]))
}

// startInBackground starts a command of this program in the background and returns what it says. If it ends without a word,
// the error has its exit status.
func (c *invocation) startInBackground(ctx context.Context, args []string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", newFailure(statusFailed, sectionStart, "The API proxy could not be started", cause(err)+".")
	}
	var said bytes.Buffer
	launcher := exec.CommandContext(ctx, self, append([]string{backgroundName}, args...)...) //nolint:gosec // this program
	launcher.Args[0] = c.Name
	launcher.Env, launcher.Stdin, launcher.Stdout, launcher.Stderr = c.Environ, c.Stdin, &said, c.Stderr
	launcher.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	launcher.Cancel = func() error { return syscall.Kill(-launcher.Process.Pid, syscall.SIGTERM) } // the proxy is in its group
	err = launcher.Run()
	switch {
	case launcher.ProcessState == nil:
		return "", newFailure(statusFailed, sectionStart, "The API proxy could not be started", cause(err)+".")
	case !launcher.ProcessState.Success():
		return "", &failure{status: statusOfProcess(launcher.ProcessState)}
	}
	return said.String(), nil
}

// statusOfProcess returns the exit status as shells report it: 128 plus the number of the signal that ended the process.
func statusOfProcess(state *os.ProcessState) int {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return 128 + int(wait.Signal())
	}
	return state.ExitCode()
}

// systemCommands returns the commands that only this system needs.
func (c *invocation) systemCommands() []*cobra.Command {
	return []*cobra.Command{{
		Use: backgroundName, Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error { return c.background(args) },
	}}
}

// background starts a command of this program. It repeats what the command says until it closes its standard output, and
// leaves it running. If the command ends without a word, the error has its exit status.
func (c *invocation) background(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return newFailure(statusFailed, sectionStart, "The API proxy could not be started", cause(err)+".")
	}
	process.CloseOnExec()
	server := exec.Command(self, args...) //nolint:gosec,noctx // this program, which outlives this process
	server.Args[0] = c.Name
	server.Env, server.Stdin, server.Stderr = c.Environ, c.Stdin, c.Stderr
	output, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		return newFailure(statusFailed, sectionStart, "The API proxy could not be started", cause(err)+".")
	}
	said, _ := io.ReadAll(output)
	if len(said) > 0 {
		return c.printResult(string(said))
	}
	_ = server.Wait()
	return &failure{status: max(statusFailed, statusOfProcess(server.ProcessState))}
}

// serveInBackground runs the proxy until the process ends for which it was started. It reports whether there is one.
func (c *invocation) serveInBackground(ctx context.Context, r *proxyRun) (served bool, err error) {
	if r.servedFor == 0 {
		return false, nil
	}
	ended, err := process.Watch(r.servedFor)
	if err != nil {
		return true, &failure{status: statusInterrupted}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { <-ended; cancel() }()
	return true, c.serve(ctx, r, func(url string, secrets []string) error {
		if err := c.printResult(strings.Join(append([]string{url}, secrets...), "\n") + "\n"); err != nil {
			return err
		}
		if err := process.Detach(); err != nil {
			return newFailure(statusFailed, sectionStart, "The API proxy could not be started", cause(err)+".")
		}
		<-ended
		return nil
	})
}
