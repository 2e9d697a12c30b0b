// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import "context"

// turn is a lock. The wait for it stops if a context is done. The channel holds one element while the lock is taken.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the turn, and returns the function that gives it back. It returns nil if ctx is done first.
func (t turn) take(ctx context.Context) (release func()) {
	select {
	case t <- struct{}{}:
		return func() { <-t }
	case <-ctx.Done():
		return nil
	}
}
