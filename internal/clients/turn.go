// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"sync"
)

// turn lets in one at a time. The zero value is free.
type turn struct {
	held  chan struct{} // holds one element while somebody has the turn
	users int           // who has it, or waits for it
}

// take waits for the turn until ctx ends, and returns what gives it back; nil: it was not had. mu guards the turn.
func (t *turn) take(ctx context.Context, mu *sync.Mutex) (release func()) {
	mu.Lock()
	if t.held == nil {
		t.held = make(chan struct{}, 1)
	}
	t.users++
	mu.Unlock()
	leave := func() {
		mu.Lock()
		defer mu.Unlock()
		t.users--
	}
	select {
	case t.held <- struct{}{}:
		return func() { <-t.held; leave() }
	case <-ctx.Done():
		leave()
		return nil
	}
}
