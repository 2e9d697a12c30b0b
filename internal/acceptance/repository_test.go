// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/leak"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

const repository = "../.."

// secretName matches names of variables, attributes and members for secrets.
var secretName = regexp.MustCompile(`(?i)(secret|password|passphrase|token|authorization|credentials?|private_key|api_key)$`)

// H14: the examples and the documentation keep secrets out of the state and out of the configuration.
func TestExamplesAndDocumentationHandleSecretsWell(t *testing.T) {
	t.Parallel()
	sources := snippets(t)
	variables, values := 0, 0
	for where, source := range sources {
		file, diags := hclsyntax.ParseConfig([]byte(source), where, hcl.InitialPos)
		if diags.HasErrors() {
			t.Errorf("%s: %v", where, diags)
			continue
		}
		_ = hclsyntax.VisitAll(file.Body.(*hclsyntax.Body), func(node hclsyntax.Node) hcl.Diagnostics {
			switch node := node.(type) {
			case *hclsyntax.Block:
				for _, inner := range node.Body.Blocks {
					// Before Terraform 1.15, a condition there makes "show -json" crash.
					if node.Type == "ephemeral" && inner.Type == "lifecycle" {
						t.Errorf("%s: an ephemeral block has a condition", where)
					}
				}
				if node.Type == "variable" && secretName.MatchString(node.Labels[0]) {
					variables++
					if ephemeral := node.Body.Attributes["ephemeral"]; ephemeral == nil || literal(ephemeral.Expr) != cty.True {
						t.Errorf("%s: variable %s is not ephemeral", where, node.Labels[0])
					}
				}
			case *hclsyntax.Attribute:
				if secretName.MatchString(node.Name) {
					values++
					wantNoLiteral(t, where, node.Name, node.Expr)
				}
			case *hclsyntax.ObjectConsExpr:
				for _, item := range node.Items {
					if key := literal(item.KeyExpr); key.Type() == cty.String && secretName.MatchString(key.AsString()) {
						values++
						wantNoLiteral(t, where, key.AsString(), item.ValueExpr)
					}
				}
			}
			return nil
		})
	}
	t.Logf("%d sources, %d variables for secrets, %d secret values", len(sources), variables, values)
	if len(sources) == 0 || variables == 0 || values == 0 {
		t.Error("nothing was looked at")
	}
}

// literal returns the value of an expression without references; for any other expression, a null value.
func literal(expression hcl.Expression) cty.Value {
	value, diags := expression.Value(nil)
	if diags.HasErrors() {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	return value
}

func wantNoLiteral(t *testing.T, where, name string, expression hcl.Expression) {
	t.Helper()
	if value := literal(expression); value.Type() == cty.String && !value.IsNull() && value.AsString() != "" {
		t.Errorf("%s: %s is written down", where, name)
	}
}

var fenced = regexp.MustCompile("(?ms)^[ \t]*```(?:terraform|hcl)\n(.*?)\n[ \t]*```")

// snippets returns the configurations in the documentation and the examples, by place.
func snippets(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, path := range files(t) {
		switch {
		case strings.HasPrefix(path, "examples/") && strings.HasSuffix(path, ".tf"):
			found[path] = read(t, path)
		case strings.HasSuffix(path, ".md") && (strings.HasPrefix(path, "docs/") || !strings.Contains(path, "/")):
			for i, match := range fenced.FindAllStringSubmatch(read(t, path), -1) {
				if !strings.Contains(match[1], "provider_installation") { // a CLI configuration, which has another syntax
					found[fmt.Sprintf("%s, block %d", path, i+1)] = match[1]
				}
			}
		}
	}
	return found
}

// files returns the paths of all files in the repository, including untracked ones that are not ignored.
func files(t *testing.T) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	command.Dir = repository
	list, err := command.Output()
	if err != nil {
		t.Skip("this is no clone: ", err)
	}
	var found []string
	for path := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(repository, path)); err == nil && info.Mode().IsRegular() {
			found = append(found, path)
		}
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// secretShape matches texts that look like a real key or token.
var secretShape = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/]{16}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}|\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[opsu]_[A-Za-z0-9]{36}\b`)

// H16: the canaries occur only in tests, and no other text looks like a secret.
func TestTheRepositoryAndTheBinaryHoldNoSecret(t *testing.T) {
	t.Parallel()
	scanner := leak.New(map[string]string{"canary": canary})
	tracked := files(t)
	for _, path := range tracked {
		text := read(t, path)
		if found := secretShape.FindStringIndex(text); found != nil {
			t.Errorf("%s: what looks like a secret at byte %d", path, found[0])
		}
		if !strings.HasSuffix(path, "_test.go") {
			for _, hit := range scanner.Text(path, []byte(text)) {
				t.Error(hit)
			}
		}
	}
	binaries, err := filepath.Glob(filepath.Join(plugins, "terraform-provider-ixtoken*"))
	if err != nil || len(binaries) != 1 {
		t.Fatalf("binaries %v, error %v", binaries, err)
	}
	hits, err := scanner.File(binaries[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, hit := range hits {
		t.Error(hit)
	}
	artefacts, size := scanner.Scanned()
	t.Logf("%d files; %d of them and the binary searched, %d bytes", len(tracked), artefacts-1, size)
}

// TestEveryFaultIsCovered compares the catalogue of faults with the tests: a test names each row, and each name in a test is a
// row.
func TestEveryFaultIsCovered(t *testing.T) {
	t.Parallel()
	rows, named := map[string]bool{}, map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Z][0-9]{2}) \|`).FindAllStringSubmatch(read(t, "internal/FAULTS.md"), -1) {
		rows[row[1]] = true
	}
	if len(rows) < 150 {
		t.Fatalf("the catalogue has %d rows", len(rows))
	}
	comment := regexp.MustCompile(`// ((?:[A-Z][0-9]{2}(?:, | and |; |$|:))+)`)
	name := regexp.MustCompile(`\b[A-Z][0-9]{2}\b`)
	for _, path := range files(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		for line := range strings.SplitSeq(read(t, path), "\n") {
			for _, found := range name.FindAllString(line, -1) {
				named[found] = path
			}
			if found := comment.FindStringSubmatch(line); found != nil {
				for _, id := range name.FindAllString(found[1], -1) {
					if !rows[id] {
						t.Errorf("%s names %s, which is no row of the catalogue", path, id)
					}
				}
			}
		}
	}
	for id := range rows {
		if named[id] == "" {
			t.Errorf("no test names the row %s", id)
		}
	}
}

// TestEveryAssumptionAboutASystemIsShown holds the list of what the code assumes of Windows and macOS against the tree: the
// files and the tests that it names are there, and each file that depends on the system is in it.
func TestEveryAssumptionAboutASystemIsShown(t *testing.T) {
	t.Parallel()
	tests, dependent, tracked := map[string]bool{}, []string{}, files(t)
	ofOneSystem := regexp.MustCompile(`_(unix|linux|other|windows)\.go$`)
	for _, path := range tracked {
		switch program := strings.HasPrefix(path, "internal/") || !strings.Contains(path, "/"); {
		case strings.HasSuffix(path, "_test.go"):
			for _, name := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(read(t, path), -1) {
				tests[name[1]] = true
			}
		case program && (ofOneSystem.MatchString(path) || strings.HasSuffix(path, ".go") && strings.Contains(read(t, path), "runtime.GOOS")):
			dependent = append(dependent, path)
		}
	}
	list := read(t, "internal/SYSTEMS.md")
	quoted := regexp.MustCompile("`([^`]+)`")
	rows := regexp.MustCompile(`(?m)^\| (?:both|Windows|macOS) \| (.*) \| (.*) \| (.*) \|$`).FindAllStringSubmatch(list, -1)
	named := map[string]bool{}
	for _, row := range rows {
		for _, file := range quoted.FindAllStringSubmatch(row[2], -1) {
			named[file[1]] = true
			if !slices.Contains(tracked, file[1]) {
				t.Errorf("there is no file %s: %s", file[1], row[1])
			}
		}
		shown := quoted.FindAllStringSubmatch(row[3], -1)
		for _, test := range shown {
			if !tests[test[1]] {
				t.Errorf("there is no test %s: %s", test[1], row[1])
			}
		}
		if len(shown) == 0 && row[3] != "none" {
			t.Errorf("no test is named: %s", row[1])
		}
	}
	for _, path := range dependent {
		if !named[path] {
			t.Errorf("%s depends on the system and is not in the list", path)
		}
	}
	if len(rows) < 20 || len(dependent) < 10 {
		t.Errorf("%d assumptions, %d files that depend on the system", len(rows), len(dependent))
	}
}

// TestDependabotKnowsEveryModule holds Dependabot's configuration against the tree: each module and each tool in it is named,
// and each kind of update waits some days.
func TestDependabotKnowsEveryModule(t *testing.T) {
	t.Parallel()
	settings := read(t, ".github/dependabot.yml")
	named := map[string]bool{}
	for _, item := range regexp.MustCompile(`(?m)^ +(?:- |# Not )?(?:dependency-name: |directory: )?(/?[\w./-]+)`).FindAllStringSubmatch(settings, -1) {
		named[item[1]] = true
	}
	tool := regexp.MustCompile(`(?m)^tool (\S+)$`)
	modules := 0
	for _, path := range files(t) {
		dir := strings.TrimSuffix("/"+filepath.ToSlash(filepath.Dir(path)), "/.")
		switch filepath.Base(path) {
		case "go.mod":
			modules++
			for _, found := range tool.FindAllStringSubmatch(read(t, path), -1) {
				if module, _, _ := strings.Cut(found[1], "/cmd/"); !named[module] {
					t.Errorf("the tool %s of %s is not named", module, path)
				}
			}
		case "package.json":
		default:
			continue
		}
		if !named[cmp.Or(dir, "/")] {
			t.Errorf("%s is not named", path)
		}
	}
	if modules < 10 {
		t.Errorf("found %d modules", modules)
	}
	if kinds, waits := strings.Count(settings, "package-ecosystem:"), strings.Count(settings, "cooldown:"); kinds != 3 || waits != kinds {
		t.Errorf("%d kinds of updates, and %d of them wait", kinds, waits)
	}
}

// The actions of the workflows are pinned to commits, with the version beside them: a tag can move.
func TestActionsArePinned(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+(\.\d+){2}$`)
	found := 0
	for _, path := range files(t) {
		if !strings.HasPrefix(path, ".github/workflows/") {
			continue
		}
		for _, uses := range regexp.MustCompile(`(?m)^\s*(?:- )?uses: (.*)$`).FindAllStringSubmatch(read(t, path), -1) {
			found++
			if !pinned.MatchString(uses[1]) && !strings.HasPrefix(uses[1], "./") {
				t.Errorf("%s uses %s", path, uses[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("found %d actions", found)
	}
}

// A report about a platform names it, so the form offers each one.
func TestTheFormOffersEveryPlatform(t *testing.T) {
	t.Parallel()
	form := read(t, ".github/ISSUE_TEMPLATE/platform.yml")
	for _, platform := range platforms.All {
		if !regexp.MustCompile(`(?m)^ +- ` + regexp.QuoteMeta(platform.Title) + `( \(.*\))?$`).MatchString(form) {
			t.Errorf("%s is missing", platform.Title)
		}
	}
}

// Each row of the tables of servers that says what was run has a test: the recorded example, or the server itself.
func TestEachServerThatWasRunHasATest(t *testing.T) {
	t.Parallel()
	servers := read(t, "tools/oauth2servers/go.mod") + read(t, "tools/oauth2servers/npm/package.json")
	rows, run := 0, 0
	for _, line := range strings.Split(read(t, "docs/guides/any-oauth2-server.md"), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 3 || cells[2] == "was run" || strings.HasPrefix(cells[0], "--") {
			continue
		}
		rows++
		name, what := strings.ToLower(strings.Fields(cells[0])[0]), cells[2]
		if what == "no" {
			continue
		}
		run++
		if what == "example from the documentation" {
			if _, err := os.Stat(filepath.Join(repository, "internal", "clients", "testdata", "oauth2", name+".http")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		server := regexp.MustCompile("at `(.+)`$").FindStringSubmatch(what)
		if len(server) == 0 || !strings.Contains(servers, server[1]) {
			t.Errorf("%s: no test runs %q", name, what)
		}
	}
	if rows < 18 || run < 7 {
		t.Errorf("%d rows were read, %d of them say what was run", rows, run)
	}
}
