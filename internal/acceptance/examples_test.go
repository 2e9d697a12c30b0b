// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const examples = "../../examples"

// withOthers marks the examples that need providers which are not built here.
const withOthers = "with-"

// Every example is applied as a user would who has set the credentials in the environment, and destroyed.
func TestEveryExampleWorks(t *testing.T) {
	t.Parallel()
	for _, dir := range exampleDirs(t) {
		t.Run(filepath.ToSlash(dir), func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(filepath.Base(dir), withOthers) {
				t.Skip("needs another provider; its syntax is checked in TestEveryExampleIsFormatted")
			}
			s := newStage(t)
			if err := os.CopyFS(s.Dir, os.DirFS(filepath.Join(examples, dir))); err != nil {
				t.Fatal(err)
			}
			s.must("get")
			s.must("apply", "-auto-approve")
			asked := 0
			for _, p := range s.Platforms() {
				for _, request := range p.Requests() {
					asked++
					if request.Status != 200 {
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
