// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package cli runs a real Terraform or OpenTofu on configurations, with the provider built from this tree. The demo and
// the tests use it.
package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Workspace is a directory with a configuration, in which commands of one CLI run. Nothing of the user's own CLI
// configuration reaches it.
type Workspace struct {
	// Dir holds the configuration and what the CLI writes.
	Dir string
	// Env is what the commands see besides PATH and the settings of the Workspace, as "NAME=value".
	Env []string

	cli     string
	config  string
	plugins string
	sources []string
}

// Result is what a command did.
type Result struct {
	Args           []string
	Stdout, Stderr string
	// Status is the exit status; -1 if a signal ended the command.
	Status int
}

// suffix is that of programs here.
var suffix = map[string]string{"windows": ".exe"}[runtime.GOOS]

// Open makes a Workspace in dir, which exists, for the CLI at path and the providers whose binaries are in the directory
// plugins: "ixtoken/ixtoken" and those named in more, as source addresses. They need no "init".
func Open(dir, path, plugins string, more ...string) (*Workspace, error) {
	plugins, err := filepath.Abs(plugins)
	if err != nil {
		return nil, err
	}
	w := &Workspace{
		Dir: filepath.Join(dir, "configuration"), cli: path, config: filepath.Join(dir, "cli.tfrc"),
		plugins: plugins, sources: append([]string{"ixtoken/ixtoken"}, more...),
	}
	if err := os.MkdirAll(w.Dir, 0o700); err != nil {
		return nil, err
	}
	var overrides strings.Builder
	for _, source := range w.sources {
		fmt.Fprintf(&overrides, "    %q = %q\n", source, filepath.ToSlash(plugins))
	}
	// Without a "direct" method nothing is looked for in a registry, so no command needs a network or "init".
	return w, w.configure("  dev_overrides {\n" + overrides.String() + "  }\n")
}

// configure writes the CLI's configuration with these ways to install providers.
func (w *Workspace) configure(installation string) error {
	return os.WriteFile(w.config, []byte("disable_checkpoint = true\nprovider_installation {\n"+installation+"}\n"), 0o600)
}

// Write puts a file into the configuration.
func (w *Workspace) Write(name, text string) error {
	return os.WriteFile(filepath.Join(w.Dir, name), []byte(text), 0o600)
}

// Command returns the command for further settings. It is interrupted when ctx ends, as by Ctrl-C; on Windows, where one
// process cannot interrupt another, it is killed.
func (w *Workspace) Command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, w.cli, args...)
	command.Dir = w.Dir
	command.Cancel = func() error {
		if runtime.GOOS == "windows" {
			return command.Process.Kill()
		}
		return command.Process.Signal(os.Interrupt)
	}
	command.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + filepath.Dir(w.Dir),
		"TMPDIR=" + os.TempDir(),
		"SystemRoot=" + os.Getenv("SystemRoot"), // Windows opens no socket without it
		"TF_IN_AUTOMATION=1",
		"TF_INPUT=0",
	}, w.environment()...)
	return command
}

// shells are what keeps a shell from reading the user's files at its start, which may set what the Workspace sets.
var shells = map[string][]string{"bash": {"--norc"}, "zsh": {"-f"}, "fish": {"--no-config"}}

// Shell returns the user's shell, with all of this process's environment and over it what the Workspace sets.
func (w *Workspace) Shell(ctx context.Context) *exec.Cmd {
	name := cmp.Or(os.Getenv("SHELL"), "/bin/sh")
	command := exec.CommandContext(ctx, name, shells[filepath.Base(name)]...)
	command.Dir = w.Dir
	command.Env = append(append(os.Environ(),
		"ENV=", // what other shells read at their start
		"PS1=ixtoken \\W $ ",
		"PATH="+filepath.Dir(w.cli)+string(filepath.ListSeparator)+os.Getenv("PATH")), w.environment()...)
	return command
}

func (w *Workspace) environment() []string {
	return append([]string{"TF_CLI_CONFIG_FILE=" + w.config, "CHECKPOINT_DISABLE=1"}, w.Env...)
}

// Run runs the CLI to its end. A status other than 0 is a Result, not an error.
func (w *Workspace) Run(ctx context.Context, args ...string) (Result, error) {
	var stdout, stderr bytes.Buffer
	command := w.Command(ctx, args...)
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil
	}
	result := Result{Args: args, Stdout: stdout.String(), Stderr: stderr.String(), Status: -1}
	if command.ProcessState != nil {
		result.Status = command.ProcessState.ExitCode()
	}
	return result, err
}
