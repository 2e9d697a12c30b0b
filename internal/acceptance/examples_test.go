// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/standin"
)

const examples = "../../examples"

// variables are those of the examples that have no default, or one that is a platform's own URL.
func variables(s *stage) []string {
	return []string{
		"TF_VAR_api_url=" + s.Equinix.URL(),
		"TF_VAR_ix_api_url=" + s.Interxion.URL() + "/api/v2",
		"TF_VAR_port=c4d85dbe-f965-9659-f7e0-306a5c00af26",
	}
}

// newExample is a stage with a copy of an example, whose variables are set, and a Vault with an empty secret.
func newExample(t *testing.T, dir string) (*stage, *standin.Vault) {
	t.Helper()
	s := newStage(t)
	vault := standin.StartVault("vault-token")
	t.Cleanup(vault.Close)
	vault.Put("secret", "cloudlx", map[string]any{"refresh_token": ""})
	s.Env = append(append(s.Env, vault.Environment()...), variables(s)...)
	if err := os.CopyFS(s.Dir, os.DirFS(filepath.Join(examples, dir))); err != nil {
		t.Fatal(err)
	}
	return s, vault
}

// Every example is applied as a user would who has set the credentials in the environment, and destroyed. Providers of
// other people have stand-ins.
func TestEveryExampleWorks(t *testing.T) {
	t.Parallel()
	for _, dir := range exampleDirs(t) {
		t.Run(filepath.ToSlash(dir), func(t *testing.T) {
			t.Parallel()
			s, _ := newExample(t, dir)
			s.must("get")
			s.must("apply", "-auto-approve")
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

// Another provider uses the token: it creates with it, reads, and deletes.
func TestAnotherProviderUsesTheToken(t *testing.T) {
	t.Parallel()
	s, _ := newExample(t, "with-restapi-provider")
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

// A refresh token goes into a secret store through a write-only argument, and the next run uses it.
func TestARefreshTokenIsKeptInASecretStore(t *testing.T) {
	t.Parallel()
	s, vault := newExample(t, "with-vault-provider")
	stored := func() string { return fmt.Sprint(vault.Get("secret", "cloudlx")["refresh_token"]) }
	s.must("apply", "-auto-approve")
	first := stored()
	select { // the version of the write-only argument is a time in seconds
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

// wantAbsent looks for secrets in each file that the commands have left.
func (s *stage) wantAbsent(secrets ...string) {
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
	if err != nil || files < 2 { // the configuration and the state
		s.t.Errorf("%d files, error %v", files, err)
	}
}

// exampleDirs are the directories under examples that a user would run: those with a configuration that is no other
// example's module.
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
		return fs.SkipDir // what is below is its modules
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
		if bytes.Contains(text, []byte("_access_token\"")) {
			return true
		}
	}
	return false
}

func TestEveryExampleIsFormatted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if err := os.CopyFS(s.Dir, os.DirFS(examples)); err != nil {
		t.Fatal(err)
	}
	if r := s.run("fmt", "-recursive", "-check", "-diff"); r.Status != 0 {
		t.Errorf("not formatted:\n%s%s", r.Stdout, r.Stderr)
	}
}
