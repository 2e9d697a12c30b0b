// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

func TestCheckSaysWhereSettingsComeFrom(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(s.dir, "cache"))
	for _, p := range s.Platforms() {
		before := s.sent()
		offline := s.must("check", platformName(p), "--offline")
		if s.sent() != before || !strings.Contains(offline, "Nothing was sent. The token endpoint is "+strings.TrimPrefix(p.URL(), "http://")+"/") {
			t.Errorf("%s: %s", p.Name(), offline)
		}
		first, second := s.must("check", platformName(p)), s.must("check", platformName(p))
		if s.sent() != before+1 {
			t.Errorf("%s: %d requests", p.Name(), s.sent()-before)
		}
		for _, want := range []string{p.URL(), "from the environment (" + strings.Replace(strings.ToUpper(platformName(p)), "IXAPI", "IX_API", 1) + "_", "from the default", "for 59 minutes 5", "/"} {
			if !strings.Contains(first, want) {
				t.Errorf("%s does not say %q: %s", p.Name(), want, first)
			}
		}
		if !regexp.MustCompile(`\w*secret\w* +set +from`).MatchString(first) { // not even its length
			t.Errorf("%s: %s", p.Name(), first)
		}
		if strings.Contains(first, "the cache") || !strings.Contains(second, "from   the cache, obtained ") {
			t.Errorf("%s: %s%s", p.Name(), first, second)
		}
		s.keep(first + second + offline) // for the search for secrets
	}
	if said := s.must("check", "interxion", "--scopes=ixapi.read"); !strings.Contains(said, "scope  ixapi.read") || !strings.Contains(said, "aud    ixapi (read from the token, not verified)") || !strings.Contains(said, "from the command line (--scopes)") {
		t.Error(said)
	}
}

// A directory that cannot hold the cache is not shown as if it did.
func TestCheckShowsACacheThatIsNotUsable(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	file := filepath.Join(s.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{file: "not usable", filepath.Join(s.dir, "cache"): filepath.Join(s.dir, "cache")} {
		said := s.must("check", "equinix", "--offline", "--token-cache-dir", dir)
		if _, row, _ := strings.Cut(said, "token_cache_dir"); !strings.HasPrefix(strings.TrimSpace(row), want) {
			t.Errorf("want %q: %s", want, said)
		}
	}
	missing := filepath.Join(s.dir, "missing")
	s.refused(2, []string{missing}, "check", "megaport", "--environment=nowhere", "--offline", "--token-cache-dir", missing)
	if _, err := os.Lstat(missing); err == nil {
		t.Error("a check of wrong settings has made the directory")
	}
}

// If there is no token, standard output is empty. Standard error has the settings and the error.
func TestACheckThatFailsShowsTheSettings(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.more["wrong"] = "Zq8!vW3_hD5xRt0pLm"
	s.setenv("EQUINIX_API_CLIENTSECRET", s.more["wrong"])
	s.refused(3, []string{"Settings of Equinix", "client_secret", "Error: No Equinix access token: credentials rejected", "troubleshooting.md#credentials-rejected"}, "check", "equinix")
	s.Equinix.Unlock()
	before := s.sent()
	s.setenv("EQUINIX_API_ENDPOINT", "https://user:"+s.more["wrong"]+"@example.com")
	s.refused(2, []string{"base_url", "not accepted", "Error: No Equinix access token: invalid base_url"}, "check", "equinix", "--offline")
	s.setenv("EQUINIX_API_ENDPOINT", "")
	s.refused(2, []string{"Error: No Equinix access token: invalid settings"}, "check", "equinix", "--offline", "--grant-type=password", "--password-encoding=md5-b64")
	s.setenv("EQUINIX_API_CLIENTID", "")
	s.refused(2, []string{"Error: No Equinix access token: settings are missing", "client_id (--client-id; EQUINIX_API_CLIENTID)"}, "check", "equinix", "--offline")
	if s.sent() != before {
		t.Error("something was sent")
	}
	if r := s.run("check", "cloudlx", "--token-cache-dir", s.dir+"/a\nb"); r.status != 2 {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	s.refused(5, []string{"--strict"}, "check", "cloudlx", "--strict", "--min-validity=2h")
}

// A token's claims are text from outside. Each claim stays on its line, whatever it contains.
func TestClaimsOfAHostileToken(t *testing.T) {
	t.Parallel()
	jwt := func(payload string) clients.Token {
		return clients.Token{AccessToken: clients.NewSecret("e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".x")}
	}
	for payload, want := range map[string]string{
		`{"iss":"a","aud":["b","c"],"sub":"d"}`: "iss=a aud=b, c sub=d",
		`{"iss":"a\u001b[31m\nb"}`:              "iss=a\uFFFD[31m\uFFFDb",
		`{"aud":{"x":1}}`:                       "",
		`{"sub":7}`:                             "",
		`[]`:                                    "",
		`{`:                                     "",
		`{"sub":"` + strings.Repeat("s", 10_000) + `"}`: "sub=" + strings.Repeat("s", 300) + "…",
	} {
		var got []string
		for _, c := range claimsOf(jwt(payload)) {
			got = append(got, c.name+"="+strings.TrimSuffix(c.text, " (read from the token, not verified)"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%.40s: %.400q", payload, got)
		}
	}
	for _, token := range []string{"", "a", "a.b", "a.!.c", "a.b.c.d"} {
		if got := claimsOf(clients.Token{AccessToken: clients.NewSecret(token)}); got != nil {
			t.Errorf("%q: %v", token, got)
		}
	}
}

func TestTheCacheIsListedAndCleared(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.refused(2, []string{"--token-cache-dir (IXTOKEN_CACHE_DIR)"}, "cache", "list")
	dir := filepath.Join(s.dir, "cache")
	s.setenv("IXTOKEN_CACHE_DIR", dir)
	for _, command := range []string{"list", "clear"} {
		if said := s.must("cache", command); !strings.Contains(said, "0 entries") {
			t.Errorf("%s: %s", command, said)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s has made the directory", command)
		}
	}
	for _, p := range s.Platforms() {
		s.must("token", platformName(p))
	}
	s.setenv("CLOUDLX_CLIENT_SECRET", "wrong")
	s.refused(3, nil, "token", "cloudlx") // the cache stores the rejection as an entry
	other := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	listed, entries := s.must("cache", "list"), len(s.Platforms())+1
	if !strings.HasPrefix(listed, fmt.Sprintf("%d entries in %s\n  entry ", entries, dir)) || strings.Count(listed, "\n") != entries+2 {
		t.Error(listed)
	}
	s.keep(listed)
	if said := s.must("cache", "clear"); said != fmt.Sprintf("%d entries removed from %s\n", entries, dir) {
		t.Error(said)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if said := s.must("cache", "list", "--token-cache-dir", dir); !strings.HasPrefix(said, "0 entries in ") {
		t.Error(said)
	}
	before := s.sent()
	s.must("token", "equinix")
	if s.sent() != before+1 {
		t.Error("a token came out of an empty cache")
	}
	if runtime.GOOS == "windows" { // there, an access control list says who may write
		return
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s.refused(2, []string{"The token cache cannot be used"}, "cache", "clear")
}

// An entry that another process has locked is not removed.
func TestAnEntryInUseIsNotRemoved(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(s.dir, "cache"))
	s.must("token", "cloudlx")
	leave, arrived := make(chan struct{}), make(chan struct{})
	s.Equinix.Intercept(func(http.ResponseWriter, *http.Request) bool {
		close(arrived)
		<-leave
		return false
	})
	command := s.command("token", "equinix")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	said := s.must("cache", "clear")
	close(leave)
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(said, "1 entry removed") || !strings.Contains(said, "1 entry not removed: in use by another process") {
		t.Error(said)
	}
	if said := s.must("cache", "list"); !strings.HasPrefix(said, "1 entry in ") {
		t.Error(said)
	}
}

// X06: the system releases the lock of a process that is killed, so the next process does not wait for it.
func TestTheLockOfAKilledProcessIsReleased(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(s.dir, "cache"))
	arrived := make(chan struct{})
	s.Equinix.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		close(arrived)
		<-r.Context().Done()
		return true
	})
	holder := s.command("token", "equinix")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()
	s.Equinix.Intercept(nil)
	if r := s.run("token", "equinix"); r.status != 0 || r.stderr != "" {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}

// Without a platform, check tests those that have settings in the environment, each in one line. The status is that of the
// first one without a token.
func TestCheckWithoutAPlatform(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	lines := strings.Split(strings.TrimSpace(s.must("check")), "\n")
	if len(lines) != len(s.Platforms()) || s.sent() != len(s.Platforms()) {
		t.Errorf("%d requests: %q", s.sent(), lines)
	}
	for i, p := range s.Platforms() {
		if !regexp.MustCompile(`^ *` + p.Name() + ` +token +valid for .*, until \S+Z$`).MatchString(lines[i]) {
			t.Errorf("%s: %q", p.Name(), lines[i])
		}
	}
	s.setenv("COLUMNS", "")
	wantWidth(t, "the table", s.must("check"), 80)
	before := s.sent()
	if said := s.must("check", "--offline"); s.sent() != before || strings.Count(said, "settings complete") != len(lines) {
		t.Errorf("%d requests: %s", s.sent()-before, said)
	}
	s.setenv("COLUMNS", "1000")
	for _, name := range []string{"INTERXION_LOGIN_URL", "INTERXION_CLIENT_ID", "INTERXION_CLIENT_SECRET"} {
		s.setenv(name, "")
	}
	s.setenv("EQUINIX_API_CLIENTSECRET", "wrong")
	s.setenv("CLOUDLX_CLIENT_SECRET", "")
	r := s.refused(3, []string{"Equinix         no token", "CloudLX         wrong settings", "Megaport        token ", "Error: No Equinix access token", "Error: No CloudLX access token: settings are missing"}, "check")
	if strings.Contains(r.stderr, "Interxion") {
		t.Errorf("it speaks of a platform without settings: %s", r.stderr)
	}
	_, said, status := inProcess(Terminal{Width: 200}, "check")
	if status != statusUsage || !strings.Contains(said, "No platform has settings in the environment. Name one") {
		t.Errorf("status %d: %s", status, said)
	}
}

// The authorities on standard input count for each platform.
func TestCheckWithoutAPlatformReadsStandardInputOnce(t *testing.T) {
	t.Parallel()
	s := newFixtureWith(t, simulator.Options{TLS: true})
	r := s.runWith(s.CAPEM, "check", "--ca-cert-file", "-")
	if tokens := strings.Count(r.stdout, " token "); r.status != 0 || tokens != len(s.Platforms()) {
		t.Errorf("status %d, %d tokens: %s%s", r.status, tokens, r.stdout, r.stderr)
	}
}

// The table has every setting that the grant type uses, also those that are missing or not set. A message says only what
// applies: no variable sets upstream.
func TestWhatIsMissingIsShown(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("EQUINIX_API_CLIENTSECRET", "")
	r := s.refused(2, []string{"Set with a flag, or in the environment:"}, "check", "equinix")
	for _, line := range []string{`client_secret +MISSING +set --client-secret-file \(EQUINIX_API_CLIENTSECRET\)`, `token_cache_dir +not set +--token-cache-dir \(IXTOKEN_CACHE_DIR\)`} {
		if !regexp.MustCompile(line).MatchString(r.stderr) {
			t.Errorf("no line %q: %s", line, r.stderr)
		}
	}
	if strings.Contains(r.stderr, "user_password") {
		t.Errorf("it shows a setting of another grant type: %s", r.stderr)
	}
	r = s.refused(2, []string{"Set with a flag:\n  - upstream (--upstream)"}, "proxy", "interxion")
	if strings.Contains(r.stderr, "environment") {
		t.Errorf("no variable sets it: %s", r.stderr)
	}
}

// A server that speaks http gets a remedy of its own: certificates are not the cause.
func TestAServerWithoutTLSHasItsOwnRemedy(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("EQUINIX_API_ENDPOINT", strings.Replace(s.Equinix.URL(), "http:", "https:", 1))
	r := s.refused(3, []string{"Nothing speaks TLS at this port. Check the port in --base-url (EQUINIX_API_ENDPOINT)"}, "token", "equinix")
	if strings.Contains(r.stderr, "certificate") {
		t.Errorf("it speaks of certificates: %s", r.stderr)
	}
}
