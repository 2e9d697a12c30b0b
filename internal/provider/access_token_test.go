// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/echoprovider"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// factories serve the provider from this process, and the provider echo, which stores ephemeral values in the state.
var factories = map[string]func() (tfprotov6.ProviderServer, error){
	"ixtoken": func() (tfprotov6.ProviderServer, error) {
		return provider.NewServer(provider.Options{Version: "test"}), nil
	},
	"echo": echoprovider.NewProviderServer(),
}

// startSimulator starts a simulator and sets the environment variables with its credentials.
func startSimulator(t *testing.T) *simulator.Simulator {
	t.Helper()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, variable := range s.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	return s
}

// The checks of outputs.

func issuedBy(p *simulator.Platform) knownvalue.Check {
	return knownvalue.StringFunc(func(token string) error {
		if !slices.Contains(p.Issued(), token) {
			return errors.New("the platform has not issued this token")
		}
		return nil
	})
}

func bearerOf(p *simulator.Platform) knownvalue.Check {
	return knownvalue.StringFunc(func(header string) error {
		if !slices.ContainsFunc(p.Issued(), func(token string) bool { return header == "Bearer "+token }) {
			return errors.New("this is not Bearer and a token that the platform has issued")
		}
		return nil
	})
}

// expiresIn returns a check for a time that is lifetime from now, with a tolerance of one minute.
func expiresIn(lifetime time.Duration) knownvalue.Check {
	return knownvalue.StringFunc(func(text string) error {
		at, err := time.Parse("2006-01-02T15:04:05Z", text)
		if err == nil && time.Until(at)-lifetime > time.Minute || lifetime-time.Until(at) > time.Minute {
			err = fmt.Errorf("%s is not %s from now", text, lifetime)
		}
		return err
	})
}

func secondsUpTo(limit int64) knownvalue.Check {
	return knownvalue.Int64Func(func(seconds int64) error {
		if seconds > limit || seconds < limit-60 {
			return errors.New(strconv.FormatInt(seconds, 10) + " seconds is not a little less than expected")
		}
		return nil
	})
}

func exactText(value string) knownvalue.Check { return knownvalue.StringExact(value) }

// outputs returns checks for the outputs that every platform has, and for those in more.
func outputs(p *simulator.Platform, more map[string]knownvalue.Check) map[string]knownvalue.Check {
	all := map[string]knownvalue.Check{
		"access_token":  issuedBy(p),
		"authorization": bearerOf(p),
		"token_type":    exactText("Bearer"),
		"expires_at":    expiresIn(time.Hour),
		"expires_in":    secondsUpTo(3600),
		"min_validity":  knownvalue.Null(),
		"client_id":     knownvalue.Null(), // a value from the environment is not written back
	}
	for name, check := range more {
		all[name] = check
	}
	return all
}

type tokenTest struct {
	name     string
	platform func(*simulator.Simulator) *simulator.Platform
	kind     string // the platform's name, such as interxion
	block    string
	grants   []string // of the requests of one Open
	want     map[string]knownvalue.Check
}

func tokenTests(s *simulator.Simulator) []tokenTest {
	equinix := func(s *simulator.Simulator) *simulator.Platform { return s.Equinix }
	interxion := func(s *simulator.Simulator) *simulator.Platform { return s.Interxion }
	cloudlx := func(s *simulator.Simulator) *simulator.Platform { return s.CloudLX }
	oauth2 := func(s *simulator.Simulator) *simulator.Platform { return s.OAuth2 }
	user := s.Equinix.Credentials().UserName
	return []tokenTest{
		{
			"Interxion", interxion, "interxion", "",
			[]string{"client_credentials"},
			map[string]knownvalue.Check{"scope": exactText(simulator.InterxionScopes), "scopes": knownvalue.Null()},
		},
		{
			"Interxion with scopes", interxion, "interxion", `scopes = ["ixapi.read"]`,
			[]string{"client_credentials"},
			map[string]knownvalue.Check{"scope": exactText("ixapi.read")},
		},
		{
			"Equinix", equinix, "equinix", `min_validity = "10m"`,
			[]string{"client_credentials"},
			map[string]knownvalue.Check{"user_name": knownvalue.NotNull(), "min_validity": exactText("10m")},
		},
		{
			"Equinix password", equinix, "equinix", `grant_type = "password"`,
			[]string{"password"},
			map[string]knownvalue.Check{"user_name": exactText(user), "grant_type": exactText("password")},
		},
		{
			"Equinix encoded password", equinix, "equinix", `
				grant_type        = "password"
				user_name         = "` + user + `"
				password_encoding = "md5-b64"`,
			[]string{"password"},
			map[string]knownvalue.Check{"user_name": exactText(user)},
		},
		{
			"CloudLX", cloudlx, "cloudlx", "",
			[]string{"client_credentials"},
			nil,
		},
		{
			"OAuth2", oauth2, "oauth2", "",
			[]string{"client_credentials"},
			map[string]knownvalue.Check{"scope": exactText("things.read things.write"), "token_endpoint_auth_method": knownvalue.Null()},
		},
		{
			"OAuth2 in the body", oauth2, "oauth2", `
				token_endpoint_auth_method = "client_secret_post"
				audience                   = "https://api.example/"
				scopes                     = ["things.read"]`,
			[]string{"client_credentials"},
			map[string]knownvalue.Check{"scope": exactText("things.read"), "audience": exactText("https://api.example/")},
		},
	}
}

func block(kind, platform, name, body string) string {
	return fmt.Sprintf("%s %q %q {\n  provider = ixtoken\n  %s\n}\n", kind, platform+"_access_token", name, body)
}

// echo returns a configuration that stores an ephemeral value in the state.
func echo(value string) string {
	return "provider \"echo\" {\n  data = " + value + "\n}\nresource \"echo\" \"t\" {}\n"
}

func stored(address string, path tfjsonpath.Path, want map[string]knownvalue.Check) []statecheck.StateCheck {
	var checks []statecheck.StateCheck
	for name, check := range want {
		checks = append(checks, statecheck.ExpectKnownValue(address, path.AtMapKey(name), check))
	}
	return checks
}

// planHasEphemerals reports whether the CLI is OpenTofu 1.11. Its plans contain the ephemeral blocks, so no plan with such a
// block is empty.
func planHasEphemerals(t *testing.T) bool {
	t.Helper()
	path := os.Getenv("TF_ACC_TERRAFORM_PATH")
	if path == "" {
		return false
	}
	output, err := exec.CommandContext(t.Context(), path, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.HasPrefix(string(output), "OpenTofu v1.11.")
}

func TestEphemeralResourcesGiveTheirOutputs(t *testing.T) {
	s := startSimulator(t)
	for _, test := range tokenTests(s) {
		t.Run(test.name, func(t *testing.T) {
			p := test.platform(s)
			before := len(p.Requests())
			body := test.block
			setEncodedPassword(t, s, test.name)
			want := outputs(p, test.want)
			switch {
			case test.kind == "cloudlx":
				want["refresh_token"], want["refresh_token_expires_at"] = issuedBy(p), expiresIn(604800*time.Second)
			case test.kind == "equinix" && test.grants[0] == "password":
				want["refresh_token"], want["refresh_token_expires_at"] = issuedBy(p), expiresIn(5184000*time.Second)
			case test.kind == "equinix":
				want["refresh_token"], want["refresh_token_expires_at"] = knownvalue.Null(), knownvalue.Null()
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories,
				Steps: []resource.TestStep{{
					Config:            block("ephemeral", test.kind, "t", body) + echo("ephemeral."+test.kind+"_access_token.t"),
					ConfigStateChecks: stored("echo.t", tfjsonpath.New("data"), want),

					ExpectNonEmptyPlan: planHasEphemerals(t),
				}},
			})
			for _, request := range p.Requests()[before:] {
				if request.Grant != test.grants[0] || request.Status != 200 {
					t.Errorf("%s %s was answered %d", request.Grant, request.Path, request.Status)
				}
			}
		})
	}
}

// setEncodedPassword sets the password encoded as md5-b64, for the test with this name.
func setEncodedPassword(t *testing.T, s *simulator.Simulator, name string) {
	t.Helper()
	if name == "Equinix encoded password" {
		digest := md5.Sum([]byte(s.Equinix.Credentials().UserPassword))
		t.Setenv("EQUINIX_USER_PASSWORD", base64.StdEncoding.EncodeToString(digest[:]))
	}
}

func TestDataSourcesGiveTheirOutputsAndNothingThatOutlivesThem(t *testing.T) {
	s := startSimulator(t)
	for _, test := range tokenTests(s) {
		t.Run(test.name, func(t *testing.T) {
			setEncodedPassword(t, s, test.name)
			p := test.platform(s)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: factories,
				Steps: []resource.TestStep{{
					Config: block("data", test.kind, "t", test.block),
					ConfigStateChecks: append(
						stored("data."+test.kind+"_access_token.t", tfjsonpath.Path{}, outputs(p, test.want)),
						statecheck.ExpectSensitiveValue("data."+test.kind+"_access_token.t", tfjsonpath.New("access_token")),
						statecheck.ExpectSensitiveValue("data."+test.kind+"_access_token.t", tfjsonpath.New("authorization")),
					),
				}},
			})
		})
	}
	for _, name := range []string{"client_secret", "user_password", "previous_refresh_token", "refresh_token", "refresh_token_expires_at"} {
		resource.Test(t, resource.TestCase{
			ProtoV6ProviderFactories: factories,
			Steps: []resource.TestStep{{
				Config:      block("data", "equinix", "t", name+` = "x"`),
				ExpectError: regexp.MustCompile(`argument named "` + name + `" is not expected`),
			}},
		})
	}
}

// All blocks that ask for the same token get the same bytes.
func TestAllBlocksGetTheSameToken(t *testing.T) {
	startSimulator(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories,
		Steps: []resource.TestStep{{
			Config: block("ephemeral", "cloudlx", "a", "") + block("ephemeral", "cloudlx", "b", `min_validity = "1m"`) + echo(`{
    same = ephemeral.cloudlx_access_token.a.access_token == ephemeral.cloudlx_access_token.b.access_token && ephemeral.cloudlx_access_token.a.refresh_token == ephemeral.cloudlx_access_token.b.refresh_token
  }`),
			ConfigStateChecks: stored("echo.t", tfjsonpath.New("data"), map[string]knownvalue.Check{"same": knownvalue.Bool(true)}),

			ExpectNonEmptyPlan: planHasEphemerals(t),
		}},
	})
}

func TestMD5B64EncodesAsEquinixExpects(t *testing.T) {
	for password, want := range map[string]string{
		"":         "1B2M2Y8AsgTpgAmY7PhCfg==", // RFC 1321, appendix A.5
		"abc":      "kAFQmDzST7DWlj99KOF/cg==",
		"jd1@#$":   encoded("jd1@#$"),
		"pässwört": encoded("pässwört"),
	} {
		resource.Test(t, resource.TestCase{
			ProtoV6ProviderFactories: factories,
			Steps: []resource.TestStep{{
				Config:            `output "o" { value = provider::ixtoken::md5_b64("` + password + `") }`,
				ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownOutputValue("o", knownvalue.StringExact(want))},
			}},
		})
	}
}

func encoded(password string) string {
	digest := md5.Sum([]byte(password))
	return base64.StdEncoding.EncodeToString(digest[:])
}
