// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import "strings"

// sameVariable reports whether two names denote the same environment variable. On Windows, case does not matter.
func sameVariable(a, b string) bool { return strings.EqualFold(a, b) }
