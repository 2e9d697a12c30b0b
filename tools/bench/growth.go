// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// growth measures plans with increasing numbers of ephemeral blocks. The provider runs under the meter, which adds the same
// few milliseconds to every plan, so it does not change the slopes.
func (b *bench) growth(ctx context.Context) (string, error) {
	rounds := (b.runs + 1) / 2
	found := map[int]costs{}
	for _, n := range b.points {
		progress(fmt.Sprintf("plan with %d ephemeral blocks, %d rounds", n, rounds))
		var err error
		if found[n], err = b.rounds(ctx, rounds, "ephemeral", n, true, "plan", "-no-color"); err != nil {
			return "", err
		}
	}
	if b.plot != "" {
		if err := os.WriteFile(b.plot, []byte(draw(b.points, found)), 0o644); err != nil {
			return "", err
		}
	}
	text := fmt.Sprintf("Growth: plans of ephemeral blocks, medians of %d runs:\n\n", rounds) + byBlocks(b.points, found)
	if len(b.points) > 1 {
		text += "\nWhat each further block costs (slope of the least squares line):\n\n" + slopes(b.points, found)
	}
	return text, nil
}

func byBlocks(points []int, found map[int]costs) string {
	t := table{{"blocks", "this provider, s", "constant, s", "one request per block, s", "requests", "of one per block", "memory of the provider, MB", "of the constant, MB"}}
	for _, n := range points {
		c := found[n]
		t.add(integer(n), c.of(ours, seconds).format(2), c.of(constant, seconds).format(2), c.of(perBlock, seconds).format(2),
			c.of(ours, requests).format(0), c.of(perBlock, requests).format(0),
			c.of(ours, providerMegabytes).format(1), c.of(constant, providerMegabytes).format(1))
	}
	return t.String()
}

func slopes(points []int, found map[int]costs) string {
	t := table{{"", "this provider", "constant", "one request per block", "to the constant"}}
	for _, row := range []struct {
		name   string
		figure func(cost) float64
		scale  float64
		digits int
	}{
		{"wall time, ms", seconds, 1e3, 3},
		{"processor time of CLI and provider, ms", processorSeconds, 1e3, 3},
		{"processor time of the provider, ms", providerProcessor, 1e3, 3},
		{"peak memory of the provider, kB", providerMegabytes, 1e3, 2},
	} {
		of := func(s series) sample { return slopeOfRuns(points, found, s, row.figure).scaled(row.scale) }
		t.add(row.name, of(ours).format(row.digits), of(constant).format(row.digits), of(perBlock).format(row.digits),
			of(ours).over(of(constant)).spread(3))
	}
	return t.String()
}

// slopeOfRuns returns the slope of each round.
func slopeOfRuns(points []int, found map[int]costs, s series, figure func(cost) float64) sample {
	var all sample
	for round := range found[points[0]][s.name] {
		var x, y []float64
		for _, n := range points {
			x = append(x, float64(n))
			y = append(y, figure(found[n][s.name][round]))
		}
		all = append(all, slope(x, y))
	}
	return all
}

// largest returns the largest median of a figure over all series.
func largest(points []int, found map[int]costs, figure func(cost) float64) float64 {
	most := 0.0
	for _, n := range points {
		for _, s := range rivals {
			most = max(most, found[n].of(s, figure).median())
		}
	}
	return most
}

func last(points []int) int { return slices.Max(points) }
