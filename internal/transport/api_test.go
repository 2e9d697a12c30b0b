// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// net/http counts a connection as idle before it hands over an answer without a body. Such an answer must not be lost because
// the API has said for how long it keeps its connections.
func TestAnAnswerWithoutABodyIsNotLost(t *testing.T) {
	t.Parallel()
	for name, keepAlive := range map[string]func(n int32) string{
		"no connection is kept":   func(int32) string { return "timeout=0" },
		"each for a shorter time": func(n int32) string { return "timeout=" + strconv.Itoa(max(5, 60-int(n)/5)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked, ending, closed atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Keep-Alive", keepAlive(asked.Add(1)))
				w.WriteHeader(http.StatusNoContent)
				if r.Close {
					ending.Add(1)
				}
			}))
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					closed.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			api := NewAPI(nil, 64)
			defer api.CloseIdleConnections()
			const callers, each = 16, 20
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for range each {
						request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
						answer, err := api.RoundTrip(request)
						if err != nil {
							t.Errorf("an answer was lost: %v", err)
							return
						}
						_ = answer.Body.Close()
					}
				})
			}
			all.Wait()
			switch asked, ending, closed := asked.Load(), ending.Load(), closed.Load(); {
			case keepAlive(1) == "timeout=0" && ending < callers*(each-1):
				t.Errorf("%d of %d requests say that their connection ends", ending, asked)
			case keepAlive(1) != "timeout=0" && closed > callers: // net/http ends a connection that it has dialled in vain
				t.Errorf("%d connections have ended", closed)
			}
		})
	}
}
