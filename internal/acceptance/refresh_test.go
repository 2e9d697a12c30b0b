// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

const refreshVariable = `variable "previous" {
  type      = string
  ephemeral = true
}
`

// cloudLXRefreshToken obtains a refresh token as an earlier run did.
func cloudLXRefreshToken(s *fixture) string {
	s.t.Helper()
	return refreshTokenOf(s, s.CloudLX.URL()+"/api/oauth2/access-token", "application/x-www-form-urlencoded", url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {s.CloudLX.Credentials().ClientID},
		"client_secret": {s.CloudLX.Credentials().ClientSecret},
	}.Encode())
}

// equinixRefreshToken obtains a refresh token with the password grant. No other grant of Equinix issues one.
func equinixRefreshToken(s *fixture) string {
	s.t.Helper()
	c := s.Equinix.Credentials()
	body, err := json.Marshal(map[string]string{
		"grant_type": "password", "user_name": c.UserName, "user_password": c.UserPassword, "client_id": c.ClientID, "client_secret": c.ClientSecret,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return refreshTokenOf(s, s.Equinix.URL()+"/oauth2/v1/token", "application/json", string(body))
}

func refreshTokenOf(s *fixture, endpoint, contentType, body string) string {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, endpoint, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", "application/vnd.cloudlx.v1+json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Token string `json:"refresh_token"`
	}
	text, err := io.ReadAll(response.Body)
	if err != nil || json.Unmarshal(text, &answer) != nil || answer.Token == "" {
		s.t.Fatalf("no refresh token: %d %v", response.StatusCode, err)
	}
	return answer.Token
}

func grants(p *simulator.Platform) (sent []string) {
	for _, request := range tokenRequests(p) {
		sent = append(sent, fmt.Sprint(request.Grant, " ", request.Status))
	}
	return sent
}

// The plan uses a refresh token, and the platform rotates it. So the apply uses the client credentials, with a warning.
func TestARefreshTokenIsSpentByThePlan(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{"cloudlx", "equinix"} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			p, previous := s.CloudLX, ""
			if platform == "equinix" {
				p, previous = s.Equinix, equinixRefreshToken(s)
			} else {
				previous = cloudLXRefreshToken(s)
			}
			s.setenv("TF_VAR_previous", previous)
			s.configure(refreshVariable + `ephemeral "` + platform + `_access_token" "t" {
  provider               = ixtoken
  count                  = 20
  previous_refresh_token = var.previous
}
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = ephemeral.` + platform + `_access_token.t[0].authorization }
  }
}
`)
			if r := s.report("plan"); r.Status != 0 || len(r.warnings) != 0 {
				t.Errorf("plan: status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
			}
			want := []string{"refresh_token 200"}
			if got := grants(p)[1:]; !slices.Equal(got, want) {
				t.Errorf("the plan has sent %v, want %v", got, want)
			}
			s.setenv("TF_VAR_previous", refreshed(p))
			r := s.report("apply", "-auto-approve")
			if r.Status != 0 || len(r.warnings) == 0 || !strings.Contains(r.warnings[0].Summary, "did not come from the refresh token") {
				t.Errorf("apply: status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
			}
			want = append(want, "refresh_token 200", "refresh_token 400", "client_credentials 200")
			if got := grants(p)[1:]; !slices.Equal(got, want) {
				t.Errorf("plan and apply have sent %v, want %v", got, want)
			}
		})
	}
}

// refreshed returns the refresh token that the platform issued last.
func refreshed(p *simulator.Platform) string {
	issued := p.Issued()
	return issued[len(issued)-1]
}

// S04: a rejected refresh token costs two requests, however many blocks use it.
func TestARejectedRefreshTokenFallsBackOnce(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("TF_VAR_previous", "never-issued")
	s.configure(refreshVariable + separateBlocks(50, "ephemeral", "cloudlx_access_token", "previous_refresh_token = var.previous") + `
ephemeral "cloudlx_access_token" "plain" { provider = ixtoken }
`)
	r := s.report("plan")
	if r.Status != 0 || len(r.errors) != 0 {
		t.Errorf("status %d, errors %v", r.Status, r.errors)
	}
	wantOneEach(t, r.warnings, 50, "ephemeral", "cloudlx_access_token")
	if got := grants(s.CloudLX); len(got) != 2 || !slices.Contains(got, "client_credentials 200") || !slices.Contains(got, "refresh_token 400") {
		t.Errorf("sent %v", got)
	}
}

// An empty refresh token counts as unset, so a first run works before the secret store has a refresh token.
func TestAnEmptyRefreshTokenMeansClientCredentials(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(`ephemeral "cloudlx_access_token" "t" {
  provider               = ixtoken
  previous_refresh_token = ""
}
`)
	s.must("plan")
	if got := grants(s.CloudLX); !slices.Equal(got, []string{"client_credentials 200"}) {
		t.Errorf("sent %v", got)
	}
}

func TestTheRetiredPasswordGrantWarns(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("EQUINIX_USER_NAME", s.Equinix.Credentials().UserName)
	s.setenv("EQUINIX_USER_PASSWORD", s.Equinix.Credentials().UserPassword)
	s.configure(equinixBlock(`grant_type = "password"`) + `ephemeral "equinix_access_token" "default" { provider = ixtoken }`)
	r := s.report("plan")
	if r.Status != 0 || len(r.warnings) != 1 || !strings.Contains(r.warnings[0].text(), "2025-01-07") {
		t.Errorf("status %d, warnings %v, errors %v", r.Status, r.warnings, r.errors)
	}
	got := grants(s.Equinix)
	slices.Sort(got)
	if !slices.Equal(got, []string{"client_credentials 200", "password 200"}) {
		t.Errorf("sent %v: the password grant must not be chosen by itself", got)
	}
}
