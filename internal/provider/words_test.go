// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms/platformstest"
)

// Users of Terraform read none of the command's words.
func TestNoTextHasAWordOfTheCommand(t *testing.T) {
	words := regexp.MustCompile(`--[a-z]|(?i)\b(flags?|command line|openssl|printf)\b|\$\(|\{[a-z]+\}`)
	proper, seen := strings.NewReplacer("its command line uses production", ""), 0
	platformstest.Texts((&accessToken{Platform: platforms.OAuth2}).terms(), func(text string) {
		seen++
		if found := words.FindString(proper.Replace(text)); found != "" {
			t.Errorf("%q in: %s", found, text)
		}
	})
	if seen < 1000 {
		t.Errorf("%d texts", seen)
	}
}
