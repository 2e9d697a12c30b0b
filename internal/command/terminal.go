// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Terminal is what is known of the screen that a person looks at.
type Terminal struct {
	// Width is the number of characters in a line; zero: unknown, so lines have 80.
	Width int
	// Colour says that standard error shows colours.
	Colour bool
	// Interactive says that standard output is a terminal, so that a person sees each line as it is written.
	Interactive bool
}

// defaultWidth is the width of a line if the terminal's is unknown, and leastWidth the least that is obeyed.
const defaultWidth, leastWidth = 80, 60

// terminalOf returns what is known of the screen of this process. COLUMNS overrides the width. NO_COLOR
// (https://no-color.org) and TERM=dumb turn colours off.
func terminalOf(stdout, stderr *os.File, getenv func(string) string) Terminal {
	found := Terminal{Interactive: term.IsTerminal(int(stdout.Fd()))}
	if term.IsTerminal(int(stderr.Fd())) {
		found.Colour = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && showsColours(stderr)
	}
	for _, file := range []*os.File{stdout, stderr} {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && found.Width == 0 {
			found.Width = width
		}
	}
	if width, err := strconv.Atoi(getenv("COLUMNS")); err == nil && width > 0 {
		found.Width = width
	}
	return found
}

// width returns the number of characters in a line.
func (t Terminal) width() int { return max(leastWidth, cmp.Or(t.Width, defaultWidth)) }

// The escape sequences of ECMA-48 (SGR).
const (
	red, yellow, plain = "\x1b[1;31m", "\x1b[1;33m", "\x1b[0m" // the first two are bold
)

// label returns the first word of a message, in colour where that is shown.
func (t Terminal) label(text, colour string) string {
	if !t.Colour {
		return text
	}
	return colour + text + plain
}

// wrap breaks each line of text that is longer than width between two words. What follows has the indentation of the line.
// A word that is longer than a line, such as a URL, stays whole, and stays behind the word before it.
func wrap(text string, width int) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		words := strings.TrimLeft(line, " ")
		indent := len(line) - len(words)
		hang := indent
		if strings.HasPrefix(words, "- ") { // an item of a list
			hang += 2
		}
		lines[i] = strings.Repeat(" ", indent) + wrapWords(words, indent, hang, width)
	}
	return strings.Join(lines, "\n")
}

// wrapWords breaks text, which begins in the column start, between two words. Further lines begin in the column hang.
func wrapWords(text string, start, hang, width int) string {
	var out strings.Builder
	used := start
	for i, word := range strings.Split(text, " ") {
		length := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case used+1+length > width && hang+length <= width:
			out.WriteString("\n" + strings.Repeat(" ", hang))
			used = hang
		default:
			out.WriteByte(' ')
			used++
		}
		out.WriteString(word)
		used += length
	}
	return out.String()
}

// table lays out rows with aligned columns. The last column is wrapped. In a row of three and more columns that is wider than
// width, it stands on a line of its own below.
func table(rows [][]string, width int) string {
	const margin, gap, below = 2, 2, 6
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		last := len(row) - 1
		line := strings.Repeat(" ", margin)
		for i, cell := range row[:last] {
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+gap)
		}
		start := utf8.RuneCountInString(line)
		if last > 1 && start+utf8.RuneCountInString(row[last]) > width {
			line, start = strings.TrimRight(line, " ")+"\n"+strings.Repeat(" ", below), below
		}
		fmt.Fprintln(&out, strings.TrimRight(line+wrapWords(row[last], start, start, width), " "))
	}
	return out.String()
}

// inWords returns a duration as a person says it, with at most two units: 1 hour 5 minutes.
func inWords(d time.Duration) string {
	units := []struct {
		name string
		of   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}}
	for i, unit := range units {
		if d < unit.of {
			continue
		}
		said := count(int64(d/unit.of), unit.name)
		if i+1 < len(units) {
			if rest := d % unit.of / units[i+1].of; rest > 0 {
				said += " " + count(int64(rest), units[i+1].name)
			}
		}
		return said
	}
	return "less than a second"
}

// count returns a number with its unit: 1 hour, 2 hours.
func count(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// moment returns a time for a person and for a program: in 5 minutes (2026-01-02T15:04:05Z).
func moment(at time.Time) string {
	words := "now"
	switch left := time.Until(at); {
	case left >= time.Second:
		words = "in " + inWords(left)
	case left <= -time.Second:
		words = inWords(-left) + " ago"
	}
	return words + " (" + at.UTC().Format(time.RFC3339) + ")"
}
