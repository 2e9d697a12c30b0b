// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package acceptance proves what users see: the provider's binary under a real Terraform or OpenTofu, against the
// simulator.
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
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cli"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/playground"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/standin"
)

var (
	cliPath string // of the Terraform or OpenTofu under which the tests run; "" unless TF_ACC is set
	plugins string // the directory with the binaries of the provider and of the stand-ins, named as make names it

	installer, demo string // programs of this repository's
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ixtoken-acceptance-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err := prepare(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// prepare finds the CLI as make does, if TF_ACC is set, and builds the provider, with the race detector where the tests have
// it, and the stand-ins for other providers.
func prepare(dir string) error {
	if os.Getenv("TF_ACC") != "" {
		found, err := exec.Command("../../tools/find-cli").Output()
		if err != nil {
			return fmt.Errorf("finding the CLI: %w", err)
		}
		cliPath = strings.TrimSpace(string(found))
	}
	plugins = filepath.Join(dir, ".bin")
	installer, demo = filepath.Join(dir, "install"+suffix()), filepath.Join(dir, "demo"+suffix())
	if err := os.Mkdir(plugins, 0o700); err != nil {
		return err
	}
	ours := append(append([]string{"build"}, raceFlags...), "-o", filepath.Join(plugins, "terraform-provider-ixtoken"+suffix()), "../..")
	others := []string{"build", "-o", plugins + string(filepath.Separator), "../standin/..."}
	programs := []string{"build", "-o", dir + string(filepath.Separator), "../install", "../demo"}
	for _, args := range [][]string{ours, others, programs} {
		build := exec.Command("go", args...)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return err
		}
	}
	return nil
}

// suffix is that of programs here.
func suffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// provider is the path of the provider's binary.
func provider() string { return filepath.Join(plugins, "terraform-provider-ixtoken"+suffix()) }

// needCLI skips a test that runs a CLI unless TF_ACC is set, as terraform-plugin-testing does.
func needCLI(t *testing.T) {
	t.Helper()
	if cliPath == "" {
		t.Skip("TF_ACC is not set, so no Terraform or OpenTofu runs")
	}
}

// openTofu reports whether the tests run under OpenTofu, whose wording and order differ here and there.
func openTofu(t *testing.T) bool {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), cliPath, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(output), "OpenTofu v")
}

// stage is the simulator with what else examples ask, and a workspace with the credentials in the environment.
type stage struct {
	*cli.Workspace
	*playground.Playground
	t *testing.T
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageWith(t, simulator.Options{})
}

func newStageWith(t *testing.T, options simulator.Options) *stage {
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
	workspace, err := cli.Open(t.TempDir(), cliPath, plugins, standin.Sources...)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{workspace, platforms, t}
	// The race detector lets each process linger for a second when it ends.
	s.Env = append(platforms.Environment(), "GORACE=atexit_sleep_ms=0")
	return s
}

// setenv sets a variable for the commands to come, over what was set before.
func (s *stage) setenv(name, value string) { s.Env = append(s.Env, name+"="+value) }

const preamble = `
terraform {
  required_providers {
    ixtoken = { source = "ixtoken/ixtoken" }
  }
}
`

// configure writes the configuration.
func (s *stage) configure(text string) {
	s.t.Helper()
	if err := s.Write("main.tf", preamble+text); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a command to its end. Colours are off; nothing is asked.
func (s *stage) run(args ...string) cli.Result {
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
	for _, sign := range []string{"plugin crashed", "did not respond", "panic:", "DATA RACE"} {
		if strings.Contains(result.Stdout+result.Stderr, sign) {
			s.t.Errorf("%v: the output says %q", args, sign)
		}
	}
	return result
}

// must runs a command that is to succeed.
func (s *stage) must(args ...string) cli.Result {
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

// report is what a command said with -json.
type report struct {
	cli.Result
	errors, warnings []diagnostic
}

// guided reports whether a diagnostic is the provider's, all of which lead to a section of the guide.
func guided(summary string) bool {
	return strings.Contains(summary, "access token") || strings.Contains(summary, "API proxy") || strings.Contains(summary, "provider configuration: ")
}

// report runs a command with -json and sorts its diagnostics; those about development overrides are left out.
func (s *stage) report(args ...string) report {
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
		if guided(line.Diagnostic.Summary) && !strings.Contains(line.Diagnostic.Detail, "\n\nMore: https://") {
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

// separate are so many blocks with the same arguments, each written out in a place of its own. Instances of one block will
// not do to count diagnostics: the plan of Terraform 1.12 and newer shows one of several that are equal in text and place.
func separate(number int, kind, of, arguments string) string {
	var text strings.Builder
	for i := range number {
		fmt.Fprintf(&text, "%s %q \"separate_%d\" {\n  provider = ixtoken\n  %s\n}\n", kind, of, i, arguments)
	}
	return text.String()
}

// wantOneEach fails the test unless each of so many separate blocks has one of these diagnostics, no other block has any,
// and all say the same.
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

// tokenRequests are the requests for tokens that a platform has seen.
func tokenRequests(p *simulator.Platform) []simulator.Request {
	var found []simulator.Request
	for _, request := range p.Requests() {
		if request.Grant != "" || request.Method == http.MethodPost {
			found = append(found, request)
		}
	}
	return found
}

// wantRequests fails the test unless the platforms have seen so many requests for tokens, and all others none.
func (s *stage) wantRequests(interxion, equinix, cloudlx int) {
	s.t.Helper()
	wanted := map[*simulator.Platform]int{s.Interxion: interxion, s.Equinix: equinix, s.CloudLX: cloudlx}
	for _, p := range s.Platforms() {
		want := wanted[p]
		if got := len(tokenRequests(p)); got != want {
			s.t.Errorf("%s has seen %d token requests, want %d", p.Name(), got, want)
		}
	}
}
