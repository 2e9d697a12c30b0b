// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package troubleshooting

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every section of the guide can be found at its top: in the index, or in the list before it.
func TestEachSectionIsListedAtTheTop(t *testing.T) {
	g, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Headings) < 70 || len(g.Index) < 90 {
		t.Fatalf("%d sections, %d rows", len(g.Headings), len(g.Index))
	}
	text, err := os.ReadFile("../../docs/guides/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	top, _, _ := strings.Cut(string(text), "\n## Errors of Terraform")
	for _, heading := range g.Headings {
		if !strings.Contains(top, "(#"+Anchor(heading)+")") {
			t.Errorf("nothing at the top leads to %q", heading)
		}
	}
	for _, row := range g.Index {
		if !slices.ContainsFunc(g.Headings, func(heading string) bool { return Anchor(heading) == row.Anchor }) {
			t.Errorf("%q leads to no section: #%s", row.Text, row.Anchor)
		}
	}
}

// Readers look for words in the order of the alphabet, without signs.
func TestTheIndexIsSorted(t *testing.T) {
	g, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	signs := regexp.MustCompile(`[^a-z0-9 ]`)
	key := func(row Row) string { return strings.TrimSpace(signs.ReplaceAllString(strings.ToLower(row.Text), "")) }
	for i := 1; i < len(g.Index); i++ {
		if key(g.Index[i-1]) > key(g.Index[i]) {
			t.Errorf("%q stands before %q", g.Index[i-1].Text, g.Index[i].Text)
		}
	}
}

func TestAMessageIsFound(t *testing.T) {
	g := Guide{Headings: []string{"settings are missing", "invalid attribute"}, Index: []Row{row("settings are missing", "settings-are-missing"), row("invalid …", "invalid-attribute")}}
	for _, row := range []struct {
		summary, anchor string
		found           bool
	}{
		{"No Equinix access token: settings are missing", "settings-are-missing", true},
		{"No Equinix access token: invalid base_url", "invalid-attribute", true},
		{"No Equinix access token: settings are missing", "invalid-attribute", false},
		{"No Equinix access token: settings are missing now", "settings-are-missing", false},
		{"No Equinix access token: reinvalid x", "invalid-attribute", false},
		{"something", "nowhere", false},
	} {
		if err := g.Check(row.summary, row.anchor); (err == nil) != row.found {
			t.Errorf("%q, #%s: %v", row.summary, row.anchor, err)
		}
	}
}
