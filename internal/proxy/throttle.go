// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

const (
	// firstPause is how long a request is held if the API names no pause. It doubles each time.
	firstPause = time.Second
	// maxKeptAnswer is the longest body, in bytes, of an answer that is kept while its request is held.
	maxKeptAnswer = 64 << 10
)

// errClosing is the error of a request that waits while the proxy is closed.
var errClosing = errors.New("the API proxy is closing")

// passage is one request on its way to the API.
type passage struct {
	proxy  *Proxy
	target *url.URL
	base   clients.Secret  // the proxy's URL, as the caller has used it
	caller context.Context // ends when the caller closes its side of the connection
	// waiting ends when nobody waits for the answer. That may be later than caller: see outlast. A request that was held is
	// not sent again for a caller that may have left.
	waiting context.Context
	number  uint64    // in the order of arrival; 0: the proxy has no Pace
	slot    bool      // it has one of the proxy's slots
	source  io.Reader // the body; nil: it has none
	body    *spool    // keeps what is read of source; nil: nothing is kept

	method  string // for the log
	expects bool   // the caller sends the body only after the API has asked for it
	waits   bool   // it was logged as waiting

	left    time.Duration // how much longer it may be held
	held    time.Duration // how long it was held
	unnamed int           // the number of answers that have named no pause
}

// passageKey is the context key of a *passage.
type passageKey struct{}

func passageOf(ctx context.Context) *passage {
	way, _ := ctx.Value(passageKey{}).(*passage)
	return way
}

// newPassage returns the passage of a request to target, whose path the caller has appended to base. waiting ends when nobody waits for its answer.
func (p *Proxy) newPassage(waiting context.Context, r *http.Request, target *url.URL, base clients.Secret) *passage {
	way := &passage{
		proxy: p, target: target, base: base, caller: r.Context(), waiting: waiting, left: p.options.ThrottleWait,
		method: knownMethod(r.Method), expects: r.Header.Get("Expect") != "",
	}
	if p.options.Pace != nil {
		way.number = p.options.Pace.arrive()
	}
	return way
}

// end gives up what the passage has.
func (way *passage) end() {
	way.freeSlot()
	if way.number != 0 {
		way.proxy.options.Pace.gaveUp(way.number)
	}
	way.proxy.holds.note(way.held)
}

// turn waits until it is the request's turn, and then for a free slot. A request that waits for its turn has no slot.
func (way *passage) turn() (waited bool, err error) {
	p, ctx := way.proxy, way.waiting
	if p.options.Pace != nil {
		way.freeSlot()
		held, err := p.options.Pace.wait(ctx, p.closing, way.number, way.left, func() { waited = true; way.beginWaiting(ctx, "limit") })
		way.addHeld(held)
		if err != nil {
			return waited, err
		}
	}
	if way.slot {
		return waited, nil
	}
	select {
	case <-p.closing:
		return waited, errClosing
	case <-ctx.Done():
		return waited, ctx.Err()
	case p.slots <- struct{}{}:
		way.slot = true
		return waited, nil
	}
}

func (way *passage) freeSlot() {
	if way.slot {
		way.slot = false
		<-way.proxy.slots
	}
}

func (way *passage) addHeld(held time.Duration) {
	way.held += held
	way.left = max(0, way.left-held)
}

// beginWaiting logs that the request waits, once, and reads its body. net/http notices that a caller leaves only when it has
// read the whole request.
func (way *passage) beginWaiting(ctx context.Context, reason string) {
	p := way.proxy
	if !way.waits {
		way.waits = true
		p.options.Logger.DebugContext(ctx, "API request waits", "proxy", p.options.Name, "method", way.method, "reason", reason)
	}
	if way.spool(); way.body != nil && !way.expects {
		go way.body.fill()
	}
}

// spool keeps what is read of the body from now on.
func (way *passage) spool() {
	if way.body == nil && way.source != nil {
		way.body = newSpool(way.source)
	}
}

// pauseAfter returns how long the request is to be held after an answer. It returns false if the caller gets the answer.
func (way *passage) pauseAfter(r *http.Request, answer *http.Response) (pause time.Duration, hold bool) {
	if way.left <= 0 {
		return 0, false
	}
	pause = clients.RequestedPause(answer.StatusCode, answer.Header)
	switch {
	case answer.StatusCode == http.StatusTooManyRequests && pause <= 0:
		pause = firstPause << min(way.unnamed, 30)
		way.unnamed++
	case answer.StatusCode == http.StatusTooManyRequests:
	case answer.StatusCode == http.StatusServiceUnavailable && harmless(r) && pause > 0:
	default:
		return 0, false
	}
	return pause, pause <= way.left
}

// harmless reports whether a repetition of the request is harmless also where the API has acted on it. Gateways answer 503
// after that, too.
func harmless(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return r.Header.Get("Idempotency-Key") != ""
}

// hold keeps the answer and waits for the pause that the API has asked for. It returns true if the request may be sent again,
// and false if the caller gets the answer.
func (way *passage) hold(answer *http.Response, pause time.Duration) bool {
	throttled := answer.StatusCode == http.StatusTooManyRequests
	if throttled { // also if this request is not sent again: the others wait
		way.proxy.options.Pace.answered(way.number, pause)
	}
	if !keepAnswer(answer) || !way.wholeBody(way.left) {
		return false
	}
	way.freeSlot()
	way.waiting = way.caller
	if throttled { // turn waits for the end of the pause
		return true
	}
	way.beginWaiting(way.caller, "unavailable")
	began := time.Now()
	wait := time.NewTimer(pause)
	defer wait.Stop()
	select {
	case <-wait.C:
		way.addHeld(time.Since(began))
		return true
	case <-way.proxy.closing:
	case <-way.caller.Done():
	}
	way.addHeld(time.Since(began))
	return false
}

// wholeBody reports whether the body can be sent again. It waits for the rest of it, which the caller may not have sent yet.
func (way *passage) wholeBody(limit time.Duration) bool {
	if way.body == nil {
		return true
	}
	read := make(chan bool, 1)
	go func() { read <- way.body.fill() }()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case whole := <-read:
		return whole
	case <-timeout.C:
	case <-way.proxy.closing:
	case <-way.caller.Done():
	}
	return false
}

// keepAnswer reads the body of an answer, so that its connection can be used for other requests. It returns false if the body
// is too long, or broken: then the rest is still to be read.
func keepAnswer(answer *http.Response) bool {
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxKeptAnswer+1))
	rest := answer.Body
	kept := err == nil && len(text) <= maxKeptAnswer
	if kept {
		_ = rest.Close()
		answer.Body = io.NopCloser(bytes.NewReader(text))
		return true
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(text), rest), rest}
	return false
}

// attempt returns the request as it is sent once more: with its body from the beginning. wrote is called when it was written
// to a connection.
func (way *passage) attempt(r *http.Request, wrote func()) *http.Request {
	ctx := r.Context()
	if wrote != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { wrote() }})
	}
	if wrote == nil && way.body == nil {
		return r
	}
	sent := r.WithContext(ctx)
	if way.body != nil {
		sent.Body = way.body.open()
	}
	return sent
}

// holds counts the requests that were held.
type holds struct {
	mu      sync.Mutex
	number  int
	longest time.Duration
}

func (h *holds) note(held time.Duration) {
	if held <= 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.number++
	h.longest = max(h.longest, held)
}
