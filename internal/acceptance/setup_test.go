// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// releases is a server with releases of the command, as GitHub has them.
type releases struct {
	*httptest.Server
	files map[string]string // by the part of the path after "/releases/"
}

func newReleases(t *testing.T) *releases {
	t.Helper()
	r := &releases{files: map[string]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		name, _ := strings.CutPrefix(q.URL.Path, "/releases/")
		switch content, ok := r.files[name]; {
		case name == "latest":
			http.Redirect(w, q, r.URL+"/releases/tag/v1.2.3", http.StatusFound)
		case ok:
			_, _ = w.Write([]byte(content))
		default:
			http.NotFound(w, q)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// add adds version 1.2.3 for 64-bit Linux, and its checksum.
func (r *releases) add(t *testing.T) {
	t.Helper()
	program, err := os.ReadFile(provider())
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	compressed := gzip.NewWriter(&archive)
	w := tar.NewWriter(compressed)
	err = w.WriteHeader(&tar.Header{Name: "ixtoken", Mode: 0o755, Size: int64(len(program))})
	if err == nil {
		_, err = w.Write(program)
	}
	if err != nil || w.Close() != nil || compressed.Close() != nil {
		t.Fatal(err)
	}
	const name = "ixtoken_1.2.3_linux_amd64.tar.gz"
	sum := sha256.Sum256(archive.Bytes())
	r.files["download/v1.2.3/"+name] = archive.String()
	r.files["download/v1.2.3/ixtoken_1.2.3_SHA256SUMS"] = hex.EncodeToString(sum[:]) + "  " + name + "\n"
}

// The script of the action installs what was released, and nothing else.
func TestTheSetupActionInstallsTheCommand(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "tar", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil || runtime.GOOS == "windows" {
			t.Skip("a tool is missing")
		}
	}
	const signedOut, genuine, forged = "exit 1", "exit 0", `[ "$1" = auth ]`
	for name, test := range map[string]struct {
		version, os, arch, gh string
		harm                  func(*releases)
		want                  string // "": it is installed
	}{
		"a version":              {version: "1.2.3"},
		"with v":                 {version: "v1.2.3"},
		"the latest":             {version: "latest"},
		"signed in":              {version: "1.2.3", gh: genuine},
		"signed out":             {version: "1.2.3", gh: signedOut},
		"not from the workflow":  {version: "1.2.3", gh: forged, want: "was not built by the release workflow"},
		"no such version":        {version: "9.9.9", want: "There is no release 9.9.9"},
		"no such system":         {version: "1.2.3", os: "Plan9", want: "There is no ixtoken for Plan9"},
		"no such processor":      {version: "1.2.3", arch: "S390X", want: "processors of the kind S390X"},
		"not for this system":    {version: "1.2.3", os: "macOS", arch: "ARM64", want: "Release 1.2.3 has no ixtoken for macOS on ARM64"},
		"no version":             {version: "1.2.3; touch here", want: "must be a version"},
		"a path":                 {version: "../1.2.3", want: "must be a version"},
		"another archive":        {version: "1.2.3", harm: func(r *releases) { r.files["download/v1.2.3/ixtoken_1.2.3_linux_amd64.tar.gz"] += "x" }, want: "The checksum of ixtoken_1.2.3_linux_amd64.tar.gz is wrong"},
		"the archive is missing": {version: "1.2.3", harm: func(r *releases) { delete(r.files, "download/v1.2.3/ixtoken_1.2.3_linux_amd64.tar.gz") }, want: "cannot be downloaded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newReleases(t)
			server.add(t)
			if test.harm != nil {
				test.harm(server)
			}
			said, path, err := runSetup(t, server.URL, test.version, test.os, test.arch, test.gh)
			if test.want != "" {
				if err == nil || !strings.Contains(said, "::error title=ixtoken::") || !strings.Contains(said, test.want) || path != "" {
					t.Errorf("%v, path %q: %s", err, path, said)
				}
				return
			}
			if err != nil || strings.Contains(said, "::notice") != (test.gh != genuine) {
				t.Fatalf("%v: %s", err, said)
			}
			if output, err := exec.CommandContext(t.Context(), filepath.Join(path, "ixtoken"), "help").Output(); err != nil || !strings.Contains(string(output), "ixtoken token equinix") {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
}

// runSetup runs the script of the action with releases from url. gh is the script of the program gh; "": there is none. It
// returns what the script says, and what it adds to the PATH.
func runSetup(t *testing.T, url, version, system, arch, gh string) (said, path string, err error) {
	t.Helper()
	temporary := t.TempDir()
	script := strings.NewReplacer("https://github.com/$repository/releases", url+"/releases", "protocol=https", "protocol=http", "--retry 3", "").
		Replace(read(t, "setup/install"))
	put(t, filepath.Join(temporary, "install"), script)
	put(t, filepath.Join(temporary, "tools", "gh"), "#!/bin/sh\n"+cmp.Or(gh, "exit 1")+"\n")
	if err := os.Chmod(filepath.Join(temporary, "tools", "gh"), 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "bash", filepath.Join(temporary, "install"))
	command.Dir = temporary
	command.Env = []string{
		"PATH=" + filepath.Join(temporary, "tools") + ":" + os.Getenv("PATH"), "HOME=" + temporary, "NO_PROXY=127.0.0.1", "IXTOKEN_VERSION=" + version,
		"RUNNER_OS=" + cmp.Or(system, "Linux"), "RUNNER_ARCH=" + cmp.Or(arch, "X64"), "RUNNER_TEMP=" + temporary,
		"GITHUB_PATH=" + filepath.Join(temporary, "path"), "GITHUB_OUTPUT=" + filepath.Join(temporary, "output"),
	}
	output, err := command.CombinedOutput()
	added, _ := os.ReadFile(filepath.Join(temporary, "path")) // missing: nothing was added
	return string(output), strings.TrimSpace(string(added)), err
}
