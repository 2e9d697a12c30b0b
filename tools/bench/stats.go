// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// sample has one figure for each run, in the order of the runs.
type sample []float64

// median returns the middle value; the mean of the two middle values if their number is even; 0 for an empty sample.
func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// over returns the ratio of each run, so that a slowdown of a whole round cancels out.
func (s sample) over(other sample) sample {
	ratios := make(sample, min(len(s), len(other)))
	for i := range ratios {
		ratios[i] = s[i] / other[i]
	}
	return ratios
}

// scaled returns the sample in another unit.
func (s sample) scaled(factor float64) sample {
	other := make(sample, len(s))
	for i, value := range s {
		other[i] = value * factor
	}
	return other
}

// format formats the median.
func (s sample) format(digits int) string { return fmt.Sprintf("%.*f", digits, s.median()) }

// spread formats the median with the minimum and the maximum.
func (s sample) spread(digits int) string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, s.median(), digits, slices.Min(s), digits, slices.Max(s))
}

// slope returns the slope of the least squares line through the points.
func slope(x, y []float64) float64 {
	var meanX, meanY float64
	for i := range x {
		meanX += x[i] / float64(len(x))
		meanY += y[i] / float64(len(x))
	}
	var up, across float64
	for i := range x {
		up += (x[i] - meanX) * (y[i] - meanY)
		across += (x[i] - meanX) * (x[i] - meanX)
	}
	return up / across
}

// table is a Markdown table. Its first row is the head.
type table [][]string

func (t *table) add(cells ...string) { *t = append(*t, cells) }

func (t table) String() string {
	var text strings.Builder
	for i, row := range t {
		text.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			text.WriteString("|---" + strings.Repeat("|---:", len(row)-1) + "|\n")
		}
	}
	return text.String()
}
