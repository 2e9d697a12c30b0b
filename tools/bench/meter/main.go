// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

// Command meter takes the place of a provider's binary. It runs the provider, and appends its processor time in nanoseconds
// and its peak memory in bytes to a file. The CLI does not report them for the processes that it starts.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	signal.Ignore(os.Interrupt) // the CLI stops the provider, and then the meter ends
	if err := run(os.Getenv("BENCH_METER_RUN"), os.Getenv("BENCH_METER_FILE")); err != nil {
		fmt.Fprintln(os.Stderr, "meter:", err)
		os.Exit(1)
	}
}

func run(provider, file string) error {
	command := exec.Command(provider)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return err
	}
	usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not report the resource usage of a process")
	}
	unit := int64(1024) // bytes on macOS, kilobytes elsewhere
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	processor := command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	_, err = fmt.Fprintln(out, processor.Nanoseconds(), int64(usage.Maxrss)*unit) //nolint:unconvert // an int32 on some systems
	return errors.Join(err, out.Close())
}
