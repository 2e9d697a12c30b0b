// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a pseudo-terminal.
type screen struct {
	t     *testing.T
	inner *os.File // for the process

	mu   sync.Mutex
	seen []byte
}

func newScreen(t *testing.T, columns uint16) *screen {
	t.Helper()
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	fd := int(outer.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	inner, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	s := &screen{t: t, inner: inner}
	t.Cleanup(func() { inner.Close(); outer.Close() })
	go func() { _, _ = io.Copy(s, outer) }()
	return s
}

// Write takes what the process writes.
func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, text...)
	return len(text), nil
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(string(s.seen), "\r\n", "\n")
}

// waitFor fails the test unless the screen shows text within ten seconds.
func (s *screen) waitFor(text string) {
	s.t.Helper()
	for ends := time.Now().Add(10 * time.Second); !strings.Contains(s.text(), text); <-time.After(10 * time.Millisecond) {
		if time.Now().After(ends) {
			s.t.Errorf("the screen does not show %q: %s", text, s.text())
			return
		}
	}
}

// show runs a command on the screen until it ends.
func (s *fixture) show(on *screen, args ...string) {
	s.t.Helper()
	command := s.command(args...)
	command.Stdin, command.Stdout, command.Stderr = on.inner, on.inner, on.inner
	_ = command.Run() // the screen tells
}

// A terminal of 60 columns gets lines of 60 characters, and a red word; with NO_COLOR or as a dumb terminal, none.
func TestATerminalHasItsWidthAndColours(t *testing.T) {
	t.Parallel()
	for set, coloured := range map[string]bool{"TERM=xterm": true, "NO_COLOR=1": false, "TERM=dumb": false} {
		s, on := newFixture(t), newScreen(t, 60)
		s.setenv("COLUMNS", "")
		s.env = append(s.env, set)
		s.show(on, "token", "equinix", "--format", "none")
		on.waitFor("More: ")
		if got := strings.Contains(on.text(), "\x1b[1;31mError:\x1b[0m Unknown"); got != coloured || !coloured && strings.Contains(on.text(), "\x1b") {
			t.Errorf("%s: %q", set, on.text())
		}
		wantWidth(t, set, strings.NewReplacer("\x1b[1;31m", "", "\x1b[0m", "").Replace(on.text()), 60)
	}
}

// A person sees the settings before the platform has answered, and after three seconds whom the command waits for.
func TestACheckShowsTheSettingsBeforeItWaits(t *testing.T) {
	t.Parallel()
	s, on := newFixture(t), newScreen(t, 100)
	s.setenv("COLUMNS", "")
	s.Equinix.Intercept(func(http.ResponseWriter, *http.Request) bool {
		on.waitFor("client_secret")
		if strings.Contains(on.text(), "Waiting") {
			t.Errorf("too early: %s", on.text())
		}
		on.waitFor("Waiting for Equinix at " + strings.TrimPrefix(s.Equinix.URL(), "http://") + "/oauth2/v1/token, attempt 1 of 4, for another 1m57s at most.\n")
		return false
	})
	s.show(on, "check", "equinix")
	on.waitFor("Token of Equinix")
	if strings.Count(on.text(), "Settings of Equinix") != 1 || strings.Count(on.text(), "Waiting") != 1 {
		t.Error(on.text())
	}
}
