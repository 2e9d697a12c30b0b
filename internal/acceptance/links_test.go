// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/troubleshooting"
)

// Each link between pages leads to a file, and to a section of it.
func TestEveryLinkLeadsToASection(t *testing.T) {
	t.Parallel()
	links := 0
	for _, page := range files(t) {
		if path.Ext(page) != ".md" || strings.Contains(page, "testdata/") {
			continue
		}
		text := code.ReplaceAllStringFunc(read(t, page), func(quoted string) string {
			return regexp.MustCompile(`[\[\]()]`).ReplaceAllString(quoted, "")
		})
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			links++
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join(repository, file)); err != nil {
				t.Errorf("%s: %s leads nowhere", page, link[1])
				continue
			}
			if anchor != "" && !anchors(t, file)[anchor] {
				t.Errorf("%s: %s leads to no section", page, link[1])
			}
		}
	}
	t.Logf("%d links", links)
	if links < 200 {
		t.Error("too few were found")
	}
}

// anchors returns the anchors of a page.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	text := regexp.MustCompile("(?s)\n```.*?\n```").ReplaceAllString(read(t, page), "")
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(heading[1], "$1")
		found[troubleshooting.Anchor(plain)] = true
	}
	for _, mark := range regexp.MustCompile(`<a id="([^"]+)">`).FindAllStringSubmatch(text, -1) {
		found[mark[1]] = true
	}
	return found
}
