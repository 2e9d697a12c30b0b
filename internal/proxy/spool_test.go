// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"io"
	"sync"
	"testing"
	"testing/synctest"
)

// An attempt may still wait for a part of the body when the next one begins. Both get all of it.
func TestTwoAttemptsReadTheSameBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, caller := io.Pipe()
		s := newSpool(source)
		var all sync.WaitGroup
		for range 3 {
			attempt := s.open()
			all.Go(func() {
				if text, err := io.ReadAll(attempt); err != nil || string(text) != "one two three" {
					t.Errorf("read %q, %v", text, err)
				}
			})
			synctest.Wait() // until it waits for the caller, or for another attempt
		}
		for _, part := range []string{"one ", "two ", "three"} {
			_, _ = io.WriteString(caller, part)
			synctest.Wait()
		}
		caller.Close()
		all.Wait()
		if !s.fill() {
			t.Error("the body is not whole")
		}
	})
}
