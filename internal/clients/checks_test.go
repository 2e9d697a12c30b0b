// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"strings"
	"testing"
)

// The documentation names the limit.
func TestASettingMayHave8192Bytes(t *testing.T) { // C17
	longest := "https://host.example/" + strings.Repeat("x", 8192-len("https://host.example/"))
	for name, check := range map[string]func(Secret) string{"text": CheckText, "secret": CheckVerbatim, "URL": CheckURL} {
		if got := check(NewSecret(longest)); got != "" {
			t.Errorf("%s of 8192 bytes: %s", name, got)
		}
		if got := check(NewSecret(longest + "x")); !strings.HasSuffix(got, "is longer than 8192 bytes") {
			t.Errorf("%s of 8193 bytes: %q", name, got)
		}
	}
}
