// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The roles of the processes that tests start from their own program.
const (
	role     = "IXTOKEN_TEST_ROLE"
	isServer = "server" // writes the address that it listens on to a file, and ends with the first byte that it gets
	isLeaver = "leaver" // starts a server, and ends when it listens
)

// self returns the path of this program.
func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

func init() {
	file := os.Getenv("ADDRESS_FILE")
	switch os.Getenv(role) {
	case isServer:
		time.AfterFunc(time.Minute, func() { os.Exit(1) }) // for a test that has failed
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			err = os.WriteFile(file, []byte(listener.Addr().String()+"\n"), 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for {
			connection, err := listener.Accept()
			if err != nil {
				os.Exit(1)
			}
			if n, _ := connection.Read(make([]byte, 1)); n > 0 {
				os.Exit(0)
			}
		}
	case isLeaver:
		server := exec.Command(self())
		server.Env = append(os.Environ(), role+"="+isServer)
		if err := server.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for {
			if text, err := os.ReadFile(file); err == nil && strings.HasSuffix(string(text), "\n") {
				os.Exit(0)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

// addressIn waits for the address that a server writes to a file.
func addressIn(t *testing.T, file string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if text, err := os.ReadFile(file); err == nil && strings.HasSuffix(string(text), "\n") {
			return strings.TrimSpace(string(text))
		}
		if time.Now().After(deadline) {
			t.Fatal("the program has not started")
		}
		<-time.After(10 * time.Millisecond)
	}
}

// X05: a job that is cancelled kills the command. Its program does not go on with the token.
func TestTheProgramEndsWithTheKilledCommand(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	file := filepath.Join(t.TempDir(), "address")
	s.setenv(role, isServer)
	s.setenv("ADDRESS_FILE", file)
	command := s.command("exec", "equinix", "--", self())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	address := addressIn(t, file)
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	for deadline := time.Now().Add(5 * time.Second); ; {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return
		}
		_ = connection.Close()
		if time.Now().After(deadline) {
			t.Fatal("the program goes on")
		}
		<-time.After(10 * time.Millisecond)
	}
}

// What a program leaves behind goes on after the program has ended by itself.
func TestWhatAProgramLeavesBehindGoesOn(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	file := filepath.Join(t.TempDir(), "address")
	s.setenv(role, isLeaver)
	s.setenv("ADDRESS_FILE", file)
	if r := s.run("exec", "equinix", "--", self()); r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.stderr)
	}
	connection, err := net.DialTimeout("tcp", addressIn(t, file), 5*time.Second)
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
