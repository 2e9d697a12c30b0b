// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package acceptance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

var (
	stepOf        = regexp.MustCompile(`^( *)(?:- )?(?:run|script):(.*)$`)
	stepOfJenkins = regexp.MustCompile(`\bsh '([^']*)'`)
)

// scripts returns the texts that a runner passes to a shell, in order.
func (f fence) scripts() []string {
	var found []string
	switch f.language {
	case "shell":
		found = append(found, f.text)
	case "groovy":
		for _, match := range stepOfJenkins.FindAllStringSubmatch(f.text, -1) {
			found = append(found, match[1])
		}
	case "yaml":
		lines := strings.Split(f.text, "\n")
		for i, line := range lines {
			match := stepOf.FindStringSubmatch(line)
			if match == nil {
				continue
			}
			switch value := strings.TrimSpace(match[2]); value {
			case "|": // a block of lines with more indentation
				var script string
				for _, more := range lines[i+1:] {
					if len(more)-len(strings.TrimLeft(more, " ")) <= len(match[1])+2 {
						break
					}
					script += strings.TrimSpace(more) + "\n"
				}
				found = append(found, script)
			case "": // a list
				for _, more := range lines[i+1:] {
					command, listed := strings.CutPrefix(strings.TrimSpace(more), "- ")
					if !listed {
						break
					}
					found = append(found, command)
				}
			default:
				found = append(found, value)
			}
		}
	}
	return found
}

// runner runs the shell lines of the pages as the runner of a pipeline does.
type runner struct {
	*fixture
	path    []string // in front of the system's PATH
	release string   // a directory that replaces the releases on GitHub
	env     []string // variables that steps have set
	output  string
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	return newRunnerWith(t, simulator.Options{})
}

func newRunnerWith(t *testing.T, options simulator.Options) *runner {
	t.Helper()
	for _, tool := range []string{"sh", "curl", "tar", "sha256sum", "find"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	r := &runner{fixture: newFixtureWith(t, options), release: t.TempDir()}
	if err := r.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.configure("ephemeral \"equinix_access_token\" \"main\" {\n  provider = ixtoken\n}\n")
	tools := t.TempDir()
	if err := os.Symlink(cliPath, filepath.Join(tools, "terraform")); err != nil {
		t.Fatal(err)
	}
	r.path = []string{tools}
	for _, name := range []string{"github-env", "github-path"} {
		put(t, filepath.Join(r.Dir, "..", name), "")
	}
	r.makeRelease()
	return r
}

// makeRelease makes the archive of the command and the checksums of version 0.1.0, with the binary of the tests.
func (r *runner) makeRelease() {
	r.t.Helper()
	binary, err := os.ReadFile(provider())
	if err != nil {
		r.t.Fatal(err)
	}
	var archive bytes.Buffer
	compressed := gzip.NewWriter(&archive)
	w := tar.NewWriter(compressed)
	err = w.WriteHeader(&tar.Header{Name: "ixtoken", Mode: 0o755, Size: int64(len(binary))})
	if err == nil {
		_, err = w.Write(binary)
	}
	if err != nil || w.Close() != nil || compressed.Close() != nil {
		r.t.Fatal(err)
	}
	dir, sum := filepath.Join(r.release, "v0.1.0"), sha256.Sum256(archive.Bytes())
	put(r.t, filepath.Join(dir, "ixtoken_0.1.0_linux_amd64.tar.gz"), archive.String())
	put(r.t, filepath.Join(dir, "ixtoken_0.1.0_SHA256SUMS"), hex.EncodeToString(sum[:])+"  ixtoken_0.1.0_linux_amd64.tar.gz\n")
}

// do runs one script as a step, with the simulator's URLs instead of those on the page, and applies the variables that it sets.
func (r *runner) do(script string) {
	r.t.Helper()
	script = strings.NewReplacer(
		"https://api.equinix.com", r.Equinix.URL(),
		"https://github.com/ixtoken/terraform-provider-ixtoken/releases/download", "file://"+r.release,
	).Replace(script)
	command := exec.CommandContext(r.t.Context(), "sh", "-e", "-c", script)
	command.Dir = r.Dir
	path := strings.Join(r.path, ":") + ":" + os.Getenv("PATH")
	command.Env = slices.Concat(r.Command(r.t.Context()).Env, []string{
		"PATH=" + path, "NO_PROXY=127.0.0.1",
		"GITHUB_ACTIONS=true", "GITHUB_ENV=" + filepath.Join(r.Dir, "..", "github-env"), "GITHUB_PATH=" + filepath.Join(r.Dir, "..", "github-path"),
		"RUNNER_TEMP=" + filepath.Join(r.Dir, "..", "runner"), "TF_BUILD=True",
	}, r.env)
	output, err := command.CombinedOutput()
	if err != nil {
		r.t.Errorf("%s\n%v\n%s", script, err, output)
	}
	r.output = string(output)
	if strings.Contains(r.output, r.Equinix.Credentials().ClientSecret) {
		r.t.Errorf("the client secret is in the output of %s", script)
	}
	r.apply()
}

// apply applies the variables and the path that a step has written to the runner's files.
func (r *runner) apply() {
	for _, match := range regexp.MustCompile(`(?m)^##vso\[task\.setvariable variable=(\w+);issecret=true\](.*)$`).FindAllStringSubmatch(r.output, -1) {
		r.env = append(r.env, match[1]+"="+match[2])
	}
	text, _ := os.ReadFile(filepath.Join(r.Dir, "..", "github-env"))
	for _, match := range regexp.MustCompile(`(?m)^(\w+)<<(\w+)\n(.*)\n(\w+)$`).FindAllStringSubmatch(string(text), -1) {
		r.env = append(r.env, match[1]+"="+match[3])
	}
	text, _ = os.ReadFile(filepath.Join(r.Dir, "..", "github-path"))
	r.path = slices.Concat(strings.Fields(string(text)), r.path)
}

// calls returns how many calls with a valid token the API has received.
func (r *runner) calls() int {
	calls := 0
	for _, request := range r.Equinix.Requests() {
		if request.Path == "/fabric/v4/ports" && request.Status == 200 {
			calls++
		}
	}
	return calls
}

// Each shell line of the guide on pipelines runs as in a job of its system.
func TestTheGuideOnPipelinesRuns(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/guides/pipelines.md")
	jobs := map[string]int{}
	r := newRunner(t)
	r.do("terraform init")
	for _, f := range fences(page) {
		scripts := f.scripts()
		if strings.HasPrefix(f.text, "#!/bin/sh\n") {
			names := []string{"list-ports.sh", "report.sh"}
			if strings.Contains(f.text, "_API_URL") {
				names = []string{"audit.sh"}
			}
			for _, name := range names {
				put(t, filepath.Join(r.Dir, name), strings.ReplaceAll(f.text, "https://api.equinix.com", r.Equinix.URL()))
				if err := os.Chmod(filepath.Join(r.Dir, name), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		if strings.Contains(f.text, "atlantis") || strings.Contains(f.text, "secret-store") {
			continue // its only shell text is a placeholder for the reader's own command
		}
		for line := range strings.SplitSeq(f.text, "\n") {
			if regexp.MustCompile(`\b(ixtoken|terraform|curl) [a-z-]`).MatchString(line) && !strings.Contains(strings.Join(scripts, "\n"), strings.Trim(strings.TrimSpace(line), "- ")) &&
				stepOf.FindString(line) == "" && !stepOfJenkins.MatchString(line) {
				t.Errorf("this line is in no script: %s", line)
			}
		}
		before, token := r.calls(), len(tokenRequests(r.Equinix))
		r.env = nil
		cached := strings.Contains(f.text, "IXTOKEN_CACHE_DIR")
		if cached {
			r.env = append(r.env, "IXTOKEN_CACHE_DIR="+t.TempDir())
		}
		for _, script := range scripts {
			r.do(script)
		}
		jobs[f.language]++
		if got := len(tokenRequests(r.Equinix)) - token; cached && got != 1 {
			t.Errorf("%d token requests with the cache of\n%s", got, f.text)
		}
		if got := r.calls() - before; strings.Contains(f.text, "list-ports.sh") && got != 1 {
			t.Errorf("the API was called %d times by\n%s", got, f.text)
		}
		t.Logf("%s: %d scripts, %d token requests, %d calls of the API", f.language, len(scripts), len(tokenRequests(r.Equinix))-token, r.calls()-before)
		if f.language == "shell" { // find the installed command
			r.path = append([]string{filepath.Join(r.Dir, "bin")}, r.path...)
			r.do("ixtoken version")
		}
	}
	if jobs["shell"] != 2 || jobs["yaml"] != 5 || jobs["groovy"] != 1 {
		t.Errorf("the page has %v", jobs)
	}

	spans := 0
	for _, match := range regexp.MustCompile("`((?:eval \"\\$\\()?ixtoken [^`]*)`").FindAllStringSubmatch(page, -1) {
		script := strings.NewReplacer(`\|`, "|", " URL", " "+r.Equinix.APIURL()).Replace(match[1])
		if strings.Contains(script, "Invoke-Expression") || script == "ixtoken proxy" {
			continue
		}
		spans++
		r.env = nil
		r.do(script)
	}
	if spans < 8 {
		t.Errorf("%d lines in the text", spans)
	}
}

// The jobs on the page about identity tokens run, without any client secret.
func TestTheGuideOnIdentityTokensRuns(t *testing.T) {
	t.Parallel()
	r := newRunnerWith(t, simulator.Options{TLS: true}) // requests to GitHub need https
	ca := filepath.Join(r.Dir, "..", "ca.pem")
	put(t, ca, r.CAPEM)
	r.Env = slices.DeleteFunc(r.Env, func(set string) bool { return strings.Contains(set, "SECRET=") || strings.Contains(set, "CLIENTID=") })
	r.setenv("SSL_CERT_FILE", ca)
	page := read(t, "docs/guides/without-secret.md")
	put(t, filepath.Join(r.Dir, "list-ports.sh"), "#!/bin/sh\nprintf 'header = \"Authorization: %s\"\\n' \"$EQUINIX_AUTHORIZATION\" | curl --fail --silent --config - \""+r.Equinix.APIURL()+"\"\n")
	if err := os.Chmod(filepath.Join(r.Dir, "list-ports.sh"), 0o700); err != nil {
		t.Fatal(err)
	}
	blocks := fences(page)
	for _, want := range []struct {
		job           string
		env           []string
		issued, asked int
		configuration string
	}{
		{job: "id-token: write", env: append(r.Issuer.Environment(), "IXTOKEN_CACHE_DIR="+filepath.Join(r.Dir, ".ixtoken")), issued: 1, asked: 3, configuration: fenced.FindStringSubmatch(page)[1] + "\n"},
		{job: "id_tokens:", env: []string{"EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN_ENV_VAR=EQUINIX_ID_TOKEN", "IXTOKEN_CACHE_DIR="}, issued: 3, configuration: `ephemeral "equinix_access_token" "main" { provider = ixtoken }` + "\n"},
	} {
		i := slices.IndexFunc(blocks, func(f fence) bool { return f.language == "yaml" && strings.Contains(f.text, want.job) })
		if i < 0 {
			t.Fatalf("there is no job with %s", want.job)
		}
		scope := regexp.MustCompile(`EQUINIX_TOKEN_EXCHANGE_SCOPE: (\S+)`).FindStringSubmatch(blocks[i].text)
		r.env = append(slices.Clone(want.env), "EQUINIX_TOKEN_EXCHANGE_SCOPE="+scope[1])
		r.configure(want.configuration + "resource \"terraform_data\" \"use\" {\n  triggers_replace = [plantimestamp(), \"" + want.job + "\"] // in each apply, also twice in a second\n  provisioner \"local-exec\" {\n    command     = \"./list-ports.sh\"\n    environment = { EQUINIX_AUTHORIZATION = ephemeral.equinix_access_token.main.authorization }\n  }\n}\n")
		issued, asked, calls := len(r.Equinix.Issued()), r.Issuer.Asked(), r.calls()
		for _, script := range blocks[i].scripts() {
			r.do(script)
		}
		if got := len(r.Equinix.Issued()) - issued; got != want.issued {
			t.Errorf("%s: %d tokens were issued, want %d", want.job, got, want.issued)
		}
		if got := r.Issuer.Asked() - asked; got != want.asked {
			t.Errorf("%s: the issuer was asked %d times, want %d", want.job, got, want.asked)
		}
		if r.calls() == calls {
			t.Errorf("%s: the API was not called", want.job)
		}
	}
	for _, request := range r.Equinix.Requests() {
		if request.Path == "/oauth2/v1/token" {
			t.Error("there was a login with a client secret")
		}
	}
	for _, set := range []string{"TFC_WORKLOAD_IDENTITY_AUDIENCE", "EQUINIX_TOKEN_EXCHANGE_SCOPE"} {
		if !strings.Contains(page, "| `"+set+"` |") {
			t.Errorf("the page does not say to set %s", set)
		}
	}
}

// The jobs on the page about many machines share one token in a bucket, and its policy is what the command prints.
func TestTheGuideOnManyMachinesRuns(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	inBucket(t, r.fixture)
	for name, script := range map[string]string{"ixtoken": "exec " + provider() + ` "$@"`, "aws": "exit 0"} {
		put(t, filepath.Join(r.path[0], name), "#!/bin/sh\n"+script+"\n")
		if err := os.Chmod(filepath.Join(r.path[0], name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	job := t.TempDir()
	r.env = []string{"CI_PROJECT_DIR=" + job, "AWS_ID_TOKEN=an-identity-token", "AWS_WEB_IDENTITY_TOKEN_FILE=" + filepath.Join(job, ".aws-id-token")}
	ran := map[string]int{}
	for _, f := range fences(read(t, "docs/guides/many-machines.md")) {
		for _, script := range f.scripts() {
			r.do(script)
			ran[f.language]++
		}
		if f.language != "json" {
			continue
		}
		var shown, printed any
		policy, err := os.ReadFile(filepath.Join(r.Dir, "policy.json"))
		if err != nil || json.Unmarshal([]byte(f.text), &shown) != nil || json.Unmarshal(policy, &printed) != nil || !reflect.DeepEqual(shown, printed) {
			t.Errorf("%v: the page shows another policy than\n%s", err, policy)
		}
		ran["json"]++
	}
	if ran["shell"] != 3 || ran["yaml"] != 6 || ran["json"] != 1 {
		t.Errorf("the page has %v", ran)
	}
	if got := len(tokenRequests(r.Equinix)); got != 1 {
		t.Errorf("the jobs made %d token requests, want 1", got)
	}
}

// The three shell lines of the README lead from a clone to a call that the API accepts.
func TestTheReadmeRunsInAShell(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip(err)
	}
	blocks := slices.DeleteFunc(fences(read(t, "README.md")), func(f fence) bool { return f.language != "shell" })
	if len(blocks) != 1 || strings.Count(blocks[0].text, "\n") != 3 {
		t.Fatalf("%d blocks: %v", len(blocks), blocks)
	}
	programs := t.TempDir()
	command := exec.CommandContext(t.Context(), "sh", "-e", "-c", blocks[0].text)
	command.Dir = repository
	command.Env = append(append(os.Environ(), r.Env...), "GOBIN="+programs, "PATH="+programs+":"+os.Getenv("PATH"), "NO_PROXY=127.0.0.1", "IXTOKEN_CACHE_DIR=")
	output, err := command.CombinedOutput()
	if err != nil || r.calls() != 1 {
		t.Errorf("%v, %d calls of the API:\n%s", err, r.calls(), output)
	}
	for _, want := range []string{"Installed " + filepath.Join(programs, "ixtoken"), "It is on the PATH.", "Settings of Equinix", "client_secret"} {
		if !strings.Contains(string(output), want) {
			t.Errorf("it does not say %q:\n%s", want, output)
		}
	}
}
