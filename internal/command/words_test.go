// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms/platformstest"
)

// Users of the command read none of Terraform's words.
func TestNoTextHasAWordOfTerraform(t *testing.T) {
	words := regexp.MustCompile(`(?i)\b(blocks?|attributes?|provider|terraform|apply)\b|::|\b(file|pathexpand|trimspace|join)\(|[{}]`)
	proper := strings.NewReplacer("HCP Terraform", "", "its Terraform provider uses staging", "")
	seen := 0
	refuse := func(text string) {
		seen++
		if found := words.FindString(proper.Replace(text)); found != "" {
			t.Errorf("%q in: %s", found, text)
		}
	}
	platformstest.Texts(terms(""), refuse)
	for _, p := range platforms.All {
		for _, in := range p.APIProxy().Inputs {
			refuse(helpText(in))
		}
	}
	for _, in := range platforms.General {
		refuse(helpText(in))
	}
	if seen < 1000 {
		t.Errorf("%d texts", seen)
	}
}
