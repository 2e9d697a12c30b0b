// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache/s3test"
)

// twoTokens configures blocks of two platforms, and uses their tokens.
const twoTokens = `ephemeral "cloudlx_access_token" "t" { provider = ixtoken }
ephemeral "equinix_access_token" "t" { provider = ixtoken }
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { ONE = ephemeral.cloudlx_access_token.t.authorization, OTHER = ephemeral.equinix_access_token.t.authorization }
  }
}
`

// inBucket returns a storage, and sets it up for a fixture.
func inBucket(t *testing.T, s *fixture) *s3test.Storage {
	t.Helper()
	storage, url := s3test.Start(t)
	for name, value := range s3test.Environment() {
		s.setenv(name, value)
	}
	s.setenv("IXTOKEN_CACHE_URL", url)
	return storage
}

// Two machines, each with a home of its own, and the command on both: all that a plan, an apply and the command need is one
// login for each platform. At info level, the provider says what it has saved.
func TestMachinesShareOneLogin(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	storage := inBucket(t, s)
	s.setenv("TF_LOG_PROVIDER", "INFO")
	s.configure(twoTokens)
	s.setenv("HOME", t.TempDir())
	if r := s.must("plan"); !strings.Contains(r.Stderr, "logins") {
		t.Errorf("the log does not say how many logins there were: %q", r.Stderr)
	}
	s.setenv("HOME", t.TempDir())
	if r := s.must("apply", "-auto-approve"); !strings.Contains(r.Stderr, "hits") {
		t.Errorf("the log does not say how many hits there were: %q", r.Stderr)
	}
	command := exec.CommandContext(t.Context(), provider(), "token", "equinix")
	command.Env = s.Command(t.Context()).Env
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
	s.wantRequests(0, 1, 1)
	for name, content := range storage.Objects(t) {
		if !strings.HasPrefix(name, "tokens/") || strings.Contains(content, "Bearer") {
			t.Errorf("an object called %s", name)
		}
	}
}

// A bucket that fails costs one warning, and no token. What is wrong with its URL is an error before anything is sent.
func TestABucketThatCannotBeUsed(t *testing.T) { // B05
	t.Parallel()
	for name, row := range map[string]struct {
		change  func(s *fixture, storage *s3test.Storage)
		warning string
		failure string
	}{
		"a server that is down": {change: func(s *fixture, _ *s3test.Storage) {
			s.setenv("IXTOKEN_CACHE_URL", "s3://fleet?endpoint=http://127.0.0.1:9")
		}, warning: "gave no answer to GetObject: connection refused"},
		"no credentials": {change: func(s *fixture, _ *s3test.Storage) { s.setenv("AWS_ACCESS_KEY_ID", "") }, warning: "was not asked, because there are no credentials for it"},
		"no right to write": {change: func(_ *fixture, storage *s3test.Storage) {
			storage.Fault = denyWrites
		}, warning: "answered 403 to PutObject, code AccessDenied"},
		"another scheme": {change: func(s *fixture, _ *s3test.Storage) { s.setenv("IXTOKEN_CACHE_URL", "gs://fleet") }, failure: "has another scheme than s3"},
		"http beyond loopback": {change: func(s *fixture, _ *s3test.Storage) {
			s.setenv("IXTOKEN_CACHE_URL", "s3://fleet?region=eu-west-1")
			s.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1")
		}, failure: "http is for loopback addresses alone"},
		"no region":  {change: func(s *fixture, _ *s3test.Storage) { s.setenv("IXTOKEN_CACHE_URL", "s3://fleet") }, failure: "no region is set"},
		"two caches": {change: func(s *fixture, _ *s3test.Storage) { s.setenv("IXTOKEN_CACHE_DIR", t.TempDir()) }, failure: "leave out one of the two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			row.change(s, inBucket(t, s))
			s.configure(twoTokens)
			began := time.Now()
			r := s.report("plan")
			switch {
			case row.failure != "":
				if r.Status != 1 || len(r.errors) == 0 || !strings.Contains(r.errors[0].text(), row.failure) || len(r.warnings) != 0 {
					t.Errorf("status %d, errors %v, warnings %v", r.Status, r.errors, r.warnings)
				}
				s.wantRequests(0, 0, 0)
			default:
				if r.Status != 0 || len(r.warnings) != 1 || !strings.Contains(r.warnings[0].text(), row.warning) {
					t.Errorf("status %d, errors %v, warnings %v", r.Status, r.errors, r.warnings)
				}
				s.wantRequests(0, 1, 1)
			}
			t.Logf("%s", time.Since(began))
		})
	}
}

// denyWrites is a role without the right to write.
func denyWrites(r *http.Request) s3test.Fault {
	if r.Method == http.MethodPut {
		return s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
	}
	return s3test.Fault{}
}

// Processes of many machines, each with a home of its own, and a bucket that is 20 ms away, send one token request. With a
// wrong secret, they send one too. The last process has its result within 3 s of the platform's answer.
func TestAFleetOfProcesses(t *testing.T) { // B01
	machines := 10
	if os.Getenv("IXTOKEN_SOAK") != "" {
		machines = 50
	}
	for _, secret := range []string{"", "wrong"} {
		s := newFixture(t)
		inBucket(t, s).Latency = 20 * time.Millisecond
		environment := s.Command(t.Context()).Env
		if secret != "" {
			environment = append(environment, "EQUINIX_API_CLIENTSECRET="+secret)
		}
		began, results := time.Now(), make(chan string)
		for range machines {
			home := t.TempDir()
			go func() {
				command := exec.CommandContext(t.Context(), provider(), "token", "equinix")
				command.Env = append(slices.Clone(environment), "HOME="+home)
				output, err := command.CombinedOutput()
				if (err != nil) != (secret != "") {
					t.Errorf("%v: %s", err, output)
				}
				results <- string(output)
			}()
		}
		different := map[string]bool{}
		for range machines {
			different[<-results] = true
		}
		s.wantRequests(0, 1, 0)
		if secret == "" && len(different) != 1 {
			t.Errorf("%d different tokens", len(different))
		}
		t.Logf("%d machines, secret %q: the last one had its result after %s", machines, secret, time.Since(began).Round(time.Millisecond))
	}
}
