// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// The answer of a platform, or of a server in its place, never reaches standard output or the terminal unescaped.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, _ = w.Write(make([]byte, 50<<20))
	w.Close()
	for what, answer := range map[string]func(secret string) (status int, header, body string){
		"an echo of the secret": func(s string) (int, string, string) {
			return 400, "", fmt.Sprintf(`{"error":"x","error_description":%q}`, s)
		},
		"an echo in a code":     func(s string) (int, string, string) { return 400, "", fmt.Sprintf(`{"error":%q}`, s) },
		"an echo in a redirect": func(s string) (int, string, string) { return 302, "/?secret=" + strings.ReplaceAll(s, " ", ""), "" },
		"colours and line breaks": func(string) (int, string, string) {
			return 400, "", `{"error":"x","error_description":"\u001b[31mred\u001b[0m\nError: no\r\n::add-mask::x"}`
		},
		"a token with a line break": func(string) (int, string, string) {
			return 200, "", `{"access_token":"abc\ndef","token_type":"Bearer","expires_in":3600}`
		},
		"a token with a command": func(string) (int, string, string) {
			return 200, "", `{"access_token":"$(touch owned) '","token_type":"Bearer","expires_in":3600}`
		},
		"two tokens": func(string) (int, string, string) {
			return 200, "", `{"access_token":"abcdefghijkl","access_token":"mnopqrstuvwx","expires_in":3600}`
		},
		"an endless body":             func(string) (int, string, string) { return 200, "", strings.Repeat(" ", 20<<20) },
		"more than there is room for": func(string) (int, string, string) { return 200, "gzip", bomb.String() },
		"a page":                      func(string) (int, string, string) { return 200, "", "<html><script>alert(1)</script>" },
		"an empty body":               func(string) (int, string, string) { return 200, "", "" },
		"a description of a whole megabyte": func(string) (int, string, string) {
			return 400, "", `{"error":"x","error_description":"` + strings.Repeat("long ", 20_000) + `"}`
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			status, header, body := answer(s.CloudLX.Credentials().ClientSecret)
			s.CloudLX.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", "application/json")
				switch {
				case header == "gzip":
					w.Header().Set("Content-Encoding", header)
				case header != "":
					w.Header().Set("Location", header)
				}
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
				return true
			})
			for _, command := range [][]string{{"token", "cloudlx"}, {"token", "cloudlx", "--format=env"}, {"check", "cloudlx"}, {"exec", "cloudlx", "--", binary, "version"}} {
				r := s.refused(3, []string{"Error: No CloudLX access token: "}, command...)
				if strings.Count(r.stderr, "Error: ") > 2 || len(r.stderr) > 4096 {
					t.Errorf("%d bytes: %.500s", len(r.stderr), r.stderr)
				}
				if strings.ContainsFunc(r.stderr, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) || strings.Contains(r.stderr, "\n::") {
					t.Errorf("what the answer says is printed as it is: %q", r.stderr)
				}
			}
		})
	}
}

// F12: if no cache entry can be written, the token is printed all the same.
func TestAFullDiskDoesNotPreventAToken(t *testing.T) {
	t.Parallel()
	s, sh := newFixture(t), shell(t)
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(s.dir, "cache"))
	command := exec.Command(sh, "-c", `ulimit -f 0 && exec "$0" token equinix`, binary)
	command.Dir, command.Env = s.dir, s.env
	r := s.finish(command)
	if r.status != 0 || !strings.Contains(r.stderr, "Warning: What the platform answered is not in the cache") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	s.accepts(s.Equinix, "Bearer "+strings.TrimSpace(r.stdout))
}
