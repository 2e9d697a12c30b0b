// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// platformName is the platform's name on the command line.
func platformName(p *simulator.Platform) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(p.Name()))
}

func TestEveryPlatformPrintsAToken(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for _, p := range s.Platforms() {
		token, ended := strings.CutSuffix(s.must("token", platformName(p)), "\n")
		if !ended || strings.ContainsAny(token, " \n") {
			t.Errorf("%s: standard output is not one line with the token", p.Name())
		}
		s.accepts(p, "Bearer "+token)
		header := strings.TrimSuffix(s.must("token", platformName(p), "--format", "header"), "\n")
		if s.accepts(p, strings.TrimPrefix(header, "Authorization: ")); !strings.HasPrefix(header, "Authorization: Bearer ") {
			t.Errorf("%s: no header", p.Name())
		}
		var outputs map[string]any
		if err := json.Unmarshal([]byte(s.must("token", platformName(p), "--format=json")), &outputs); err != nil {
			t.Error(err)
		}
		s.accepts(p, fmt.Sprint(outputs["authorization"]))
		for _, platform := range platforms.All {
			if platform.Name != platformName(p) {
				continue
			}
			for _, out := range platform.AllOutputs() {
				if _, ok := outputs[out.Name]; !ok {
					t.Errorf("%s: the JSON object lacks %s", p.Name(), out.Name)
				}
			}
		}
	}
}

// Flags, their help and their variables come from the inputs, so a new platform has its commands at once.
func TestEveryInputHasAFlag(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for _, p := range platforms.All {
		for _, command := range []string{"token", "exec", "proxy", "check"} {
			help := s.must(command, p.Name, "--help")
			for _, in := range append(append([]platforms.Input{}, p.Inputs...), platforms.General...) {
				flag := "--" + strings.ReplaceAll(in.Name, "_", "-") + " "
				switch {
				case in.InFile != "":
					flag = "--" + strings.ReplaceAll(in.InFile, "_", "-") + " "
				case in.Secret:
					flag = strings.TrimSpace(flag) + "-file "
				case in.Name == "ca_cert_pem":
					flag = "--ca-cert-file "
				}
				if !strings.Contains(help, flag) || !strings.Contains(help, in.Environment) {
					t.Errorf("%s %s: the help lacks %s or %s", command, p.Name, flag, in.Environment)
				}
			}
		}
		if words := s.must("__complete", "token", p.Name, "--"); !strings.Contains(words, "--"+strings.ReplaceAll(p.URL, "_", "-")) {
			t.Errorf("no completion: %s", words)
		}
	}
}

// A flag overrides the environment.
func TestFlagsOverrideTheEnvironment(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("EQUINIX_API_ENDPOINT", "https://nowhere.invalid")
	s.setenv("EQUINIX_API_CLIENTID", "another")
	s.must("token", "equinix", "--base-url", s.Equinix.URL(), "--client-id="+s.Equinix.Credentials().ClientID)
	s.must("token", "interxion", "--scopes", "ixapi.read", "--scopes", "ixapi.write")
	if got := splitList(platforms.Input{List: true}, []string{`a,b c\,d`, `\,`}); !slices.Equal(got, []string{"a", "b", "c,d", ","}) {
		t.Errorf("the scopes are %q", got)
	}
	if r := s.run("token", "interxion", "--scopes", "ixapi.read,ixapi.write", "--format=json"); !strings.Contains(r.stdout, `"scope": "ixapi.read ixapi.write"`) {
		t.Errorf("scopes: %s", r.stderr)
	}
}

func TestASecretComesFromAFileOrFromStandardInput(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	secret := s.Equinix.Credentials().ClientSecret
	s.setenv("EQUINIX_API_CLIENTSECRET", "")
	file := filepath.Join(t.TempDir(), "secret")
	for ending, status := range map[string]int{"": 0, "\n": 0, "\r\n": 0, "\n\n": 3, " ": 3} { // only one line break is dropped
		if err := os.WriteFile(file, []byte(secret+ending), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Equinix.Unlock()
		if r := s.run("token", "equinix", "--client-secret-file", file); r.status != status {
			t.Errorf("a file that ends in %q: status %d: %s", ending, r.status, r.stderr)
		}
		s.Equinix.Unlock()
		if r := s.runWith(secret+ending, "token", "equinix", "--client-secret-file", "-"); r.status != status {
			t.Errorf("standard input that ends in %q: status %d: %s", ending, r.status, r.stderr)
		}
	}
	before := s.sent()
	for _, path := range []string{os.DevNull, filepath.Join(t.TempDir(), "missing"), t.TempDir()} {
		s.refused(2, []string{"--client-secret-file: the file ", "Nothing was sent."}, "token", "equinix", "--client-secret-file", path)
	}
	s.refused(2, []string{"Standard input can be read only once"}, "token", "equinix", "--client-secret-file=-", "--user-password-file=-")
	if s.sent() != before {
		t.Error("something was sent")
	}
}

// The pairs of a map come from a file or, if they are not secret, from arguments.
func TestPairsComeFromAFileOrFromArguments(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.more["the header"], s.more["the parameter"] = "Zq8!vW3_hD5xRt0pLm", "wX=4 & tQ9_bN2/ü"
	var sent []string
	var mu sync.Mutex
	s.OAuth2.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, strings.Join([]string{r.Header.Get("X-Tracking-Id"), r.Header.Get("X-Region"), r.Header.Get("X-Key"), r.PostFormValue("pin"), r.PostFormValue("resource")}, "|"))
		}
		return false
	})
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	headers := write("headers", "\ufeffX-Key="+s.more["the header"]+"\r\n\r\nX-Region=a\r\n")
	parameters := "\ufeffpin=" + s.more["the parameter"] + "\nresource=r=1\n"
	s.must("token", "oauth2", "--headers", "x-tracking-id=5f 0b", "--headers=X-Region=b=c")
	r := s.runWith(parameters, "token", "oauth2", "--headers-file", headers, "--headers", "X-Region=b", "--parameters-file", "-")
	if r.status != 0 {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	s.must("exec", "oauth2,equinix", "--oauth2-headers", "X-Region=b", "--", binary, "version")
	want := []string{"5f 0b|b=c|||", "|b|" + s.more["the header"] + "|" + s.more["the parameter"] + "|r=1", "|b|||"}
	if !slices.Equal(sent, want) {
		t.Error("not sent as given")
	}
	if said := s.must("check", "oauth2", "--offline", "--headers", "X-Region=b"); !strings.Contains(said, "from the command line (--headers or --headers-file)") {
		t.Error(said)
	}
	before := s.sent()
	for _, args := range [][]string{
		{"--headers", "X-Gateway-Key=" + s.more["the header"]}, // a name like that of a secret
		{"--headers", "Authorization=" + s.more["the header"]},
		{"--headers", "Host=nowhere.invalid"},
		{"--headers", "X-Region=a", "--headers", "X-Region=b"},
		{"--headers", "=a"},
		{"--headers-file", write("line", s.more["the header"])},
		{"--headers-file", write("twice", "X-A=1\nX-A=2")},
		{"--headers-file", write("nameless", "=1")},
		{"--headers-file", headers, "--parameters-file", headers, "--headers", "x-key=a"},
		{"--parameters-file", write("own", "grant_type=password")},
		{"--parameters-file", write("blank", "a b=1")},
		{"--parameters-file", write("marks", "\ufeff\ufeffa=1")},
		{"--parameters", "resource=r"},
	} {
		s.refused(2, []string{"Error: ", "Nothing was sent"}, append([]string{"token", "oauth2"}, args...)...)
	}
	if s.sent() != before {
		t.Error("something was sent")
	}
}

// No secret is accepted on the command line. Errors repeat nothing that looks like a secret.
func TestNoSecretIsTakenFromTheCommandLine(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.more["the argument"] = "Zq8!vW3_hD5xRt0pLm"
	secret := s.more["the argument"]
	for _, command := range []string{"token", "exec", "proxy", "check"} {
		for _, p := range platforms.All {
			for _, in := range p.Inputs {
				if !in.Secret {
					continue
				}
				flag := "--" + strings.ReplaceAll(in.Name, "_", "-")
				for _, args := range [][]string{{flag, secret}, {flag + "=" + secret}} {
					args = append([]string{command, p.Name}, args...)
					if command == "exec" {
						args = append(args, "--", binary)
					}
					s.refused(2, []string{"Error: " + flag + " is not accepted", "--" + flagName(in), in.Environment}, args...)
				}
			}
		}
	}
	for _, args := range [][]string{
		{"--password", secret},
		{"--token=" + secret},
		{"--api-key", secret},
		{"-p" + secret},
		{"--client-secret-file", "-", secret},
		{secret},
		{"--strict=" + secret},
		{"--format", secret},
		{"--variable", secret},
		{"--min-validity", secret},
		{"--base-url", "https://user:" + secret + "@example.com"},
		{"--ca-cert-file", secret},
	} {
		s.refused(2, []string{"Error: ", "Nothing was sent"}, append([]string{"token", "equinix"}, args...)...)
	}
	s.refused(2, []string{"Error: This command takes no further arguments", "Nothing was sent"}, "completion", "bash", secret)
	for _, args := range [][]string{{secret}, {"token", secret}, {"help", secret}, {"cache", secret}, {"completion", secret}, {"exec", "equinix", secret}, {"exec", "equinix," + secret, "--", binary}} {
		if r := s.run(args...); strings.Contains(r.stdout, secret) || r.status > 2 {
			t.Errorf("%q: status %d: %s", args, r.status, r.stdout)
		}
	}
	if s.sent() != 0 {
		t.Error("something was sent")
	}
}

// There is a case for each exit status. Pipelines rely on them.
func TestExitStatuses(t *testing.T) {
	t.Parallel()
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(code); return true }
	}
	answer := func(code int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	pause := func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	for what, c := range map[string]struct {
		status int
		answer func(http.ResponseWriter, *http.Request) bool
		env    string // "NAME=value"
		args   []string
	}{
		"a token":                       {status: 0},
		"a token for less than that":    {status: 0, args: []string{"--min-validity", "2h"}},
		"the same, strictly":            {status: 5, args: []string{"--min-validity", "2h", "--strict"}},
		"no lifetime, strictly":         {status: 5, args: []string{"--strict"}, answer: answer(200, `{"access_token":"abcdefghijkl","token_type":"Bearer"}`)},
		"help":                          {status: 0, args: []string{"--help"}},
		"an unknown flag":               {status: 2, args: []string{"--nosuch"}},
		"a missing setting":             {status: 2, env: "EQUINIX_API_CLIENTID="},
		"an invalid setting":            {status: 2, env: "EQUINIX_API_ENDPOINT=http://example.com"},
		"an invalid general setting":    {status: 2, args: []string{"--request-timeout", "1h"}},
		"a flag of another grant type":  {status: 2, args: []string{"--user-name", "me"}},
		"settings that do not fit":      {status: 2, args: []string{"--grant-type=password", "--password-encoding=md5-b64"}},
		"rejected credentials":          {status: 3, env: "EQUINIX_API_CLIENTSECRET=another"},
		"an answer that is not known":   {status: 3, answer: answer(500, `{"code":"S9999"}`)},
		"a rejected scope":              {status: 3, answer: answer(400, `{"error":"invalid_scope"}`)},
		"a rejected request":            {status: 3, answer: answer(400, `{"error":"invalid_request"}`)},
		"a grant that is not allowed":   {status: 3, answer: answer(400, `{"error":"unauthorized_client"}`)},
		"403":                           {status: 3, answer: status(403)},
		"404":                           {status: 3, answer: status(404)},
		"406":                           {status: 3, answer: status(406)},
		"a redirect":                    {status: 3, answer: status(302)},
		"a login page":                  {status: 3, answer: answer(200, `<html>`)},
		"503, for the last time":        {status: 4, answer: pause},
		"no connection":                 {status: 4, env: "EQUINIX_API_ENDPOINT=http://127.0.0.1:9"},
		"a certificate of an unknown":   {status: 3, env: "EQUINIX_API_ENDPOINT=TLS"},
		"a proxy that does not connect": {status: 4, env: "HTTPS_PROXY=http://127.0.0.1:9"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			s.Equinix.Intercept(c.answer)
			user := s.Equinix.Credentials()
			s.setenv("EQUINIX_USER_NAME", user.UserName)
			s.setenv("EQUINIX_USER_PASSWORD", user.UserPassword)
			switch {
			case c.env == "EQUINIX_API_ENDPOINT=TLS":
				tls := newFixtureWith(t, simulator.Options{TLS: true})
				s.setenv("EQUINIX_API_ENDPOINT", tls.Equinix.URL())
			case strings.HasPrefix(c.env, "HTTPS_PROXY"):
				s.setenv("EQUINIX_API_ENDPOINT", "https://nowhere.invalid")
				s.env = append(s.env, c.env)
			case c.env != "":
				s.env = append(s.env, c.env)
			}
			args := append([]string{"token", "equinix"}, c.args...)
			if c.status == 0 {
				s.must(args...)
				return
			}
			r := s.refused(c.status, []string{"Error: "}, args...)
			if got := strings.Count(r.stderr, "Error: "); got != 1 {
				t.Errorf("%d errors: %s", got, r.stderr)
			}
			if c.status == 2 && s.sent() != 0 {
				t.Error("something was sent")
			}
		})
	}
}

// F12: a result that cannot be written is an error.
func TestAFullDiskIsAnError(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no such device here: ", err)
	}
	defer full.Close()
	s := newFixture(t)
	command := s.command("token", "equinix")
	command.Stdout = full
	s.wantRefused(s.finish(command), 1, []string{"The result could not be written"}, "token > /dev/full")
}

func TestCompletionForEachShell(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if script := s.must("completion", shell); !strings.Contains(script, "ixtoken") {
			t.Errorf("%s: %.200s", shell, script)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"token ", "interxion\tInterxion\nequinix\tEquinix\ncloudlx\tCloudLX\n"},
		{"token equinix --format ", "token\nheader\njson\n"},
		{"cache ", "list\t"},
	} {
		words := s.must(append([]string{"__complete"}, strings.Split(c.args, " ")...)...)
		if !strings.HasPrefix(words, c.want) {
			t.Errorf("%q: %s", c.args, words)
		}
	}
}

// A link to the program may have any name. Help, messages and completions have that name, so that what they say can be typed.
func TestTheNameUnderWhichItWasStarted(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for _, test := range []struct{ started, name string }{
		{"ixtoken", "ixtoken"},
		{"/usr/local/bin/terraform-provider-ixtoken_v1.2.3", "terraform-provider-ixtoken_v1.2.3"},
		{"-ixt", "ixt"}, // as login shells are started
		{"", "ixtoken"},
		{"../..", "ixtoken"},
		{"a b\x1b[31m", "ixtoken"},
	} {
		for _, c := range []struct{ args, want string }{
			{"help", "Usage:\n  NAME "},
			{"token", "See: NAME token --help"},
			{"token equinix --nonsense", "See: NAME token equinix --help"},
			{"completion bash", " NAME\n"},
			{"--version", "ixtoken "},
		} {
			command := s.command(strings.Fields(c.args)...)
			command.Args[0] = test.started
			r := s.finish(command)
			want := strings.ReplaceAll(c.want, "NAME", test.name)
			if said := r.stdout + r.stderr; !strings.Contains(said, want) {
				t.Errorf("started as %q, %q does not say %q: %s", test.started, c.args, want, said)
			}
		}
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for _, args := range []string{"version", "-version", "--version"} {
		if got := s.must(args); !regexp.MustCompile(`^ixtoken \S+( \([0-9a-f]{7}\))?\n$`).MatchString(got) {
			t.Errorf("%s: %s", args, got)
		}
	}
	help := s.must("help")
	for _, args := range [][]string{{"--help"}, {"-h"}, {"-help"}} {
		if got := s.must(args...); got != help {
			t.Errorf("%q: %s", args, got)
		}
	}
	if got := s.must("help", "token", "equinix"); got != s.must("token", "equinix", "--help") {
		t.Errorf("help token equinix: %s", got)
	}
}

// K07: many processes with an empty cache send one token request. Many processes with a wrong secret send one login.
func TestManyProcessesShareOneRequest(t *testing.T) {
	t.Parallel()
	const processes = 50
	s := newFixture(t)
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(s.dir, "cache"))
	all := func() map[int]int {
		results := make(chan result)
		for range processes {
			go func() { results <- s.run("token", "equinix") }()
		}
		statuses, tokens := map[int]int{}, map[string]bool{}
		for range processes {
			r := <-results
			statuses[r.status]++
			tokens[r.stdout] = true
		}
		if len(tokens) != 1 {
			t.Errorf("%d different results", len(tokens))
		}
		return statuses
	}
	began := time.Now()
	if got := all(); got[0] != processes || s.sent() != 1 {
		t.Errorf("statuses %v, %d requests", got, s.sent())
	}
	s.setenv("EQUINIX_API_CLIENTSECRET", "wrong")
	if got := all(); got[3] != processes || s.sent() != 2 {
		t.Errorf("statuses %v, %d requests", got, s.sent())
	}
	t.Logf("2 × %d processes, 1 token request, 1 rejected login, %s", processes, time.Since(began).Round(time.Millisecond))
}

// A name occurs once in a file of pairs, but for the parameters that a request may repeat.
func TestPairsMayRepeatOnlyWhatARequestMay(t *testing.T) {
	all, line := parsePairs([]string{"resource=a", "pin=1", "resource=b=c", "audience=x"})
	if line != 0 || all["resource"] != "a\nb=c" || all["pin"] != "1" || all["audience"] != "x" {
		t.Errorf("line %d of %q", line, all)
	}
	if _, line := parsePairs([]string{"pin=1", "resource=a", "pin=1"}); line != 3 {
		t.Errorf("line %d is not valid, want 3", line)
	}
}
