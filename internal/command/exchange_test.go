// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// The command takes an identity token from a file, a variable, HCP Terraform or GitHub. It does not accept one in its
// arguments, or together with a client secret.
func TestTheCommandExchangesIdentityTokens(t *testing.T) {
	t.Parallel()
	s := newFixtureWith(t, simulator.Options{TLS: true})
	idToken, err := s.Issuer.Token(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := put("ca.pem", s.CAPEM)
	expired, err := s.Issuer.Token(-time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s.setenv("CI_ID_TOKEN", idToken)
	s.setenv("OLD_ID_TOKEN", expired)
	s.env = append(s.env, s.Issuer.Environment()...)
	scope, file := "--token-exchange-scope=roleassignments:1", put("token", idToken+"\n")
	for _, c := range []struct {
		args []string
		want int
		said string
	}{
		{[]string{scope, "--token-exchange-subject-token-file", file}, statusOK, ""},
		{[]string{scope, "--token-exchange-subject-token-env-var", "CI_ID_TOKEN"}, statusOK, ""},
		{[]string{scope, "--token-exchange-audience", simulator.Audience}, statusOK, ""},
		{[]string{scope, "--token-exchange-audience", "another"}, statusRejected, "identity token rejected"},
		{[]string{scope, "--token-exchange-subject-token-env-var", "OLD_ID_TOKEN"}, statusTemporary, "this machine's clock says 20"},
		{[]string{scope, "--token-exchange-subject-token-file", put("token", expired)}, statusTemporary, "this machine's clock says 20"},
		{[]string{scope, "--token-exchange-subject-token-file", put("token", `"`+idToken+`"`)}, statusUsage, "is in quotation marks"},
		{[]string{scope, "--token-exchange-subject-token-file", "-"}, statusUsage, "is standard input, which cannot be read for each request"},
		{[]string{scope, "--token-exchange-subject-token-file", "missing"}, statusUsage, "cannot be read"},
		{[]string{scope, "--token-exchange-subject-token", idToken}, statusUsage, "--token-exchange-subject-token is not accepted"},
		{[]string{scope, "--token-exchange-subject-token-env-var", "MISSING"}, statusUsage, "the environment variable MISSING is empty"},
		{[]string{scope, "--token-exchange-audience", "a", "--client-secret-file", file}, statusUsage, "--client-secret-file (EQUINIX_API_CLIENTSECRET) is not used by grant_type"},
		{[]string{scope}, statusUsage, "token_exchange_subject_token ("},
		{[]string{"--token-exchange-audience", "a"}, statusUsage, "token_exchange_scope ("},
	} {
		before := s.sent()
		r := s.run(append([]string{"token", "equinix", "--ca-cert-file", ca}, c.args...)...)
		if r.status != c.want || !strings.Contains(r.stderr, c.said) {
			t.Errorf("%q: status %d, want %d and %q: %s", c.args[1:], r.status, c.want, c.said, r.stderr)
		}
		if sent := s.sent() - before; (c.want == statusUsage || c.want == statusTemporary) != (sent == 0) {
			t.Errorf("%q: %d requests", c.args[1:], sent)
		}
	}
	s.setenv("TFC_WORKLOAD_IDENTITY_TOKEN", idToken)
	r := s.run("check", "equinix", "--ca-cert-file", ca, scope)
	for _, want := range []string{"token_exchange ", "from the other settings\n", "TFC_WORKLOAD_IDENTITY_TOKEN", "from HCP Terraform\n", "/v1/token, after "} {
		if r.status != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("status %d, want %q: %s%s", r.status, want, r.stdout, r.stderr)
		}
	}
	if r := s.run("check", "equinix", "--offline", "--ca-cert-file", ca, scope, "--token-exchange-audience", "a"); r.status != 0 || !strings.Contains(r.stdout, "Nothing was sent") {
		t.Errorf("--offline: status %d: %s%s", r.status, r.stdout, r.stderr)
	}
	s.setenv("EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN", expired) // no other one can come
	s.refused(statusUsage, []string{"this machine's clock says 20"}, "token", "equinix", "--ca-cert-file", ca, scope)
	s.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another")
	before := s.sent()
	s.refused(statusRejected, []string{"no identity token", "/identity/request answered 401"}, "token", "equinix", "--ca-cert-file", ca, scope, "--token-exchange-audience", "a")
	if s.sent() != before {
		t.Error("the platform was asked without an identity token")
	}
}

// printEnvironment is the command that prints the environment; true: on Windows.
var printEnvironment = map[bool][]string{false: {"env"}, true: {"cmd", "/c", "set"}}

// The program does not need the identity token of the exchange, whatever names its variable. The variables of GitHub and of HCP
// Terraform stay: other providers in the program sign in with them.
func TestTheProgramDoesNotGetTheIdentityToken(t *testing.T) {
	t.Parallel()
	s := newFixtureWith(t, simulator.Options{TLS: true})
	idToken, err := s.Issuer.Token(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(s.CAPEM), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(append(s.env, s.Issuer.Environment()...), "EQUINIX_TOKEN_EXCHANGE_SCOPE=roleassignments:1",
		"CI_ID_TOKEN="+idToken, "OTHER_ID_TOKEN="+idToken, "TFC_WORKLOAD_IDENTITY_TOKEN="+idToken, "TFC_WORKLOAD_IDENTITY_TOKEN_EQUINIX="+idToken)
	const flag, variable = "--token-exchange-subject-token-env-var=", "EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN_ENV_VAR="
	for _, c := range []struct {
		set, flag, gone string
	}{
		{"", flag + "CI_ID_TOKEN", "CI_ID_TOKEN"},
		{variable + "CI_ID_TOKEN", "", "CI_ID_TOKEN"},
		{variable + "CI_ID_TOKEN", flag + "OTHER_ID_TOKEN", "CI_ID_TOKEN OTHER_ID_TOKEN"},
		{"EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN=" + idToken, "", "EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN"},
		{"", flag + "TFC_WORKLOAD_IDENTITY_TOKEN", ""},
		{"", "", ""}, // HCP Terraform's
		{variable + "CI_ID_TOKEN", "--keep-credentials", ""},
	} {
		for _, command := range []string{"exec", "proxy"} {
			run := s.command(command, "equinix", "--ca-cert-file", ca)
			if c.set != "" {
				run.Env = append(run.Env, c.set)
			}
			if c.flag != "" {
				run.Args = append(run.Args, c.flag)
			}
			run.Args = append(run.Args, "--")
			run.Args = append(run.Args, printEnvironment[runtime.GOOS == "windows"]...)
			environment := slices.Clone(run.Env)
			r := s.finish(run)
			for _, set := range environment {
				name, _, _ := strings.Cut(set, "=")
				gone := slices.Contains(strings.Fields(c.gone), name) || strings.HasSuffix(name, "EQUINIX_API_CLIENTSECRET") || name == "EQUINIX_USER_PASSWORD"
				if c.flag == "--keep-credentials" {
					gone = false
				}
				if r.status != 0 || strings.Contains("\n"+r.stdout, "\n"+name+"=") == gone {
					t.Errorf("%s %s %s: status %d, %s; want it gone: %t; %s", command, c.set[:len(c.set)-len(strings.TrimPrefix(c.set, variable))], c.flag, r.status, name, gone, r.stderr)
				}
			}
		}
	}
}
