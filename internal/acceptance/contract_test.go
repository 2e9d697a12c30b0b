// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// TestEveryPlatformKeepsThePromises tests what users may rely on, for each platform of the simulator and for both kinds. It
// includes a new platform automatically.
func TestEveryPlatformKeepsThePromises(t *testing.T) {
	t.Parallel()
	for i, p := range newFixture(t).Platforms() {
		t.Run(p.Name(), func(t *testing.T) {
			t.Parallel()
			for name, promise := range map[string]func(*fixture, *simulator.Platform, variables){
				"any number of blocks are one request": sharesOneRequest,
				"a token opens the API":                opensTheAPI,
				"all missing settings are named":       namesMissingSettings,
				"no secret crosses a network in clear": refusesPlainHTTP,
				"a rejected secret is sent once":       sendsARejectedSecretOnce,
				"a proxy opens the API":                proxyOpensTheAPI,
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					s := newFixture(t)
					p := s.Platforms()[i]
					promise(s, p, variablesOf(p))
					for _, other := range s.Platforms() {
						if sent := len(other.Requests()); other != p && sent != 0 {
							t.Errorf("%s is not used, and has seen %d requests", other.Name(), sent)
						}
					}
				})
			}
		})
	}
}

// variables has the names of a platform's environment variables.
type variables struct{ url, clientID, clientSecret string }

func variablesOf(p *simulator.Platform) variables {
	var names []string
	for _, setting := range p.Environment() {
		name, _, _ := strings.Cut(setting, "=")
		names = append(names, name)
	}
	return variables{names[0], names[1], names[2]}
}

// platformOf returns the description of a simulated platform.
func platformOf(p *simulator.Platform) platforms.Platform {
	for _, platform := range platforms.All {
		if platform.Title == p.Name() {
			return platform
		}
	}
	panic("the simulator has a platform that the provider does not know: " + p.Name())
}

// tokenType returns the type of a platform's access token blocks.
func tokenType(p *simulator.Platform) string { return platformOf(p).Name + "_access_token" }

// inputOf returns the input that an environment variable sets.
func inputOf(p *simulator.Platform, variable string) platforms.Input {
	for _, in := range platformOf(p).Inputs {
		if in.Environment == variable {
			return in
		}
	}
	panic(p.Name() + " has no input for " + variable)
}

// bothKinds returns twenty blocks of each kind.
func bothKinds(p *simulator.Platform) string {
	return `ephemeral "` + tokenType(p) + `" "many" {
  provider = ixtoken
  count    = 20
}
data "` + tokenType(p) + `" "many" {
  provider = ixtoken
  count    = 20
}
`
}

func sharesOneRequest(s *fixture, p *simulator.Platform, _ variables) {
	s.configure(bothKinds(p))
	if r := s.report("plan"); r.Status != 0 || len(r.warnings) != 0 {
		s.t.Errorf("status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
	}
	if sent := len(p.Requests()); sent != 1 {
		s.t.Errorf("%d requests", sent)
	}
}

func opensTheAPI(s *fixture, p *simulator.Platform, _ variables) {
	s.configure(`data "` + tokenType(p) + `" "t" { provider = ixtoken }
data "http" "api" {
  url             = "` + p.APIURL() + `"
  request_headers = { Authorization = data.` + tokenType(p) + `.t.authorization }
}
`)
	s.must("plan")
	if requests := p.Requests(); len(requests) != 2 || requests[1].Status != 200 {
		s.t.Errorf("requests %v", requests)
	}
}

func proxyOpensTheAPI(s *fixture, p *simulator.Platform, _ variables) {
	kind := platformOf(p).Name + "_api_proxy"
	text := `terraform {
  required_providers {
    ixtoken = { source = "ixtoken/ixtoken" }
    restapi = { source = "Mastercard/restapi" }
  }
}
ephemeral "` + kind + `" "p" {
  provider = ixtoken
  upstream = "` + p.URL() + `"
}
provider "restapi" { uri = ephemeral.` + kind + `.p.url }
resource "restapi_object" "o" {
  path = "` + strings.TrimPrefix(p.APIURL(), p.URL()) + `"
  data = "{}"
}
`
	if err := s.Write("main.tf", text); err != nil {
		s.t.Fatal(err)
	}
	r := s.run("apply", "-auto-approve") // the API may reject the object
	calls := slices.DeleteFunc(p.Requests(), func(r simulator.Request) bool { return r.Grant != "" })
	if len(calls) != 1 || calls[0].Path != strings.TrimPrefix(p.APIURL(), p.URL()) || calls[0].Rejected {
		s.t.Errorf("requests %v\n%s%s", p.Requests(), r.Stdout, r.Stderr)
	}
}

// wantRefusals fails the test unless each of forty blocks, twenty of each kind, has exactly one error with all words.
func wantRefusals(s *fixture, p *simulator.Platform, words ...string) {
	s.t.Helper()
	s.configure(separateBlocks(20, "ephemeral", tokenType(p), "") + separateBlocks(20, "data", tokenType(p), ""))
	r := s.report("plan")
	byKind := map[string][]diagnostic{} // the texts for data sources differ
	for _, d := range r.errors {
		kind, _, _ := strings.Cut(d.Address, ".")
		byKind[kind] = append(byKind[kind], d)
	}
	if len(byKind) != 2 {
		s.t.Fatalf("errors of the kinds %v", slices.Collect(maps.Keys(byKind)))
	}
	for kind, refusals := range byKind {
		wantOneEach(s.t, refusals, 20, kind, tokenType(p))
		for _, want := range append(words, "No "+p.Name()+" access token: ") {
			if !strings.Contains(refusals[0].text(), want) {
				s.t.Errorf("the error does not say %q:\n%s", want, refusals[0].text())
			}
		}
	}
}

func namesMissingSettings(s *fixture, p *simulator.Platform, names variables) {
	missing := []string{"settings are missing", names.clientID, names.clientSecret}
	if inputOf(p, names.url).Default == "" {
		missing = append(missing, names.url)
	}
	for _, name := range []string{names.url, names.clientID, names.clientSecret} {
		s.setenv(name, "")
	}
	wantRefusals(s, p, missing...)
	if sent := len(p.Requests()); sent != 0 {
		s.t.Errorf("%d requests", sent)
	}
}

func refusesPlainHTTP(s *fixture, p *simulator.Platform, names variables) {
	s.setenv(names.url, "http://platform.example")
	wantRefusals(s, p, names.url, "https://", "comes from the environment")
}

func sendsARejectedSecretOnce(s *fixture, p *simulator.Platform, names variables) {
	s.setenv(names.clientSecret, "wrong")
	wantRefusals(s, p, "credentials rejected", names.clientID, names.clientSecret, names.url, inputOf(p, names.clientSecret).Name+" from the environment")
	if sent := len(p.Requests()); sent != 1 {
		s.t.Errorf("%d requests", sent)
	}
}
