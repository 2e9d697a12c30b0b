// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"testing"
)

type key struct{}

// A lent context is the call's own while the call lasts, and has nothing of it afterwards.
func TestACallContextDropsItsContext(t *testing.T) {
	call, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "the call's"))
	defer cancel()
	lent := newCallContext(call)
	kept, stop := context.WithCancel(lent) // as the framework keeps it
	defer stop()
	if kept.Value(key{}) != "the call's" || kept.Err() != nil {
		t.Error("the context is not the call's while it lasts")
	}
	lent.end()
	if kept.Value(key{}) != nil || lent.Err() == nil {
		t.Error("the context is still the call's")
	}
	<-lent.Done()
	cancel()
	<-kept.Done() // what was begun during the call ends with it
}
