// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// replaceProcess replaces this process by a program, as a shell's exec does. The program then has the streams, the signals,
// the terminal and the exit status to itself, and no token stays in the memory of a parent process.
func (c *invocation) replaceProcess(ctx context.Context, path string, args, env []string) error {
	c.HandOver()
	if ctx.Err() != nil {
		return &failure{status: statusInterrupted}
	}
	err := syscall.Exec(path, args, env) //nolint:gosec // the user's own command
	if errors.Is(err, syscall.ENOEXEC) && isText(path) {
		err = syscall.Exec(shellPath, slices.Concat([]string{shellPath, path}, args[1:]), env) //nolint:gosec // the user's own command
	}
	return newFailure(statusFailed, sectionStart, "The program could not be started", cause(err)+".")
}

// shellPath is the shell that runs a script without "#!".
const shellPath = "/bin/sh"

// lookPath finds the program that the user means, as a shell does: also through a relative entry of PATH. If the program is a
// script, its interpreter must exist.
func lookPath(args []string) (string, error) {
	path, err := exec.LookPath(args[0])
	if errors.Is(err, exec.ErrDot) {
		err = nil
	}
	if err != nil {
		return "", err
	}
	if !strings.Contains(path, "/") {
		path = "./" + path // a shell would look for it in PATH
	}
	if interpreter, found := strings.CutPrefix(firstLine(path), "#!"); found {
		if strings.HasSuffix(interpreter, "\r") {
			return "", unsuitable("The first line of the command after \"--\" ends in a carriage return. Save the file with the line ends of Unix")
		}
		if words := strings.Fields(interpreter); len(words) > 0 {
			if _, err := os.Stat(words[0]); err != nil {
				return "", unsuitable("The first line of the command after \"--\" names a program that cannot be found")
			}
		}
	}
	return path, nil
}

// isText reports whether a file that the system cannot execute looks like a script. Shells look for a zero byte, too.
func isText(path string) bool { return !strings.Contains(firstLine(path), "\x00") }

// firstLine returns the first line of a file, as far as it can be read.
func firstLine(path string) string {
	file, err := os.Open(path) //nolint:gosec // the user's own command
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }() // only reads
	start, _ := bufio.NewReader(file).Peek(256)
	line, _, _ := bytes.Cut(start, []byte("\n"))
	return string(line)
}
