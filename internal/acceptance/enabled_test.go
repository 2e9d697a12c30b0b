// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// applyOnly returns a token and a proxy of a platform that are enabled in the apply alone, and a step that writes both.
func applyOnly(p *simulator.Platform) string {
	name := platformOf(p).Name
	return fmt.Sprintf(`
ephemeral "%[1]s_access_token" "a" {
  provider = ixtoken
  enabled  = terraform.applying
}
ephemeral "%[1]s_api_proxy" "a" {
  provider = ixtoken
  enabled  = terraform.applying
  upstream = %[2]q
}
resource "terraform_data" "%[1]s" {
  provisioner "local-exec" {
    command     = "{ echo \"$TOKEN\"; echo \"$URL\"; } >%[1]s"
    environment = {
      TOKEN = coalesce(ephemeral.%[1]s_access_token.a.authorization, "unused")
      URL   = coalesce(ephemeral.%[1]s_api_proxy.a.url, "unused")
    }
  }
}
`, name, p.URL())
}

// A block with enabled = terraform.applying sends nothing in the plan, and needs no credentials there. The apply has one login
// of each platform for both blocks.
func TestABlockThatIsEnabledInTheApplyCostsThePlanNothing(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	text := ""
	for _, p := range s.Platforms() {
		text += applyOnly(p)
	}
	s.configure(text)
	credentials := s.Env
	for _, p := range s.Platforms() {
		for _, variable := range p.Environment() {
			name, _, _ := strings.Cut(variable, "=")
			s.setenv(name, "")
		}
	}
	s.must("validate")
	s.must("plan", "-out=saved")
	for _, p := range s.Platforms() {
		if sent := len(p.Requests()); sent != 0 {
			t.Errorf("%s: the plan has sent %d requests", p.Name(), sent)
		}
	}
	s.Env = credentials
	s.must("apply", "saved")
	for _, p := range s.Platforms() {
		if sent := len(p.Requests()); sent != 1 {
			t.Errorf("%s: the apply has sent %d requests", p.Name(), sent)
		}
		got, err := os.ReadFile(filepath.Join(s.Dir, platformOf(p).Name))
		if lines := strings.Split(string(got), "\n"); err != nil || len(lines) != 3 || !strings.HasPrefix(lines[0], "Bearer ") || !strings.HasPrefix(lines[1], "http://127.0.0.1:") {
			t.Errorf("%s: the step has got %d lines, %v", p.Name(), strings.Count(string(got), "\n"), err)
		}
	}
}

// The page says so: what is null in the plan cannot stand in a template.
func TestADisabledBlockInATemplateIsAnErrorOfThePlan(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(equinixBlock("  enabled = terraform.applying") + `locals { header = "Bearer ${ephemeral.equinix_access_token.t.access_token}" }`)
	if r := s.report("plan"); len(r.errors) == 0 || !strings.Contains(r.errors[0].text(), "null") {
		t.Errorf("the plan says %v", r.errors)
	}
}
