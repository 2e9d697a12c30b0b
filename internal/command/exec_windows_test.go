// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"bytes"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// Windows has no exec, so the program is a child: its environment, its streams and its status are as wanted all the same. The
// names of variables have no case there.
func TestExecRunsAChildOnWindows(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("Equinix_Api_ClientSecret", s.Equinix.Credentials().ClientSecret)
	s.setenv("Equinix_Api_Token", "an old one")
	r := s.run("exec", "equinix", "--", "cmd", "/c", "set")
	if r.status != 0 || !strings.Contains(r.stdout, "EQUINIX_API_CLIENTID=") || strings.Contains(r.stdout, "an old one") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	if strings.Contains(strings.ToUpper(r.stdout), "EQUINIX_API_CLIENTSECRET=") {
		t.Error("the client secret is in the environment")
	}
	for line := range strings.SplitSeq(r.stdout, "\r\n") {
		if authorization, found := strings.CutPrefix(line, "EQUINIX_AUTHORIZATION="); found {
			s.accepts(s.Equinix, authorization)
		}
	}
	if r := s.run("exec", "equinix", "--", "cmd", "/c", "exit 42"); r.status != 42 {
		t.Errorf("status %d, want the program's", r.status)
	}
}

// X01: Ctrl-C and Ctrl-Break reach every process of the console, and Go reports both as an interrupt. Only Ctrl-Break can be
// sent to one group of processes.
func TestAnInterruptOfTheConsoleEndsTheWait(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"token", "equinix"}, {"exec", "equinix", "--", "cmd", "/c", "echo started"}} {
		s := newFixture(t)
		arrived := make(chan struct{}, 1)
		s.Equinix.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			arrived <- struct{}{}
			<-r.Context().Done()
			return true
		})
		var output, errors bytes.Buffer
		command := s.command(args...)
		command.Stdout, command.Stderr = &output, &errors
		command.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		<-arrived
		pressed := time.Now()
		if err := windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(command.Process.Pid)); err != nil {
			_ = command.Process.Kill()
			_ = command.Wait()
			t.Skip("there is no console: ", err)
		}
		_ = command.Wait()
		if took := time.Since(pressed); took > 2*time.Second {
			t.Errorf("%q ended after %s", args, took)
		}
		if got := command.ProcessState.ExitCode(); got != 130 || output.Len() > 0 || !strings.Contains(errors.String(), "cancelled") {
			t.Errorf("%q: status %d, %d bytes of output: %s", args, got, output.Len(), errors.String())
		}
		if s.sent() != 1 {
			t.Errorf("%d requests", s.sent())
		}
	}
}
