// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// sample is one figure from several runs, in their order.
type sample []float64

// median is the middle value; the mean of the middle two where there is none.
func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// over divides run by run, so that what slows a whole round down cancels.
func (s sample) over(other sample) sample {
	ratios := make(sample, min(len(s), len(other)))
	for i := range ratios {
		ratios[i] = s[i] / other[i]
	}
	return ratios
}

// scaled is the sample in another unit.
func (s sample) scaled(factor float64) sample {
	other := make(sample, len(s))
	for i, value := range s {
		other[i] = value * factor
	}
	return other
}

// format writes the median.
func (s sample) format(digits int) string { return fmt.Sprintf("%.*f", digits, s.median()) }

// spread writes the median, the minimum and the maximum.
func (s sample) spread(digits int) string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, s.median(), digits, slices.Min(s), digits, slices.Max(s))
}

// slope is that of the least squares line through the points.
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

// table is a Markdown table whose first row is its head.
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
