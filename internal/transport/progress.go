// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

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
	dialling    stage = iota
	connected         // to the server, or to the proxy that connects to the server
	handshaking       // in the TLS handshake
	arrived           // at the server, which may have seen the request
)

// The names of the two peers in messages.
const (
	peerServer = "the server"
	peerProxy  = "the proxy"
)

// Progress records how far one request has come. net/http dials in a goroutine of its own, which may go on after the request
// has ended.
type Progress struct {
	// Proxy is the proxy of the request, which net/http does not report. It is nil if there is none.
	Proxy *url.URL
	// Certificate is shown to the server, if the server asks for one. It is never shown to a proxy. nil: there is none.
	Certificate *tls.Certificate

	mu         sync.Mutex
	stage      stage
	since      time.Time // when the stage began
	handshakes int       // TLS handshakes that have begun
}

// reached is how far a request has come.
type reached struct {
	stage  stage
	peer   string        // the peer that the request has reached, or tries to reach
	waited time.Duration // in this stage
	shown  bool          // the request has a certificate for the server
}

// Watch returns a context with which net/http reports the progress of the request to p.
func (p *Progress) Watch(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, progressKey{}, p)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				p.advance(connected, dialling) // a later connection to another address is not used
			}
		},
		TLSHandshakeStart: func() { p.advance(handshaking, dialling, connected) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				p.advance(connected, handshaking)
			}
		},
		GotConn: func(httptrace.GotConnInfo) { p.advance(arrived, dialling, connected, handshaking) },
	})
}

// progressKey is the key of the Progress in the context of a request.
type progressKey struct{}

// clientCertificate returns the certificate for a peer that asks for one. Without a certificate, the peer decides whether it
// goes on (RFC 8446, section 4.4.2.4).
func clientCertificate(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	p, ok := asked.Context().Value(progressKey{}).(*Progress)
	if !ok || p.Certificate == nil || p.reached().peer == peerProxy {
		return &tls.Certificate{}, nil
	}
	return p.Certificate, nil
}

// advance records that the stage next has begun, if the current stage is one of before.
func (p *Progress) advance(next stage, before ...stage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(before, p.stage) {
		return
	}
	p.stage, p.since = next, time.Now()
	if next == handshaking {
		p.handshakes++
	}
}

// reached returns how far the request has come. With a proxy, the peer is the proxy until the TLS handshake with the
// server begins.
func (p *Progress) reached() reached {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := reached{stage: p.stage, peer: peerServer, waited: time.Since(p.since), shown: p.Certificate != nil}
	own := 0 // handshakes with the proxy itself
	if p.Proxy != nil && p.Proxy.Scheme == "https" {
		own = 1
	}
	if p.Proxy != nil && p.stage != arrived && p.handshakes <= own {
		at.peer = peerProxy
	}
	return at
}

// Arrived reports whether the server may have seen the request.
func (p *Progress) Arrived() bool { return p.reached().stage == arrived }

// Explain returns the Fault of an error of the request, or of reading its answer.
func (p *Progress) Explain(err error) *Fault { return explain(err, p.reached()) }
