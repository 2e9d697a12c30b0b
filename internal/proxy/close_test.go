// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCloseLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	arrived, leave := make(chan struct{}), make(chan struct{})
	s := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-leave
		_, _ = io.WriteString(w, "whole")
	})
	var all sync.WaitGroup
	all.Go(func() {
		if answer, body := s.do(http.MethodGet, "/x", nil); answer.StatusCode != http.StatusOK || body != "whole" {
			t.Errorf("answered %d: %s", answer.StatusCode, body)
		}
	})
	<-arrived
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	<-s.closing
	for { // until the listener is closed, which Close does at once
		connection, err := net.Dial("tcp", s.address())
		if err != nil {
			break
		}
		connection.Close()
	}
	select {
	case <-closed:
		t.Error("Close has not waited")
	default:
	}
	close(leave)
	all.Wait()
	<-closed
}

func TestCloseWaitsForFiveSecondsAtMost(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 2)
	s := newFixture(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // otherwise net/http does not notice that the connection was closed
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	ended := make(chan error, 2)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		go func() {
			r, _ := http.NewRequestWithContext(t.Context(), method, s.url("/x"), strings.NewReader("x"))
			answer, err := plainTransport.RoundTrip(r)
			if err == nil {
				answer.Body.Close()
			}
			ended <- err
		}()
	}
	<-arrived
	<-arrived
	began := time.Now()
	s.Close()
	if took := time.Since(began); took < closeTimeout-time.Second/2 || took > closeTimeout+time.Second {
		t.Errorf("Close took %s", took)
	}
	if got := strings.Count(s.log.String(), "API request"); got != 2 { // each is logged when it ends
		t.Errorf("%d requests have ended", got)
	}
	<-ended
	<-ended
}

// A connection without a request does not hold up Close.
func TestCloseDoesNotWaitForIdleConnections(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	for range 3 {
		connection, err := net.Dial("tcp", s.address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { connection.Close() })
	}
	s.get("/x", 200)
	began := time.Now()
	s.Close()
	s.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("Close took %s", took)
	}
}

func TestFurtherRequestsWait(t *testing.T) {
	t.Parallel()
	arrived, leave := make(chan struct{}, 2*maxRequests), make(chan struct{})
	s := newFixture(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-leave
	})
	var all sync.WaitGroup
	for range maxRequests + 20 {
		all.Go(func() { s.get("/x", 200) })
	}
	for range maxRequests {
		<-arrived
	}
	select {
	case <-arrived:
		t.Errorf("more than %d requests at once", maxRequests)
	case <-time.After(200 * time.Millisecond):
	}
	close(leave)
	all.Wait()
}

// descriptors counts the open file descriptors of this process; 0: unknown on this system.
func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// waitForCount waits until count returns at most want, and returns the last value. It gives up after a while.
func waitForCount(t *testing.T, count func() int, want int) int {
	t.Helper()
	for range 200 {
		if count() <= want {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	return count()
}

func TestCloseLeavesNothingBehind(t *testing.T) { // not parallel, because it counts goroutines and descriptors
	s := newFixture(t, echo)
	s.Close()
	plainTransport.CloseIdleConnections()
	goroutines, files := runtime.NumGoroutine(), descriptors()
	for range 5 {
		s.open()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { s.do(http.MethodPost, "/x", strings.NewReader(strings.Repeat("x", 100_000))) })
		}
		all.Wait()
		s.Close()
	}
	plainTransport.CloseIdleConnections()
	if got := waitForCount(t, runtime.NumGoroutine, goroutines); got > goroutines {
		t.Errorf("%d goroutines, %d before", got, goroutines)
	}
	if got := waitForCount(t, descriptors, files); got > files {
		t.Errorf("%d descriptors, %d before", got, files)
	}
}
