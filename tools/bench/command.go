// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// commandsEach is how many commands one run has, because a single command takes only milliseconds.
const commandsEach = 20

// command compares whole processes: a command that prints a token from the cache, the scaffold, which ends at once because
// no CLI has started it, and a program that prints a line.
func (b *bench) command(ctx context.Context) (string, error) {
	progress(fmt.Sprintf("commands, %d rounds", b.runs*commandsEach))
	platforms, err := simulator.Start(simulator.Options{})
	if err != nil {
		return "", err
	}
	defer func() { _ = platforms.Close() }() // a failure does not matter: the process ends
	environment := append(append(os.Environ(), platforms.Environment()...), "IXTOKEN_CACHE_DIR="+filepath.Join(b.dir, "cache"))
	programs := []struct {
		name, binary string
		args         []string
		status       int
	}{
		{"`ixtoken token equinix`, from the cache", "command", []string{"token", "equinix"}, 0},
		{"the same, with the provider's binary", "provider", []string{"token", "equinix"}, 0},
		{"the scaffold, without a CLI", "scaffold", nil, 1},
		{"a program that prints a line", "line", nil, 0},
	}
	wall, processor := make([]sample, len(programs)), make([]sample, len(programs))
	for round := range b.runs*commandsEach + 1 {
		for i := range programs {
			i = (i + round) % len(programs)
			p := programs[i]
			command := exec.CommandContext(ctx, b.binary(p.binary), p.args...)
			command.Env = environment
			begin := time.Now()
			_ = command.Run()
			took := time.Since(begin)
			if command.ProcessState == nil || command.ProcessState.ExitCode() != p.status {
				return "", fmt.Errorf("%s has not ended as it should", p.name)
			}
			if round > 0 { // the first round fills the cache
				wall[i] = append(wall[i], took.Seconds()*1e3)
				processor[i] = append(processor[i], (command.ProcessState.UserTime()+command.ProcessState.SystemTime()).Seconds()*1e3)
			}
		}
	}
	t := table{{"whole process", "wall time, ms", "processor time, ms", "wall time to a line"}}
	for i, p := range programs {
		t.add(p.name, wall[i].format(1), processor[i].format(1), wall[i].over(wall[len(programs)-1]).spread(2))
	}
	return t.String(), nil
}
