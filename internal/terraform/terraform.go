// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package terraform runs a real Terraform or OpenTofu with the provider that was built from this repository. The demo and the
// tests use it.
package terraform

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

// Workspace is a directory with a configuration in which one CLI runs. The CLI does not read the user's own CLI
// configuration.
type Workspace struct {
	// Dir is the directory of the configuration, in which the CLI runs.
	Dir string
	// Env has further environment variables for the CLI, as "NAME=value".
	Env []string

	cli     string   // the path of Terraform or OpenTofu
	config  string   // the file with the CLI's configuration
	plugins string   // the directory with the providers' binaries
	sources []string // the providers' source addresses
}

// Result is the output and the exit status of a command.
type Result struct {
	Args           []string
	Stdout, Stderr string
	// Status is the exit status; -1 if a signal ended the command.
	Status int
}

// Suffix ends the file names of programs on this system; empty except on Windows.
var Suffix = map[string]string{"windows": ".exe"}[runtime.GOOS]

// Open creates a Workspace in the existing directory dir for the CLI at path. Its providers are "ixtoken/ixtoken" and those
// with the source addresses in more. Their binaries are in the directory plugins. The Workspace needs no "init".
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
	// Without the method "direct", the CLI asks no registry, so commands need neither a network nor "init".
	return w, w.configure("  dev_overrides {\n" + overrides.String() + "  }\n")
}

// configure writes the CLI's configuration with the given installation methods.
func (w *Workspace) configure(installation string) error {
	return os.WriteFile(w.config, []byte("disable_checkpoint = true\nprovider_installation {\n"+installation+"}\n"), 0o600)
}

// Write writes a file of the configuration.
func (w *Workspace) Write(name, text string) error {
	return os.WriteFile(filepath.Join(w.Dir, name), []byte(text), 0o600)
}

// Command returns a command of the CLI, which is not started yet. The end of ctx interrupts it like Ctrl-C. On Windows, one
// process cannot interrupt another, so the end of ctx kills it.
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

// shells has the options that keep a shell from reading the user's start-up files. These may change variables that the
// Workspace sets.
var shells = map[string][]string{"bash": {"--norc"}, "zsh": {"-f"}, "fish": {"--no-config"}}

// Shell returns the user's shell, with the environment of this process and the variables of the Workspace.
func (w *Workspace) Shell(ctx context.Context) *exec.Cmd {
	name := cmp.Or(os.Getenv("SHELL"), "/bin/sh")
	return w.shell(ctx, name, shells[filepath.Base(name)]...)
}

// Script returns a shell with the environment of Shell that reads a script, and ends with the first command that fails.
func (w *Workspace) Script(ctx context.Context) *exec.Cmd { return w.shell(ctx, "/bin/sh", "-e") }

func (w *Workspace) shell(ctx context.Context, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = w.Dir
	command.Env = append(append(os.Environ(),
		"ENV=", // names the start-up file of other shells
		"PS1=ixtoken \\W $ ",
		"HISTFILE="+filepath.Join(filepath.Dir(w.config), "history"), "fish_history=", // the user's own history stays as it is
		"PATH="+filepath.Dir(w.cli)+string(filepath.ListSeparator)+os.Getenv("PATH")), w.environment()...)
	return command
}

func (w *Workspace) environment() []string {
	return append([]string{"TF_CLI_CONFIG_FILE=" + w.config, "CHECKPOINT_DISABLE=1"}, w.Env...)
}

// Run runs the CLI and waits for its end. An exit status other than 0 is not an error.
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
