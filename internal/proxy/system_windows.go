// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import "math"

// maxDescriptors returns how many connections this process may have open at the same time. Windows has no limit.
func maxDescriptors() int { return math.MaxInt32 }
