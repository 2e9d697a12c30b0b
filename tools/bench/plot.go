// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The sizes of the picture, in pixels. It has two panels side by side below one legend.
const (
	pictureWidth, pictureHeight = 820, 340
	panelWidth, panelHeight     = 320, 210
	panelTop                    = 70
)

// style has colours for light and for dark pages, because GitHub shows the picture on both.
const style = `<style>
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .line { fill: none; stroke-width: 2.5 }
  .ours { stroke: #0969da } .ours-dot { fill: #0969da }
  .constant { stroke: #6e7781; stroke-dasharray: 6 4 } .constant-dot { fill: #6e7781 }
  .perblock { stroke: #cf222e } .perblock-dot { fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .grid { stroke: #3d444d }
    .ours { stroke: #58a6ff } .ours-dot { fill: #58a6ff }
    .constant { stroke: #9198a1 } .constant-dot { fill: #9198a1 }
    .perblock { stroke: #ff7b72 } .perblock-dot { fill: #ff7b72 }
  }
</style>
`

// drawn are the series with their CSS classes, in the order of drawing.
var drawn = []struct {
	series
	class string
}{{perBlock, "perblock"}, {ours, "ours"}, {constant, "constant"}}

// draw returns the picture: wall time and requests against the number of blocks.
func draw(points []int, found map[int]costs) string {
	var svg strings.Builder
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Blocks against wall time and against token requests">`+"\n", pictureWidth, pictureHeight)
	svg.WriteString(style)
	for i, s := range drawn {
		x := 70 + 190*i
		fmt.Fprintf(&svg, `<line class="line %s" x1="%d" y1="22" x2="%d" y2="22"/><text x="%d" y="26">%s</text>`+"\n", s.class, x, x+28, x+36, s.name)
	}
	panel(&svg, 70, "terraform plan, seconds", points, found, seconds)
	panel(&svg, 480, "token requests", points, found, requests)
	svg.WriteString("</svg>\n")
	return svg.String()
}

// panel draws one figure for all series.
func panel(svg *strings.Builder, left int, title string, points []int, found map[int]costs, figure func(cost) float64) {
	stepX, stepY := step(float64(last(points))), step(largest(points, found, figure))
	mostX, mostY := math.Ceil(float64(last(points))/stepX)*stepX, math.Ceil(largest(points, found, figure)/stepY)*stepY
	x := func(n float64) float64 { return float64(left) + n/mostX*panelWidth }
	y := func(value float64) float64 { return panelTop + panelHeight - value/mostY*panelHeight }

	fmt.Fprintf(svg, `<text x="%d" y="%d">%s</text>`+"\n", left-40, panelTop-16, title)
	for value := 0.0; value <= mostY; value += stepY {
		fmt.Fprintf(svg, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y(value), left+panelWidth, y(value), left-8, y(value)+4, tick(value))
	}
	for n := 0.0; n <= mostX; n += stepX {
		fmt.Fprintf(svg, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(n), panelTop+panelHeight+20, tick(n))
	}
	fmt.Fprintf(svg, `<text x="%d" y="%d" text-anchor="middle">ephemeral blocks</text>`+"\n", left+panelWidth/2, panelTop+panelHeight+42)
	for _, s := range drawn {
		var line, dots strings.Builder
		for _, n := range points {
			value := found[n].of(s.series, figure).median()
			fmt.Fprintf(&line, "%.1f,%.1f ", x(float64(n)), y(value))
			fmt.Fprintf(&dots, `<circle class="%s-dot" cx="%.1f" cy="%.1f" r="3.5"><title>%s, %d blocks: %s</title></circle>`,
				s.class, x(float64(n)), y(value), s.name, n, strconv.FormatFloat(value, 'g', 4, 64))
		}
		fmt.Fprintf(svg, `<polyline class="line %s" points="%s"/>%s`+"\n", s.class, strings.TrimSpace(line.String()), dots.String())
	}
}

// step returns a round distance between grid lines, so that there are about five lines up to most.
func step(most float64) float64 {
	if most <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most)))
	for _, factor := range []float64{0.2, 0.5, 1} {
		if most/(factor*power) <= 6 {
			return factor * power
		}
	}
	return 2 * power
}

// tick formats a number with a comma after the thousands.
func tick(value float64) string {
	if value < 1000 {
		return strconv.FormatFloat(value, 'g', 3, 64)
	}
	return fmt.Sprintf("%d,%03d", int(value)/1000, int(value)%1000)
}
