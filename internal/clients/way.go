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

// stage is a part of the way of a request.
type stage int

const (
	dialling  stage = iota
	connected       // to the server, or to the proxy, which is to connect
	shaking         // TLS hands
	arrived         // at the server, which may have seen the request
)

// The two that a request meets, as they are called in messages.
const (
	peerServer = "the server"
	peerProxy  = "the proxy"
)

// way follows one request. net/http dials in a goroutine of its own, and goes on with it when the request has ended.
type way struct {
	proxy *url.URL // nil: none

	mu         sync.Mutex
	stage      stage
	since      time.Time // when the stage began
	handshakes int       // that began
}

// place is where a request is.
type place struct {
	stage  stage
	peer   string        // that it has reached, or tries to reach
	waited time.Duration // in this stage
}

// watch returns a context for the request.
func (w *way) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				w.enter(connected, dialling) // a connection to another address may come later, and is not used
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

// enter notes that a stage has begun, if it follows on one of those before.
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

// place is where the request is now. The way to a server through a proxy leads to the proxy until TLS with the server
// begins.
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
