// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cli"
)

// step is a step of "Add a platform" that names a file and shows its text.
var step = regexp.MustCompile("(?s)\\*\\*\\d\\. [^*]+\\*\\*[^`]*`(internal/[a-z/.]+)`[^`]*.*?\n```go\n(.*?)```")

// TestAddingAPlatformWorks follows "Add a platform" in CONTRIBUTING.md in a copy of the tree, and holds the result
// against what users may rely on.
func TestAddingAPlatformWorks(t *testing.T) {
	t.Parallel()
	tree, plugins := copyOfTheTree(t), t.TempDir()
	page, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := step.FindAllStringSubmatch(string(page), -1)
	if len(steps) != 3 {
		t.Fatalf("CONTRIBUTING.md has %d steps with code", len(steps))
	}
	for _, found := range steps {
		path, text := filepath.Join(tree, found[1]), found[2]
		if before, err := os.ReadFile(path); err == nil { // the list: one line takes the place of another
			text = regexp.MustCompile(`(?m)^var platforms = .*\n`).ReplaceAllLiteralString(string(before), text)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", plugins, ".")
	build.Dir = tree
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	followTheContract(t, plugins)
}

// copyOfTheTree copies what the binary is built from.
func copyOfTheTree(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	if err := os.CopyFS(filepath.Join(tree, "internal"), os.DirFS("../../internal")); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../../go.mod", "../../go.sum") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// followTheContract holds both kinds of the new platform against what users may rely on.
func followTheContract(t *testing.T, plugins string) {
	t.Helper()
	var asked atomic.Int32
	acme := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != http.MethodPost || r.URL.Path != "/oauth/token" || r.PostFormValue("client_secret") != canary {
			answers(http.StatusBadRequest, "application/json", `{"error":"invalid_client"}`)(w, r)
			return
		}
		answers(http.StatusOK, "application/json", `{"access_token":"acme-token","expires_in":3600}`)(w, r)
	}))
	defer acme.Close()
	open := func(variables ...string) *stage {
		workspace, err := cli.Open(t.TempDir(), cliPath, plugins)
		if err != nil {
			t.Fatal(err)
		}
		workspace.Env = variables
		s := &stage{workspace, nil, t}
		s.configure(`ephemeral "acme_access_token" "many" {
  provider = ixtoken
  count    = 50
}
data "acme_access_token" "t" { provider = ixtoken }
`)
		return s
	}
	open("ACME_BASE_URL="+acme.URL, "ACME_CLIENT_ID=a", "ACME_CLIENT_SECRET="+canary).must("plan")
	if asked.Load() != 1 {
		t.Errorf("%d requests, want 1", asked.Load())
	}
	for _, refused := range []struct {
		variables, want []string
		asked           int32
	}{
		{nil, []string{"settings are missing", "ACME_BASE_URL", "ACME_CLIENT_ID", "ACME_CLIENT_SECRET"}, 0},
		{[]string{"ACME_BASE_URL=http://acme.example", "ACME_CLIENT_ID=a", "ACME_CLIENT_SECRET=b"}, []string{"invalid base_url", "loopback"}, 0},
		{[]string{"ACME_BASE_URL=" + acme.URL, "ACME_CLIENT_ID=a", "ACME_CLIENT_SECRET=wrong"}, []string{"No Acme access token: credentials rejected", "ACME_CLIENT_SECRET"}, 1},
	} {
		asked.Store(0)
		r := open(refused.variables...).report("plan")
		if len(r.errors) != 51 || asked.Load() != refused.asked {
			t.Fatalf("%d errors and %d requests: %.500s", len(r.errors), asked.Load(), r.Stdout)
		}
		for _, want := range refused.want {
			if !strings.Contains(r.errors[0].text(), want) {
				t.Errorf("the error does not say %q:\n%s", want, r.errors[0].text())
			}
		}
	}
}
