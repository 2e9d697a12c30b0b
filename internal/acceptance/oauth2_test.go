// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Further parameters and headers come from the block or from the provider block, and for a data source too. Their values may be
// ephemeral. Blocks with equal values share a token.
func TestFurtherParametersAndHeadersAreSent(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	var mu sync.Mutex
	var sent []string
	s.OAuth2.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, r.PostFormValue("pin")+" "+r.Header.Get("X-Key"))
		}
		return false
	})
	s.setenv("TF_VAR_pin", "1 & 2=ü")
	s.configure(`variable "pin" {
  type      = string
  ephemeral = true
}
provider "ixtoken" {
  oauth2 = { parameters = { pin = var.pin }, headers = { X-Key = "a", X-None = null } }
}
ephemeral "oauth2_access_token" "of_the_provider" { provider = ixtoken }
data "oauth2_access_token" "t" { provider = ixtoken }
ephemeral "oauth2_access_token" "same" {
  provider   = ixtoken
  parameters = { empty = "", pin = var.pin }
}
ephemeral "oauth2_access_token" "of_its_own" {
  provider   = ixtoken
  parameters = { pin = "3" }
  headers    = { x-key = "b" }
}
`)
	if r := s.report("plan"); r.Status != 0 || len(r.warnings) != 0 {
		t.Errorf("status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
	}
	slices.Sort(sent)
	if want := []string{"1 & 2=ü a", "3 b"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
}

// A value in a map that looks like a mistake is sent. A warning names it, and does not show it.
func TestAnOddParameterIsSentWithAWarning(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(oauth2Block(`parameters = { pin = "` + canary + `\n" }`))
	r := s.report("plan")
	if len(r.warnings) != 1 || !strings.Contains(r.warnings[0].Summary, `parameters has a value, "pin", that ends in a line break`) || strings.Contains(r.warnings[0].text(), canary) {
		t.Errorf("status %d, warnings %v", r.Status, r.warnings)
	}
}

// A parameter that is known only in the apply defers the block. It does not count as unset.
func TestAParameterThatIsNotKnownYet(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(`resource "terraform_data" "later" {}
` + oauth2Block(`parameters = { pin = terraform_data.later.id }`) + `resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { A = ephemeral.oauth2_access_token.t.authorization }
  }
}
`)
	s.must("plan")
	if sent := len(s.OAuth2.Requests()); sent != 0 {
		t.Errorf("the plan has sent %d requests", sent)
	}
	s.must("apply", "-auto-approve")
	if sent := len(s.OAuth2.Requests()); sent != 1 {
		t.Errorf("plan and apply have sent %d requests", sent)
	}
}

// In the provider block, such a parameter is an error in the plan. It does not count as unset.
func TestAParameterOfTheProviderBlockThatIsNotKnownYet(t *testing.T) {
	t.Parallel()
	var refusals []refusal
	for _, parameters := range []string{`{ pin = terraform_data.later.id }`, `{ pin = terraform_data.later.id, other = "x" }`, `terraform_data.later.output`} {
		refusals = append(refusals, refusal{
			name: parameters, config: "provider \"ixtoken\" {\n  oauth2 = { parameters = " + parameters + " }\n}\n" + oauth2Block(""), want: []string{"not known", "parameters"},
		})
	}
	newFixture(t).wantRefused("resource \"terraform_data\" \"later\" { input = { pin = timestamp() } }\n", refusals)
}
