// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// series is one way to get a token for each block.
type series struct {
	name   string
	binary string
	env    []string
}

// The series. All of them use the same platform and the same configuration.
var (
	ours     = series{name: "this provider", binary: "provider"}
	constant = series{name: "constant", binary: "constant"}
	perBlock = series{name: "one request per block", binary: "constant", env: []string{"BENCH_ASK=1"}}
	rivals   = []series{ours, constant, perBlock}
)

// cost is the cost of one run of the CLI. The provider's own figures are zero unless the run was metered.
type cost struct {
	seconds, processor, requests         float64
	providerProcessor, providerMegabytes float64
}

// costs are the costs of several runs, by the name of the series.
type costs map[string][]cost

func (c costs) of(s series, figure func(cost) float64) sample {
	var all sample
	for _, one := range c[s.name] {
		all = append(all, figure(one))
	}
	return all
}

func seconds(c cost) float64           { return c.seconds }
func processorSeconds(c cost) float64  { return c.processor }
func requests(c cost) float64          { return c.requests }
func providerProcessor(c cost) float64 { return c.providerProcessor }
func providerMegabytes(c cost) float64 { return c.providerMegabytes }

const configuration = `
terraform {
  required_providers {
    ixtoken = { source = "ixtoken/ixtoken" }
  }
}

%s "equinix_access_token" "many" {
  provider = ixtoken
  count    = %d
}
`

// once runs one command of the CLI with a new configuration and a new platform.
func (b *bench) once(ctx context.Context, s series, kind string, blocks int, metered bool, args ...string) (cost, error) {
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return cost{}, err
	}
	defer os.RemoveAll(dir)
	platforms, err := simulator.Start(simulator.Options{})
	if err != nil {
		return cost{}, err
	}
	defer platforms.Close() //nolint:errcheck // only reads are lost
	platforms.Equinix.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		wait(r.Context(), b.delay)
		return false
	})

	plugin := b.binary(s.binary)
	environment := append(platforms.Environment(), s.env...)
	meter := filepath.Join(dir, "meter")
	if metered {
		environment = append(environment, "BENCH_METER_RUN="+plugin, "BENCH_METER_FILE="+meter)
		plugin = b.binary("meter")
	}
	workspace, err := terraform.Open(dir, b.cli, filepath.Dir(plugin))
	if err != nil {
		return cost{}, err
	}
	workspace.Env = environment
	if err := workspace.Write("main.tf", fmt.Sprintf(configuration, kind, blocks)); err != nil {
		return cost{}, err
	}
	command := workspace.Command(ctx, args...)
	start := time.Now()
	output, err := command.CombinedOutput()
	taken := time.Since(start)
	if err != nil {
		return cost{}, fmt.Errorf("%s, %v: %w\n%s", s.name, args, err, output)
	}
	c := cost{
		seconds:   taken.Seconds(),
		processor: (command.ProcessState.UserTime() + command.ProcessState.SystemTime()).Seconds(),
		requests:  float64(len(platforms.Equinix.Requests())),
	}
	if metered {
		c.providerProcessor, c.providerMegabytes, err = readMeter(meter)
	}
	return c, err
}

// wait waits for the duration, or until the context ends.
func wait(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// readMeter returns the sum of the processor times of a run's provider processes, and the largest of their peak memories.
func readMeter(file string) (processor, megabytes float64, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		var nanoseconds, bytes float64
		if _, err := fmt.Sscan(line, &nanoseconds, &bytes); err != nil {
			return 0, 0, err
		}
		processor += nanoseconds / 1e9
		megabytes = max(megabytes, bytes/1e6)
	}
	return processor, megabytes, nil
}

// rounds runs all series in turns. Each round starts with another series.
func (b *bench) rounds(ctx context.Context, count int, kind string, blocks int, metered bool, args ...string) (costs, error) {
	found := costs{}
	for round := range count {
		for i := range rivals {
			s := rivals[(round+i)%len(rivals)]
			c, err := b.once(ctx, s, kind, blocks, metered, args...)
			if err != nil {
				return nil, err
			}
			found[s.name] = append(found[s.name], c)
		}
	}
	return found, nil
}

// wholeRuns compares plan and apply with many blocks that share one token.
func (b *bench) wholeRuns(ctx context.Context) (string, error) {
	head := table{{
		fmt.Sprintf("%d blocks", b.blocks), "this provider, s", "constant, s", "one request per block, s",
		"to the constant", "processor time", "to one per block", "requests", "of one per block",
	}}
	t := head
	for _, kind := range []string{"ephemeral", "data"} {
		for _, args := range [][]string{{"plan"}, {"apply", "-auto-approve"}} {
			progress(fmt.Sprintf("%s with %d %s blocks, %d rounds", args[0], b.blocks, kind, b.runs))
			found, err := b.rounds(ctx, b.runs, kind, b.blocks, false, append(args, "-no-color")...)
			if err != nil {
				return "", err
			}
			t.add(
				kind+", "+args[0],
				found.of(ours, seconds).format(2), found.of(constant, seconds).format(2), found.of(perBlock, seconds).format(2),
				found.of(ours, seconds).over(found.of(constant, seconds)).spread(3),
				found.of(ours, processorSeconds).over(found.of(constant, processorSeconds)).spread(3),
				found.of(ours, seconds).over(found.of(perBlock, seconds)).spread(2),
				found.of(ours, requests).format(0), found.of(perBlock, requests).format(0),
			)
		}
	}
	return "Whole runs of the CLI, default parallelism, a platform that takes " + b.delay.String() + " for a token:\n\n" + t.String(), nil
}

func integer(n int) string { return strconv.Itoa(n) }
