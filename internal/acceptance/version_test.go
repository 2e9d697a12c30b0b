// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// firstVersion is the last commit that keeps the marks on refresh tokens in entries of its own format.
const firstVersion = "81bada8"

// Two repositories on one runner may have two versions of this program, and one cache directory. A refresh token that one
// version has sent is not sent by the other.
func TestTwoVersionsShareOneDirectory(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	older := buildVersion(t, firstVersion)
	run := func(binary string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), binary, args...)
		command.Env = slices.Concat(os.Environ(), s.Env)
		output, err := command.Output()
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return string(output)
	}
	for name, turns := range map[string][]string{
		"the older one first": {older, provider(), older, provider()},
		"the newer one first": {provider(), older, provider(), older},
	} {
		dir, given := filepath.Join(t.TempDir(), "cache"), filepath.Join(t.TempDir(), "refresh-token")
		var first struct {
			RefreshToken string `json:"refresh_token"`
		}
		if err := json.Unmarshal([]byte(run(provider(), "token", "cloudlx", "--format", "json")), &first); err != nil || first.RefreshToken == "" {
			t.Fatalf("no refresh token: %v", err)
		}
		if err := os.WriteFile(given, []byte(first.RefreshToken), 0o600); err != nil {
			t.Fatal(err)
		}
		run(older, "token", "cloudlx", "--token-cache-dir", dir) // so that the newer one sees that the older one is in use
		before := len(s.CloudLX.Requests())
		for _, binary := range turns {
			run(binary, "token", "cloudlx", "--previous-refresh-token-file", given, "--token-cache-dir", dir)
		}
		refreshes := 0
		for _, r := range s.CloudLX.Requests()[before:] {
			if strings.Contains(r.Path, "refresh") {
				refreshes++
			}
		}
		if refreshes != 1 {
			t.Errorf("%s: the refresh token was sent %d times", name, refreshes)
		}
		files := func(prefix string) int { found, _ := filepath.Glob(filepath.Join(dir, prefix+"*")); return len(found) }
		if theirs := files("v1-"); theirs == 0 || files("v2-") == 0 || files("spent-") == 0 {
			t.Errorf("%s: %d files of the first version", name, theirs)
		}
		run(provider(), "cache", "clear", "--token-cache-dir", dir)
		if files("v1-") == 0 || files("spent-") == 0 {
			t.Errorf("cache clear has removed a mark: %d of the first version, %d of this one", files("v1-"), files("spent-"))
		}
	}
}

// buildVersion builds the program of another commit.
func buildVersion(t *testing.T, commit string) (binary string) {
	t.Helper()
	tree := t.TempDir()
	archive := filepath.Join(tree, "tree.tar")
	if output, err := exec.CommandContext(t.Context(), "git", "-C", "../..", "archive", "-o", archive, commit).CombinedOutput(); err != nil {
		t.Skipf("this copy of the repository has no commit %s: %s", commit, output)
	}
	for _, step := range [][]string{{"tar", "-xf", archive, "-C", tree}, {"go", "build", "-C", tree, "-trimpath", "-o", "older", "."}} {
		if output, err := exec.CommandContext(t.Context(), step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", step, err, output)
		}
	}
	return filepath.Join(tree, "older")
}
