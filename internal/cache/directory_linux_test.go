// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	hostile["F19 a device"] = func(t *testing.T, path string) {
		if err := unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))); err != nil { // /dev/zero
			t.Skip(err)
		}
	}
}
