// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// widest is how many characters the cells of a row may have in all. A wider table scrolls sideways in a window of 1,000 pixels.
const widest = 130

// The tables of the pages fit into a window. What has longer rows is a list.
func TestEachTableFitsAWindow(t *testing.T) {
	t.Parallel()
	rows := 0
	for _, name := range files(t) {
		if name != "README.md" && name != "SECURITY.md" && (!strings.HasPrefix(name, "docs/") || path.Ext(name) != ".md") {
			continue
		}
		for line := range strings.SplitSeq(read(t, name), "\n") {
			if !strings.HasPrefix(line, "| ") {
				continue
			}
			rows++
			shown := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(line, "$1")
			shown = strings.NewReplacer("`", "", "*", "", " | ", "", "| ", "", " |", "").Replace(shown)
			if got := utf8.RuneCountInString(shown); got > widest {
				t.Errorf("%s: %d characters in the row %s", name, got, line)
			}
		}
	}
	if rows < 200 {
		t.Errorf("%d rows were found", rows)
	}
}
