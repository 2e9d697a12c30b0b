// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// alone fails the test unless the directory holds these files and no others, such as a temporary one.
func alone(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the directory holds %q, want %q", got, names)
	}
}

// The search for secrets reads the fixture's directory, so the files with tokens are elsewhere.
func TestTheResultIsWrittenToAFile(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	for _, test := range []struct {
		args []string
		mode fs.FileMode
	}{
		{nil, 0o600},
		{[]string{"--output-mode", "0640"}, 0o640},
		{[]string{"--output-mode=0644"}, 0o644},
		{[]string{"--output-mode=0600"}, 0o600},
	} {
		r := s.run(append([]string{"token", "equinix", "--output", file}, test.args...)...)
		if r.status != 0 || r.stdout+r.stderr != "" {
			t.Fatalf("status %d, %q, %s", r.status, r.stdout, r.stderr)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.accepts(s.Equinix, "Bearer "+strings.TrimSuffix(string(text), "\n"))
		if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode() != test.mode {
			t.Errorf("%q: mode %s, error %v", test.args, info.Mode(), err)
		}
		alone(t, dir, "token")
	}
	if r := s.run("token", "cloudlx", "--output", file, "--format", "json"); r.status != 0 || r.stdout != "" {
		t.Errorf("status %d, %q, %s", r.status, r.stdout, r.stderr)
	}
	var outputs struct {
		Authorization string `json:"authorization"`
	}
	if text, err := os.ReadFile(file); err != nil || json.Unmarshal(text, &outputs) != nil {
		t.Errorf("no JSON: %v", err)
	}
	s.accepts(s.CloudLX, outputs.Authorization)
}

// A link stays, and what it names is replaced.
func TestALinkToTheFileStays(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	dir := t.TempDir()
	link, file := filepath.Join(dir, "link"), filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("token", link); err != nil {
		t.Skip(err)
	}
	s.run("token", "equinix", "--output", link)
	if text, err := os.ReadFile(file); err != nil || string(text) == "old" {
		t.Errorf("%v: the file was not replaced", err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link has gone: %v", err)
	}
}

// After an error, the file is as it was. A file that cannot be written is an error before anything is sent.
func TestAnErrorLeavesTheFileAsItWas(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ args, want string }{
		{"--output DIR", "does not name a file"},
		{"--output DIR/none/token", "cannot be written"},
		{"--output DIR/token --output-mode 0666", "Unknown --output-mode"},
		{"--output DIR/token --format xml", "Unknown --format"},
		{"--output DIR/token --format github", "cannot be used with --output"},
		{"--output DIR/token --variable 1", "--variable must"},
		{"--output DIR/token --watch --strict", "exclude each other"},
		{"--output DIR/token --watch --base-url ftp://x", "base_url"},
		{"--watch", "--watch needs --output"},
		{"--output-mode 0600", "--output-mode needs --output"},
	} {
		args := strings.Fields(strings.ReplaceAll(test.args, "DIR", dir))
		s.refused(2, []string{test.want}, append([]string{"token", "equinix"}, args...)...)
	}
	if runtime.GOOS != "windows" {
		s.refused(2, []string{"does not name a file"}, "token", "equinix", "--output", os.DevNull)
	}
	if sent := s.sent(); sent != 0 {
		t.Errorf("%d requests", sent)
	}
	s.setenv("EQUINIX_API_CLIENTSECRET", "wrong")
	s.refused(3, []string{"Equinix"}, "token", "equinix", "--output", file)
	if text, err := os.ReadFile(file); err != nil || string(text) != "old" {
		t.Errorf("the file has changed: %v", err)
	}
	alone(t, dir, "token")
}

// While the file is replaced again and again, a reader finds a whole token that the API accepts. SIGTERM ends the command
// with status 0, and the file stays.
func TestAWatchedFileIsAlwaysWholeAndValid(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM")
	}
	s := newFixture(t)
	s.Equinix.SetLifetime(2*time.Second, time.Hour)
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	watching := s.stay("token", "equinix", "--watch", "--output", file, "--min-validity", "1s")
	different := map[string]bool{}
	for ends := time.Now().Add(5 * time.Second); time.Now().Before(ends); <-time.After(50 * time.Millisecond) {
		text, err := os.ReadFile(file)
		if err != nil && len(different) == 0 {
			continue // the first token is on its way
		}
		token, whole := strings.CutSuffix(string(text), "\n")
		if err != nil || !whole {
			t.Fatalf("%v, %d bytes", err, len(text))
		}
		s.accepts(s.Equinix, "Bearer "+token)
		different[token] = true
	}
	if len(different) < 3 || len(different) > 7 {
		t.Errorf("%d tokens in 5 s", len(different))
	}
	if r := watching.terminate(); r.status != 0 || r.stdout+r.stderr != "" {
		t.Errorf("status %d, %q, %s", r.status, r.stdout, r.stderr)
	}
	alone(t, dir, "token")
}

// A wrong secret is sent once. When the file with the secret holds the right one, there is a token within seconds.
func TestAWatchWaitsForTheRightSecret(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM")
	}
	s := newFixture(t)
	dir, secrets := t.TempDir(), t.TempDir()
	file, secret := filepath.Join(dir, "token"), filepath.Join(secrets, "secret")
	put := func(text string) {
		if err := os.WriteFile(secret, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("wrong")
	watching := s.stay("token", "equinix", "--watch", "--output", file, "--client-secret-file", secret)
	watching.waitFor("The file has no new token yet")
	alone(t, dir)
	if sent := s.sent(); sent != 1 {
		t.Errorf("%d requests", sent)
	}
	put(s.Equinix.Credentials().ClientSecret)
	watching.waitFor("There is a token of Equinix again")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s.accepts(s.Equinix, "Bearer "+strings.TrimSpace(string(text)))
	if r := watching.terminate(); r.status != 0 || s.sent() != 2 {
		t.Errorf("status %d, %d requests, %s", r.status, s.sent(), r.stderr)
	}
}
