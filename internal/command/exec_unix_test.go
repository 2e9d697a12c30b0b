// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/leak"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

func TestExecRunsTheCommandWithTokens(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for _, p := range s.Platforms() {
		upper := strings.ToUpper(platformName(p))
		r := s.run("exec", platformName(p), "--", "sh", "-c", `printf '%s\n%s\n' "$`+upper+`_ACCESS_TOKEN" "$`+upper+`_AUTHORIZATION"`)
		lines := strings.Split(r.stdout, "\n")
		if r.status != 0 || len(lines) != 3 || lines[1] != "Bearer "+lines[0] {
			t.Errorf("%s: status %d: %s", p.Name(), r.status, r.stderr)
			continue
		}
		s.accepts(p, lines[1])
	}
	if r := s.run("exec", "equinix", "--variable", "T", "--", "sh", "-c", `test "$T" = "$EQUINIX_API_TOKEN" && test -z "$EQUINIX_ACCESS_TOKEN" && test "Bearer $T" = "$EQUINIX_AUTHORIZATION"`); r.status != 0 {
		t.Errorf("--variable: status %d", r.status)
	}
	before := s.sent()
	if r := s.run("exec", "interxion,cloudlx", "--interxion-scopes", "ixapi.read", "--", "sh", "-c", `test -n "$INTERXION_ACCESS_TOKEN" -a -n "$CLOUDLX_ACCESS_TOKEN"`); r.status != 0 || s.sent() != before+2 {
		t.Errorf("two platforms: status %d, %d requests: %s", r.status, s.sent()-before, r.stderr)
	}
}

// The command does not need the secrets of the token request.
func TestExecRemovesTheCredentials(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("EQUINIX_API_TOKEN", "an old one")
	s.setenv("EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN", "one that is not used")
	for _, c := range []struct {
		args []string
		want bool
	}{{[]string{"exec", "equinix", "--grant-type", "client_credentials", "--"}, false}, {[]string{"exec", "equinix", "--grant-type", "client_credentials", "--keep-credentials", "--"}, true}} {
		r := s.run(append(c.args, "env")...)
		for _, in := range platforms.Equinix.Inputs {
			if in.Secret && in.Environment != "" && strings.Contains(r.stdout, in.Environment+"=") != c.want {
				t.Errorf("%q: %s", c.args, in.Environment)
			}
		}
		for _, kept := range []string{"EQUINIX_API_CLIENTID=", "CLOUDLX_CLIENT_SECRET=", "PATH="} {
			if !strings.Contains(r.stdout, kept) {
				t.Errorf("%q: %s is gone", c.args, kept)
			}
		}
		if strings.Contains(r.stdout, "an old one") || strings.Count(r.stdout, "EQUINIX_API_TOKEN=") != 1 {
			t.Errorf("%q: an old token is left", c.args)
		}
	}
}

// exec has the streams and the exit status of the command.
func TestExecReplacesTheProcess(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	command := s.command("exec", "equinix", "--", "sh", "-c", "cat; echo errors >&2; exit 42")
	command.Stdin = strings.NewReader("input")
	if r := s.finish(command); r.status != 42 || r.stdout != "input" || r.stderr != "errors\n" {
		t.Errorf("status %d, %q, %q", r.status, r.stdout, r.stderr)
	}
	command = s.command("exec", "equinix", "--", "sh", "-c", "kill -TERM $$")
	s.finish(command)
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("a command that a signal ends: %v", command.ProcessState)
	}
	s.refused(3, []string{"credentials rejected", "Each new run sends them again: change something first."}, "exec", "equinix", "--client-id", "another", "--", "sh", "-c", "echo started")
	before := s.sent()
	for _, args := range [][]string{{"exec", "equinix"}, {"exec", "equinix", "--"}, {"exec", "equinix", "true"}, {"exec", "equinix", "--", "no-such-command"}, {"exec"}, {"exec", "equinix,equinix", "--", "true"}, {"exec", "equinix,nowhere", "--", "true"}} {
		s.refused(2, []string{"Nothing was sent"}, args...)
	}
	if s.sent() != before {
		t.Error("something was sent")
	}
}

// X04: signals reach the command, which handles them. A second Ctrl-C does too.
func TestSignalsReachTheCommand(t *testing.T) {
	t.Parallel()
	needSignals(t)
	s := newFixture(t)
	script := `trap 'n=$((n+1)); echo INT $n' INT; trap 'echo TERM; exit 7' TERM; trap 'echo HUP' HUP; echo ready; while :; do sleep 0.05; done`
	command := s.command("exec", "equinix", "--", "sh", "-c", script)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	next := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the command says %q, want %q", lines.Text(), want)
		}
	}
	next("ready")
	// A terminal sends signals to the process group, other programs to the process.
	for i, send := range []struct {
		to     int
		signal syscall.Signal
		want   string
	}{
		{-command.Process.Pid, syscall.SIGINT, "INT 1"},
		{command.Process.Pid, syscall.SIGINT, "INT 2"},
		{command.Process.Pid, syscall.SIGHUP, "HUP"},
		{command.Process.Pid, syscall.SIGTERM, "TERM"},
	} {
		if err := syscall.Kill(send.to, send.signal); err != nil {
			t.Fatal(i, err)
		}
		next(send.want)
	}
	_ = command.Wait()
	if got := command.ProcessState.ExitCode(); got != 7 {
		t.Errorf("status %d, want the command's", got)
	}
}

// needSignals skips the test if signals were ignored at the start of this process: a shell cannot trap these.
func needSignals(t *testing.T) {
	t.Helper()
	for _, needed := range []os.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(needed) {
			t.Skip("ignored here: ", needed)
		}
	}
}

// nohup and background jobs ignore these signals for the programs that they start. Go preserves this for no other signal.
func TestAnIgnoredSignalStaysIgnored(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for _, command := range []string{"exec", "proxy"} {
		for _, name := range []string{"INT", "HUP"} {
			script := `trap '' ` + name + `; exec "$0" ` + command + ` equinix -- sh -c 'kill -` + name + ` $$; echo alive'`
			shell := exec.Command("sh", "-c", script, binary)
			shell.Dir, shell.Env = s.dir, s.env
			if r := s.finish(shell); r.stdout != "alive\n" {
				t.Errorf("%s, %s: status %d: %s", command, name, r.status, r.stderr)
			}
		}
	}
}

// X01, X02: Ctrl-C ends every wait at once, with status 130 and without a result.
func TestCtrlCEndsEveryWait(t *testing.T) {
	t.Parallel()
	needSignals(t)
	hang := func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	later := func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "50")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	for what, answer := range map[string]func(http.ResponseWriter, *http.Request) bool{"X01 the platform hangs": hang, "X02 it asks to wait": later} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(fmt.Sprint(what, ", ", signal), func(t *testing.T) {
				t.Parallel()
				s := newFixture(t)
				s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(s.dir, "cache"))
				arrived := make(chan struct{}, 10)
				s.Equinix.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
					arrived <- struct{}{}
					return answer(w, r)
				})
				var output, errors bytes.Buffer
				command := s.command("token", "equinix")
				command.Stdout, command.Stderr = &output, &errors
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				<-arrived
				pressed := time.Now()
				if err := command.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				_ = command.Wait()
				if took := time.Since(pressed); took > 2*time.Second {
					t.Errorf("it ended after %s", took)
				}
				if got := command.ProcessState.ExitCode(); got != 130 || output.Len() > 0 || !strings.Contains(errors.String(), "cancelled") {
					t.Errorf("status %d, %d bytes of output: %s", got, output.Len(), errors.String())
				}
				if s.sent() != 1 {
					t.Errorf("%d requests", s.sent())
				}
				s.Equinix.Intercept(nil)
				s.must("token", "equinix")
			})
		}
	}
}

// Ctrl-C ends the wait for a pipe from which a secret is read.
func TestCtrlCEndsTheWaitForASecret(t *testing.T) {
	t.Parallel()
	needSignals(t)
	s := newFixture(t)
	pipe := filepath.Join(s.dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for _, path := range []string{"-", pipe} {
		command := s.command("token", "equinix", "--client-secret-file", path)
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		command.Stdin = reader
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		if path != "-" {
			writer.Close()
			if writer, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil { // blocks until the command opens the pipe
				t.Fatal(err)
			}
		}
		if _, err := writer.Write(make([]byte, 200<<10)); err != nil { // larger than a pipe's buffer, so the command is reading
			t.Fatal(err)
		}
		pressed := time.Now()
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
		reader.Close()
		writer.Close()
		if got := command.ProcessState.ExitCode(); got != 130 || time.Since(pressed) > 2*time.Second {
			t.Errorf("%s: status %d after %s", path, got, time.Since(pressed))
		}
	}
}

// H09: while the process works, neither its arguments nor its files contain a secret.
func TestOtherProcessesSeeNoSecret(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	leave := make(chan struct{})
	arrived := make(chan struct{}, 1)
	s.Equinix.Intercept(func(http.ResponseWriter, *http.Request) bool {
		arrived <- struct{}{}
		<-leave
		return false
	})
	command := exec.Command("sh", "-c", `ulimit -S -c "$(ulimit -H -c)"; exec "$0" "$@"`, binary, "token", "equinix", "--client-secret-file", "-", "--strict")
	command.Dir, command.Env = s.dir, s.env
	command.Stdin = strings.NewReader(s.Equinix.Credentials().ClientSecret)
	var output bytes.Buffer
	command.Stdout = &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", command.Process.Pid))
	limits, _ := os.ReadFile(fmt.Sprintf("/proc/%d/limits", command.Process.Pid))
	_, inspected := os.ReadFile(fmt.Sprintf("/proc/%d/environ", command.Process.Pid))
	close(leave)
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Skip("this system shows no arguments: ", err)
	}
	if inspected == nil && os.Getuid() != 0 {
		t.Error("another process can inspect this one")
	}
	if !regexp.MustCompile(`Max core file size +0 +`).Match(limits) {
		t.Errorf("core dumps are not forbidden:\n%s", limits)
	}
	for _, hit := range leak.New(s.secrets()).Text("arguments", line) {
		t.Error(hit)
	}
	if !bytes.Contains(line, []byte("--client-secret-file")) {
		t.Errorf("the arguments are %q", line)
	}
}
