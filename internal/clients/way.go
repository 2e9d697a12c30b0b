// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync"
	"time"
)

// stage is how far a request has come.
type stage int

const (
	dialling  stage = iota
	connected       // to the server, or to the proxy that connects to the server
	shaking         // in the TLS handshake
	arrived         // at the server, which may have seen the request
)

// The names of the two peers in messages.
const (
	peerServer = "the server"
	peerProxy  = "the proxy"
)

// way records how far one request has come. net/http dials in a goroutine of its own, which may go on after the request
// has ended.
type way struct {
	proxy *url.URL // nil: none

	mu         sync.Mutex
	stage      stage
	since      time.Time // when the stage began
	handshakes int       // TLS handshakes that have begun
}

// place is how far a request has come.
type place struct {
	stage  stage
	peer   string        // the peer that the request has reached, or tries to reach
	waited time.Duration // in this stage
}

// watch returns a context with which net/http reports the progress of the request to w.
func (w *way) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				w.enter(connected, dialling) // a later connection to another address is not used
			}
		},
		TLSHandshakeStart: func() { w.enter(shaking, dialling, connected) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				w.enter(connected, shaking)
			}
		},
		GotConn: func(httptrace.GotConnInfo) { w.enter(arrived, dialling, connected, shaking) },
	})
}

// enter records that the stage next has begun, if the current stage is one of before.
func (w *way) enter(next stage, before ...stage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(before, w.stage) {
		return
	}
	w.stage, w.since = next, time.Now()
	if next == shaking {
		w.handshakes++
	}
}

// place returns how far the request has come. With a proxy, the peer is the proxy until the TLS handshake with the
// server begins.
func (w *way) place() place {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := place{stage: w.stage, peer: peerServer, waited: time.Since(w.since)}
	own := 0 // handshakes with the proxy itself
	if w.proxy != nil && w.proxy.Scheme == "https" {
		own = 1
	}
	if w.proxy != nil && w.stage != arrived && w.handshakes <= own {
		at.peer = peerProxy
	}
	return at
}
