// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// step matches a step of "Add a platform" that names a file, and shows its text or the one line that changes.
var step = regexp.MustCompile("(?s)\\*\\*\\d\\. [^*]+\\*\\*[^`]*`(internal/[a-z/.]+)`[^*]*?\n```go\n(.*?)```")

// TestAddingAPlatformWorks follows "Add a platform" in CONTRIBUTING.md in a copy of the tree, and runs there the tests and
// the generator that a newcomer would run.
func TestAddingAPlatformWorks(t *testing.T) {
	t.Parallel()
	needCLI(t)
	tree := copyOfTheTree(t)
	steps := step.FindAllStringSubmatch(read(t, "CONTRIBUTING.md"), -1)
	if len(steps) != 5 {
		t.Fatalf("CONTRIBUTING.md has %d steps with code", len(steps))
	}
	for _, found := range steps {
		path, text := filepath.Join(tree, found[1]), found[2]
		if before, err := os.ReadFile(path); err == nil { // a list: one line takes the place of another
			start, _, _ := strings.Cut(text, "{")
			line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(start) + `\{.*\n`)
			if got := len(line.FindAllIndex(before, -1)); got != 1 {
				t.Fatalf("%s has %d lines that begin with %q", found[1], got, start)
			}
			text = line.ReplaceAllLiteralString(string(before), text)
		}
		put(t, path, text)
	}
	for example, from := range map[string]string{
		"ephemeral-resources/%_access_token/ephemeral-resource.tf": "interxion", "data-sources/%_access_token/data-source.tf": "interxion",
		"ephemeral-resources/%_api_proxy/ephemeral-resource.tf": "equinix",
	} {
		text := read(t, "examples/"+strings.ReplaceAll(example, "%", from))
		text = strings.NewReplacer("INTERXION_LOGIN_URL", "ACME_BASE_URL", "INTERXION", "ACME", from, "acme").Replace(text)
		put(t, filepath.Join(tree, "examples", strings.ReplaceAll(example, "%", "acme")), text)
	}

	in := func(name string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir = tree
		command.Env = append(os.Environ(), "TF_ACC_TERRAFORM_PATH="+cliPath, "TF_CLI_CONFIG_FILE=/dev/null")
		// With -trimpath, the build cache does not depend on the directory, so it has what the last run of this test compiled.
		command.Env = append(command.Env, "GOFLAGS="+os.Getenv("GOFLAGS")+" -trimpath")
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, output)
		}
		return string(output)
	}
	in("go", "vet", "./internal/clients", "./internal/platforms", "./internal/provider", "./internal/simulator")
	in("go", "test", "-run", "TestEvery", "./internal/platforms", "./internal/command")
	// A pattern also runs tests with fewer parts than it has, if those match. So "(…)" keeps the other examples out.
	output := in("go", "test", "-v", "-run", "TestEveryPlatformKeepsThePromises/.*/Acme|TestEveryExampleWorks/(.*-resources|data-sources)/acme_.*", "./internal/acceptance")
	for test, want := range map[string]int{"KeepsThePromises/[^/]*/Acme": 6, "ExampleWorks/ephemeral-resources/acme_": 2, "ExampleWorks/data-sources/acme_": 1} {
		if got := len(regexp.MustCompile(`--- PASS: \S*`+test).FindAllString(output, -1)); got != want {
			t.Errorf("%d tests of %s have passed, want %d:\n%s", got, test, want, output)
		}
	}
	program := filepath.Base(provider()) // the acceptance tests have built it
	if err := os.Rename(filepath.Join(tree, programDir, ".bin", program), filepath.Join(tree, ".bin", program)); err != nil {
		t.Fatal(err)
	}
	in("go", "run", "-C", "tools/docs", ".", cliPath)
	for _, name := range []string{"ephemeral-resources/acme_access_token", "ephemeral-resources/acme_api_proxy", "data-sources/acme_access_token"} {
		page, err := os.ReadFile(filepath.Join(tree, "docs", name+".md"))
		if err != nil || !strings.Contains(string(page), "ACME_CLIENT_ID") || !strings.Contains(string(page), "# "+filepath.Base(name)) {
			t.Errorf("the page %s: error %v\n%s", name, err, page)
		}
	}
}

// put writes a file.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// copyOfTheTree copies the repository's files: the tracked ones, and untracked ones that are not ignored.
func copyOfTheTree(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	for _, path := range files(t) {
		put(t, filepath.Join(tree, path), read(t, path))
	}
	// With the programs of this test, Go links only those in which the copy differs.
	programs := os.CopyFS(filepath.Join(tree, programDir), os.DirFS(filepath.Join(repository, programDir)))
	if err := errors.Join(programs, os.Chmod(filepath.Join(tree, "tools", "find-cli"), 0o700)); err != nil {
		t.Fatal(err)
	}
	return tree
}
