// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// impatientAPI ends each connection that has been idle for limit in the worst moment: when a request has just come.
type impatientAPI struct {
	limit     time.Duration
	keepAlive string       // the header of this name; "": none
	opened    atomic.Int32 // connections
	lost      atomic.Int32 // requests on connections that were ended
}

// lastKey is the context key of the moment at which a connection became idle.
type lastKey struct{}

func (a *impatientAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	last, _ := r.Context().Value(lastKey{}).(*atomic.Int64)
	if idle := time.Since(time.UnixMicro(last.Load())); idle >= a.limit {
		a.lost.Add(1)
		panic(http.ErrAbortHandler)
	}
	if a.keepAlive != "" {
		w.Header().Set("Keep-Alive", a.keepAlive)
	}
	echo(w, r)
	last.Store(time.Now().UnixMicro())
}

// start starts the API.
func (a *impatientAPI) start(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(a)
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		a.opened.Add(1)
		last := new(atomic.Int64)
		last.Store(time.Now().UnixMicro())
		return context.WithValue(ctx, lastKey{}, last)
	}
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// newFixtureFor starts a proxy for the API.
func newFixtureFor(t *testing.T, api *impatientAPI) *fixture {
	t.Helper()
	s := newPlatform(t)
	s.api = api.start(t)
	s.open(func(o *Options) { o.Logger = nil })
	return s
}

// A request that net/http cannot repeat does not use a connection that the API may be about to end.
func TestNoRequestIsLostOnAConnectionThatEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, keepAlive string
		limit, pause    time.Duration
		methods         string // with a body, if in small letters
		lost            int32
	}{
		{"after a second", "", time.Second, time.Second, "POST post PUT put PATCH patch DELETE delete OPTIONS options PURGE get", 0},
		{"net/http repeats it", "", time.Second, time.Second, "GET HEAD", 2},
		{"the API says when", "timeout=2, max=100", 1500 * time.Millisecond, 1500 * time.Millisecond, "GET HEAD POST put", 0}, // a little earlier than it says
		{"in other words", "max=5; Timeout = \"1\"", time.Second, time.Second, "GET HEAD", 0},
		{"at once", "timeout=0", 10 * time.Millisecond, 20 * time.Millisecond, "GET HEAD POST put", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			var lost atomic.Int32
			for method := range strings.FieldsSeq(test.methods) {
				api := &impatientAPI{limit: test.limit, keepAlive: test.keepAlive}
				s := newFixtureFor(t, api) // each method has connections of its own
				all.Go(func() {
					for range 2 {
						body := ""
						if method == strings.ToLower(method) {
							body = "body"
						}
						answer, got := s.do(strings.ToUpper(method), "/x", strings.NewReader(body))
						if answer.StatusCode != http.StatusOK || method != "HEAD" && got != body {
							t.Errorf("%s was answered %d: %s", method, answer.StatusCode, got)
						}
						<-time.After(test.pause)
					}
					lost.Add(api.lost.Load())
				})
			}
			all.Wait()
			if lost.Load() != test.lost {
				t.Errorf("%d requests came over a connection that ends, want %d", lost.Load(), test.lost)
			}
		})
	}
}

// What the API says about its connections counts from then on. What cannot be understood does not count.
func TestKeepAliveIsObeyedAtOnce(t *testing.T) {
	t.Parallel()
	for value, connections := range map[string]int32{"timeout=0": 6, "timeout=-1": 1, "timeout=": 1, "timeout": 1, "max=0": 1, "timeout=99999999999999999999": 1, "timeout=3600": 1, "timeouts=0": 1} {
		api := &impatientAPI{limit: time.Hour, keepAlive: value}
		s := newFixtureFor(t, api)
		for range 6 {
			s.do(http.MethodPost, "/x", strings.NewReader("x"))
		}
		if got := api.opened.Load(); got != connections {
			t.Errorf("%q: %d connections for 6 requests, want %d", value, got, connections)
		}
	}
}

// A burst keeps its connections, whatever is sent. With the default of two idle connections, a busy machine runs out of ports.
func TestABurstKeepsItsConnections(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		api := &impatientAPI{limit: time.Hour, keepAlive: "timeout=5"}
		s := newFixtureFor(t, api)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for n := range 40 {
					s.do(method, "/x?"+strconv.Itoa(n), nil)
				}
			})
		}
		all.Wait()
		if got := api.opened.Load(); got > 150 { // one for each caller, and again when the API has said how long
			t.Errorf("%s: %d connections for 2000 requests, 50 at once", method, got)
		}
	}
}

// distant forwards connections to address, and delays each byte, and each end, by delay.
func distant(t *testing.T, address string, delay time.Duration) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	carry := func(to, from net.Conn) {
		type part struct {
			due  time.Time
			data []byte
		}
		way := make(chan part, 1000)
		go func() {
			for p := range way {
				<-time.After(time.Until(p.due))
				_, _ = to.Write(p.data)
			}
			to.Close()
		}()
		for {
			data := make([]byte, 4096)
			n, err := from.Read(data)
			way <- part{time.Now().Add(delay), data[:n]}
			if err != nil {
				close(way)
				return
			}
		}
	}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", address)
			if err != nil {
				near.Close()
				continue
			}
			go carry(far, near)
			go carry(near, far)
		}
	}()
	return listener.Addr().String()
}

// The client pauses exactly as long as the API, which is 40 ms away, keeps idle connections.
func TestNoOrderIsLostByAnAPIThatEndsConnections(t *testing.T) {
	soakTest(t)
	for _, pause := range []time.Duration{time.Second, 2 * time.Second, 5 * time.Second} {
		t.Run(pause.String(), func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			var sent, lost atomic.Int32
			for range 20 { // proxies, each with one caller
				api := httptest.NewUnstartedServer(http.HandlerFunc(echo))
				api.Config.IdleTimeout = pause
				api.Start()
				t.Cleanup(api.Close)
				s := newPlatform(t)
				s.api = &httptest.Server{URL: "http://" + distant(t, api.Listener.Addr().String(), 20*time.Millisecond)}
				s.open(func(o *Options) { o.Logger = nil })
				all.Go(func() {
					for range 10 {
						sent.Add(1)
						answer, err := plainTransport.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodPost, s.url("/orders"), strings.NewReader("x")))
						if err != nil {
							t.Error(err)
							return
						}
						if _, _ = io.Copy(io.Discard, answer.Body); answer.StatusCode != http.StatusOK {
							lost.Add(1)
						}
						answer.Body.Close()
						<-time.After(pause)
					}
				})
			}
			all.Wait()
			t.Logf("%d of %d POSTs were lost", lost.Load(), sent.Load())
			if lost.Load() > 0 {
				t.Error("want none")
			}
		})
	}
}
