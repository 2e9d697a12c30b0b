// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"
	"time"
)

// The terminal has width columns and height rows. The picture has the same.
const (
	width  = 80
	height = 24
)

// The recording shows a pause for longest at most, and its end for rest before it starts again.
const (
	longest = 1500 * time.Millisecond
	rest    = 4 * time.Second
)

// piece is what a terminal gets at once.
type piece struct {
	at   time.Duration // since the start
	text string
}

// line is a line on the screen, and when it is complete.
type line struct {
	at    time.Duration // since the first line
	spans []span
}

// span is text in one style.
type span struct{ style, text string }

var (
	clearScreen = "\x1b[2J"
	escape      = regexp.MustCompile(`\x1b\[([0-9;?]*)([A-Za-z])`)
)

// read returns the lines between the first two times that the screen is cleared.
func read(shown []piece) ([]line, error) {
	var lines []line
	var text, style string
	var clock, last time.Duration
	recording := false
	for _, p := range shown {
		clock += min(p.at-last, longest)
		last = p.at
		text += p.text
		before, after, cleared := strings.Cut(text, clearScreen)
		if !recording && cleared {
			recording, text, clock = true, after, 0
			before, _, cleared = strings.Cut(text, clearScreen)
		}
		for recording {
			row, more, complete := strings.Cut(before, "\n")
			if !complete {
				break
			}
			var spans []span
			spans, style = styled(strings.ReplaceAll(row, "\r", ""), style)
			lines = append(lines, line{clock, spans})
			text, before = text[len(row)+1:], more
		}
		if recording && cleared {
			return lines, nil
		}
	}
	return nil, errors.New("the session does not clear the screen twice")
}

// styled returns the text of a row by style, and the style at its end.
func styled(row, style string) ([]span, string) {
	var spans []span
	add := func(text string) {
		if text != "" {
			spans = append(spans, span{style, text})
		}
	}
	at := 0
	for _, match := range escape.FindAllStringSubmatchIndex(row, -1) {
		add(row[at:match[0]])
		at = match[1]
		if row[match[4]:match[5]] != "m" {
			continue // it moves the cursor
		}
		for code := range strings.SplitSeq(row[match[2]:match[3]], ";") {
			switch {
			case code == "" || code == "0":
				style = ""
			case code == "1":
				style = strings.TrimSpace(style + " b")
			case len(code) == 2 && (code[0] == '3' || code[0] == '9') && code[1] < '8':
				style = strings.TrimSpace(regexp.MustCompile(` ?\bc\d`).ReplaceAllString(style, "") + " c" + code[1:])
			}
		}
	}
	add(row[at:])
	return spans, style
}

// The size of a character, and of the border.
const (
	advance = 8.4
	rise    = 18
	border  = 16
)

// draw returns the picture. Without animations, it shows the end.
func draw(lines []line) []byte {
	end := lines[len(lines)-1].at + rest
	percent := func(at time.Duration) string { return fmt.Sprintf("%.2f%%", 100*at.Seconds()/end.Seconds()) }
	var style, text, scroll bytes.Buffer
	seen := map[string]int{}
	for i, l := range lines {
		at := percent(l.at)
		if _, ok := seen[at]; !ok {
			seen[at] = len(seen)
			fmt.Fprintf(&style, "@keyframes k%[1]d{0%%{visibility:hidden}%[2]s{visibility:visible}}.k%[1]d{animation-name:k%[1]d}\n", seen[at], at)
		}
		if i >= height {
			fmt.Fprintf(&scroll, "%s{transform:translateY(%dpx)}", at, -rise*(i-height+1))
		}
		if len(l.spans) == 0 {
			continue
		}
		fmt.Fprintf(&text, `<text class="k%d" y="%d">`, seen[at], rise*(i+1)-4)
		for _, s := range l.spans {
			if s.style == "" {
				text.WriteString(html.EscapeString(s.text))
				continue
			}
			fmt.Fprintf(&text, `<tspan class="%s">%s</tspan>`, s.style, html.EscapeString(s.text))
		}
		text.WriteString("</text>\n")
	}
	wide, high := int(width*advance)+2*border, rise*height+2*border
	var svg bytes.Buffer
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img">
<title>A recording of a terminal</title>
<style>
svg{--back:#0d1117;--c:#e6edf3;--c1:#ff7b72;--c2:#3fb950;--c3:#d29922;--c4:#58a6ff;--c5:#bc8cff;--c6:#39c5cf}
@media(prefers-color-scheme:light){svg{--back:#f6f8fa;--c:#1f2328;--c1:#cf222e;--c2:#116329;--c3:#7d4e00;--c4:#0969da;--c5:#8250df;--c6:#1b7c83}}
rect{fill:var(--back)}
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--c);white-space:pre;animation:%.2[3]fs step-end infinite}
g{transform:translateY(%[4]dpx);animation:scroll %.2[3]fs step-end infinite}
.b{font-weight:bold}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}
@keyframes scroll{0%%{transform:none}%[5]s}
%[6]s@media(prefers-reduced-motion){text,g{animation:none}}
</style>
<rect width="100%%" height="100%%" rx="8"/>
<svg x="%[7]d" y="%[7]d" width="%[8]d" height="%[9]d"><g>
%[10]s</g></svg>
</svg>
`, wide, high, end.Seconds(), -rise*max(0, len(lines)-height), scroll.String(), style.String(), border, wide-2*border, high-2*border, text.String())
	return svg.Bytes()
}
