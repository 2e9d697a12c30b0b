// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// promise is what users may rely on. One run of the CLI shows it for all platforms.
type promise struct {
	command []string
	// set changes the environment. nil: nothing changes.
	set func(*fixture, variables)
	// config returns the part of the configuration for a platform.
	config func(*simulator.Platform) string
	// check fails the test unless the platform keeps the promise.
	check func(*testing.T, *simulator.Platform, report)
}

// TestEveryPlatformKeepsThePromises tests what users may rely on, for each platform of the simulator and for both kinds. It
// includes a new platform automatically.
func TestEveryPlatformKeepsThePromises(t *testing.T) {
	t.Parallel()
	for name, promise := range map[string]promise{
		"any number of blocks are one request": {[]string{"plan"}, nil, bothKinds, sharesOneRequest},
		"a token opens the API":                {[]string{"plan"}, nil, usesToken, opensTheAPI},
		"all missing settings are named":       {[]string{"plan"}, setNothing, separateOfBothKinds, namesMissingSettings},
		"no secret crosses a network in clear": {[]string{"plan"}, setPlainHTTP, separateOfBothKinds, refusesPlainHTTP},
		"a rejected secret is sent once":       {[]string{"plan"}, setWrongSecret, separateOfBothKinds, sendsARejectedSecretOnce},
		"a proxy opens the API":                {[]string{"apply", "-auto-approve"}, nil, usesProxy, proxyOpensTheAPI},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			text := strings.Replace(preamble, "ixtoken =", "restapi = { source = \"Mastercard/restapi\" }\n    ixtoken =", 1)
			for _, p := range s.Platforms() {
				if promise.set != nil {
					promise.set(s, variablesOf(p))
				}
				text += promise.config(p)
			}
			if err := s.Write("main.tf", text); err != nil {
				t.Fatal(err)
			}
			r := s.report(promise.command...)
			for _, p := range s.Platforms() {
				t.Run(p.Name(), func(t *testing.T) { promise.check(t, p, r) })
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

// ofEachKind is the number of blocks of each kind.
const ofEachKind = 10

// bothKinds returns blocks of each kind.
func bothKinds(p *simulator.Platform) string {
	return `ephemeral "` + tokenType(p) + `" "many" {
  provider = ixtoken
  count    = ` + strconv.Itoa(ofEachKind) + `
}
data "` + tokenType(p) + `" "many" {
  provider = ixtoken
  count    = ` + strconv.Itoa(ofEachKind) + `
}
`
}

func sharesOneRequest(t *testing.T, p *simulator.Platform, r report) {
	if r.Status != 0 || len(r.warnings) != 0 {
		t.Errorf("status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
	}
	if sent := len(p.Requests()); sent != 1 {
		t.Errorf("%d requests", sent)
	}
}

func usesToken(p *simulator.Platform) string {
	return `data "` + tokenType(p) + `" "t" { provider = ixtoken }
data "http" "` + tokenType(p) + `" {
  url             = "` + p.APIURL() + `"
  request_headers = { Authorization = data.` + tokenType(p) + `.t.authorization }
}
`
}

func opensTheAPI(t *testing.T, p *simulator.Platform, r report) {
	if requests := p.Requests(); r.Status != 0 || len(requests) != 2 || requests[1].Status != http.StatusOK {
		t.Errorf("status %d, requests %v", r.Status, requests)
	}
}

func usesProxy(p *simulator.Platform) string {
	name := platformOf(p).Name
	kind := name + "_api_proxy"
	return `
ephemeral "` + kind + `" "p" {
  provider = ixtoken
  upstream = "` + p.URL() + `"
}
provider "restapi" {
  alias = "` + name + `"
  uri   = ephemeral.` + kind + `.p.url
}
resource "restapi_object" "` + name + `" {
  provider = restapi.` + name + `
  path     = "` + strings.TrimPrefix(p.APIURL(), p.URL()) + `"
  data     = "{}"
}
`
}

func proxyOpensTheAPI(t *testing.T, p *simulator.Platform, r report) { // the API may reject the object
	calls := slices.DeleteFunc(p.Requests(), func(r simulator.Request) bool { return r.Grant != "" })
	if len(calls) != 1 || calls[0].Path != strings.TrimPrefix(p.APIURL(), p.URL()) || calls[0].Rejected {
		t.Errorf("requests %v\n%s%s", p.Requests(), r.Stdout, r.Stderr)
	}
}

func separateOfBothKinds(p *simulator.Platform) string {
	return separateBlocks(ofEachKind, "ephemeral", tokenType(p), "") + separateBlocks(ofEachKind, "data", tokenType(p), "")
}

// wantRefusals fails the test unless each of the platform's blocks has exactly one error with all words, and the platform
// has received the given number of requests.
func wantRefusals(t *testing.T, p *simulator.Platform, r report, requests int, words ...string) {
	t.Helper()
	byKind := map[string][]diagnostic{} // the texts for data sources differ
	for _, d := range r.errors {
		if kind, of, _ := strings.Cut(d.Address, "."); strings.HasPrefix(of, tokenType(p)+".") {
			byKind[kind] = append(byKind[kind], d)
		}
	}
	if len(byKind) != 2 || len(r.errors) != 2*ofEachKind*len(platforms.All) {
		t.Fatalf("%d errors, of the kinds %v", len(r.errors), slices.Collect(maps.Keys(byKind)))
	}
	for kind, refusals := range byKind {
		wantOneEach(t, refusals, ofEachKind, kind, tokenType(p))
		for _, want := range append(words, "No "+p.Name()+" access token: ") {
			if !strings.Contains(refusals[0].text(), want) {
				t.Errorf("the error does not say %q:\n%s", want, refusals[0].text())
			}
		}
	}
	if sent := len(p.Requests()); sent != requests {
		t.Errorf("%d requests, want %d", sent, requests)
	}
}

func setNothing(s *fixture, names variables) {
	for _, name := range []string{names.url, names.clientID, names.clientSecret} {
		s.setenv(name, "")
	}
}

func namesMissingSettings(t *testing.T, p *simulator.Platform, r report) {
	names := variablesOf(p)
	missing := []string{"settings are missing", names.clientID, names.clientSecret}
	if inputOf(p, names.url).Default == "" {
		missing = append(missing, names.url)
	}
	wantRefusals(t, p, r, 0, missing...)
}

func setPlainHTTP(s *fixture, names variables) { s.setenv(names.url, "http://platform.example") }

func refusesPlainHTTP(t *testing.T, p *simulator.Platform, r report) {
	wantRefusals(t, p, r, 0, variablesOf(p).url, "https://", "comes from the environment")
}

func setWrongSecret(s *fixture, names variables) { s.setenv(names.clientSecret, "wrong") }

func sendsARejectedSecretOnce(t *testing.T, p *simulator.Platform, r report) {
	names := variablesOf(p)
	wantRefusals(t, p, r, 1, "credentials rejected", names.clientID, names.clientSecret, names.url, inputOf(p, names.clientSecret).Name+" from the environment")
}
