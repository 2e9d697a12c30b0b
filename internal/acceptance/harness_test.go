// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package acceptance tests what users see. It runs the provider's binary with a real Terraform or OpenTofu and the simulator.
package acceptance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/playground"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/standin"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

var (
	cliPath string // the Terraform or OpenTofu that the tests use; "": TF_ACC is not set
	plugins string // the directory with the binaries of the provider and of the stand-ins; its name is .bin, as for make

	installer, demo string // the paths of these programs of the repository
)

// programDir is where the tests build the programs, below the root of the repository. They stay there, because Go does not
// link what has not changed.
const programDir = ".bin/acceptance"

func TestMain(m *testing.M) {
	dir, err := filepath.Abs(filepath.Join(repository, programDir))
	if err == nil {
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// prepare finds the CLI as make does, if TF_ACC is set, and builds the provider, the stand-ins and the programs.
func prepare(dir string) error {
	if os.Getenv("TF_ACC") != "" {
		cliPath = os.Getenv("TF_ACC_TERRAFORM_PATH")
		if runtime.GOOS != "windows" { // which starts no shell script
			found, err := exec.Command("../../tools/find-cli").Output()
			if err != nil {
				return fmt.Errorf("finding the CLI: %w", err)
			}
			cliPath = strings.TrimSpace(string(found))
		}
	}
	plugins = filepath.Join(dir, ".bin")
	installer, demo = filepath.Join(dir, "install"+terraform.Suffix), filepath.Join(dir, "demo"+terraform.Suffix)
	if err := os.MkdirAll(plugins, 0o700); err != nil {
		return err
	}
	for _, args := range [][]string{
		{plugins, "../..", "../standin/..."},
		{dir, "../install", "../demo"},
	} {
		args[0] += string(filepath.Separator)
		args = append([]string{"build", "-ldflags=-s -w", "-o"}, args...) // without debug information, as a release
		build := exec.Command("go", args...)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return err
		}
	}
	return nil
}

// provider returns the path of the provider's binary.
func provider() string { return filepath.Join(plugins, "terraform-provider-ixtoken"+terraform.Suffix) }

// needCLI skips a test that uses a CLI unless TF_ACC is set. terraform-plugin-testing does the same.
func needCLI(t *testing.T) {
	t.Helper()
	if cliPath == "" {
		t.Skip("TF_ACC is not set, so no Terraform or OpenTofu runs")
	}
}

// openTofu reports whether the tests use OpenTofu, whose output differs from Terraform's in some places.
func openTofu(t *testing.T) bool {
	t.Helper()
	return minorVersion(t, "OpenTofu") > 0
}

// openTofu111 reports whether the tests use OpenTofu 1.11. A plan of that version contains the ephemeral blocks, so a
// refresh-only plan with such a block is an error. Like Terraform, it opens all of them in the apply. It prints what Close
// reports twice.
func openTofu111(t *testing.T) bool {
	t.Helper()
	return minorVersion(t, "OpenTofu") == 11
}

// needWriteOnly skips a test with Terraform 1.10, which has no write-only arguments.
func needWriteOnly(t *testing.T) {
	t.Helper()
	if minorVersion(t, "Terraform") == 10 {
		t.Skip("write-only arguments need Terraform 1.11")
	}
}

var firstLine = regexp.MustCompile(`^(Terraform|OpenTofu) v1\.(\d+)\.`)

// minorVersion returns the second number of the CLI's version if the CLI has this name, and 0 otherwise.
func minorVersion(t *testing.T, name string) int {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), cliPath, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := firstLine.FindSubmatch(output)
	if len(found) == 0 || string(found[1]) != name {
		return 0
	}
	minor, err := strconv.Atoi(string(found[2]))
	if err != nil {
		t.Fatal(err)
	}
	return minor
}

// withoutRefreshOnly returns the commands without those that OpenTofu 1.11 cannot run with ephemeral blocks.
func withoutRefreshOnly(t *testing.T, commands []string) []string {
	t.Helper()
	if !openTofu111(t) {
		return commands
	}
	return slices.DeleteFunc(slices.Clone(commands), func(command string) bool { return strings.Contains(command, "-refresh-only") })
}

// fixture is a playground (the simulator and a Vault server), and a workspace with the credentials in the environment.
type fixture struct {
	*terraform.Workspace
	*playground.Playground
	t *testing.T
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureWith(t, simulator.Options{})
}

// pluginTLS is a variable of the CLIs. If it is not empty, CLI and provider speak in clear on their socket. They need half of
// their processor time in a short run for the keys of that connection. The tests that look for secrets, or at processes, leave it
// empty, as users do.
const pluginTLS = "TF_DISABLE_PLUGIN_TLS"

func newFixtureWith(t *testing.T, options simulator.Options) *fixture {
	t.Helper()
	needCLI(t)
	platforms, err := playground.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := platforms.Close(); err != nil {
			t.Error(err)
		}
	})
	workspace, err := terraform.Open(t.TempDir(), cliPath, plugins, standin.Sources...)
	if err != nil {
		t.Fatal(err)
	}
	s := &fixture{workspace, platforms, t}
	s.Env = append(platforms.Environment(), pluginTLS+"=off",
		"GOGC=400") // a tenth of the processor time of short processes is garbage collection
	return s
}

// setenv sets a variable for the following commands. It overrides an earlier value.
func (s *fixture) setenv(name, value string) { s.Env = append(s.Env, name+"="+value) }

const preamble = `
terraform {
  required_providers {
    ixtoken = { source = "ixtoken/ixtoken" }
  }
}
`

// configure writes the configuration.
func (s *fixture) configure(text string) {
	s.t.Helper()
	if err := s.Write("main.tf", preamble+text); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a command without colours and without prompts, and waits for its end.
func (s *fixture) run(args ...string) terraform.Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 4*time.Minute)
	defer cancel()
	result, err := s.Run(ctx, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	if result.Status != 0 && result.Status != 1 && args[0] != "plan" || result.Status < 0 { // I4
		s.t.Errorf("%v ended with status %d", args, result.Status)
	}
	for _, sign := range []string{"plugin crashed", "did not respond", "panic:"} {
		if strings.Contains(result.Stdout+result.Stderr, sign) {
			s.t.Errorf("%v: the output says %q", args, sign)
		}
	}
	return result
}

// must runs a command that must succeed.
func (s *fixture) must(args ...string) terraform.Result {
	s.t.Helper()
	result := s.run(args...)
	if result.Status != 0 {
		s.t.Fatalf("%v ended with status %d:\n%s%s", args, result.Status, result.Stdout, result.Stderr)
	}
	return result
}

// diagnostic is an error or a warning as the CLI reports it.
type diagnostic struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address"`
	Snippet  *struct {
		Code string `json:"code"`
	} `json:"snippet"`
}

func (d diagnostic) text() string { return d.Summary + "\n" + d.Detail }

// report has the diagnostics of a command with -json.
type report struct {
	terraform.Result
	errors, warnings []diagnostic
}

// fromProvider reports whether a diagnostic comes from the provider. All of those link to a section of the guide.
func fromProvider(summary string) bool {
	return strings.Contains(summary, "access token") || strings.Contains(summary, "API proxy") || strings.Contains(summary, "provider configuration: ")
}

// report runs a command with -json and returns its diagnostics, without the warnings about development overrides.
func (s *fixture) report(args ...string) report {
	s.t.Helper()
	r := report{Result: s.run(append(args, "-json")...)}
	lines := bufio.NewScanner(bytes.NewReader([]byte(r.Stdout)))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct {
			Diagnostic  *diagnostic  `json:"diagnostic"`
			Diagnostics []diagnostic `json:"diagnostics"`
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Diagnostic == nil {
			continue
		}
		if fromProvider(line.Diagnostic.Summary) && !strings.Contains(line.Diagnostic.Detail, "\n\nMore: https://") {
			s.t.Errorf("no link to the guide: %s", line.Diagnostic.text())
		}
		switch d := *line.Diagnostic; {
		case d.Severity == "error":
			r.errors = append(r.errors, d)
		case !strings.Contains(d.Summary, "development overrides"):
			r.warnings = append(r.warnings, d)
		}
	}
	return r
}

// separateBlocks returns a number of blocks with the same arguments. It does not use count: with Terraform 1.12 and newer, a
// plan shows only one of several diagnostics with the same text and the same place.
func separateBlocks(number int, kind, of, arguments string) string {
	var text strings.Builder
	for i := range number {
		fmt.Fprintf(&text, "%s %q \"separate_%d\" {\n  provider = ixtoken\n  %s\n}\n", kind, of, i, arguments)
	}
	return text.String()
}

// wantOneEach fails the test unless each of the separate blocks has exactly one of the diagnostics, no other block has one,
// and all texts are equal.
func wantOneEach(t *testing.T, diagnostics []diagnostic, number int, kind, of string) {
	t.Helper()
	found := map[string]int{}
	for _, d := range diagnostics {
		found[d.Address]++
		if d.text() != diagnostics[0].text() {
			t.Fatalf("two texts for one cause:\n%s\n%s", d.text(), diagnostics[0].text())
		}
	}
	want := map[string]int{}
	for i := range number {
		want[fmt.Sprintf("%s.%s.separate_%d", kind, of, i)] = 1
	}
	if !maps.Equal(found, want) {
		t.Fatalf("%d diagnostics, want one of each of %d blocks: %v", len(diagnostics), number, found)
	}
}

// tokenRequests returns the token requests that a platform has received.
func tokenRequests(p *simulator.Platform) []simulator.Request {
	var found []simulator.Request
	for _, request := range p.Requests() {
		if request.Grant != "" || request.Method == http.MethodPost {
			found = append(found, request)
		}
	}
	return found
}

// wantRequests fails the test unless the platforms have received these numbers of token requests, and all others none.
func (s *fixture) wantRequests(interxion, equinix, cloudlx int) {
	s.t.Helper()
	wanted := map[*simulator.Platform]int{s.Interxion: interxion, s.Equinix: equinix, s.CloudLX: cloudlx}
	for _, p := range s.Platforms() {
		want := wanted[p]
		if got := len(tokenRequests(p)); got != want {
			s.t.Errorf("%s has seen %d token requests, want %d", p.Name(), got, want)
		}
	}
}
