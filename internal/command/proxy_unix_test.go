// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// upstream returns the flag with the API's URL. Only two platforms have a default that is right in these tests.
func (s *fixture) upstream(platform string) []string {
	for _, p := range s.Platforms() {
		if platformName(p) == platform && platform != "equinix" && platform != "cloudlx" {
			return []string{"--upstream", p.URL()}
		}
	}
	return nil
}

// A command calls the API without a token of its own, for longer than a token lasts.
func TestProxyRunsACommand(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip(err)
	}
	s := newFixture(t)
	s.setenv("NO_PROXY", "127.0.0.1")
	for _, p := range s.Platforms() {
		p.SetLifetime(61*time.Second, time.Hour) // with the default min_validity of 1m, replaced after about a second
		variable := strings.ToUpper(platformName(p)) + "_API_URL"
		path := strings.TrimPrefix(p.APIURL(), p.URL())
		script := `for i in 1 2 3; do printf 'url = "%s"\n' "$` + variable + path + `" | curl --fail --silent --show-error --config - || exit 9; done; env | grep -c SECRET; exit 42`
		args := append(append([]string{"proxy", platformName(p)}, s.upstream(platformName(p))...), "--", "sh", "-c", script)
		before := s.sent()
		r := s.run(args...)
		if r.status != 42 || !strings.HasSuffix(r.stdout, fmt.Sprintf("%d\n", len(s.Platforms())-1)) { // the other platforms' secrets
			t.Errorf("%s: status %d, %q: %s", p.Name(), r.status, r.stdout, r.stderr)
		}
		if s.sent() == before {
			t.Errorf("%s: no token was asked for", p.Name())
		}
	}
	r := s.run("proxy", "equinix", "--variable", "URL", "--keep-credentials", "--", "sh", "-c", `test -n "$URL" -a -z "$EQUINIX_API_URL" -a -n "$EQUINIX_API_CLIENTSECRET"`)
	if r.status != 0 {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	command := s.command("proxy", "equinix", "--", "sh", "-c", "kill -TERM $$")
	s.finish(command)
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("a command that a signal ends: %v", command.ProcessState)
	}
}

// The proxy of a command keeps the limit of the API, too. The command gets no 429.
func TestProxyKeepsTheLimitOfTheAPI(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip(err)
	}
	const script = `for i in 1 2 3 4 5 6; do printf 'url = "%s/fabric/v4/ports"\n' "$EQUINIX_API_URL" | curl --noproxy '*' --silent --output /dev/null --write-out '%{http_code} ' --config -; done`
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{nil, "200 200 429 429 429 429 "},
		{[]string{"--throttle-wait", "30s"}, "200 200 200 200 200 200 "},
		{[]string{"--max-requests-per-second", "1.9"}, "200 200 200 200 200 200 "},
	} {
		s := newFixture(t)
		s.Equinix.LimitAPI(&simulator.Quota{Requests: 2, Window: time.Second, Sliding: true, RetryAfter: time.Second})
		if test.flags == nil {
			s.Equinix.LimitAPI(&simulator.Quota{Requests: 2, Window: time.Hour, Sliding: true, RetryAfter: time.Second})
		}
		r := s.run(append(append([]string{"proxy", "equinix"}, test.flags...), "--", "sh", "-c", script)...)
		if r.status != 0 || r.stdout != test.want {
			t.Errorf("%v: status %d, %q: %s", test.flags, r.status, r.stdout, r.stderr)
		}
	}
	s := newFixture(t)
	s.refused(2, []string{"max_requests_per_second", "must be a number above 0"}, "proxy", "equinix", "--max-requests-per-second", "0", "--", "true")
	s.refused(2, []string{"throttle_wait", "must be a duration"}, "proxy", "equinix", "--throttle-wait", "2", "--", "true")
}

func TestProxyRefusesBeforeItListens(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.refused(2, []string{"Error: No Interxion API proxy: settings are missing", "upstream (--upstream)"}, "proxy", "interxion", "--", "true")
	s.refused(2, []string{"Error: No Equinix API proxy: invalid upstream"}, "proxy", "equinix", "--upstream", "http://example.com", "--", "true")
	s.refused(2, []string{"cannot be found"}, "proxy", "equinix", "--", "no-such-command")
	s.refused(2, []string{`must follow "--"`}, "proxy", "equinix", "true")
	s.refused(2, []string{"--variable"}, "proxy", "equinix", "--variable", "a b", "--", "true")
	if s.sent() != 0 {
		t.Error("something was sent")
	}
	s.setenv("EQUINIX_API_CLIENTSECRET", "another")
	s.refused(3, []string{"credentials rejected"}, "proxy", "equinix", "--", "sh", "-c", "echo started")
}

// start starts a process in its own session, and returns a function that reads a line of its output.
func (s *fixture) start(args ...string) (*exec.Cmd, func() string) {
	s.t.Helper()
	command := s.command(args...)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal, as in a pipeline
	output, err := command.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	return command, func() string { lines.Scan(); return lines.Text() }
}

// Without a command, the proxy prints its URL and runs until it is interrupted.
func TestProxyPrintsItsURL(t *testing.T) {
	t.Parallel()
	needSignals(t)
	for _, end := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		s := newFixture(t)
		command, next := s.start("proxy", "cloudlx")
		url := next()
		s.more["URL"] = url[strings.LastIndex(url, "/")+1:]
		get := func() (int, string) {
			answer, err := http.Get(url + "/api/services")
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			return answer.StatusCode, string(body)
		}
		for range 3 {
			if status, body := get(); status != http.StatusOK {
				t.Errorf("answered %d: %s", status, body)
			}
		}
		if s.sent() != 1 {
			t.Errorf("%d token requests", s.sent())
		}
		pressed := time.Now()
		_ = command.Process.Signal(end)
		_ = command.Wait()
		if got := command.ProcessState.ExitCode(); got != 130 || time.Since(pressed) > 2*time.Second {
			t.Errorf("%v: status %d after %s", end, got, time.Since(pressed))
		}
		if answer, err := http.Get(url); err == nil {
			answer.Body.Close()
			t.Error("it still listens")
		}
	}
}

// The program that sends a request to the proxy gets the text of the error.
func TestProxySaysWhyThereIsNoToken(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.CloudLX.SetLifetime(61*time.Second, 0)
	command, next := s.start("proxy", "cloudlx", "--min-validity", "24h")
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	url := next()
	s.more["URL"] = url[strings.LastIndex(url, "/")+1:]
	s.CloudLX.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
		} else {
			w.WriteHeader(http.StatusUnauthorized) // so the proxy discards the token
		}
		return true
	})
	for i := range 2 {
		answer, err := http.Get(url + "/api/services")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if i == 1 && (answer.StatusCode != http.StatusBadGateway || !strings.Contains(string(body), "No CloudLX access token: credentials rejected") || !strings.Contains(string(body), "--client-secret-file (CLOUDLX_CLIENT_SECRET)") || !strings.Contains(string(body), "This process does not send them again.")) {
			t.Errorf("answered %d: %s", answer.StatusCode, body)
		}
		s.keep(string(body))
	}
}

// A proxy that runs for days reads the file with the client secret again after the platform has rejected the secret. It does
// not send the rejected secret again.
func TestProxyFindsTheNewSecretInItsFile(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	file := filepath.Join(t.TempDir(), "secret")
	write := func(secret string) {
		if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(s.CloudLX.Credentials().ClientSecret)
	command, next := s.start("proxy", "cloudlx", "--client-secret-file", file)
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	url := next()
	s.more["URL"] = url[strings.LastIndex(url, "/")+1:]
	var mu sync.Mutex
	old, renewed := 0, 0 // logins with each secret
	s.CloudLX.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Method != http.MethodPost && r.Header.Get("Authorization") == "Bearer of-rotated-1":
			return true
		case r.Method != http.MethodPost: // the proxy needs another token
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(string(body), "rotated-1") {
			renewed++
			_, _ = io.WriteString(w, `{"access_token":"of-rotated-1","token_type":"Bearer","expires_in":3600}`)
			return true
		}
		old++
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
		return true
	})
	get := func(want int) {
		t.Helper()
		answer, err := http.Get(url + "/api/services")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("answered %d, want %d", answer.StatusCode, want)
		}
	}
	for range 3 { // the file still has the old secret
		get(http.StatusBadGateway)
	}
	_ = os.Remove(file) // for a moment there is none
	get(http.StatusBadGateway)
	write("rotated-1")
	for range 3 {
		get(http.StatusOK)
	}
	mu.Lock()
	defer mu.Unlock()
	if old != 1 || renewed != 1 {
		t.Errorf("the old secret was sent %d times, and the new one %d times", old, renewed)
	}
}

// X04: each signal reaches the command once, whether it was sent to the proxy or to the group. The proxy continues to serve.
func TestSignalsReachTheCommandBehindAProxyOnce(t *testing.T) {
	t.Parallel()
	needSignals(t)
	s := newFixture(t)
	script := `trap 'n=$((n+1)); echo INT $n' INT; trap 'echo HUP' HUP; trap 'echo TERM; exit 7' TERM; echo "$EQUINIX_API_URL"; echo $$; while :; do sleep 0.05; done`
	command, next := s.start("proxy", "equinix", "--", "sh", "-c", script)
	url := next()
	s.more["URL"] = url[strings.LastIndex(url, "/")+1:]
	var refused atomic.Bool // the API has refused its first call: the proxy then needs another token after the first Ctrl-C
	s.Equinix.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		refuse := r.Method == http.MethodGet && refused.CompareAndSwap(false, true)
		if refuse {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return refuse
	})
	if pid := next(); pid != strconv.Itoa(command.Process.Pid) {
		t.Errorf("the command is the process %s, and %d was started", pid, command.Process.Pid)
	}
	for _, send := range []struct {
		to     int
		signal syscall.Signal
		want   string
	}{
		{command.Process.Pid, syscall.SIGINT, "INT 1"},
		{-command.Process.Pid, syscall.SIGINT, "INT 2"},
		{command.Process.Pid, syscall.SIGHUP, "HUP"},
		{-command.Process.Pid, syscall.SIGTERM, "TERM"},
	} {
		if err := syscall.Kill(send.to, send.signal); err != nil {
			t.Fatal(err)
		}
		if got := next(); got != send.want {
			t.Fatalf("the command says %q, want %q", got, send.want)
		}
		if send.signal == syscall.SIGINT {
			answer, err := http.Get(url + "/fabric/v4/ports")
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("after %s the API answers %s", send.want, answer.Status)
			}
		}
	}
	if s.sent() != 2 {
		t.Errorf("%d token requests", s.sent())
	}
	_ = command.Wait()
	if got := command.ProcessState.ExitCode(); got != 7 {
		t.Errorf("status %d, want the command's", got)
	}
}

// A program in another container finds the proxy by a port and a file, and waits until it is ready.
func TestAProxyBesideAProgram(t *testing.T) {
	t.Parallel()
	needSignals(t)
	s := newFixture(t)
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	dir := t.TempDir()
	file := filepath.Join(dir, "url")
	s.refused(2, []string{"The API proxy cannot listen on the port of --port", "127.0.0.1:" + port}, "proxy", "equinix", "--port", port)
	s.refused(2, []string{"--port must be a number"}, "proxy", "equinix", "--port", "0")
	s.refused(2, []string{"The value of --port is not valid"}, "proxy", "equinix", "--port", "x")
	s.refused(2, []string{"cannot be written"}, "proxy", "equinix", "--url-file", filepath.Join(dir, "none", "url"))
	s.refused(2, []string{"Unknown --url-file-mode"}, "proxy", "equinix", "--url-file", file, "--url-file-mode", "0777")
	s.refused(2, []string{"--url-file-mode needs"}, "proxy", "equinix", "--url-file-mode", "0640")
	if s.sent() != 0 {
		t.Errorf("%d requests", s.sent())
	}
	free.Close()
	for _, args := range [][]string{nil, {"--", "sleep", "60"}} {
		beside := s.stay(append([]string{"proxy", "equinix", "--port", port, "--url-file", file, "--url-file-mode", "0640"}, args...)...)
		url := ""
		for ends := time.Now().Add(time.Minute); url == "" && time.Now().Before(ends); <-time.After(20 * time.Millisecond) {
			text, _ := os.ReadFile(file)
			url = strings.TrimSuffix(string(text), "\n")
		}
		s.more["URL of "+strings.Join(args, " ")] = url[strings.LastIndex(url, "/")+1:]
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o640 || !strings.HasPrefix(url, "http://127.0.0.1:"+port+"/") {
			t.Errorf("%v, %v", info, err)
		}
		answer, err := http.Get(url + "/.ixtoken/health")
		if err != nil {
			t.Fatal(err)
		}
		var health struct {
			Status     string    `json:"status"`
			ValidUntil time.Time `json:"token_valid_until"`
		}
		err = json.NewDecoder(answer.Body).Decode(&health)
		answer.Body.Close()
		if left := time.Until(health.ValidUntil); err != nil || answer.StatusCode != http.StatusOK || health.Status != "ready" || left < 58*time.Minute || left > time.Hour {
			t.Errorf("%s, %+v, %v", answer.Status, health, err)
		}
		if r := beside.terminate(); r.stdout != "" || strings.Contains(r.stderr, url) {
			t.Errorf("it prints the URL: %s%s", r.stdout, r.stderr)
		}
		for ends := time.Now().Add(10 * time.Second); ; <-time.After(20 * time.Millisecond) {
			if _, err := os.Stat(file); err != nil {
				break
			}
			if time.Now().After(ends) {
				t.Fatal("the file is left")
			}
		}
	}
}
