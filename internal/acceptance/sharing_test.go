// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// K01
func TestAThousandBlocksShareOneRequestPerProcess(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ephemeral", "data"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			s.configure(kind + ` "interxion_access_token" "many" {
  provider = ixtoken
  count    = 1000
}
`)
			s.must("plan", "-parallelism=1000")
			s.wantRequests(1, 0, 0)
			s.must("apply", "-auto-approve", "-parallelism=1000")
			want := 3
			if kind == "data" || openTofu(t) && !openTofu111(t) {
				want = 2 // the apply phase sends none: data sources are read in the plan, and OpenTofu opens only ephemerals that the apply needs
			}
			s.wantRequests(want, 0, 0)
		})
	}
}

// K03, K23, S03
func TestARejectedCredentialIsSentOncePerProcess(t *testing.T) {
	t.Parallel()
	for name, block := range map[string]string{
		"client credentials": `client_secret = "wrong"`,
		"password": `grant_type = "password"
  user_name     = "nobody@example.com"
  user_password = "wrong"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			s.configure(separateBlocks(100, "ephemeral", "equinix_access_token", block))
			r := s.report("plan")
			s.wantRequests(0, 1, 0)
			if s.Equinix.Locked() {
				t.Error("the account is locked")
			}
			wantOneEach(t, r.errors, 100, "ephemeral", "equinix_access_token")
			for _, part := range []string{"No Equinix access token: credentials rejected", "500", "S1006", "EQUINIX_API_CLIENTSECRET", "five", "In use: base_url from the environment, client_id from the environment"} {
				if !strings.Contains(r.errors[0].text(), part) {
					t.Errorf("the error does not say %q:\n%s", part, r.errors[0].text())
				}
			}
		})
	}
}

// K07: without a shared cache, each phase sends one request.
func TestEachPhaseAsksOnce(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(`data "cloudlx_access_token" "t" { provider = ixtoken }
resource "terraform_data" "t" { input = data.cloudlx_access_token.t.token_type }
`)
	for i, command := range []string{"plan -out=saved", "apply saved", "apply -auto-approve", "destroy -auto-approve"} {
		s.must(strings.Fields(command)...)
		want := []int{1, 1, 2, 3}[i] // the apply of a saved plan does not read data sources again
		if got := len(tokenRequests(s.CloudLX)); got != want {
			t.Errorf("after %q: %d token requests, want %d", command, got, want)
		}
	}
}

// K25, M18
func TestAShortTokenIsHandedOutWithAWarning(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.Equinix.SetLifetime(90*time.Second, 0)
	s.configure(`ephemeral "equinix_access_token" "short" { provider = ixtoken }
ephemeral "equinix_access_token" "modest" {
  provider     = ixtoken
  min_validity = "10s"
}
`)
	r := s.report("plan")
	if r.Status != 0 || len(r.warnings) != 1 {
		t.Fatalf("status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
	}
	w := r.warnings[0]
	if !strings.Contains(w.Summary, "less than min_validity") || !strings.Contains(w.Detail, "1m") || !strings.Contains(w.Detail, "min_validity is 5m:") {
		t.Errorf("the warning does not say how much is left: %s", w.text())
	}
}

// K26: Close sends nothing. It warns only if the token ended while it was in use.
func TestCloseWarnsOfATokenThatEndedWhileInUse(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.Interxion.SetLifetime(5*time.Second, 0) // long enough for a busy machine to pass the token on
	s.configure(`ephemeral "interxion_access_token" "t" {
  provider     = ixtoken
  min_validity = "0s"
}
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command     = "sleep 6"
    environment = { AUTHORIZATION = ephemeral.interxion_access_token.t.authorization }
  }
}
`)
	r, want := s.report("apply", "-auto-approve"), 1
	if openTofu111(t) {
		want = 2 // the same warning
	}
	if r.Status != 0 || len(r.warnings) != want || !strings.Contains(r.warnings[0].Summary, "ended while it was in use") {
		t.Errorf("status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
	}
	s.wantRequests(2, 0, 0)
}

func TestDifferentRequestsAreNotShared(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(`ephemeral "interxion_access_token" "all" { provider = ixtoken }
ephemeral "interxion_access_token" "same" {
  provider     = ixtoken
  scopes       = ["", ""]
  min_validity = "50m"
  login_url    = "` + s.Interxion.URL() + `/connect/token/"
}
ephemeral "interxion_access_token" "read" {
  provider = ixtoken
  scopes   = ["ixapi.read"]
}
`)
	s.must("plan")
	s.wantRequests(2, 0, 0)
}

// Tokens that last five minutes never meet the default min_validity. A plan with a hundred blocks sends one request all the
// same. Each block causes a warning, and the CLI shows one.
func TestTokensOfFiveMinutesAreShared(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	blocks := map[*simulator.Platform]string{s.IXAPI: "ixapi_access_token", s.Megaport: "megaport_access_token"}
	config := ""
	for p, kind := range blocks {
		p.SetLifetime(5*time.Minute, 24*time.Hour)
		config += `ephemeral "` + kind + `" "many" {
  provider = ixtoken
  count    = 100
}
`
	}
	s.configure(config)
	r := s.must("plan", "-no-color")
	for p := range blocks {
		if got := len(tokenRequests(p)); got != 1 {
			t.Errorf("%s has seen %d requests, want 1", p.Name(), got)
		}
		summary := "Warning: The " + p.Name() + " access token is valid for less than min_validity"
		if got := strings.Count(r.Stdout+r.Stderr, summary); got != 1 {
			t.Errorf("%q is shown %d times:\n%.3000s", summary, got, r.Stdout)
		}
	}
}
