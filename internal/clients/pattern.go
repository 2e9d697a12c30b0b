// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"regexp"
	"sync"
)

// lazily returns a regular expression that is compiled at its first use. Every start of the plugin would pay for it
// otherwise, and most processes need few of them.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
