// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import "strings"

// sameVariable reports whether two names are those of one environment variable.
func sameVariable(a, b string) bool { return strings.EqualFold(a, b) }
