// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"testing"
)

type key struct{}

// A callContext behaves like the call's context during the call, and keeps nothing of it afterwards.
func TestACallContextDropsItsContext(t *testing.T) {
	call, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "the call's"))
	defer cancel()
	lent := newCallContext(call)
	kept, stop := context.WithCancel(lent) // as the framework does
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
	<-kept.Done() // a context that is derived during the call ends with the call
}
