// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"strings"
	"time"
)

// flights lets all callers that ask for the same token wait for one run of its request.
type flights struct {
	memory      *memory
	interrupted <-chan struct{}
	next        *completer
}

// flight is one run of a request. It ends when the last caller that waits for it leaves.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	began   time.Time
	waiting int // callers; guarded by memory.mu
	// token and err are set before done is closed.
	token Token
	err   *Error
}

// share answers from memory, or waits for the flight of r, which it starts if there is none.
func (fs *flights) share(ctx context.Context, r *request, minValidity time.Duration) (Token, *Error) {
	for {
		f, token, err := fs.join(ctx, r, minValidity)
		if f == nil {
			return token, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Token{}, fs.leave(ctx, r, f)
		case <-fs.interrupted:
			return Token{}, fs.leave(ctx, r, f)
		}
		switch {
		case f.err != nil && f.err.Kind == Cancelled:
			// All callers that waited have left, so the flight was cancelled. This caller starts another flight.
		case f.err != nil || !f.token.obtained.Before(f.began) || f.token.reusable(time.Now(), minValidity):
			return f.token, f.err
		}
		// The flight found a token in the cache. It lasts long enough for the caller that started the flight, but not
		// for this caller. A token that the platform granted during the flight was returned above, because the platform
		// grants no more.
	}
}

// join answers from memory, or returns the flight of r, which it starts if there is none.
func (fs *flights) join(ctx context.Context, r *request, minValidity time.Duration) (*flight, Token, *Error) {
	fs.memory.mu.Lock()
	defer fs.memory.mu.Unlock()
	e := fs.memory.entry(r.key())
	if token, err, ok := e.result(minValidity); ok {
		return nil, token, err
	}
	if mustStop(ctx, fs.interrupted) {
		return nil, Token{}, waitError(ctx, r)
	}
	if e.flight == nil {
		e.flight = fs.start(ctx, r, minValidity)
	}
	e.flight.waiting++
	return e.flight, Token{}, nil
}

// leave ends the wait of one caller. With the last caller, the flight ends too.
func (fs *flights) leave(ctx context.Context, r *request, f *flight) *Error {
	fs.memory.mu.Lock()
	defer fs.memory.mu.Unlock()
	f.waiting--
	if f.waiting == 0 {
		f.cancel()
	}
	return waitError(ctx, r)
}

// start begins a flight. The flight has its own context, so the first caller can leave without ending the wait of the
// others.
func (fs *flights) start(ctx context.Context, r *request, minValidity time.Duration) *flight {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{done: make(chan struct{}), cancel: cancel, began: time.Now().Round(0)}
	go func() {
		defer cancel()
		token, err := fs.run(ctx, r, minValidity)
		fs.finish(r, f, token, err)
	}()
	return f
}

// run turns a panic into an error. The error does not contain the panic value, which may hold a secret.
func (fs *flights) run(ctx context.Context, r *request, minValidity time.Duration) (token Token, err *Error) {
	defer func() {
		if recover() != nil {
			err = &Error{Platform: r.platform, Endpoint: r.address(), Kind: Internal, Description: "a fault in " + strings.Join(PanicOrigin(), ", from ")}
		}
	}()
	return fs.next.obtain(ctx, r, minValidity)
}

// finish hands the result of a flight to the callers that wait.
func (fs *flights) finish(r *request, f *flight, token Token, err *Error) {
	fs.memory.mu.Lock()
	defer fs.memory.mu.Unlock()
	fs.memory.entry(r.key()).flight = nil
	f.token, f.err = token, err
	close(f.done)
}
