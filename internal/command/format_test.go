// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// hostile are tokens that no platform should issue. The formats must escape them.
var hostile = []string{
	"abc", "it's", `"quoted"`, `back\slash`, `\`, `\n`, `$HOME`, "$(touch owned)", "`touch owned`", "%PATH%", "50%", "%0A", "a;b]c",
	"two words", "a\nb", "a\r\nb", "\n", "tab\tvt\v", "::stop-commands::x", "##vso[task.complete]", "‘typographic’", "ü€", "'", "''", "#x", "<<EOF",
}

func TestAShellReadsTheValueBack(t *testing.T) {
	t.Parallel()
	sh := shell(t)
	dir := t.TempDir()
	for _, value := range hostile {
		script := "export NAME=" + shellQuoted(value) + "\nprintf %s \"$NAME\""
		command := exec.CommandContext(t.Context(), sh, "-c", script)
		command.Dir = dir
		got, err := command.Output()
		if err != nil || string(got) != value {
			t.Errorf("%q: %q, %v", value, got, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("a value was executed: %v", left)
	}
}

// readPowerShell reads a single-quoted text as PowerShell does. Five characters count as the quote. Doubled, each stands for
// itself.
func readPowerShell(text string) (value string, rest string) {
	runes := []rune(text)
	isQuote := func(r rune) bool { return strings.ContainsRune("'‘’‚‛", r) }
	for i := 1; i < len(runes); i++ {
		switch {
		case isQuote(runes[i]) && i+1 < len(runes) && isQuote(runes[i+1]):
			value += string(runes[i])
			i++
		case isQuote(runes[i]):
			return value, string(runes[i+1:])
		default:
			value += string(runes[i])
		}
	}
	return value, "unended"
}

func TestPowerShellReadsTheValueBack(t *testing.T) {
	t.Parallel()
	for _, value := range hostile {
		if got, rest := readPowerShell(powershellQuoted(value)); got != value || rest != "" {
			t.Errorf("%q: %q, then %q", value, got, rest)
		}
	}
}

func TestPowerShellItselfReadsTheValueBack(t *testing.T) {
	t.Parallel()
	pwsh, err := exec.LookPath("pwsh")
	if err != nil {
		t.Skip(err)
	}
	for _, value := range hostile {
		script := "$bytes = [Text.Encoding]::UTF8.GetBytes(" + powershellQuoted(value) + "); [Console]::OpenStandardOutput().Write($bytes, 0, $bytes.Length)"
		got, err := exec.CommandContext(t.Context(), pwsh, "-NoProfile", "-Command", script).Output()
		if err != nil || string(got) != value {
			t.Errorf("%q: PowerShell reads %q, %v", value, got, err)
		}
	}
}

func TestCurlReadsTheValueBack(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip(err)
	}
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		body = b.Bytes()
	}))
	defer server.Close()
	for _, value := range hostile { // in a body, because a header cannot contain a line break
		command := exec.CommandContext(t.Context(), curl, "--silent", "--show-error", "--noproxy", "*", "--config", "-", server.URL)
		command.Stdin = strings.NewReader("data-raw = " + curlQuoted(value) + "\n")
		if output, err := command.CombinedOutput(); err != nil || string(body) != value {
			t.Errorf("%q: curl sends %q, %v %s", value, body, err, output)
		}
	}
}

// readGitHubEnv reads the file in GITHUB_ENV as GitHub's runner does (FileCommandManager).
func readGitHubEnv(text string) (found map[string]string, ok bool) {
	found = map[string]string{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSuffix(lines[i], "\r")
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		switch {
		case line == "":
		case equals >= 0 && (heredoc < 0 || equals < heredoc):
			found[line[:equals]] = line[equals+1:]
		case heredoc > 0:
			name, delimiter := line[:heredoc], line[heredoc+2:]
			var value []string
			for i++; ; i++ {
				if i >= len(lines) {
					return found, false
				}
				if lines[i] == delimiter {
					break
				}
				value = append(value, lines[i])
			}
			found[name] = strings.Join(value, "\n")
		default:
			return found, false
		}
	}
	return found, true
}

func TestGitHubReadsTheValueBack(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "A=1\n", "A=1"} {
		for _, value := range hostile {
			path := filepath.Join(t.TempDir(), "env")
			if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			file, err := os.OpenFile(path, os.O_APPEND|os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			err = appendVariable(file, "NAME", value)
			file.Close()
			text, _ := os.ReadFile(path)
			found, ok := readGitHubEnv(string(text))
			if err != nil || !ok || found["NAME"] != value || before != "" && found["A"] != "1" || len(found) > 2 {
				t.Errorf("after %q, %q: %v, %v", before, value, found, err)
			}
		}
	}
	for _, value := range hostile {
		escaped := githubEscaped(value)
		back := strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n").Replace(escaped)
		if strings.ContainsAny(escaped, "\r\n") || back != value {
			t.Errorf("%q: %q", value, escaped)
		}
		escaped = azureEscaped(value)
		back = strings.NewReplacer("%AZP25", "%", "%0D", "\r", "%0A", "\n").Replace(escaped)
		if strings.ContainsAny(escaped, "\r\n") || back != value {
			t.Errorf("%q: %q", value, escaped)
		}
	}
}

// In a job of GitHub Actions, the token is masked before it is written anywhere.
func TestAJobOfGitHubActions(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	file := filepath.Join(t.TempDir(), "github-env")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.refused(2, []string{"GITHUB_ACTIONS"}, "token", "equinix", "--format", "github")
	s.setenv("GITHUB_ENV", file)
	s.refused(2, []string{"GITHUB_ACTIONS"}, "token", "equinix", "--format", "github")
	s.setenv("GITHUB_ACTIONS", "true")
	for _, variable := range []string{"GITHUB_TOKEN", "RUNNER_TEMP", "NODE_OPTIONS", "a b", "1A", "A=B", "A\nB"} {
		s.refused(2, []string{"--variable"}, "token", "equinix", "--format", "github", "--variable", variable)
	}
	s.setenv("GITHUB_ENV", filepath.Join(t.TempDir(), "missing"))
	s.refused(2, []string{"GITHUB_ENV"}, "token", "equinix", "--format", "github")
	if s.sent() != 0 {
		t.Error("something was sent")
	}

	s.setenv("GITHUB_ENV", file)
	mask := s.must("token", "equinix", "--format", "github")
	s.must("token", "cloudlx", "--format", "github", "--variable", "PORTAL")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found, ok := readGitHubEnv(string(text))
	if token := found["EQUINIX_ACCESS_TOKEN"]; !ok || len(found) != 2 || mask != "::add-mask::"+token+"\n" {
		t.Errorf("masked %q; the environment is %d variables", mask, len(found))
	}
	s.accepts(s.Equinix, "Bearer "+found["EQUINIX_ACCESS_TOKEN"])
	s.accepts(s.CloudLX, "Bearer "+found["PORTAL"])

	if _, err := os.Stat("/dev/full"); err != nil {
		return
	}
	s.setenv("GITHUB_ENV", "/dev/full")
	r := s.run("token", "equinix", "--format", "github")
	if r.status != 1 || !strings.HasPrefix(r.stdout, "::add-mask::") || !strings.Contains(r.stderr, "The variable could not be set") {
		t.Errorf("a file that cannot be written: status %d: %s", r.status, r.stderr)
	}
}

func TestAJobOfAzureDevOps(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.refused(2, []string{"TF_BUILD"}, "token", "equinix", "--format", "azure-devops")
	if s.sent() != 0 {
		t.Error("something was sent")
	}
	s.setenv("TF_BUILD", "True")
	said := s.must("token", "equinix", "--format", "azure-devops", "--variable", "token")
	found := regexp.MustCompile(`^##vso\[task\.setvariable variable=token;issecret=true\](.*)\n$`).FindStringSubmatch(said)
	if found == nil {
		t.Fatal("no command to the agent")
	}
	s.accepts(s.Equinix, "Bearer "+found[1])
}

// The API accepts the token that a shell evaluates, and the header that curl reads.
func TestAShellAndCurlUseTheToken(t *testing.T) {
	t.Parallel()
	s, sh := newFixture(t), shell(t)
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip(err)
	}
	s.setenv("API", s.CloudLX.APIURL())
	for _, line := range []string{
		`"$IXTOKEN" token cloudlx --format curl | curl --fail --silent --show-error --noproxy '*' --config - "$API"`,
		`eval "$("$IXTOKEN" token cloudlx --format env --variable T)" && curl --fail --silent --show-error --noproxy '*' -H "Authorization: Bearer $T" "$API"`,
		`"$IXTOKEN" exec cloudlx -- sh -c 'curl --fail --silent --show-error --noproxy "*" -H "Authorization: $CLOUDLX_AUTHORIZATION" "$API"'`,
	} {
		command := exec.Command(sh, "-c", line)
		command.Dir, command.Env = s.dir, append([]string{"IXTOKEN=" + binary}, s.env...)
		if r := s.finish(command); r.status != 0 || r.stdout == "" {
			t.Errorf("%s: status %d: %s", line, r.status, r.stderr)
		}
	}
}

// Each format contains the token, and ends with one line break.
func TestEveryFormatEndsWithALineBreak(t *testing.T) {
	t.Parallel()
	token := clients.Token{AccessToken: clients.NewSecret("abc")}
	for _, f := range formats {
		if got := f.write(platforms.Equinix, "NAME", token); !strings.Contains(got, "abc") || !strings.HasSuffix(got, "\n") || strings.HasSuffix(got, "\n\n") {
			t.Errorf("%s: %q", f.name, got)
		}
	}
}

// panicking panics on each write, with a value that holds a secret.
type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("CANARY-5f21c0de") }

// H07: a panic becomes a message with places in the source code, and without the panic value.
func TestAPanicInTheCommandShowsNoSecret(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	status := Run(t.Context(), System{Stdin: strings.NewReader(""), Stdout: panicking{}, Stderr: &said, Name: "ixtoken"}, []string{"version"})
	if status != 1 || strings.Contains(said.String(), "CANARY") || !strings.Contains(said.String(), "Internal fault of ixtoken") || !strings.Contains(said.String(), "printResult (command.go:") {
		t.Errorf("status %d: %s", status, said.String())
	}
	if !strings.HasSuffix(strings.TrimSpace(said.String()), "#internal-fault") {
		t.Errorf("no link to the guide: %s", said.String())
	}
}
