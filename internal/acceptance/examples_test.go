// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

const examples = "../../examples"

// newExample returns a fixture with a copy of an example.
func newExample(t *testing.T, dir string) *fixture {
	t.Helper()
	s := newFixture(t)
	client := filepath.Join(s.Dir, "..", "client")
	if err := errors.Join(os.CopyFS(s.Dir, os.DirFS(filepath.Join(examples, dir))), s.WriteClient(client)); err != nil {
		t.Fatal(err)
	}
	s.setenv("TF_VAR_key_file", filepath.Join(client, "key.pem"))
	return s
}

// Every example is applied and destroyed, with the credentials in the environment. Stand-ins replace third-party providers. The
// CLI can show the plan and the state as JSON, which policy tools read. This is tried with the examples that are more than one
// block.
func TestEveryExampleWorks(t *testing.T) {
	t.Parallel()
	for _, dir := range exampleDirs(t) {
		t.Run(filepath.ToSlash(dir), func(t *testing.T) {
			t.Parallel()
			s := newExample(t, dir)
			if dir == "with-vault-provider" {
				needWriteOnly(t)
			}
			if modules, err := filepath.Glob(filepath.Join(s.Dir, "*", "*.tf")); err != nil || len(modules) > 0 {
				s.must("get")
			}
			if oneBlock := strings.Contains(dir, string(filepath.Separator)); oneBlock {
				s.must("apply", "-auto-approve")
			} else {
				s.must("plan", "-out=saved.tfplan")
				s.wantJSON("saved.tfplan")
				s.must("apply", "saved.tfplan")
				s.wantJSON()
			}
			asked := 0
			for _, p := range s.Platforms() {
				for _, request := range p.Requests() {
					asked++
					if request.Status != http.StatusOK && request.Status != http.StatusCreated {
						t.Errorf("%s %s %s was answered %d", p.Name(), request.Method, request.Path, request.Status)
					}
				}
			}
			if asked == 0 && usesATokenType(t, dir) {
				t.Error("the example has asked no platform for a token")
			}
			s.must("destroy", "-auto-approve")
		})
	}
}

// wantJSON fails the test unless the CLI can show a plan file as JSON or, without a file, the state.
func (s *fixture) wantJSON(file ...string) {
	s.t.Helper()
	output := s.must(append([]string{"show", "-json"}, file...)...).Stdout
	var shown struct {
		Version string `json:"format_version"`
	}
	if err := json.Unmarshal([]byte(output), &shown); err != nil || shown.Version == "" {
		s.t.Errorf("show -json %v: %v:\n%s", file, err, output)
	}
}

// runShell runs a script in the shell of "make shell". It returns the output and the exit status.
func runShell(t *testing.T, script string, args ...string) (output string, status int) {
	t.Helper()
	needCLI(t)
	root := t.TempDir() // has the layout of the repository, with the binaries of the tests
	for link, target := range map[string]string{".bin": plugins, "examples": examples} {
		target, err := filepath.Abs(target)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	}
	shell := exec.CommandContext(t.Context(), demo, append([]string{"shell"}, args...)...)
	shell.Dir = root
	shell.Env = append(os.Environ(), "SHELL=/bin/sh", "IXTOKEN_CACHE_DIR="+filepath.Join(root, "cache"), "TF_ACC_TERRAFORM_PATH="+cliPath, "TMPDIR="+root)
	shell.Stdin = strings.NewReader(script)
	text, err := shell.CombinedOutput()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	for _, pattern := range []string{"ixtoken-*", "cache"} {
		if left, err := filepath.Glob(filepath.Join(root, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	}
	return string(text), shell.ProcessState.ExitCode()
}

// A script that "make shell" reads ends with the first command that fails, and with its status. The history of the user's own
// shells is left alone.
func TestTheShellEndsWithTheFirstFailure(t *testing.T) {
	t.Parallel()
	output, status := runShell(t, "dirname \"$HISTFILE\"\nixtoken check equinix --ofline\necho goes on\n")
	if !regexp.MustCompile(`\n/.*/ixtoken-shell-\d+\n`).MatchString(output) {
		t.Errorf("the history is not in the directory of the shell:\n%s", output)
	}
	if status != 2 || !strings.Contains(output, "--ofline") || strings.Contains(output, "goes on") {
		t.Errorf("status %d, want 2:\n%s", status, output)
	}
}

// The shell has an address for each row of the guide's table of calls, and the call works.
func TestTheShellHasAnAddressOfEachAPI(t *testing.T) {
	t.Parallel()
	rows := regexp.MustCompile("(?m)^\\|.*\\| `(/[^`]+)` \\| `(([A-Z0-9]+)_API_URL)` \\|$").FindAllStringSubmatch(section(t, "docs/guides/recipes.md", "### One call of each API"), -1)
	if len(rows) != 6 {
		t.Fatalf("%d rows", len(rows))
	}
	script := ""
	for _, row := range rows {
		script += fmt.Sprintf("ixtoken token %s --format curl | curl --silent --output /dev/null --header 'Accept: application/vnd.cloudlx.v1+json' --write-out '%[2]s %%{http_code}\\n' --config - \"$%[2]s%[3]s\"\n", strings.ToLower(row[3]), row[2], row[1])
	}
	output, status := runShell(t, script)
	for _, row := range rows {
		if !strings.Contains(output, row[2]+" 200\n") || status != 0 {
			t.Errorf("%s%s, status %d:\n%s", row[2], row[1], status, output)
		}
	}
}

// In the shell of "make shell", a newcomer can configure another provider with a token without setting anything. A script that
// the shell reads ends with the script's status.
func TestTheShellIsReadyForTheExamples(t *testing.T) {
	t.Parallel()
	name := filepath.Base(cliPath)
	tries := ""
	for _, f := range fences(section(t, "docs/guides/without-secret.md", "## Try it without an account")) {
		tries += f.text
	}
	output, status := runShell(t, strings.ReplaceAll(`cd with-restapi-provider && CLI init -no-color && CLI apply -no-color -auto-approve && CLI destroy -no-color -auto-approve
ixtoken check equinix && ixtoken token equinix --format curl | curl --silent --config - "$EQUINIX_API_ENDPOINT/fabric/v4/ports"
cd ../module && CLI init -no-color && CLI apply -no-color -auto-approve
cd ../client-key && CLI init -no-color && CLI apply -no-color -auto-approve
cd ..
`, "CLI", name)+tries+"\necho tried\nexit 3\n")
	if status != 3 {
		t.Errorf("status %d, want the script's", status)
	}
	for _, want := range []string{
		"cd with-restapi-provider && " + name + " init", "Apply complete! Resources: 1 added", "Destroy complete! Resources: 1 destroyed",
		"calls of its API: 3\n", "Equinix has seen: requests for a token: 5, calls of its API: 2\n",
		"Settings of Equinix\n", "\ntried\n",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("the shell does not say %q:\n%s", want, output)
		}
	}
	if got := strings.Count(output, "Token of Equinix\n"); got != 2 {
		t.Errorf("%d of 2 checks of Equinix work, one of them without a secret:\n%s", got, output)
	}
	if got := strings.Count(output, "Token of OAuth2\n"); got != 5 || strings.Contains(output, "Error: ") {
		t.Errorf("%d of the 5 ways without a secret work:\n%s", got, output)
	}
}

// With a short lifetime, a newcomer sees within ten seconds that a token ends, and that the API proxy renews it.
func TestTheShellShowsARenewal(t *testing.T) {
	t.Parallel()
	output, status := runShell(t, "set -e\nsh renewal.sh\n", "-lifetime", "4s")
	if status != 0 {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{`\n +1  200 +200\n`, `\n +10  401 +200\n`} {
		if !regexp.MustCompile(want).MatchString(output) {
			t.Errorf("the shell does not say %q:\n%s", want, output)
		}
	}
}

// Two machines, each with a home of its own, share one login through a bucket.
func TestTheShellShowsAFleet(t *testing.T) {
	t.Parallel()
	output, status := runShell(t, "set -e\nsh fleet.sh\n")
	if status != 0 {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"machine one:   from   127.0.0.1", "machine two:   from   the cache, obtained", "1 entry in s3://fleet/tokens\n", "Equinix has seen: requests for a token: 1, "} {
		if !strings.Contains(output, want) {
			t.Errorf("the shell does not say %q:\n%s", want, output)
		}
	}
}

// Another provider uses the token to create, read and delete an object.
func TestAnotherProviderUsesTheToken(t *testing.T) {
	t.Parallel()
	s := newExample(t, "with-restapi-provider")
	s.must("apply", "-auto-approve")
	s.must("plan", "-detailed-exitcode")
	s.must("destroy", "-auto-approve")
	var calls []string
	for _, request := range s.Interxion.Requests() {
		if strings.HasPrefix(request.Path, "/api/") {
			calls = append(calls, fmt.Sprint(request.Method, " ", request.Status))
		}
	}
	if got := strings.Join(calls, ", "); got != "POST 201, GET 200, GET 200, DELETE 200" {
		t.Errorf("the API has seen %s", got)
	}
	s.wantAbsent(s.Interxion.Issued()...)
}

// The first configuration of the README gives a token to another provider, and so does the one of the index. The second
// configuration of the README obtains a token as it stands.
func TestTheConfigurationsOfTheFirstPagesWork(t *testing.T) {
	t.Parallel()
	readme := fenced.FindAllStringSubmatch(read(t, "README.md"), -1)
	index := fenced.FindStringSubmatch(read(t, "docs/index.md"))
	if len(readme) != 2 || index == nil {
		t.Fatalf("%d configurations in the README, in the index %q", len(readme), index)
	}
	if !strings.HasSuffix(index[1], readme[0][1]) {
		t.Errorf("the index shows another use of a token than the README:\n%s", index[1])
	}
	s := newFixture(t)
	s.apply(index[1] + "\ndata \"equinix_fabric_port\" \"main\" {\n  uuid = \"" + simulator.EquinixPort + "\"\n}\n")
	read := slices.ContainsFunc(s.Equinix.Requests(), func(r simulator.Request) bool {
		return r.Path == "/fabric/v4/ports/"+simulator.EquinixPort && r.Status == http.StatusOK
	})
	if !read {
		t.Error("the port was not read")
	}
	s = newFixture(t)
	s.apply(readme[1][1])
	want := 2 // one in the plan and one in the apply
	if openTofu(t) {
		want = 1 // nothing in the apply needs the block, so OpenTofu does not open it
	}
	if got := len(tokenRequests(s.Equinix)); got != want {
		t.Errorf("%d token requests, want %d", got, want)
	}
}

// apply applies a configuration.
func (s *fixture) apply(text string) {
	s.t.Helper()
	if err := s.Write("main.tf", text); err != nil {
		s.t.Fatal(err)
	}
	s.must("apply", "-auto-approve")
}

// A condition of a resource makes the plan fail if the token's lifetime is too short. The plan can be shown as JSON all the same.
func TestAConditionRefusesAShortToken(t *testing.T) {
	t.Parallel()
	s := newExample(t, "precondition")
	s.Interxion.SetLifetime(20*time.Minute, 0)
	r := s.report("plan", "-out=saved.tfplan")
	if r.Status != 1 || len(r.errors) != 1 || !strings.Contains(r.errors[0].Detail, "less than 30 minutes") {
		t.Errorf("status %d, errors %v", r.Status, r.errors)
	}
	s.wantJSON("saved.tfplan")
}

// A write-only argument stores a refresh token in a secret store, and the next run uses it.
func TestARefreshTokenIsKeptInASecretStore(t *testing.T) {
	t.Parallel()
	needWriteOnly(t)
	s := newExample(t, "with-vault-provider")
	stored := func() string { return fmt.Sprint(s.Vault.Get("secret", "cloudlx")["refresh_token"]) }
	s.must("apply", "-auto-approve")
	first := stored()
	select { // wait for another second, because the version of the write-only argument is a time in seconds
	case <-time.After(time.Second):
	case <-t.Context().Done():
	}
	s.must("apply", "-auto-approve")
	second := stored()
	var grants []string
	for _, request := range s.CloudLX.Requests() {
		grants = append(grants, request.Grant)
		if request.Rejected {
			t.Errorf("%s was rejected", request.Grant)
		}
	}
	want := "client_credentials client_credentials client_credentials refresh_token"
	if got := strings.Join(grants, " "); got != want {
		t.Errorf("grants %s, want %s", got, want)
	}
	if issued := s.CloudLX.Issued(); first == second || !slices.Contains(issued, first) || !slices.Contains(issued, second) {
		t.Error("the secret store does not hold a new refresh token after each apply")
	}
	s.wantAbsent(s.CloudLX.Issued()...)
}

// wantAbsent fails the test if a file of the workspace contains one of the secrets.
func (s *fixture) wantAbsent(secrets ...string) {
	s.t.Helper()
	if len(secrets) == 0 {
		s.t.Fatal("nothing to look for")
	}
	files := 0
	err := fs.WalkDir(os.DirFS(s.Dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(filepath.Join(s.Dir, path))
		for _, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				s.t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil || files < 2 { // at least the configuration and the state
		s.t.Errorf("%d files, error %v", files, err)
	}
}

// exampleDirs returns the directories under examples that a user can run. It leaves out the modules of other examples.
func exampleDirs(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := fs.WalkDir(os.DirFS(examples), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		files, err := filepath.Glob(filepath.Join(examples, path, "*.tf"))
		if err != nil || len(files) == 0 {
			return err
		}
		dirs = append(dirs, path)
		return fs.SkipDir // its subdirectories are its modules
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) < 8 {
		t.Fatalf("found the examples %v only", dirs)
	}
	return dirs
}

func usesATokenType(t *testing.T, dir string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(examples, dir, "*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("_access_token\"")) || bytes.Contains(text, []byte("_api_proxy\"")) {
			return true
		}
	}
	return false
}

func TestEveryExampleIsFormatted(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	if err := os.CopyFS(s.Dir, os.DirFS(examples)); err != nil {
		t.Fatal(err)
	}
	if r := s.run("fmt", "-recursive", "-check", "-diff"); r.Status != 0 {
		t.Errorf("not formatted:\n%s%s", r.Stdout, r.Stderr)
	}
}
