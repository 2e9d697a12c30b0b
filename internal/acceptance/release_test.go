// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// release is goreleaser's build of this commit for this machine.
type release struct {
	dir     string
	version string
}

// newRelease finds the release that "make snapshot" has made.
func newRelease(t *testing.T) release {
	t.Helper()
	dir := os.Getenv("IXTOKEN_RELEASE")
	if dir == "" {
		t.Skip("make snapshot makes a release and runs this test on it")
	}
	text, err := os.ReadFile(filepath.Join(dir, "metadata.json"))
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct{ Version string }
	if err := json.Unmarshal(text, &metadata); err != nil || metadata.Version == "" {
		t.Fatalf("version %q, error %v", metadata.Version, err)
	}
	return release{dir, metadata.Version}
}

// name returns the name of a file of the release.
func (r release) name(ending string) string {
	return "terraform-provider-ixtoken_" + r.version + "_" + ending
}

// path returns the path of a file of the release.
func (r release) path(ending string) string { return filepath.Join(r.dir, r.name(ending)) }

// target is the platform of this machine, as in the names of the files.
const target = runtime.GOOS + "_" + runtime.GOARCH

// archived returns the files in the release's archive, by name.
func (r release) archived(t *testing.T) map[string]*zip.File {
	t.Helper()
	archive, err := zip.OpenReader(r.path(target + ".zip"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { archive.Close() })
	members := map[string]*zip.File{}
	for _, member := range archive.File {
		members[member.Name] = member
	}
	return members
}

// Registries require signed checksums that list the archives and the manifest, and nothing else.
func TestReleaseMeetsTheRegistriesRules(t *testing.T) {
	r := newRelease(t)
	sums, err := os.Open(r.path("SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	defer sums.Close()
	var listed []string
	for lines := bufio.NewScanner(sums); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		listed = append(listed, name)
		file := name
		if name == r.name("manifest.json") { // goreleaser renames it only during the upload
			file = "../terraform-registry-manifest.json"
		}
		text, err := os.ReadFile(filepath.Join(r.dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(text); sum != hex.EncodeToString(got[:]) {
			t.Errorf("%s has another checksum", name)
		}
	}
	if want := []string{r.name(target + ".zip"), r.name("manifest.json")}; !slices.Equal(listed, want) {
		t.Errorf("the checksums are those of %q, want %q", listed, want)
	}
	for _, file := range []string{"SHA256SUMS", target + ".cdx.json"} {
		verify := exec.CommandContext(t.Context(), "gpg", "--batch", "--verify", r.path(file+".sig"), r.path(file))
		if output, err := verify.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, output)
		}
	}
	var manifest struct {
		Version  int
		Metadata struct {
			ProtocolVersions []string `json:"protocol_versions"`
		}
	}
	if err := json.Unmarshal([]byte(read(t, "terraform-registry-manifest.json")), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Version != 1 || !slices.Equal(manifest.Metadata.ProtocolVersions, []string{"6.0"}) {
		t.Errorf("manifest %+v", manifest)
	}
}

// The archive contains the binary with the name that CLIs require.
func TestReleaseArchiveHoldsTheBinary(t *testing.T) {
	r := newRelease(t)
	members := r.archived(t)
	binary := members["terraform-provider-ixtoken_v"+r.version+terraform.Suffix]
	if binary == nil || binary.Mode()&0o111 == 0 || members["LICENSE"] == nil {
		t.Errorf("the archive holds %v", members)
	}
}

// The bill of materials lists each module that is linked into the binary, at its version, and no other.
func TestReleaseBillOfMaterialsIsComplete(t *testing.T) {
	r := newRelease(t)
	text, err := os.ReadFile(r.path(target + ".cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	type component struct{ Name, Version string }
	var bill struct {
		BomFormat  string
		Metadata   struct{ Component component }
		Components []component
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatal(err)
	}
	binaries, err := filepath.Glob(filepath.Join(r.dir, "*", "terraform-provider-ixtoken_v*"))
	if err != nil || len(binaries) != 1 {
		t.Fatalf("binaries %q, error %v", binaries, err)
	}
	built, err := buildinfo.ReadFile(binaries[0])
	if err != nil {
		t.Fatal(err)
	}
	if main := (component{built.Main.Path, r.version}); bill.BomFormat != "CycloneDX" || bill.Metadata.Component != main {
		t.Errorf("format %q, component %v, want %v", bill.BomFormat, bill.Metadata.Component, main)
	}
	want := []component{{"std", built.GoVersion}}
	for _, module := range built.Deps {
		want = append(want, component{module.Path, module.Version})
	}
	for _, module := range want {
		if !slices.Contains(bill.Components, module) {
			t.Errorf("%v is missing", module)
		}
	}
	if len(bill.Components) != len(want) {
		t.Errorf("%d components, want %d", len(bill.Components), len(want))
	}
}

// install makes "init" find the release, and returns a workspace that uses it.
func (r release) install(t *testing.T) *fixture {
	t.Helper()
	s := newFixture(t)
	mirror := t.TempDir()
	shelf := filepath.Join(mirror, "example.com", "ixtoken", "ixtoken")
	if err := os.MkdirAll(shelf, 0o700); err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(r.path(target + ".zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shelf, r.name(target+".zip")), archive, 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "cli.tfrc")
	text := "provider_installation {\n  filesystem_mirror {\n    path = \"" + filepath.ToSlash(mirror) + "\"\n  }\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.setenv("TF_CLI_CONFIG_FILE", config)
	if err := s.Write("main.tf", `
terraform {
  required_providers {
    ixtoken = {
      source  = "example.com/ixtoken/ixtoken"
      version = "`+r.version+`"
    }
  }
}
ephemeral "equinix_access_token" "t" { provider = ixtoken }
`); err != nil {
		t.Fatal(err)
	}
	s.must("init")
	return s
}

// run runs the binary that "init" has installed in a workspace.
func (r release) run(t *testing.T, s *fixture, argument string) string {
	t.Helper()
	installed := filepath.Join(s.Dir, ".terraform", "providers", "example.com", "ixtoken", "ixtoken", r.version, target)
	output, err := exec.CommandContext(t.Context(), filepath.Join(installed, "terraform-provider-ixtoken_v"+r.version+terraform.Suffix), argument).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	return string(output)
}

// A user can install the release with "init" and use it. It prints its version.
func TestReleaseInstalls(t *testing.T) {
	r := newRelease(t)
	s := r.install(t)
	s.must("plan")
	s.wantRequests(0, 1, 0)

	output := r.run(t, s, "-version")
	head := exec.CommandContext(t.Context(), "git", "rev-parse", "--short", "HEAD")
	commit, err := head.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "terraform-provider-ixtoken " + r.version + " (" + strings.TrimSpace(string(commit)) + ")\n"; output != want {
		t.Errorf("the release says %q, want %q", output, want)
	}
}

var (
	// heading is the version and the date of a release in the changelog.
	heading = regexp.MustCompile(`(?m)^## (\S+) \((.+)\)$`)
	// added is the kind and the name of something new in the changelog.
	added = regexp.MustCompile("(?m)^\\* \\*\\*New ([A-Za-z ]+):\\*\\* `(?:ixtoken )?(\\w+)`")
)

// The release is the version that the changelog begins with. It has the types, functions and commands that the changelog
// names, and no others.
func TestReleaseIsWhatTheChangelogSays(t *testing.T) {
	r := newRelease(t)
	changelog := read(t, "CHANGELOG.md")
	first := heading.FindStringSubmatch(changelog)
	if first == nil {
		t.Fatal("the changelog has no release")
	}
	version, development := strings.CutSuffix(r.version, "-dev")
	if version != first[1] || !development && first[2] == "Unreleased" {
		t.Errorf("the release is %s, the changelog begins with %s (%s)", r.version, first[1], first[2])
	}
	named := map[string][]string{}
	for _, line := range added.FindAllStringSubmatch(changelog, -1) {
		named[line[1]] = append(named[line[1]], line[2])
	}
	for kind, names := range r.offers(t) {
		slices.Sort(named[kind])
		if len(names) == 0 || !slices.Equal(named[kind], names) {
			t.Errorf("%s: the changelog names %q, the release has %q", kind, named[kind], names)
		}
	}
}

// offers returns the names of the release's types, functions and commands, sorted, by the kinds of the changelog.
func (r release) offers(t *testing.T) map[string][]string {
	t.Helper()
	s := r.install(t)
	var schemas struct {
		Providers map[string]struct {
			Ephemeral   map[string]any `json:"ephemeral_resource_schemas"`
			DataSources map[string]any `json:"data_source_schemas"`
			Functions   map[string]any `json:"functions"`
		} `json:"provider_schemas"`
	}
	if err := json.Unmarshal([]byte(s.must("providers", "schema", "-json").Stdout), &schemas); err != nil {
		t.Fatal(err)
	}
	ours := schemas.Providers["example.com/ixtoken/ixtoken"]
	commands := map[string]any{}
	for _, line := range regexp.MustCompile(`(?m)^  ([a-z]+)  `).FindAllStringSubmatch(r.run(t, s, "help"), -1) {
		commands[line[1]] = nil
	}
	for _, usual := range []string{"version", "completion"} { // every program has them
		delete(commands, usual)
	}
	return map[string][]string{
		"Ephemeral Resource": slices.Sorted(maps.Keys(ours.Ephemeral)),
		"Data Source":        slices.Sorted(maps.Keys(ours.DataSources)),
		"Function":           slices.Sorted(maps.Keys(ours.Functions)),
		"Command":            slices.Sorted(maps.Keys(commands)),
	}
}

// "make install" installs a local build without any settings, beside other providers and over a running build. The CLI uses it
// like a release.
func TestInstalledBuildIsFoundByInit(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(interxionBlock)
	home := filepath.Dir(s.Dir)
	install := func() string {
		t.Helper()
		command := exec.CommandContext(t.Context(), installer, cliPath)
		command.Dir = filepath.Dir(plugins)
		command.Env = append(os.Environ(), "HOME="+home, "APPDATA="+home, "XDG_DATA_HOME=", "TF_CLI_CONFIG_FILE=")
		output, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(output), home) {
			t.Fatalf("%v\n%s", err, output)
		}
		return string(output)
	}
	if said := install(); strings.Contains(said, "filesystem_mirror") {
		t.Errorf("it speaks of a CLI configuration that is not there:\n%s", said)
	}
	s.setenv("APPDATA", home)
	s.setenv("TF_CLI_CONFIG_FILE", "")
	s.must("init")
	s.Interxion.Intercept(func(http.ResponseWriter, *http.Request) bool {
		install() // while the first build runs
		return false
	})
	r := s.report("plan")
	if r.Status != 0 || len(r.warnings) != 0 {
		t.Errorf("status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
	}
	s.wantRequests(1, 0, 0)

	rules := filepath.Join(home, ".terraformrc")
	if err := os.WriteFile(rules, []byte("provider_installation {\n  direct {}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := install(); !strings.Contains(said, "But "+rules) || !strings.Contains(said, "filesystem_mirror") {
		t.Errorf("it does not say what hides the directory:\n%s", said)
	}
}
