// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Gotest shows what tests do, for make. Each argument is a command with the output of "go test -json". Gotest runs one after the
// other, prints a line for each package as it ends, a line for each slow test, what failed, and at the end the processor time.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// slow is the duration in seconds from which a test is worth a line.
const slow = 10

func main() {
	began, used, failed := time.Now(), time.Duration(0), false
	for _, command := range os.Args[1:] {
		fmt.Printf("== %.100s\n", command)
		took, err := run(strings.Fields(command))
		if err != nil {
			fmt.Printf("FAIL  %.100s: %v\n", command, err)
			failed = true
		}
		used += took
		fmt.Printf("      %.0f s of processor time\n", took.Seconds())
	}
	fmt.Printf("%.0f s of processor time (user and system) in %s\n", used.Seconds(), time.Since(began).Round(time.Second))
	if failed {
		os.Exit(1)
	}
}

// run runs a command. It returns the processor time of the command and of all processes that the command waited for.
func run(args []string) (time.Duration, error) {
	command := exec.CommandContext(context.Background(), args[0], args[1:]...)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := command.Start(); err != nil {
		return 0, err
	}
	tests, err := tell(output)
	if err == nil && tests == 0 {
		err = errors.New("no test has run")
	}
	err = errors.Join(err, command.Wait())
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime(), err
}

// event is a line of go test -json. See "go doc test2json".
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64 // in seconds
}

// progress is what is known about a package whose tests run.
type progress struct {
	tests, skipped int
	names          []string            // of the tests that have started; "": the package itself
	output         map[string][]string // of the tests that have not passed, by name
}

// tell prints what happens, until the events end. It returns the number of tests.
func tell(events io.Reader) (tests int, err error) {
	packages := map[string]*progress{}
	for decoder := json.NewDecoder(events); ; {
		var e event
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			for _, p := range packages {
				tests += p.tests
			}
			return tests, nil
		} else if err != nil {
			return 0, err
		}
		if packages[e.Package] == nil {
			packages[e.Package] = &progress{output: map[string][]string{}}
		}
		packages[e.Package].tell(e)
	}
}

func (p *progress) tell(e event) {
	switch {
	case e.Action == "build-output":
		fmt.Print(e.Output)
	case e.Action == "output":
		p.keep(e)
	case e.Test != "":
		p.endTest(e)
	case e.Action == "fail":
		for _, name := range p.names {
			fmt.Print(strings.Join(p.output[name], ""))
		}
		fallthrough
	case e.Action == "pass" && p.tests > 0:
		fmt.Printf("%-4s  %s: %d tests, %d skipped, %.0f s\n", map[string]string{"pass": "ok", "fail": "FAIL"}[e.Action], e.Package, p.tests, p.skipped, e.Elapsed)
	}
}

// keep keeps the output of a test until the test passes.
func (p *progress) keep(e event) {
	if strings.HasPrefix(e.Output, "=== ") {
		return
	}
	if p.output[e.Test] == nil {
		p.names = append(p.names, e.Test)
	}
	p.output[e.Test] = append(p.output[e.Test], e.Output)
}

// endTest counts a test that has ended, without its subtests.
func (p *progress) endTest(e event) {
	if e.Action != "pass" && e.Action != "fail" && e.Action != "skip" {
		return
	}
	if e.Action != "fail" {
		delete(p.output, e.Test)
	}
	if strings.Contains(e.Test, "/") {
		return
	}
	p.tests++
	if e.Action == "skip" {
		p.skipped++
	}
	if e.Elapsed >= slow {
		fmt.Printf("      %s: %.0f s\n", e.Test, e.Elapsed)
	}
}
