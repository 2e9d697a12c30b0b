// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"net/http/httptrace"
	"testing"
)

// TestALateConnectionChangesNothing is about a host with two addresses: both may be reached, and one connection is used. A
// request that may have been seen must not be taken for one that was not sent.
func TestALateConnectionChangesNothing(t *testing.T) { // T27
	var w way
	trace := httptrace.ContextClientTrace(w.watch(t.Context()))
	for _, step := range []struct {
		do   func()
		want stage
	}{
		{func() { trace.ConnectDone("tcp", "[::1]:443", nil) }, connected},
		{trace.TLSHandshakeStart, shaking},
		{func() { trace.ConnectDone("tcp", "127.0.0.1:443", nil) }, shaking},
		{func() { trace.GotConn(httptrace.GotConnInfo{}) }, arrived},
		{func() { trace.ConnectDone("tcp", "127.0.0.1:443", nil) }, arrived},
	} {
		step.do()
		if at := w.place(); at.stage != step.want || at.peer != peerServer {
			t.Errorf("%+v, want stage %d", at, step.want)
		}
	}
}
