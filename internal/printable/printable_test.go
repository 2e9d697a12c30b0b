// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package printable

import "testing"

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
