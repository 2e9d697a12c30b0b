// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package acceptance

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interruptTimeout is the time limit for a run to end after Ctrl-C.
const interruptTimeout = 2 * time.Second

// interrupted runs a command of the CLI, and presses Ctrl-C when arrived receives something. It returns the output, and the
// time until the run has ended. The run must fail.
func (s *fixture) interrupted(arrived <-chan struct{}, args ...string) (output string, took time.Duration) {
	s.t.Helper()
	run := s.Command(s.t.Context(), args...)
	var all bytes.Buffer
	run.Stdout, run.Stderr = &all, &all
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a process group, as a shell makes for a job
	if err := run.Start(); err != nil {
		s.t.Fatal(err)
	}
	<-arrived
	pressed := time.Now()
	if err := syscall.Kill(-run.Process.Pid, syscall.SIGINT); err != nil {
		s.t.Error(err)
	}
	if err := run.Wait(); err == nil {
		s.t.Errorf("the interrupted run succeeded:\n%s", all.String())
	}
	return all.String(), time.Since(pressed)
}

// X01, X02: Ctrl-C reaches every process of the terminal's process group. The run ends at once and says why.
func TestCtrlCEndsEveryWait(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}
	later := func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "50")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	for _, kind := range []string{"ephemeral", "data"} {
		for name, answer := range map[string]func(http.ResponseWriter, *http.Request) bool{"X01 while the platform hangs": hang, "X02 while it asks to wait": later} {
			for _, command := range []string{"plan", "apply -auto-approve"} {
				t.Run(kind+"/"+name+"/"+command, func(t *testing.T) {
					t.Parallel()
					s := newFixture(t)
					arrived := make(chan struct{}, 10)
					s.Equinix.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
						defer func() { arrived <- struct{}{} }()
						if name[:3] == "X01" {
							arrived <- struct{}{}
						}
						return answer(w, r)
					})
					s.configure(kind + " \"equinix_access_token\" \"t\" { provider = ixtoken }\n")
					output, took := s.interrupted(arrived, append(strings.Fields(command), "-no-color")...)
					if took > interruptTimeout || !strings.Contains(output, "No Equinix access token: cancelled") {
						t.Errorf("the run ended %s after Ctrl-C:\n%s", took, output)
					}
					s.wantRequests(0, 1, 0)
				})
			}
		}
	}
}

// Ctrl-C ends the wait for an identity token too, and the platform is not asked.
func TestCtrlCEndsTheRequestForAnIdentityToken(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	arrived := make(chan struct{}, 1)
	gitHub := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(gitHub.Close)
	s.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", gitHub.URL)
	s.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", canary)
	s.setenv("TF_VAR_ca", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gitHub.Certificate().Raw})))
	s.configure("variable \"ca\" { type = string }\nprovider \"ixtoken\" { ca_cert_pem = var.ca }\n" +
		separateBlocks(10, "ephemeral", "equinix_access_token", "token_exchange_scope = \"roleassignments:1\"\n  token_exchange_audience = \"a\""))
	output, took := s.interrupted(arrived, "plan", "-no-color")
	if took > interruptTimeout || !strings.Contains(output, "No Equinix access token: cancelled") || strings.Contains(output, canary) {
		t.Errorf("the run ended %s after Ctrl-C:\n%s", took, output)
	}
	s.wantRequests(0, 0, 0)
}

// X06: an interrupted run does not disturb the next run.
func TestTheRunAfterAnInterruptedOneWorks(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	arrived := make(chan struct{})
	s.Interxion.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		close(arrived)
		<-r.Context().Done()
		return true
	})
	s.configure(interxionBlock)
	s.interrupted(arrived, "apply", "-auto-approve")
	s.Interxion.Intercept(nil)
	s.must("apply", "-auto-approve")
}

// X11: destroy, refresh-only and test open a block as often as a plan does, and end.
func TestOtherCommandsOpenAndEnd(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.configure(`data "interxion_access_token" "t" { provider = ixtoken }
resource "terraform_data" "t" { input = data.interxion_access_token.t.token_type }
`)
	if err := s.Write("main.tftest.hcl", "run \"r\" {\n  command = plan\n}\n"); err != nil {
		t.Fatal(err)
	}
	for i, command := range []string{"apply -auto-approve", "plan -refresh-only", "test", "destroy -auto-approve"} {
		s.must(strings.Fields(command)...)
		if got := len(tokenRequests(s.Interxion)); got > i+1 {
			t.Errorf("after %q: %d requests", command, got)
		}
	}
}
