// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package printable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The text of an error names no path, and fits into a sentence. What the error is stays known.
func TestWithoutPath(t *testing.T) {
	_, err := os.Open(filepath.Join(t.TempDir(), "missing"))
	got := WithoutPath(fmt.Errorf("it failed: %w", err))
	if text := got.Error(); text == "" || strings.Contains(text, "missing") || strings.HasSuffix(text, ".") || !errors.Is(got, fs.ErrNotExist) {
		t.Errorf("%q of %v", got, err)
	}
	if other := errors.New("another"); !errors.Is(WithoutPath(other), other) {
		t.Error("an error of another kind has changed")
	}
}

// A path of Windows is shown as a person types it, and nothing in a path reaches the terminal.
func TestPath(t *testing.T) {
	for path, want := range map[string]string{
		`C:\Users\a b\secret`: `"C:\Users\a b\secret"`,
		"a\n\x1b[31m\"b":      `"a\n\x1b[31m\"b"`,
	} {
		if got := Path(path); got != want {
			t.Errorf("%q is shown as %s, want %s", path, got, want)
		}
	}
}
