// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// code matches what is quoted as code in a page: fenced blocks, and text in backticks.
var code = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")

// TestEachThingHasOneName holds the table of words in CONTRIBUTING.md against the pages, the examples and the program: none of
// the other names is used.
func TestEachThingHasOneName(t *testing.T) {
	t.Parallel()
	table := section(t, "CONTRIBUTING.md", "## Words")
	wrong := map[string]string{} // the name to use, by another name
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \|(?: [^|]+)? \| ([^|]+) \|$`).FindAllStringSubmatch(table, -1) {
		for other := range strings.SplitSeq(row[2], ", ") {
			wrong[other] = row[1]
		}
	}
	delete(wrong, "not") // the head of the table
	if len(wrong) < 20 {
		t.Fatalf("the table has %d other names", len(wrong))
	}
	var any []string
	for other := range wrong {
		any = append(any, regexp.QuoteMeta(other))
	}
	others := regexp.MustCompile(`\b(` + strings.Join(any, "|") + `)(s?)\b`)
	texts := 0
	for _, name := range files(t) {
		if !isProse(name) {
			continue
		}
		texts++
		text := read(t, name)
		if name == "CONTRIBUTING.md" {
			text = strings.Replace(text, table, "", 1)
		}
		if path.Ext(name) != ".go" {
			text = code.ReplaceAllString(text, "")
		}
		for line := range strings.SplitSeq(text, "\n") {
			if found := others.FindStringSubmatch(line); found != nil {
				t.Errorf("%s: write %q, not %q: %s", name, wrong[found[1]], found[1], strings.TrimSpace(line))
			}
		}
	}
	if texts < 100 {
		t.Errorf("looked at %d files", texts)
	}
}

// TestEachProxyIsNamed fails if a page says "proxy" alone. There are two kinds: the API proxy of this project, and the network
// proxy between a machine and the internet. A server of other people may have a reverse proxy.
func TestEachProxyIsNamed(t *testing.T) {
	t.Parallel()
	alone := regexp.MustCompile(`(?:^|[^\pL_./-])(\pL*)\s*(?:\[|\*\*)?\b[Pp]rox(?:y|ies)\b`)
	noText := regexp.MustCompile(`\]\([^)]*\)|\{\{.*?\}\}`)
	named := 0
	for _, name := range files(t) {
		internal := strings.HasPrefix(name, "internal/") || name == "CONTRIBUTING.md" || name == "DESIGN.md" // have the names of code
		if ext := path.Ext(name); ext != ".md" && ext != ".tmpl" || strings.HasPrefix(name, "docs/") || internal {
			continue
		}
		text := noText.ReplaceAllString(code.ReplaceAllString(read(t, name), "X"), "")
		for _, found := range alone.FindAllStringSubmatch(text, -1) {
			switch strings.ToLower(found[1]) {
			case "api", "network", "reverse":
				named++
			default:
				t.Errorf("%s: write API proxy, network proxy or reverse proxy: %q", name, strings.TrimSpace(found[0]))
			}
		}
	}
	if named < 100 {
		t.Errorf("%d proxies were found", named)
	}
}

// isProse reports whether people read the file: pages, examples, and the program with its messages and comments. It leaves out
// the pages that are generated, and the tests, which repeat what others write.
func isProse(name string) bool {
	switch path.Ext(name) {
	case ".md", ".tmpl", ".tf", ".sh", ".yml":
		return !strings.HasPrefix(name, "docs/")
	case ".go":
		return !strings.HasSuffix(name, "_test.go")
	}
	return false
}
