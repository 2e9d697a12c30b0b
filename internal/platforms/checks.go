// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

func checkText(value clients.Secret) string {
	text := value.Reveal()
	switch {
	case len(text) > 4096:
		return "is longer than 4096 bytes"
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has a line break or another control character"
	}
	return ""
}

func checkSecret(value clients.Secret) string {
	if len(value.Reveal()) > 8192 {
		return "is longer than 8192 bytes"
	}
	return ""
}

func checkURL(value clients.Secret) string {
	if _, err := clients.ParseURL(value.Reveal()); err != nil {
		return "is not accepted: " + err.Error()
	}
	return ""
}

func checkAPIVersion(value clients.Secret) string {
	return strings.TrimPrefix(clients.CheckAPIVersion(value.Reveal()), "api_version ")
}

func checkOneOf(allowed ...string) func(clients.Secret) string {
	return func(value clients.Secret) string {
		if slices.Contains(allowed, value.Reveal()) {
			return ""
		}
		return `must be "` + strings.Join(allowed, `" or "`) + `"`
	}
}

func checkDuration(least, most time.Duration, example string) func(clients.Secret) string {
	return func(value clients.Secret) string {
		duration, err := time.ParseDuration(value.Reveal())
		if err != nil || duration < least || duration > most {
			return fmt.Sprintf("must be a duration from %s to %s with its unit, such as %q", Brief(least), Brief(most), example)
		}
		return ""
	}
}
