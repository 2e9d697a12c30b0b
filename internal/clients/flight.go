// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"strings"
	"time"
)

// flights lets one run of a request stand for all who wait for it.
type flights struct {
	memory      *memory
	interrupted <-chan struct{}
	next        *refresher
}

// flight is a request under way and the number of those who wait for it. It ends when the last of them leaves.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	began   time.Time
	waiting int // guarded by memory.mu
	// token and err are set before done is closed.
	token Token
	err   *Error
}

// share answers from memory, or waits for the flight that all who ask for the same share.
func (s *flights) share(ctx context.Context, r request, minValidity time.Duration) (Token, *Error) {
	for {
		f, token, err := s.join(ctx, r, minValidity)
		if f == nil {
			return token, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Token{}, s.leave(ctx, r, f)
		case <-s.interrupted:
			return Token{}, s.leave(ctx, r, f)
		}
		switch {
		case f.err != nil && f.err.Kind == Cancelled:
			// All who waited before this caller have left.
		case f.err != nil || !f.token.obtained.Before(f.began) || f.token.lasts(time.Now(), minValidity):
			return f.token, f.err
		}
		// Who began the flight was content with less than this caller, and with what the cache had. (What a platform has
		// granted since then is all that it grants.)
	}
}

// join answers from memory, or joins the flight under way, or starts one.
func (s *flights) join(ctx context.Context, r request, minValidity time.Duration) (*flight, Token, *Error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	e := s.memory.entry(r)
	if token, err, ok := e.answer(minValidity); ok {
		return nil, token, err
	}
	if stopped(ctx, s.interrupted) {
		return nil, Token{}, ended(ctx, r)
	}
	if e.flight == nil {
		e.flight = s.start(ctx, r, minValidity)
	}
	e.flight.waiting++
	return e.flight, Token{}, nil
}

// leave gives up one wait, and the flight with the last one.
func (s *flights) leave(ctx context.Context, r request, f *flight) *Error {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	f.waiting--
	if f.waiting == 0 {
		f.cancel()
	}
	return ended(ctx, r)
}

// start runs the request under a context of its own: whoever happened to ask first may leave without harm to the others.
func (s *flights) start(ctx context.Context, r request, minValidity time.Duration) *flight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{done: make(chan struct{}), cancel: cancel, began: time.Now().Round(0)}
	go func() {
		defer cancel()
		token, err := s.run(ctx, r, minValidity)
		s.finish(r, f, token, err)
	}()
	return f
}

// run makes a panic an error: what was thrown may hold a secret.
func (s *flights) run(ctx context.Context, r request, minValidity time.Duration) (token Token, err *Error) {
	defer func() {
		if recover() != nil {
			err = &Error{Platform: r.platform, Endpoint: r.address(), Kind: Internal, Description: "a fault in " + strings.Join(PanicOrigin(), ", from ")}
		}
	}()
	return s.next.obtain(ctx, r, minValidity)
}

// finish keeps what came of a flight and tells those who wait.
func (s *flights) finish(r request, f *flight, token Token, err *Error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	e := s.memory.entry(r)
	e.remember(token, err)
	e.flight = nil
	f.token, f.err = token, err
	close(f.done)
}
