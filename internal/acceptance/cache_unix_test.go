// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package acceptance

import (
	"bytes"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// X03: Ctrl-C ends the wait for a lock that another run holds. It disturbs neither that run nor the next one.
func TestCtrlCEndsTheWaitForAnotherRun(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(t.TempDir(), "cache"))
	workspace, err := terraform.Open(t.TempDir(), cliPath, plugins)
	if err != nil {
		t.Fatal(err)
	}
	other := &fixture{workspace, s.Playground, t}
	other.Env = append(append(other.Env, s.Env...), "TF_LOG_PROVIDER=DEBUG")
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	s.Interxion.Intercept(func(http.ResponseWriter, *http.Request) bool {
		arrived <- struct{}{}
		<-release
		return false
	})
	s.configure(interxionBlock)
	other.configure(interxionBlock)
	holder := s.Command(t.Context(), "plan", "-no-color")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	var output syncBuffer
	waiter := other.Command(t.Context(), "plan", "-no-color")
	waiter.Stdout, waiter.Stderr = &output, &output
	waiter.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := waiter.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); !output.contains("cache miss"); <-time.After(time.Millisecond) { // next, it waits for the lock
		if time.Now().After(end) {
			t.Fatalf("the second run does not wait:\n%s", output.String())
		}
	}
	pressed := time.Now()
	if err := syscall.Kill(-waiter.Process.Pid, syscall.SIGINT); err != nil {
		t.Error(err)
	}
	err = waiter.Wait()
	if took := time.Since(pressed); took > interruptTimeout {
		t.Errorf("the run ended %s after Ctrl-C", took)
	}
	if err == nil || !output.contains("No Interxion access token: cancelled") {
		t.Errorf("%v:\n%s", err, output.String())
	}
	close(release)
	if err := holder.Wait(); err != nil {
		t.Errorf("the run that held the lock: %v", err)
	}
	other.must("plan")
	s.wantRequests(1, 0, 0)
}

// syncBuffer is a buffer that can be read while another goroutine writes to it.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *syncBuffer) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *syncBuffer) contains(part string) bool { return strings.Contains(s.String(), part) }
