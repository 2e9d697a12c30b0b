// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build linux

// Command recording runs session.sh in the shell of "make shell", on a terminal of its own, and writes what the terminal shows
// as an animated SVG. It needs the programs in .bin. Usage, in the root of the repository: go run ./tools/recording FILE.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: recording FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	session, err := os.ReadFile("tools/recording/session.sh")
	if err != nil {
		return err
	}
	shown, err := record(session)
	if err != nil {
		return err
	}
	lines, err := read(shown)
	if err != nil {
		return err
	}
	return os.WriteFile(file, draw(lines), 0o644)
}

// record runs the session and returns what it has written to its terminal, and when.
func record(session []byte) ([]piece, error) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = terminal.Close() }()
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width}),
	)
	if err != nil {
		return nil, err
	}
	screen, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	shell := exec.Command(".bin/demo", "shell", "-lifetime", "4s")
	shell.Stdin, shell.Stdout, shell.Stderr = bytes.NewReader(session), screen, screen
	shell.Env = append(os.Environ(), "SHELL=/bin/sh", "TERM=xterm-256color")
	if err := errors.Join(shell.Start(), screen.Close()); err != nil {
		return nil, err
	}
	var shown []piece
	start, buffer := time.Now(), make([]byte, 4096)
	for {
		n, err := terminal.Read(buffer)
		shown = append(shown, piece{time.Since(start), string(buffer[:n])})
		if err != nil { // nothing has the screen open any more
			break
		}
	}
	return shown, shell.Wait()
}
