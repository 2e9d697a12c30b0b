// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines takes what a logger writes.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// After three seconds without a result, one record says whom the process waits for. A quick answer has none.
func TestALongWaitIsAnnouncedOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script []http.HandlerFunc
		want   string
	}{
		"quick":        {[]http.HandlerFunc{takes(2*time.Second, grantsToken("t-1"))}, ""},
		"slow":         {[]http.HandlerFunc{takes(20*time.Second, grantsToken("t-1"))}, "waiting for Interxion at 127.0.0.1/connect/token, attempt 1 of 4, for another 1m57s at most"},
		"second retry": {[]http.HandlerFunc{says(503, "", "Retry-After: 2"), takes(20*time.Second, grantsToken("t-1"))}, "waiting for Interxion at 127.0.0.1/connect/token, attempt 2 of 4, for another 1m57s at most"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, test.script...)
				var log lines
				gets(t, p.client(Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))}), p.interxion(""), "t-1")
				if got := strings.Count(log.String(), "waiting"); (got == 1) != (test.want != "") || !strings.Contains(log.String(), test.want) {
					t.Errorf("%s", log.String())
				}
			})
		})
	}
}
