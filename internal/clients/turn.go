// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import "context"

// turn is a lock. A context can end the wait for it. The channel holds one element while the lock is taken.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the turn until ctx ends, and returns the function that gives it back; nil: ctx has ended.
func (t turn) take(ctx context.Context) (release func()) {
	select {
	case t <- struct{}{}:
		return func() { <-t }
	case <-ctx.Done():
		return nil
	}
}
