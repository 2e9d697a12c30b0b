// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/leak"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/troubleshooting"
)

// binary is the path of the program cmd/ixtoken.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ixtoken-command-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "ixtoken"+terraform.Suffix)
		build := exec.Command("go", "build", "-o", binary, "../../cmd/ixtoken")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// shell returns the path of sh. It skips the test on Windows, where sh sets no limits and quotes in its own way.
func shell(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the shell of Windows is PowerShell")
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	return sh
}

// fixture is a simulator, and an environment with its credentials in which processes run. At the end, the test searches
// their standard error for secrets.
type fixture struct {
	*simulator.Simulator
	t   *testing.T
	dir string
	env []string

	mu   sync.Mutex
	said []byte
	more map[string]string // further secrets, by name
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureWith(t, simulator.Options{})
}

func newFixtureWith(t *testing.T, options simulator.Options) *fixture {
	t.Helper()
	platforms, err := simulator.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	s := &fixture{Simulator: platforms, t: t, dir: t.TempDir(), more: map[string]string{}}
	// The lines of messages are as long as they are, so that tests find their words. Tests of the width set it.
	s.env = append([]string{"COLUMNS=1000", "PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "SystemRoot=" + os.Getenv("SystemRoot")}, platforms.Environment()...)
	t.Cleanup(func() {
		s.searchForSecrets()
		if err := platforms.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// secrets returns everything that must not be printed, by name.
func (s *fixture) secrets() map[string]string {
	known := maps.Clone(s.more)
	for i, token := range s.Issuer.Issued() {
		known[fmt.Sprintf("identity token %d", i)] = token[strings.LastIndex(token, ".")+1:]
	}
	for i, assertion := range s.Asserted() {
		known[fmt.Sprintf("assertion %d", i)] = assertion[strings.LastIndex(assertion, ".")+1:]
	}
	known["client key"] = s.privateNumber()
	for _, p := range s.Platforms() {
		known[p.Name()+"'s client secret"] = p.Credentials().ClientSecret
		if password := p.Credentials().UserPassword; password != "" {
			known[p.Name()+"'s password"] = password
		}
		for i, token := range p.Issued() {
			known[fmt.Sprintf("%s's token %d", p.Name(), i)] = token
		}
	}
	return known
}

// privateNumber returns what is secret in the client's key: the rest of the file is the same for every key, or public.
func (s *fixture) privateNumber() string {
	block, _ := pem.Decode([]byte(s.Client().KeyPEM))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		s.t.Fatal("the client's key cannot be read: ", err)
	}
	number, err := private.Bytes()
	if err != nil {
		s.t.Fatal(err)
	}
	return string(number)
}

// searchForSecrets searches the kept output and the files of the fixture for secrets.
func (s *fixture) searchForSecrets() {
	s.t.Helper()
	scanner := leak.New(s.secrets())
	hits := scanner.Text("standard error", s.said)
	files, err := scanner.Tree(s.dir)
	if err != nil {
		s.t.Error(err)
	}
	for _, hit := range append(hits, files...) {
		s.t.Error(hit)
	}
}

func (s *fixture) setenv(name, value string) { s.env = append(s.env, name+"="+value) }

// result is the output and the exit status of a process.
type result struct {
	stdout, stderr string
	status         int // -1: a signal ended the process
}

// command returns a process that is not started yet.
func (s *fixture) command(args ...string) *exec.Cmd {
	command := exec.Command(binary, args...)
	command.Dir, command.Env = s.dir, s.env
	return command
}

// run runs a process and waits for its end.
func (s *fixture) run(args ...string) result { s.t.Helper(); return s.runWith("", args...) }

// runWith does the same, with stdin as standard input.
func (s *fixture) runWith(stdin string, args ...string) result {
	s.t.Helper()
	command := s.command(args...)
	command.Stdin = strings.NewReader(stdin)
	return s.finish(command)
}

// finish runs a command, waits for its end, and keeps its standard error for the search for secrets.
func (s *fixture) finish(command *exec.Cmd) result {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	if command.Stdout == nil {
		command.Stdout = &stdout
	}
	command.Stderr = &stderr
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = command.Process.Kill() })
	err := command.Wait()
	stop()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	s.keep(stderr.String())
	r := result{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
	s.wantSections(r.stderr)
	for _, sign := range []string{"panic:", "DATA RACE", "goroutine "} {
		if strings.Contains(r.stderr, sign) {
			s.t.Errorf("%q: %s", command.Args, r.stderr)
		}
	}
	return r
}

var message = regexp.MustCompile(`(?ms)^(?:Error|Warning): (.*?)\nMore: \S+/troubleshooting\.md#(\S+)$`)

// wantSections fails the test unless each message links to a section of the guide, to which the index of the guide leads too.
func (s *fixture) wantSections(said string) {
	s.t.Helper()
	guide, err := troubleshooting.Read()
	if err != nil {
		s.t.Fatal(err)
	}
	messages := message.FindAllStringSubmatch(said, -1)
	for _, m := range messages {
		lines := strings.Split(m[1], "\n") // a long summary has several
		for last := range lines {
			if err = guide.Check(strings.Join(lines[:last+1], " "), m[2]); err == nil {
				break
			}
		}
		if err != nil {
			s.t.Error(err)
		}
	}
	if got := strings.Count("\n"+said, "\nError: ") + strings.Count("\n"+said, "\nWarning: "); got != len(messages) {
		s.t.Errorf("%d messages have %d links: %s", got, len(messages), said)
	}
}

func (s *fixture) keep(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, text+"\n"...)
}

// must runs a process that must succeed, and returns its standard output.
func (s *fixture) must(args ...string) string {
	s.t.Helper()
	r := s.run(args...)
	if r.status != 0 || r.stdout == "" {
		s.t.Fatalf("%q ended with status %d: %s", args, r.status, r.stderr)
	}
	return r.stdout
}

// refused runs a process that must fail with the status, without a result, and with each of the texts in its error.
func (s *fixture) refused(status int, texts []string, args ...string) result {
	s.t.Helper()
	return s.wantRefused(s.run(args...), status, texts, args...)
}

func (s *fixture) wantRefused(r result, status int, texts []string, args ...string) result {
	s.t.Helper()
	if r.status != status || r.stdout != "" {
		s.t.Errorf("%q: status %d, want %d; %d bytes on standard output; %s", args, r.status, status, len(r.stdout), r.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			s.t.Errorf("%q does not say %q: %s", args, text, r.stderr)
		}
	}
	return r
}

// sent returns the number of token requests that all platforms have received.
func (s *fixture) sent() int {
	n := 0
	for _, p := range s.Platforms() {
		for _, request := range p.Requests() {
			if request.Method == http.MethodPost {
				n++
			}
		}
	}
	return n
}

// accepts fails the test unless the platform's API accepts the token.
func (s *fixture) accepts(p *simulator.Platform, authorization string) {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodGet, p.APIURL(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", authorization)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		s.t.Errorf("%s's API has answered %s", p.Name(), answer.Status)
	}
}

// running is a process that runs until terminate.
type running struct {
	s       *fixture
	command *exec.Cmd
	stdout  bytes.Buffer

	mu     sync.Mutex
	stderr bytes.Buffer
}

// Write takes what the process says on standard error.
func (r *running) Write(text []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stderr.Write(text)
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stderr.String()
}

// stay starts a process that stays.
func (s *fixture) stay(args ...string) *running {
	s.t.Helper()
	r := &running{s: s, command: s.command(args...)}
	r.command.Stdout, r.command.Stderr = &r.stdout, r
	if err := r.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = r.command.Process.Kill() })
	return r
}

// waitFor waits until the process has said text on standard error.
func (r *running) waitFor(text string) {
	r.s.t.Helper()
	for ends := time.Now().Add(time.Minute); !strings.Contains(r.said(), text); <-time.After(20 * time.Millisecond) {
		if time.Now().After(ends) {
			r.s.t.Fatalf("it does not say %q: %s", text, r.said())
		}
	}
}

// terminate sends SIGTERM and returns the result.
func (r *running) terminate() result {
	r.s.t.Helper()
	if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
		r.s.t.Fatal(err)
	}
	_ = r.command.Wait() // the status tells
	r.s.keep(r.said())
	r.s.wantSections(r.said())
	return result{r.stdout.String(), r.said(), r.command.ProcessState.ExitCode()}
}
