// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"html"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The picture in the README shows what the programs say: each of its lines is in the output of the session that it was made from.
func TestTheRecordingCanBeMadeAgain(t *testing.T) {
	t.Parallel()
	if openTofu(t) {
		t.Skip("the recording was made with Terraform")
	}
	session := strings.Replace(read(t, "tools/recording/session.sh"), "cli=$(", "cli="+filepath.Base(cliPath)+" # $(", 1)
	output, status := runShell(t, strings.ReplaceAll(session, "sleep 1\n", ""), "-lifetime", "4s")
	if status != 0 {
		t.Errorf("status %d", status)
	}
	// In which second the token ends, and how long a step takes, differs.
	varies := regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]|[0-9]+`)
	plain := func(text string) string { return strings.Join(strings.Fields(varies.ReplaceAllString(text, "")), " ") }
	said := plain(output) // in one line, because Terraform breaks lines elsewhere on a terminal
	shown, renewed := 0, false
	for _, text := range regexp.MustCompile(`<text [^>]*>(.*)</text>`).FindAllStringSubmatch(read(t, "tools/recording/recording.svg"), -1) {
		line := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text[1], ""))
		shown++
		renewed = renewed || regexp.MustCompile(`^ *\d+  401 +200$`).MatchString(line)
		if !strings.Contains(said, plain(line)) {
			t.Errorf("the programs do not say %q", line)
		}
	}
	if shown < 30 || !renewed {
		t.Errorf("%d lines, and it shows a renewal: %v", shown, renewed)
	}
}
