// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// burstTime is how much of a second's requests may be sent at once after a time without requests. lateTime is the same
	// while requests wait: it makes up for a timer that is late.
	burstTime = 100 * time.Millisecond
	lateTime  = 20 * time.Millisecond
	// windowMargin makes the window longer than the API's. On their way, its first and its last request may come nearer to each
	// other by the difference, and the API still counts no more than it allows.
	windowMargin = 1.02
	// slowness makes the proxy slower than the limit, by a little more: then a request that is late does not make all that
	// follow it late.
	slowness = 1.03
	// maxWindow is how many requests a window has at most. A greater limit has a window of less than a second.
	maxWindow = 1000
	// trialTime is how long the request that ends a pause is alone, if the API does not answer it.
	trialTime = time.Second
	// handoverTime is how long the next request waits until the last one was written to its connection.
	handoverTime = 100 * time.Millisecond
)

// Pace decides when requests to an API are sent: in the order in which they came, no faster than a limit, and not while the
// API has asked for a pause. After a pause, one request is sent alone, and the others follow if the API accepts it. Several
// proxies can share a Pace. It is safe for concurrent use.
type Pace struct {
	bucket      *rate.Limiter // spaces the requests; nil: there is no limit
	burst, late int           // the bucket's bursts
	recent      window        // of the requests that were sent

	mu      sync.Mutex
	last    uint64    // the number of the last request that came
	waiting []*waiter // by number
	timer   *time.Timer
	pause   pause
	handing uint64 // the number of the request that is being written to its connection; 0: none
	handed  time.Time
	grace   time.Duration // how long the next request waits for that
}

// waiter is a request that waits.
type waiter struct {
	number uint64
	budget time.Duration // how long it may wait because of pauses
	before time.Duration // the sum of all pauses when it began to wait
	held   time.Duration // how long it has waited because of pauses; set when ready is closed
	ready  chan struct{} // is closed when the request may be sent
}

// NewPace returns a Pace that lets at most perSecond requests pass in each second; zero: there is no limit.
func NewPace(perSecond float64) *Pace {
	p := &Pace{grace: handoverTime}
	if perSecond > 0 {
		p.recent = newWindow(perSecond)
		within := func(span time.Duration) int { return max(1, min(int(perSecond*span.Seconds()), len(p.recent.sent))) }
		p.burst, p.late = within(burstTime), 1+within(lateTime) // with 1, the time that a timer is late would be lost
		p.bucket = rate.NewLimiter(rate.Limit(perSecond/slowness), p.burst)
	}
	return p
}

// arrive returns the number of a request that has come.
func (p *Pace) arrive() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	return p.last
}

// enter returns nil if the request may be sent at once, and otherwise a waiter, which must be left if it is not waited for.
func (p *Pace) enter(number uint64, budget time.Duration) *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if len(p.waiting) == 0 && p.pause.since.IsZero() && !p.isHanding(now) && p.limit(now) <= 0 {
		return nil
	}
	w := &waiter{number: number, budget: budget, before: p.pause.total(now), ready: make(chan struct{})}
	at, _ := slices.BinarySearchFunc(p.waiting, w.number, func(other *waiter, number uint64) int {
		return int(int64(other.number - number)) //nolint:gosec // numbers are far below 2^63
	})
	p.waiting = slices.Insert(p.waiting, at, w)
	p.setBurst(now, p.late)
	p.advance(now)
	return w
}

// leave removes a waiter that is not waited for any more. If it has passed in this moment, gaveUp ends its turn.
func (p *Pace) leave(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := slices.Index(p.waiting, w); at >= 0 {
		p.waiting = slices.Delete(p.waiting, at, at+1)
		p.advance(time.Now())
	}
}

// wrote notes that a request that had waited was written to its connection, or that it never will be.
func (p *Pace) wrote(number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.release(number) {
		p.advance(time.Now())
	}
}

// answered notes that the API has answered a request, and how long it asks to wait. Zero: the API has accepted the request.
func (p *Pace) answered(number uint64, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	switch {
	case wait > 0:
		p.pause.extend(number, now, wait)
	case p.pause.trial != number:
		return // nothing has changed
	default:
		p.pause.succeed(now)
	}
	p.advance(now)
}

// gaveUp notes that a request has ended, perhaps without an answer that says whether the API accepts requests again.
func (p *Pace) gaveUp(number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	released := p.release(number)
	if p.pause.abandon(number) || released {
		p.advance(time.Now())
	}
}

// advance lets the requests pass that may be sent now, and sets the timer for the next ones. The caller holds the lock.
func (p *Pace) advance(now time.Time) {
	next := time.Duration(math.MaxInt64)
	for i := 0; i < len(p.waiting); {
		w := p.waiting[i]
		wait := p.delay(w, now)
		if wait <= 0 {
			p.waiting = slices.Delete(p.waiting, i, i+1)
			p.pass(w, now)
			continue
		}
		next = min(next, wait)
		if p.pause.since.IsZero() || p.isHanding(now) {
			break // the others come after this one
		}
		i++
	}
	switch {
	case len(p.waiting) == 0:
		p.setBurst(now, p.burst)
	case p.timer == nil:
		p.timer = time.AfterFunc(next, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.advance(time.Now())
		})
	default:
		p.timer.Reset(next)
	}
}

func (p *Pace) setBurst(now time.Time, burst int) {
	if p.bucket != nil {
		p.bucket.SetBurstAt(now, burst)
	}
}

// delay returns how long the waiter has to wait at least. If that is zero, its request counts as sent.
func (p *Pace) delay(w *waiter, now time.Time) time.Duration {
	if p.isHanding(now) {
		return p.handed.Add(p.grace).Sub(now)
	}
	if wait := p.pause.left(now); wait > 0 {
		patience := w.budget - (p.pause.total(now) - w.before)
		if wait = min(wait, patience); wait > 0 {
			return wait
		}
	}
	return p.limit(now)
}

// pass lets a request be sent.
func (p *Pace) pass(w *waiter, now time.Time) {
	w.held = min(w.budget, p.pause.total(now)-w.before) // beyond its budget, it waited for its turn only
	p.pause.try(w.number, now)
	p.handing, p.handed = w.number, now
	close(w.ready)
}

func (p *Pace) isHanding(now time.Time) bool {
	return p.handing != 0 && now.Sub(p.handed) < p.grace
}

// release ends the handover of a request.
func (p *Pace) release(number uint64) bool {
	if p.handing != number {
		return false
	}
	p.handing = 0
	return true
}

// limit returns how long to wait because of the limit. If that is zero, a request counts as sent.
func (p *Pace) limit(now time.Time) time.Duration {
	if p.bucket == nil {
		return 0
	}
	if wait := p.recent.wait(now); wait > 0 {
		return wait
	}
	next := p.bucket.ReserveN(now, 1)
	if wait := next.DelayFrom(now); wait > 0 {
		next.CancelAt(now)
		return wait
	}
	p.recent.add(now)
	return 0
}

// wait waits until a request may be sent. began is called if it has to wait. held is how long it has waited because of
// pauses. The error is that of ctx, or errClosing.
func (p *Pace) wait(ctx context.Context, closing <-chan struct{}, number uint64, budget time.Duration, began func()) (held time.Duration, err error) {
	w := p.enter(number, budget)
	if w == nil {
		return 0, nil
	}
	select {
	case <-w.ready:
		return w.held, nil
	default:
		began()
	}
	select {
	case <-w.ready:
		return w.held, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-closing:
		err = errClosing
	}
	p.leave(w)
	return 0, err
}

// window has the times of the last requests. It allows no more than their number in its span. The bucket alone would let a
// burst and the requests of the following second pass, which together are more than the API allows in a second.
type window struct {
	span time.Duration
	sent []time.Time // a ring; the zero time: no request
	next int         // the oldest one
}

func newWindow(perSecond float64) window {
	size := min(max(1, math.Floor(perSecond)), maxWindow)
	span := min(size/perSecond*windowMargin, (365 * 24 * time.Hour).Seconds())
	return window{span: time.Duration(span * float64(time.Second)), sent: make([]time.Time, int(size))}
}

func (w *window) wait(now time.Time) time.Duration {
	oldest := w.sent[w.next]
	if oldest.IsZero() {
		return 0
	}
	return w.span - now.Sub(oldest)
}

func (w *window) add(now time.Time) {
	w.sent[w.next] = now
	w.next = (w.next + 1) % len(w.sent)
}

// pause is the time for which an API has asked that nothing is sent, and after it the trial: one request that is sent alone.
// The zero value is no pause.
type pause struct {
	since   time.Time     // zero: there is no pause
	until   time.Time     // then the trial begins
	trial   uint64        // the number of the request that is sent alone; 0: none
	tried   time.Time     // when it was sent
	earlier time.Duration // the sum of all earlier pauses
}

// extend begins a pause, or makes it longer.
func (s *pause) extend(number uint64, now time.Time, wait time.Duration) {
	if s.since.IsZero() {
		s.since = now
	}
	if end := now.Add(wait); end.After(s.until) {
		s.until = end
	}
	s.abandon(number)
}

// left returns how long the next request has to wait; zero: it may be sent.
func (s *pause) left(now time.Time) time.Duration {
	switch {
	case s.since.IsZero():
		return 0
	case now.Before(s.until):
		return s.until.Sub(now)
	case s.trial == 0:
		return 0
	case now.Sub(s.tried) < trialTime:
		return trialTime - now.Sub(s.tried)
	}
	s.end(now)
	return 0
}

// try makes the request the trial if the pause is over and there is none.
func (s *pause) try(number uint64, now time.Time) {
	if !s.since.IsZero() && s.trial == 0 && !now.Before(s.until) {
		s.trial, s.tried = number, now
	}
}

// succeed notes that the API has accepted the trial.
func (s *pause) succeed(now time.Time) {
	s.trial = 0
	if !now.Before(s.until) {
		s.end(now)
	}
}

// abandon notes that the request is not the trial any more. It reports whether it was.
func (s *pause) abandon(number uint64) bool {
	if s.trial != number || number == 0 {
		return false
	}
	s.trial = 0
	return true
}

func (s *pause) end(now time.Time) {
	s.earlier = s.total(now)
	s.since, s.trial = time.Time{}, 0
}

// total returns the sum of all pauses until now.
func (s *pause) total(now time.Time) time.Duration {
	if s.since.IsZero() {
		return s.earlier
	}
	return s.earlier + now.Sub(s.since)
}
