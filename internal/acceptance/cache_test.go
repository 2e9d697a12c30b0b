// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// K07: with the cache, a plan, the apply of its file, another apply and a destroy send one request in total.
func TestOneRequestForAllPhases(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ephemeral", "data"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(t.TempDir(), "cache"))
			reference := map[string]string{"ephemeral": "ephemeral.", "data": "data."}[kind] + "cloudlx_access_token.t.authorization"
			s.configure(kind + ` "cloudlx_access_token" "t" { provider = ixtoken }
resource "terraform_data" "use" {
  triggers_replace = plantimestamp()
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = ` + reference + ` }
  }
}
`)
			for _, command := range []string{"plan -out=saved", "apply saved", "apply -auto-approve", "destroy -auto-approve"} {
				s.must(strings.Fields(command)...)
				s.wantRequests(0, 0, 1)
			}
		})
	}
}

// The plan uses a refresh token, and the platform rotates it. The apply finds the plan's token in the cache.
func TestARefreshTokenServesPlanAndApplyWithTheCache(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(t.TempDir(), "cache"))
	s.setenv("TF_VAR_previous", cloudLXRefreshToken(s))
	s.configure(refreshVariable + `ephemeral "cloudlx_access_token" "t" {
  provider               = ixtoken
  previous_refresh_token = var.previous
}
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = ephemeral.cloudlx_access_token.t.authorization }
  }
}
`)
	for _, command := range []string{"plan", "apply"} {
		args := []string{command}
		if command == "apply" {
			args = append(args, "-auto-approve")
		}
		if r := s.report(args...); r.Status != 0 || len(r.warnings) != 0 {
			t.Errorf("%s: status %d, warnings %v, errors %v", command, r.Status, r.warnings, r.errors)
		}
	}
	if got := grants(s.CloudLX)[1:]; len(got) != 1 || got[0] != "refresh_token 200" {
		t.Errorf("sent %v", got)
	}
}

// F06, H21: a directory in which other users can write is not used, but the block gets its token.
func TestADirectoryThatOthersCanWriteIsRefused(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(dir string) error{
		"F06 others may write": func(dir string) error {
			return os.Chmod(dir, 0o777)
		},
		"a link": func(dir string) error {
			return os.Symlink(t.TempDir(), filepath.Join(dir, "cache"))
		},
		"a file": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "cache"), nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			dir := t.TempDir()
			if err := prepare(dir); err != nil {
				t.Fatal(err)
			}
			cache := dir
			if name != "F06 others may write" {
				cache = filepath.Join(dir, "cache")
			}
			s.configure("provider \"ixtoken\" {\n  token_cache_dir = \"" + filepath.ToSlash(cache) + "\"\n}\n" + interxionBlock)
			r := s.report("plan")
			if r.Status != 0 || len(r.warnings) != 1 || !strings.Contains(r.warnings[0].text(), cache) || !strings.Contains(r.warnings[0].text(), "IXTOKEN_CACHE_DIR") {
				t.Errorf("status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
			}
			s.wantRequests(1, 0, 0)
		})
	}
}

// F16: no home directory, and names that nothing expands. No directory with such a name is created.
func TestANameThatNothingExpandsIsRefused(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"~/cache": "pathexpand", "$HOME/.cache/ixtoken": "has a placeholder", `%TEMP%\x`: "has a placeholder", "${{ runner.temp }}/x": "has a placeholder",
		"file:///x/" + canary: "is a URL", "'/tmp/ixtoken'": "is in quotation marks",
	} {
		t.Run(want+" "+name[:2], func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			s.setenv("HOME", "")
			s.setenv("IXTOKEN_CACHE_DIR", name)
			s.configure(interxionBlock)
			before := entries(t, s.Dir)
			r := s.report("plan")
			if r.Status != 0 || len(r.warnings) != 1 || !strings.Contains(r.warnings[0].Summary, "not shared") || !strings.Contains(r.warnings[0].Detail, want) {
				t.Errorf("status %d, warnings %v", r.Status, r.warnings)
			}
			s.wantRequests(1, 0, 0)
			s.setenv("IXTOKEN_CACHE_DIR", "")
			s.configure("provider \"ixtoken\" {\n  token_cache_dir = \"" + escaped(name) + "\"\n}\n" + interxionBlock)
			block := s.report("plan")
			if len(block.errors) != 1 || block.errors[0].Summary != "Invalid provider configuration: token_cache_dir" || !strings.Contains(block.errors[0].Detail, want) {
				t.Errorf("in the provider block: %v", block.errors)
			}
			if strings.Contains(r.Stdout+block.Stdout, canary) {
				t.Error("the output shows a part of a URL")
			}
			if after := entries(t, s.Dir); !slices.Equal(before, after) {
				t.Errorf("beside main.tf are %q, before %q", after, before)
			}
		})
	}
}

// entries returns the names in a directory.
func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range found {
		names = append(names, entry.Name())
	}
	return names
}

// F02: a manipulated entry causes a warning in the log, without its path and without a secret.
func TestAChangedEntryIsLogged(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	log, cache := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "cache")
	s.setenv("IXTOKEN_CACHE_DIR", cache)
	s.setenv("TF_LOG_PROVIDER", "WARN")
	s.setenv("TF_LOG_PATH", log)
	s.configure(interxionBlock)
	s.must("plan")
	const said = "the cache entry is not used: something else has changed it"
	if text, err := os.ReadFile(log); err == nil && strings.Contains(string(text), said) {
		t.Errorf("a missing entry is called changed:\n%s", text)
	}
	found, err := filepath.Glob(filepath.Join(cache, "*.token"))
	if err != nil || len(found) != 1 {
		t.Fatalf("entries %q, %v", found, err)
	}
	if err := os.WriteFile(found[0], []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.must("plan")
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(text), said); got != 1 || !strings.Contains(string(text), "[WARN]") {
		t.Errorf("said %d times, want once:\n%s", got, text)
	}
	if strings.Contains(string(text), cache) || strings.Contains(string(text), s.Interxion.Credentials().ClientID) {
		t.Errorf("the log names the directory or the client:\n%s", text)
	}
	s.wantRequests(2, 0, 0)
}

// The log says where each token comes from, and why.
func TestTheLogShowsHitsAndMisses(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	log := filepath.Join(t.TempDir(), "log")
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(t.TempDir(), "cache"))
	s.setenv("TF_LOG_PROVIDER", "DEBUG")
	s.setenv("TF_LOG_PATH", log)
	s.configure(interxionBlock)
	s.must("plan")
	s.must("plan")
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"handed out an access token", `cache miss`, `reason="there is no entry"`, "cache hit", "expires_at="} {
		if !strings.Contains(string(text), line) {
			t.Errorf("the log does not say %q", line)
		}
	}
}
