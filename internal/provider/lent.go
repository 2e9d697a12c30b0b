// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"sync/atomic"
	"time"
)

// lent is the context of one call. The framework keeps a cancel function of every call until the process ends, and
// with it the call's context and its loggers: 10 kB for each of three calls a block. So it gets a context that lets go.
type lent struct {
	context atomic.Pointer[context.Context]
}

// over is what a lent context becomes when its call has ended.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func lend(ctx context.Context) *lent {
	l := &lent{}
	l.context.Store(&ctx)
	return l
}

// lentKey is under which a context has the lent one that it comes from.
type lentKey struct{}

// outlasting is a context for what goes on after the call: it keeps the call's loggers, and does not end.
func outlasting(ctx context.Context) context.Context {
	if l, ok := ctx.Value(lentKey{}).(*lent); ok {
		ctx = *l.context.Load()
	}
	return context.WithoutCancel(ctx)
}

func (l *lent) end() { l.context.Store(&over) }

func (l *lent) Deadline() (time.Time, bool) { return (*l.context.Load()).Deadline() }
func (l *lent) Done() <-chan struct{}       { return (*l.context.Load()).Done() }
func (l *lent) Err() error                  { return (*l.context.Load()).Err() }

// Value is that of the call's context.
func (l *lent) Value(key any) any {
	if key == (lentKey{}) {
		return l
	}
	return (*l.context.Load()).Value(key)
}
