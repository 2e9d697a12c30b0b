// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"net/http/httptrace"
	"testing"
)

// TestALateConnectionChangesNothing tests a host with two addresses: both are connected, and one connection is used. A request
// that the server may have received must not count as not sent.
func TestALateConnectionChangesNothing(t *testing.T) { // T27
	var p Progress
	trace := httptrace.ContextClientTrace(p.Watch(t.Context()))
	for _, step := range []struct {
		do   func()
		want stage
	}{
		{func() { trace.ConnectDone("tcp", "[::1]:443", nil) }, connected},
		{trace.TLSHandshakeStart, handshaking},
		{func() { trace.ConnectDone("tcp", "127.0.0.1:443", nil) }, handshaking},
		{func() { trace.GotConn(httptrace.GotConnInfo{}) }, arrived},
		{func() { trace.ConnectDone("tcp", "127.0.0.1:443", nil) }, arrived},
	} {
		step.do()
		if at := p.reached(); at.stage != step.want || at.peer != peerServer {
			t.Errorf("%+v, want stage %d", at, step.want)
		}
	}
}
