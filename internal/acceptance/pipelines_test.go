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
	"runtime"
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
			case "": // a list, which one shell runs
				var script string
				for _, more := range lines[i+1:] {
					command, listed := strings.CutPrefix(strings.TrimSpace(more), "- ")
					if !listed {
						break
					}
					script += command + "\n"
				}
				found = append(found, script)
			default:
				found = append(found, value)
			}
		}
	}
	return found
}

// variables returns the variables that the job sets to a text of its own.
func (f fence) variables() []string {
	var set []string
	for _, match := range regexp.MustCompile(`(?m)^ +([A-Z][A-Z_]+): "?([\w./:-]+)"?(?: #.*)?$`).FindAllStringSubmatch(f.text, -1) {
		set = append(set, match[1]+"="+match[2])
	}
	return set
}

// runner runs the shell lines of the pages as the runner of a pipeline does.
type runner struct {
	*fixture
	path    []string // in front of the system's PATH
	release string   // a directory that replaces the releases on GitHub
	commit  string   // replaces the commit that the reader has to choose
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
		"https://github.com/ixtoken/terraform-provider-ixtoken", filepath.Join(r.release, "terraform-provider-ixtoken"),
		"FULL_COMMIT_SHA", r.commit,
		"linux_amd64/", runtime.GOOS+"_"+runtime.GOARCH+"/", "linux_amd64\n", runtime.GOOS+"_"+runtime.GOARCH+"\n",
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
	r.env = append(r.env, regexp.MustCompile(`(?m)^\w+=.*$`).FindAllString(string(text), -1)...)
	text, _ = os.ReadFile(filepath.Join(r.Dir, "..", "github-path"))
	r.path = slices.Concat(strings.Fields(string(text)), r.path)
	for _, match := range regexp.MustCompile(`(?m)^##vso\[task\.prependpath\](.*)$`).FindAllStringSubmatch(r.output, -1) {
		r.path = append([]string{match[1]}, r.path...)
	}
}

// newJob forgets what an earlier job has set and checked out.
func (r *runner) newJob() {
	r.t.Helper()
	r.env = nil
	put(r.t, filepath.Join(r.Dir, "..", "github-env"), "")
	for _, name := range []string{".ixtoken", ".terraform", ".terraform.lock.hcl", "tfplan"} {
		if err := os.RemoveAll(filepath.Join(r.Dir, name)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// atHome gives the steps a home of their own, in which make installs, and the commit to build.
func (r *runner) atHome() {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), "git", "rev-parse", "HEAD")
	command.Dir = repository
	commit, err := command.Output()
	if err != nil {
		r.t.Skip("this is no clone: ", err)
	}
	r.commit = strings.TrimSpace(string(commit))
	root, err := filepath.Abs(repository)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(r.release, "terraform-provider-ixtoken")); err != nil {
		r.t.Fatal(err)
	}
	for _, name := range []string{"GOMODCACHE", "GOCACHE"} {
		value, err := exec.CommandContext(r.t.Context(), "go", "env", name).Output()
		if err != nil {
			r.t.Fatal(err)
		}
		r.setenv(name, strings.TrimSpace(string(value)))
	}
	home := r.t.TempDir()
	r.setenv("HOME", home)
	r.setenv("GOBIN", "")
	r.setenv("XDG_DATA_HOME", "")
	r.setenv("TF_CLI_CONFIG_FILE", "")
	r.path = append([]string{filepath.Join(home, "go", "bin")}, r.path...)
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

// Each shell line of the guides on pipelines and on the command runs as in a job of its system. The jobs build the provider and
// the command from a commit.
func TestTheGuideOnPipelinesRuns(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/guides/pipelines.md") + read(t, "docs/guides/command.md")
	blocks := fences(page)
	r := newRunner(t)
	for _, tool := range []string{"git", "make", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	r.atHome()
	for _, f := range blocks {
		if !strings.HasPrefix(f.text, "#!/bin/sh\n") {
			continue
		}
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
	}
	jobs, built := map[string]int{}, map[string]bool{}
	for _, f := range blocks {
		scripts := f.scripts()
		if strings.HasPrefix(f.text, "#!/bin/sh\n") || f.language == "powershell" || strings.Contains(f.text, "secret-store") {
			continue // the last is Atlantis, with a placeholder for the reader's own command
		}
		for line := range strings.SplitSeq(f.text, "\n") {
			if regexp.MustCompile(`\b(ixtoken|terraform|curl) [a-z-]`).MatchString(line) && !strings.Contains(strings.Join(scripts, "\n"), strings.Trim(strings.TrimSpace(line), "- ")) &&
				stepOf.FindString(line) == "" && !stepOfJenkins.MatchString(line) {
				t.Errorf("this line is in no script: %s", line)
			}
		}
		before, token := r.calls(), len(tokenRequests(r.Equinix))
		r.newJob()
		cached := strings.Contains(f.text, "IXTOKEN_CACHE_DIR")
		if cached {
			r.env = append(r.env, "IXTOKEN_CACHE_DIR="+t.TempDir())
		}
		for _, set := range f.variables() {
			r.env = append(r.env, strings.ReplaceAll(set, "FULL_COMMIT_SHA", r.commit))
		}
		if strings.Contains(f.text, "path: .ixtoken") { // actions/checkout
			r.do("git clone --quiet https://github.com/ixtoken/terraform-provider-ixtoken .ixtoken\ngit -C .ixtoken checkout --quiet FULL_COMMIT_SHA")
		}
		if strings.Contains(f.text, "$PWD/bin") {
			r.path = append([]string{filepath.Join(r.Dir, "bin")}, r.path...)
		}
		for _, script := range scripts {
			if strings.HasPrefix(script, "make ") && built[script] {
				continue // it would build the same commit again
			}
			built[script] = true
			r.do(script)
		}
		jobs[f.language]++
		if got := len(tokenRequests(r.Equinix)) - token; cached && strings.Contains(f.text, "terraform plan") && got != 1 {
			t.Errorf("%d token requests with the cache of\n%s", got, f.text)
		}
		if got := r.calls() - before; strings.Contains(f.text, "list-ports.sh") && got != 1 {
			t.Errorf("the API was called %d times by\n%s", got, f.text)
		}
		t.Logf("%s: %d scripts, %d token requests, %d calls of the API", f.language, len(scripts), len(tokenRequests(r.Equinix))-token, r.calls()-before)
		if strings.Contains(f.text, "bin") && f.language == "shell" { // find the installed command
			r.path = append([]string{filepath.Join(r.Dir, "bin")}, r.path...)
			r.do("ixtoken version")
		}
	}
	if jobs["shell"] != 4 || jobs["yaml"] != 7 || jobs["groovy"] != 1 {
		t.Errorf("the pages have %v", jobs)
	}

	spans := 0
	for _, match := range regexp.MustCompile("`((?:eval \"\\$\\()?ixtoken [^`]*)`").FindAllStringSubmatch(page, -1) {
		script := strings.NewReplacer(`\|`, "|", " URL", " "+r.Equinix.APIURL()).Replace(match[1])
		if strings.Contains(script, "Invoke-Expression") || script == "ixtoken proxy" || script == "ixtoken cache policy" {
			continue
		}
		spans++
		r.newJob()
		r.env = []string{"IXTOKEN_CACHE_DIR=" + t.TempDir()}
		r.do(script)
	}
	if spans < 8 {
		t.Errorf("%d lines in the text", spans)
	}
}

// Without the secret, an apply may change something before it fails, and its plan is then of no use. The check that the jobs
// begin with fails first, so that the same plan can still be applied.
func TestACheckBeforeTheApplySavesThePlan(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	put(t, filepath.Join(r.path[0], "ixtoken"), "#!/bin/sh\nexec "+provider()+` "$@"`+"\n")
	if err := os.Chmod(filepath.Join(r.path[0], "ixtoken"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.configure(`
variable "round" {}
ephemeral "equinix_access_token" "main" { provider = ixtoken }
resource "terraform_data" "free" { triggers_replace = var.round }
resource "terraform_data" "use" {
  triggers_replace = var.round
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = ephemeral.equinix_access_token.main.authorization }
  }
}
`)
	r.do("terraform init")
	r.do("terraform apply -auto-approve -var round=1")
	const forget = "unset EQUINIX_API_CLIENTSECRET\n"

	r.do("terraform plan -var round=2 -out=tfplan")
	r.do(forget + "if ixtoken check equinix --offline && terraform apply tfplan; then exit 1; fi")
	r.do("terraform apply tfplan")

	r.do("terraform plan -var round=3 -out=tfplan")
	r.do(forget + "if terraform apply -no-color tfplan; then exit 1; fi\nterraform state list")
	if !strings.Contains(r.output, "settings are missing") || strings.Contains(r.output, "\nterraform_data.use\n") {
		t.Errorf("nothing was destroyed: %s", r.output)
	}
	r.do("if terraform apply -no-color tfplan; then exit 1; fi")
	guide := section(t, "docs/guides/troubleshooting.md", "### Saved plan is stale")
	if said := strings.Join(strings.Fields(r.output), " "); !strings.Contains(said, "Saved plan is stale") || !strings.Contains(said, "The given plan file can no longer be applied because the state was changed by another operation after the plan was created.") || !strings.Contains(guide, "state was changed by another operation") {
		t.Error(r.output)
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
	if ran["shell"] != 3 || ran["yaml"] != 3 || ran["json"] != 1 {
		t.Errorf("the page has %v", ran)
	}
	if got := len(tokenRequests(r.Equinix)); got != 1 {
		t.Errorf("the jobs made %d token requests, want 1", got)
	}
}

// "make install-command" and the shell lines of the README lead from a clone to a call that the API accepts.
func TestTheReadmeRunsInAShell(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip(err)
	}
	blocks := slices.DeleteFunc(fences(read(t, "README.md")), func(f fence) bool { return f.language != "shell" })
	if len(blocks) != 1 || strings.Count(blocks[0].text, "\n") != 3 || !strings.Contains(read(t, "README.md"), "`make install-command`") {
		t.Fatalf("%d blocks: %v", len(blocks), blocks)
	}
	programs := t.TempDir()
	command := exec.CommandContext(t.Context(), "sh", "-e", "-c", "make install-command\n"+blocks[0].text)
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
