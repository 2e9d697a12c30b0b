// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build !windows

package command

// sameVariable reports whether two names denote the same environment variable.
func sameVariable(a, b string) bool { return a == b }
