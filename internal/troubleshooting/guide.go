// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package troubleshooting holds the messages against the guide of that name, in the tests of the packages that print them.
package troubleshooting

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
)

// Guide is the page.
type Guide struct {
	Headings []string // of its sections, without emphasis
	Index    []Row
}

// Row is a row of the index at the top of the page.
type Row struct {
	Text   string // what the screen says at the end of a summary; "…" stands for a name
	Anchor string // of the section

	ending *regexp.Regexp // of the summaries from which the row leads
}

var (
	headings = regexp.MustCompile(`(?m)^### (.+)$`)
	rows     = regexp.MustCompile("(?m)^\\| `([^|]+)` \\| \\[[^|]+\\]\\(#([^|]+)\\) \\|$")
	dropped  = regexp.MustCompile(`[^\pL\pN _-]`)
)

// Read reads the page, once. The working directory is that of a package in internal.
var Read = sync.OnceValues(read)

func read() (Guide, error) {
	text, err := os.ReadFile("../../docs/guides/troubleshooting.md")
	if err != nil {
		return Guide{}, err
	}
	var g Guide
	for _, match := range headings.FindAllStringSubmatch(string(text), -1) {
		g.Headings = append(g.Headings, strings.NewReplacer("*", "", "`", "").Replace(match[1]))
	}
	for _, match := range rows.FindAllStringSubmatch(string(text), -1) {
		g.Index = append(g.Index, row(match[1], match[2]))
	}
	return g, nil
}

func row(text, anchor string) Row {
	parts := strings.Split(text, "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return Row{text, anchor, regexp.MustCompile(`(?:^|\s)` + strings.Join(parts, ".+") + `$`)}
}

// Anchor returns the anchor of a heading, as GitHub makes it.
func Anchor(heading string) string {
	return strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// Check returns an error unless the page has a section with the anchor, and a row of the index leads to it from the summary of
// a message.
func (g Guide) Check(summary, anchor string) error {
	for _, heading := range g.Headings {
		if Anchor(heading) == anchor {
			return g.find(summary, anchor)
		}
	}
	return fmt.Errorf("the guide has no section #%s for %q", anchor, summary)
}

func (g Guide) find(summary, anchor string) error {
	for _, row := range g.Index {
		if row.Anchor == anchor && row.ending.MatchString(summary) {
			return nil
		}
	}
	return fmt.Errorf("no row of the index leads from %q to #%s", summary, anchor)
}
