// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"sync/atomic"
	"time"
)

// callContext is the context of one call. It drops the call's own context when the call ends. The framework keeps a cancel
// function of every call until the process ends. Without callContext, that function keeps the call's context and loggers
// in memory: 10 kB for each of three calls per block.
type callContext struct {
	context atomic.Pointer[context.Context]
}

// callEnded is the context of a call that has ended.
var callEnded = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func newCallContext(ctx context.Context) *callContext {
	c := &callContext{}
	c.context.Store(&ctx)
	return c
}

// callContextKey is the key under which Value returns the callContext itself.
type callContextKey struct{}

// detach returns a context for work that continues after the call. It keeps the call's loggers, and never ends.
func detach(ctx context.Context) context.Context {
	if c, ok := ctx.Value(callContextKey{}).(*callContext); ok {
		ctx = *c.context.Load()
	}
	return context.WithoutCancel(ctx)
}

func (c *callContext) end() { c.context.Store(&callEnded) }

func (c *callContext) Deadline() (time.Time, bool) { return (*c.context.Load()).Deadline() }
func (c *callContext) Done() <-chan struct{}       { return (*c.context.Load()).Done() }
func (c *callContext) Err() error                  { return (*c.context.Load()).Err() }

// Value returns the value of the call's context for key.
func (c *callContext) Value(key any) any {
	if key == (callContextKey{}) {
		return c
	}
	return (*c.context.Load()).Value(key)
}
