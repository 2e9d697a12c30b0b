// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxStrangers is how many connections may be open that have not shown the secret, but no more than half of the process's
	// file descriptors. Every user of this machine can open some.
	maxStrangers = 512
	// strangerPatience is how long each of them has a place, if further ones wait. A program sends its request at once, but
	// it may get little of a busy machine.
	strangerPatience = time.Second
	// drainTimeout is how long the proxy reads the body of a request that it refuses. A caller that is still sending when the
	// connection is closed might lose the answer.
	drainTimeout = 500 * time.Millisecond
)

// strangers are the connections that have not shown the secret.
type strangers struct {
	mu     sync.Mutex
	all    []*stranger // the first one is closed first
	places int
	left   chan struct{} // holds an element after one has left
}

// stranger is a connection that has not shown the secret, or had not when it was opened.
type stranger struct {
	net.Conn
	until time.Time // when it loses its place, if others wait
	known atomic.Bool
}

// strangerKey is the context key of the connection of a request.
type strangerKey struct{}

func newStrangers() *strangers {
	return &strangers{places: min(maxStrangers, maxDescriptors()/2), left: make(chan struct{}, 1)}
}

// meet gives a new connection a place, and returns the context of its requests. If there is no place, it waits until one of
// the others shows the secret, ends, or has had its time.
func (s *strangers) meet(ctx context.Context, c net.Conn, closing <-chan struct{}) context.Context {
	one := &stranger{Conn: c}
	for {
		wait := s.enter(one)
		if wait <= 0 {
			return context.WithValue(ctx, strangerKey{}, one)
		}
		select {
		case <-s.left:
		case <-time.After(wait):
		case <-closing:
			_ = c.Close() // otherwise the server would wait for its request
			return ctx
		}
	}
}

// enter gives the connection a place, and closes the first one if it has had its time. If there is no place, it returns how
// long to wait.
func (s *strangers) enter(one *stranger) (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= s.places {
		if wait := time.Until(s.all[0].until); wait > 0 {
			return wait
		}
		_ = s.all[0].Close()
		s.all = slices.Delete(s.all, 0, 1)
	}
	one.until = time.Now().Add(strangerPatience)
	s.all = append(s.all, one)
	return 0
}

// recognise notes that the connection of a request has shown the secret.
func (s *strangers) recognise(ctx context.Context) {
	if one, ok := ctx.Value(strangerKey{}).(*stranger); ok && one.known.CompareAndSwap(false, true) {
		s.leave(one.Conn)
	}
}

// dismiss notes that the connection of a request gets its answer. If others wait, it loses its place soon.
func (s *strangers) dismiss(ctx context.Context) {
	one, _ := ctx.Value(strangerKey{}).(*stranger)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.all, one); i >= 0 {
		one.until = time.Now().Add(strangerPatience / 10)
		s.all = slices.Insert(slices.Delete(s.all, i, i+1), 0, one)
		s.signal()
	}
}

// leave takes a connection out that has shown the secret, or has ended.
func (s *strangers) leave(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.all, func(one *stranger) bool { return one.Conn == c }); i >= 0 {
		s.all = slices.Delete(s.all, i, i+1)
		s.signal()
	}
}

func (s *strangers) signal() {
	select {
	case s.left <- struct{}{}:
	default:
	}
}
