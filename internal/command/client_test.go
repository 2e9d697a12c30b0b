// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// withoutSecret is a fixture with files for a client that authenticates without a client secret.
type withoutSecret struct {
	*fixture
	ca string
}

func newWithoutSecret(t *testing.T) *withoutSecret {
	t.Helper()
	s := &withoutSecret{fixture: newFixtureWith(t, simulator.Options{TLS: true})}
	s.ca = s.put("ca.pem", s.CAPEM)
	s.setenv("OAUTH2_CLIENT_SECRET", "of-the-environment") // what a flag sets comes first
	return s
}

// put writes a file outside of the directory in which the test looks for secrets.
func (s *withoutSecret) put(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *withoutSecret) assertion(lifetime time.Duration) string {
	s.t.Helper()
	text, err := s.Issuer.Token(lifetime)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// ask runs a command with further flags.
func (s *withoutSecret) ask(command string, flags ...string) result {
	s.t.Helper()
	return s.run(append([]string{command, "oauth2", "--ca-cert-file", s.ca}, flags...)...)
}

// saysUnused reports whether the report of check says that a setting is not used.
func saysUnused(report, name string) bool {
	return regexp.MustCompile(`(?m)^  ` + name + ` +not used +from the environment `).MatchString(report)
}

// Each method obtains a token. check says what was used and what was not, and not the value of a secret.
func TestTheCommandAuthenticatesWithoutASecret(t *testing.T) {
	t.Parallel()
	s := newWithoutSecret(t)
	s.AcceptAssertionsAgain()
	s.env = append(s.env, s.Issuer.Environment()...)
	s.setenv("CI_ID_TOKEN", s.assertion(time.Hour))
	s.setenv("TFC_WORKLOAD_IDENTITY_TOKEN", s.assertion(time.Hour))
	key, certificate := s.put("key.pem", s.Client().KeyPEM), s.put("certificate.pem", s.Client().CertificatePEM)
	for name, row := range map[string]struct {
		flags []string
		check string
	}{
		"a key":         {[]string{"--client-key-file", key, "--client-key-id", "lab-key-1", "--client-key-certificate-file", certificate}, "private_key_jwt "},
		"a file":        {[]string{"--client-assertion-file", s.put("assertion", s.assertion(time.Hour))}, "private_key_jwt "},
		"a variable":    {[]string{"--client-assertion-env-var", "CI_ID_TOKEN"}, "private_key_jwt "},
		"GitHub":        {[]string{"--client-assertion-github-audience", simulator.Audience}, "private_key_jwt "},
		"HCP":           {[]string{"--token-endpoint-auth-method", "private_key_jwt"}, "from HCP Terraform\n"},
		"a certificate": {[]string{"--client-certificate-file", certificate, "--client-certificate-key-file", key}, "tls_client_auth "},
	} {
		if r := s.ask("token", row.flags...); r.status != 0 || len(r.stdout) < 40 {
			t.Errorf("%s: status %d: %s%s", name, r.status, r.stdout, r.stderr)
		}
		r := s.ask("check", row.flags...)
		if r.status != 0 || !strings.Contains(r.stdout, row.check) || strings.Contains(r.stdout, "BEGIN") || !saysUnused(r.stdout, "client_secret") {
			t.Errorf("%s: status %d: %s%s", name, r.status, r.stdout, r.stderr)
		}
	}
}

// Wrong settings end with status 2, and nothing is sent.
func TestTheCommandRefusesWrongClients(t *testing.T) {
	t.Parallel()
	s := newWithoutSecret(t)
	key, certificate := s.put("key.pem", s.Client().KeyPEM), s.put("certificate.pem", s.Client().CertificatePEM)
	other, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	foreign, secret := s.put("other.pem", other.Client().KeyPEM), s.put("secret", "of-a-file")
	assertion := s.put("assertion", s.assertion(time.Hour))
	s.setenv("ENDED", s.assertion(-time.Minute))
	for _, row := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--client-key-file", key, "--client-secret-file", secret}, "--client-key-file is set beside client_secret"},
		{[]string{"--client-key-file", key, "--client-assertion-file", assertion}, "--client-key-file is set beside client_assertion_file"},
		{[]string{"--client-key-file", key, "--token-endpoint-auth-method", "client_secret_post"}, "--client-key-file is not used by token_endpoint_auth_method"},
		{[]string{"--client-certificate-file", certificate}, "client_certificate_key_pem (--client-certificate-key-file)"},
		{[]string{"--client-certificate-key-file", key}, "client_certificate_pem (--client-certificate-file)"},
		{[]string{"--client-certificate-file", certificate, "--client-certificate-key-file", foreign}, "the client certificate is not the certificate of the key"},
		{[]string{"--client-key-file", certificate}, "is a certificate: use its private key"},
		{[]string{"--client-key-file", "missing"}, `the client key in the file "missing" cannot be read`},
		{[]string{"--client-key-file", "-"}, "is standard input, which cannot be read for each request"},
		{[]string{"--client-key-file", key, "--client-signing-alg", "PS256"}, "client_signing_alg PS256 does not fit the client key"},
		{[]string{"--client-key-file", key, "--client-key-certificate-file", key}, "holds no certificate"},
		{[]string{"--client-key-file", key, "--token-url", "http://example.com/token"}, "--token-url (OAUTH2_TOKEN_URL) is not accepted"},
		{[]string{"--client-assertion-env-var", "MISSING"}, "the client assertion in the environment variable MISSING is empty"},
		{[]string{"--token-endpoint-auth-method", "private_key_jwt"}, "client_key_pem (--client-key-file), or"},
		{[]string{"--token-endpoint-auth-method", "none"}, `--token-endpoint-auth-method is "none", which is for a token exchange alone`},
		{[]string{"--client-key-pem", "x"}, "--client-key-pem is not accepted"},
	} {
		for _, command := range []string{"token", "check"} {
			before := s.sent()
			if r := s.ask(command, row.flags...); r.status != statusUsage || !strings.Contains(r.stderr, row.want) || strings.Count(r.stderr, "Error: ") != 1 {
				t.Errorf("%s %q: status %d, want 2 and %q: %s", command, row.flags, r.status, row.want, r.stderr)
			}
			if s.sent() != before {
				t.Errorf("%q: something was sent", row.flags)
			}
		}
	}
	if r := s.ask("check", "--offline", "--client-key-file", certificate); r.status != statusUsage {
		t.Errorf("--offline: status %d: %s%s", r.status, r.stdout, r.stderr)
	}
	// A later assertion may come from the same variable, if the pipeline renews it.
	if r := s.ask("token", "--client-assertion-env-var", "ENDED"); r.status != statusTemporary || !strings.Contains(r.stderr, "ENDED expired ") {
		t.Errorf("an ended assertion: status %d: %s", r.status, r.stderr)
	}
}

// A rejected key is status 3. The next run reads the key that has replaced it.
func TestTheCommandReadsAReplacedKey(t *testing.T) {
	t.Parallel()
	s := newWithoutSecret(t)
	other, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	file := s.put("key.pem", other.Client().KeyPEM)
	if r := s.ask("token", "--client-key-file", file); r.status != statusRejected || !strings.Contains(r.stderr, "sent: private_key_jwt, signed here with ES256") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	if err := os.WriteFile(file, []byte(s.Client().KeyPEM), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := s.ask("token", "--client-key-file", file); r.status != 0 {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}

// With a cache, a process does not send an assertion again that got no answer in another one, and two share a token.
func TestTheCommandSendsAnAssertionOnce(t *testing.T) {
	t.Parallel()
	s := newWithoutSecret(t)
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(s.t.TempDir(), "cache"))
	file := s.put("assertion", s.assertion(time.Hour))
	s.OAuth2.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	s.ask("token", "--client-assertion-file", file)
	s.OAuth2.Intercept(nil)
	before := s.sent()
	if r := s.ask("token", "--client-assertion-file", file); r.status != statusTemporary || !strings.Contains(r.stderr, "an earlier request with this client assertion got no answer") || s.sent() != before {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	if err := os.WriteFile(file, []byte(s.assertion(time.Hour)), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := s.ask("token", "--client-assertion-file", file); r.status != 0 {
			t.Errorf("status %d: %s", r.status, r.stderr)
		}
	}
	if s.sent() != before+1 {
		t.Errorf("%d requests, want one", s.sent()-before)
	}
}

// In a token exchange, a client on the command line takes part, and that of the environment does not. check says so.
func TestTheCommandExchangesForAClient(t *testing.T) {
	t.Parallel()
	s := newWithoutSecret(t)
	file := s.put("token", s.assertion(time.Hour))
	key := s.put("key.pem", s.Client().KeyPEM)
	r := s.ask("check", "--token-exchange-subject-token-file", file)
	if r.status != 0 || !saysUnused(r.stdout, "client_id") {
		t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
	r = s.ask("check", "--token-exchange-subject-token-file", file, "--client-id", s.OAuth2.Credentials().ClientID, "--client-key-file", key)
	if r.status != 0 || !strings.Contains(r.stdout, "private_key_jwt ") || !saysUnused(r.stdout, "client_secret") {
		t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
	if r := s.ask("token", "--token-exchange-subject-token-file", file, "--client-id", s.Client().PublicID, "--token-endpoint-auth-method", "none"); r.status != 0 {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	r = s.ask("token", "--token-exchange-subject-token-file", file, "--client-id", "another", "--client-key-file", key)
	if r.status != statusRejected || !strings.Contains(r.stderr, "credentials rejected") || !strings.Contains(r.stderr, "sent: private_key_jwt, signed here") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}
