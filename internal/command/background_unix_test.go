// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// held starts "proxy equinix" with a program that must not run, while Equinix does not answer.
func (s *fixture) held() (command *exec.Cmd, said *bytes.Buffer) {
	s.t.Helper()
	arrived := make(chan struct{}, 1)
	s.Equinix.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		arrived <- struct{}{}
		<-r.Context().Done()
		return true
	})
	command, said = s.command("proxy", "equinix", "--", "sh", "-c", "echo started"), &bytes.Buffer{}
	command.Stdout, command.Stderr = said, said
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	<-arrived
	return command, said
}

// X01, X05: as long as the proxy has no token, a signal ends both processes. The end of the output shows that none is left.
func TestASignalBeforeTheProgramEndsTheProxyToo(t *testing.T) {
	t.Parallel()
	needSignals(t)
	for _, send := range []struct {
		signal syscall.Signal
		group  int
		status int
		said   string
	}{
		{syscall.SIGINT, 1, 130, "cancelled"},
		{syscall.SIGTERM, 1, 130, "cancelled"},
		{syscall.SIGINT, -1, 130, "cancelled"},
		{syscall.SIGKILL, 1, -1, ""},
		{syscall.SIGHUP, 1, -1, ""},
	} {
		t.Run(fmt.Sprint(send.signal, send.group), func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			command, said := s.held()
			sent := time.Now()
			if err := syscall.Kill(send.group*command.Process.Pid, send.signal); err != nil {
				t.Fatal(err)
			}
			_ = command.Wait()
			if took := time.Since(sent); took > 5*time.Second {
				t.Errorf("both have ended after %s", took)
			}
			if status := command.ProcessState.ExitCode(); status != send.status || !strings.Contains(said.String(), send.said) || strings.Contains(said.String(), "started") {
				t.Errorf("status %d: %s", status, said)
			}
		})
	}
}

// The program has the process, the group and the session that it would have without the proxy, and no child that it does not
// know. The proxy is there from its first line, and ends with it.
func TestTheProgramOfProxyIsTheProcessItself(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	children := fmt.Sprintf("/proc/%d/task/%d/children", os.Getpid(), os.Getpid())
	if _, err := os.Stat(children); err != nil {
		t.Skip("this system does not list children: ", err)
	}
	command, next := s.start("proxy", "equinix", "--", "sh", "-c", `echo "$EQUINIX_API_URL"; read children </proc/$$/task/$$/children; echo "$$ [$children]"; read line; exit 7`)
	url := next()
	s.more["URL"] = url[strings.LastIndex(url, "/")+1:]
	if got, want := next(), fmt.Sprintf("%d []", command.Process.Pid); got != want {
		t.Errorf("process and children are %s, want %s", got, want)
	}
	_ = command.Wait()
	if status := command.ProcessState.ExitCode(); status != 7 {
		t.Errorf("status %d", status)
	}
	for deadline := time.Now().Add(5 * time.Second); ; <-time.After(10 * time.Millisecond) {
		answer, err := http.Get(url)
		if err != nil {
			break
		}
		answer.Body.Close()
		if time.Now().After(deadline) {
			t.Fatal("the proxy still listens")
		}
	}
}

// The proxy holds no file of the job, such as the lock of a shell. A signal that reaches it does not end it: only the program does, which may need the API to clean up. "systemctl stop"
// signals every process of a service.
func TestOnlyTheProgramEndsTheProxy(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	marker := "background-" + filepath.Base(s.dir)
	script := `echo "$EQUINIX_API_URL"; read line; printf 'url = "%s/fabric/v4/ports"\n' "$EQUINIX_API_URL" | curl --noproxy '*' --silent --fail --config - >/dev/null && echo served`
	command := s.command("proxy", "equinix", "--variable", "EQUINIX_API_URL", "--request-timeout", "77s", "--", "sh", "-c", script)
	command.Env = append(command.Env, "MARKER="+marker)
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	lock, err := os.Create(filepath.Join(s.dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	command.Stdout, command.Stderr, command.ExtraFiles = writer, &output, []*os.File{lock}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	line := make([]byte, 4096)
	n, _ := reader.Read(line)
	url := strings.TrimSpace(string(line[:n]))
	s.more["URL"] = url[strings.LastIndex(url, "/")+1:]
	server := processWith(t, marker, "--serve-for")
	if open := opened(command.Process.Pid); !slices.Contains(open, lock.Name()) {
		t.Errorf("the program has the files %q", open)
	}
	if open := opened(server); slices.Contains(open, lock.Name()) || !slices.Contains(open, os.DevNull) {
		t.Errorf("the proxy has the files %q", open)
	}
	for _, sent := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE} {
		if err := syscall.Kill(server, sent); err != nil {
			t.Fatal(sent, err)
		}
		if ignored(t, server)&(1<<(sent-1)) == 0 {
			t.Errorf("the proxy does not ignore %v", sent)
		}
	}
	input.Close()
	n, _ = reader.Read(line)
	if err := command.Wait(); err != nil || string(line[:n]) != "served\n" {
		t.Errorf("%v, %q: %s", err, line[:n], output.String())
	}
}

// opened returns the names of the files that a process has open.
func opened(pid int) []string {
	var names []string
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, path := range all {
		name, _ := os.Readlink(path)
		names = append(names, name)
	}
	return names
}

// ignored returns the mask of the signals that a process ignores.
func ignored(t *testing.T, pid int) (mask uint64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "\nSigIgn:")
	if _, err := fmt.Sscanf(line, "%x", &mask); err != nil {
		t.Fatal(err)
	}
	return mask
}

// processWith returns the id of the process with the text in its environment, and the argument.
func processWith(t *testing.T, text, argument string) int {
	t.Helper()
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		arguments, _ := os.ReadFile(path)
		environment, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "environ"))
		var pid int
		if bytes.Contains(arguments, []byte(argument)) && bytes.Contains(environment, []byte(text)) {
			if _, err := fmt.Sscanf(path, "/proc/%d/", &pid); err == nil {
				return pid
			}
		}
	}
	t.Skip("no other process can be found here")
	return 0
}

// A program gets what it would have got from a shell: a limit for core dumps, and ignored signals.
func TestTheProgramInheritsWhatTheShellHad(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for _, command := range []string{"exec", "proxy"} {
		for _, c := range []struct{ before, program, want string }{
			{"ulimit -S -c 7", "ulimit -S -c", "7\n"},
			{"trap '' PIPE", "kill -PIPE $$; echo alive", "alive\n"},
			{":", "kill -PIPE $$; echo alive", ""},
		} {
			if strings.Contains(c.before, "PIPE") && runtime.GOOS != "linux" { // Go does not show it elsewhere
				continue
			}
			shell := exec.Command("sh", "-c", c.before+` && exec "$0" `+command+` equinix -- sh -c '`+c.program+`'`, binary)
			shell.Dir, shell.Env = s.dir, s.env
			if r := s.finish(shell); r.stdout != c.want {
				t.Errorf("%s, %s: %q, status %d: %s", command, c.before, r.stdout, r.status, r.stderr)
			}
		}
	}
}

// As a shell does, exec and proxy find a program through a relative entry of PATH, and run a script without "#!". What cannot
// be run is found before anything is sent.
func TestProgramsAreFoundAsAShellFindsThem(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(s.dir, "tools"), 0o700); err != nil {
		t.Fatal(err)
	}
	put("tools/plain", `printf '%s|' "$0" "$@"`)
	put("tools/here", "#!/bin/sh\necho here")
	put("text", "echo text")
	put("windows", "#!/bin/sh\r\necho here\r\n")
	if err := os.Chmod(filepath.Join(s.dir, "text"), 0o600); err != nil {
		t.Fatal(err)
	}
	put("nowhere", "#!/no/such/interpreter -x\necho nowhere")
	put("binary", "\x00\x01\x02")
	s.setenv("PATH", "tools::"+os.Getenv("PATH"))
	for _, command := range []string{"exec", "proxy"} {
		for program, want := range map[string]string{"plain": "tools/plain|a b|-c|", "tools/plain": "tools/plain|a b|-c|", "here": "here\n"} {
			if r := s.run(command, "equinix", "--", program, "a b", "-c"); r.status != 0 || r.stdout != want {
				t.Errorf("%s %s: status %d, %q: %s", command, program, r.status, r.stdout, r.stderr)
			}
		}
		if r := s.run(command, "equinix", "--", "./binary"); r.status != 1 || !strings.Contains(r.stderr, "exec format error") {
			t.Errorf("%s: a file that is no program: status %d: %s", command, r.status, r.stderr)
		}
		before := s.sent()
		s.refused(2, []string{"cannot be found"}, command, "equinix", "--", "./missing")
		s.refused(2, []string{"cannot be found. A file of this directory needs ./"}, command, "equinix", "--", "text.sh")
		s.refused(2, []string{"is not executable", "chmod +x"}, command, "equinix", "--", "./text")
		s.refused(2, []string{"carriage return"}, command, "equinix", "--", "./windows")
		s.refused(2, []string{"first line", "cannot be found"}, command, "equinix", "--", "./nowhere")
		if s.sent() != before {
			t.Error("something was sent")
		}
	}
}

// A result that nobody can read is an error, and no token is set that a log does not mask.
func TestAClosedOutputIsAnError(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	run := func(redirect string, args ...string) result {
		shell := exec.Command("sh", append([]string{"-c", `exec "$0" "$@" ` + redirect, binary}, args...)...)
		shell.Dir, shell.Env = s.dir, s.env
		return s.finish(shell)
	}
	if r := run(">&-", "token", "equinix"); r.status != 1 || !strings.Contains(r.stderr, "The result could not be written") {
		t.Errorf("token >&-: status %d: %s", r.status, r.stderr)
	}
	for _, args := range [][]string{{"token", "equinix"}, {"check", "equinix"}, {"version"}} {
		if r := run("1<>/dev/null", args...); args[0] != "token" && r.status != 0 { // as Python's DEVNULL does; only a token must not be lost
			t.Errorf("%q 1<>/dev/null: status %d: %s", args, r.status, r.stderr)
		}
		if r := run(">/dev/null", args...); r.status != 0 {
			t.Errorf("%q >/dev/null: status %d: %s", args, r.status, r.stderr)
		}
	}
	variables := filepath.Join(s.dir, "variables")
	if err := os.WriteFile(variables, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "GITHUB_ACTIONS=true", "GITHUB_ENV="+variables, "TF_BUILD=True")
	before := s.sent()
	for _, format := range []string{"github", "azure-devops"} {
		for _, redirect := range []string{">/dev/null", ">log", ">&-"} {
			if r := run(redirect, "token", "equinix", "--format", format); r.status != 2 || !strings.Contains(r.stderr, "standard output must be the job's log") {
				t.Errorf("%s %s: status %d: %s", format, redirect, r.status, r.stderr)
			}
		}
	}
	if info, err := os.Stat(variables); err != nil || info.Size() > 0 || s.sent() != before {
		t.Errorf("a variable was set (%v), or something was sent", err)
	}
}

// Where the environment names a network proxy, it must not get the requests for the API proxy, which carry its secret.
func TestTheNetworkProxyIsNotAskedForTheAPIProxy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ environment, want string }{
		{"", "NO_PROXY= no_proxy="},
		{"NO_PROXY=a", "NO_PROXY=a no_proxy="},
		{"http_proxy=", "NO_PROXY= no_proxy="},
		{"http_proxy=http://127.0.0.1:1", "NO_PROXY=127.0.0.1 no_proxy=127.0.0.1"},
		{"ALL_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1 no_proxy=127.0.0.1"},
		{"Http_Proxy=http://127.0.0.1:1 no_proxy=127.0.0.1,b", "NO_PROXY=127.0.0.1,b no_proxy=127.0.0.1,b"},
		{"http_proxy=http://127.0.0.1:1 NO_PROXY=a,.b no_proxy=c,a", "NO_PROXY=a,.b,c,127.0.0.1 no_proxy=a,.b,c,127.0.0.1"},
		{"http_proxy=http://127.0.0.1:1 NO_PROXY=*", "NO_PROXY=* no_proxy=*"},
		{"all_proxy=http://127.0.0.1:1 no_proxy=* NO_PROXY=a", "NO_PROXY=* no_proxy=*"},
	} {
		s := newFixture(t)
		s.env = append(s.env, strings.Fields(c.environment)...)
		r := s.run("proxy", "equinix", "--", "sh", "-c", `printf 'NO_PROXY=%s no_proxy=%s' "$NO_PROXY" "$no_proxy"`)
		if r.status != 0 || r.stdout != c.want {
			t.Errorf("%q: status %d, %q, want %q: %s", c.environment, r.status, r.stdout, c.want, r.stderr)
		}
	}
}
