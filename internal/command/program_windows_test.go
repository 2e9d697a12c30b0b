// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/process/processtest"
)

func init() {
	processtest.Play(map[string]func(){
		"server": processtest.Serve,
		"leaver": func() { processtest.Start("server"); processtest.AwaitServer() },
	})
}

// as sets the role of the program that the command starts, and the file with its address.
func (s *fixture) as(role, file string) {
	for _, variable := range processtest.As(role, file) {
		name, value, _ := strings.Cut(variable, "=")
		s.setenv(name, value)
	}
}

// X05: a job that is cancelled kills the command. Its program does not go on with the token.
func TestTheProgramEndsWithTheKilledCommand(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	file := filepath.Join(t.TempDir(), "address")
	s.as("server", file)
	command := s.command("exec", "equinix", "--", processtest.Self())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	address := processtest.Address(t, file)
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	processtest.WantEnd(t, address)
}

// What a program leaves behind goes on after the program has ended by itself.
func TestWhatAProgramLeavesBehindGoesOn(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	file := filepath.Join(t.TempDir(), "address")
	s.as("leaver", file)
	if r := s.run("exec", "equinix", "--", processtest.Self()); r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.stderr)
	}
	connection, err := net.DialTimeout("tcp", processtest.Address(t, file), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connection.Write([]byte{0}); err != nil {
		t.Error(err)
	}
	_ = connection.Close()
}

// A file that Windows cannot run costs no token, and the error says what to type.
func TestAScriptThatWindowsCannotRunIsRefused(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	dir := t.TempDir()
	for name, want := range map[string]string{
		"deploy.ps1": "Write: -- powershell -File ", "deploy.SH": "Write: -- sh ", "deploy.txt": "write the program that runs it",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("echo started\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.refused(statusUsage, []string{want}, "exec", "equinix", "--", path)
		s.refused(statusUsage, []string{want}, "proxy", "equinix", "--", path)
	}
	if s.sent() != 0 {
		t.Errorf("%d requests", s.sent())
	}
}

// The arguments of a batch file arrive as they are, and cmd.exe runs nothing in them.
func TestABatchFileGetsItsArguments(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	path := filepath.Join(t.TempDir(), "a file.cmd")
	if err := os.WriteFile(path, []byte("@echo [%1][%2][%3]\r\n@exit /b 42\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.run("exec", "equinix", "--", path, "a&echo injected", "b c", "^|<>()!x!")
	if r.status != 42 || strings.TrimSpace(r.stdout) != `["a&echo injected"]["b c"]["^|<>()!x!"]` {
		t.Errorf("status %d: %q %s", r.status, r.stdout, r.stderr)
	}
	sent := s.sent()
	for _, arg := range []string{`"`, "%PATH%", "a\nb"} {
		s.refused(statusUsage, []string{"cmd.exe would change"}, "exec", "equinix", "--", path, arg)
	}
	if s.sent() != sent {
		t.Errorf("%d requests", s.sent()-sent)
	}
}
