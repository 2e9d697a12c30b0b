// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"io"
	"log"
	"os"
	"path"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/build"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/process"
)

// Program is one of the programs that contain the command.
type Program struct {
	// Name is the name under which the program is published. The version and the User-Agent header have it.
	Name string
	// Plugin says that Terraform and OpenTofu start the same program.
	Plugin bool
}

// Main runs the command as this process and returns the exit status. It protects the memory of the process and handles its
// signals. args are those of the process: the first one is the name under which it was started.
func Main(program Program, args []string) (status int) {
	log.SetOutput(io.Discard)
	allowCoreDumps := process.ForbidCoreDumps()
	ctx, release := process.Interrupts()
	this := build.Read()
	return Run(ctx, System{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal:  terminalOf(os.Stdout, os.Stderr, os.Getenv),
		Environ:   os.Environ(),
		HandOver:  func() { release(); allowCoreDumps(); process.KeepIgnored() },
		Name:      startedAs(program, args),
		Plugin:    program.Plugin,
		Version:   program.Name + " " + this.String(),
		UserAgent: this.UserAgent(program.Name),
	}, conventional(args[min(1, len(args)):]))
}

// startedAs returns the name under which the program was started, as a person would type it. A parent may pass any text or
// none; then it is the program's own name.
func startedAs(program Program, args []string) string {
	if len(args) == 0 {
		return program.Name
	}
	name := path.Base(strings.ReplaceAll(args[0], string(os.PathSeparator), "/"))
	name = strings.TrimSuffix(strings.TrimPrefix(name, "-"), ".exe") // login shells start with "-"
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") != "" || strings.Trim(name, ".") == "" {
		return program.Name
	}
	return name
}

// conventional turns the flags that every program has into commands: --version and --help, also with one dash as in the
// plugins of Terraform.
func conventional(args []string) []string {
	if len(args) == 0 {
		return []string{"help"}
	}
	if len(args) == 1 {
		switch args[0] {
		case "-version", "--version":
			return []string{"version"}
		case "-help", "--help", "-h":
			return []string{"help"}
		}
	}
	return args
}
