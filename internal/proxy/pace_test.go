// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// passed is a request that a Pace has let pass.
type passed struct {
	number uint64
	at     time.Duration // since the test began
}

// race is a test with a Pace and virtual time.
type race struct {
	*Pace
	t       *testing.T
	began   time.Time
	closing chan struct{}

	mu     sync.Mutex
	went   []passed
	all    sync.WaitGroup
	ending sync.Mutex // held while a result is reported
}

func newRace(t *testing.T, perSecond float64) *race {
	t.Helper()
	return &race{Pace: NewPace(perSecond), t: t, began: time.Now(), closing: make(chan struct{})}
}

// start lets a request come. sent is called when it passes, and its result is how long the API asks to wait. then is called
// with how long the request was held, or the error.
func (r *race) start(ctx context.Context, budget time.Duration, sent func() time.Duration, then func(time.Duration, error)) {
	number := r.arrive()
	report := then
	then = func(held time.Duration, err error) {
		r.ending.Lock()
		defer r.ending.Unlock()
		report(held, err)
	}
	r.all.Go(func() {
		var total time.Duration
		for {
			held, err := r.wait(ctx, r.closing, number, budget, func() {})
			if total += held; err != nil {
				r.gaveUp(number)
				then(total, err)
				return
			}
			budget = max(0, budget-held)
			r.mu.Lock()
			r.went = append(r.went, passed{number, time.Since(r.began)})
			r.mu.Unlock()
			r.wrote(number)
			pause := sent()
			if pause == 0 || pause > budget {
				if pause == 0 {
					r.answered(number, 0)
				}
				r.gaveUp(number)
				then(total, nil)
				return
			}
			r.answered(number, pause)
		}
	})
	synctest.Wait()
}

func accepted() time.Duration     { return 0 }
func ignore(time.Duration, error) {}
func (r *race) run(n int)         { r.runFor(n, 0) }
func (r *race) numbers() []uint64 { return numbersOf(r.went) }
func numbersOf(w []passed) []uint64 {
	return slices.Collect(mapped(w, func(p passed) uint64 { return p.number }))
}

func mapped[A, B any](of []A, f func(A) B) func(func(B) bool) {
	return func(yield func(B) bool) {
		for _, a := range of {
			if !yield(f(a)) {
				return
			}
		}
	}
}

// runFor lets n requests come, one each interval, and waits for them.
func (r *race) runFor(n int, interval time.Duration) {
	for range n {
		r.start(context.Background(), 0, accepted, ignore)
		<-time.After(interval)
	}
	r.all.Wait()
}

// most returns how many requests passed in a span at most.
func (r *race) most(span time.Duration) int {
	most, first := 0, 0
	for i := range r.went {
		for r.went[i].at-r.went[first].at >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// Requests pass in order, evenly, and never more of them in a second than the limit: neither at the beginning, when a burst
// passes at once, nor after a time without requests.
func TestAPaceKeepsItsLimit(t *testing.T) {
	t.Parallel()
	for _, limit := range []float64{0.5, 1, 1.5, 2.5, 10, 19.9, 50, 333.3, 1000, 20_000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, n := newRace(t, limit), int(max(12, min(4*limit, 3000)))
				burst := int(max(1, limit/10))
				r.run(n)
				took := time.Since(r.began).Seconds()
				<-time.After(time.Minute) // long enough for a burst
				r.run(n)
				if !slices.IsSorted(r.numbers()) || len(r.went) != 2*n {
					t.Errorf("%d requests, in order: %t", len(r.went), slices.IsSorted(r.numbers()))
				}
				span := time.Duration(max(1, min(math.Floor(limit), maxWindow)) / limit * float64(time.Second))
				if got, most := r.most(span), int(max(1, min(math.Floor(limit), maxWindow))); got > most {
					t.Errorf("%d in %s, want at most %d", got, span, most)
				}
				if got := r.most(time.Millisecond); got > burst+int(limit/1000)+1 {
					t.Errorf("%d at once, want a burst of %d", got, burst)
				}
				if ideal := float64(n) / limit; took > 1.035*ideal || took < 0.98*(ideal-1.2*float64(burst)/limit) {
					t.Errorf("%d requests took %.3f s, want %.3f", n, took, ideal)
				}
				var wide []string
				for i := burst + 1; i < n; i++ { // the requests that have to wait are spaced evenly
					if gap := (r.went[i].at - r.went[i-1].at).Seconds() * limit; gap > 1.1*float64(r.late) {
						wide = append(wide, fmt.Sprintf("%.2f turns before %d", gap, i))
					}
				}
				if len(wide) > 1 { // a second after the burst, because of it
					t.Errorf("gaps of %s", wide)
				}
			})
		})
	}
}

// A pace that has no limit lets all pass at once.
func TestAPaceWithoutALimitDelaysNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRace(t, 0)
		r.run(1000)
		if took := time.Since(r.began); took > 0 || len(r.went) != 1000 {
			t.Errorf("%d requests in %s", len(r.went), took)
		}
	})
}

// A request that leaves, or that was turned away at the end, costs the others no turn.
func TestALeaverCostsNoTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRace(t, 1)
		ctx, leave := context.WithCancel(t.Context())
		left, turnedAway := 0, 0
		for i := range 20 {
			if i%2 == 1 {
				r.start(ctx, 0, accepted, func(_ time.Duration, err error) {
					if err != nil {
						left++
					}
				})
				continue
			}
			r.start(t.Context(), 0, accepted, func(_ time.Duration, err error) {
				if err != nil {
					turnedAway++
				}
			})
		}
		leave()
		<-time.After(5*time.Second + time.Second/2) // the first one passes at once, and five more
		close(r.closing)
		r.all.Wait()
		if got := fmt.Sprint(r.numbers()); got != "[1 3 5 7 9 11]" || left != 10 || turnedAway != 4 {
			t.Errorf("passed %s; %d left, %d were turned away", got, left, turnedAway)
		}
	})
}

// After a 429, nothing passes until the pause is over. Then one request passes alone: that one, because it came first. The
// others follow, in order, when the API has accepted it.
func TestAPauseHoldsAllAndEndsWithATrial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRace(t, 0)
		answers := []time.Duration{3 * time.Second, 2 * time.Second, 0}
		first := func() time.Duration {
			<-time.After(100 * time.Millisecond) // the API takes some time
			pause := answers[0]
			answers = answers[1:]
			return pause
		}
		var held time.Duration
		r.start(t.Context(), time.Minute, first, func(h time.Duration, _ error) { held = h })
		<-time.After(time.Second)
		for range 5 {
			r.start(t.Context(), time.Minute, accepted, ignore)
		}
		r.all.Wait()
		ms := time.Millisecond
		want := []passed{{1, 0}, {1, 3100 * ms}, {1, 5200 * ms}, {2, 5300 * ms}, {3, 5300 * ms}, {4, 5300 * ms}, {5, 5300 * ms}, {6, 5300 * ms}}
		if !slices.Equal(r.went, want) || held != 5*time.Second {
			t.Errorf("passed %v, held for %s", r.went, held)
		}
	})
}

// A request whose time is over passes in the pause. It has no answer yet, and its caller gets the one that the API gives it.
// So no request waits for longer because of pauses than it may, even if the API never accepts one.
func TestNobodyIsHeldForLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRace(t, 0)
		const budget = 10 * time.Second
		longest, ended := time.Duration(0), 0
		for range 30 {
			r.start(t.Context(), budget, func() time.Duration { return time.Second }, func(held time.Duration, err error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				ended++
				if longest = max(longest, held); err != nil {
					t.Error(err)
				}
			})
		}
		r.all.Wait()
		if took := time.Since(r.began); took > budget+time.Second || longest > budget || ended != 30 {
			t.Errorf("%d requests ended within %s, the longest was held for %s", ended, took, longest)
		}
		if len(r.went) > 30*2+10 {
			t.Errorf("%d requests were sent to an API that accepts none", len(r.went))
		}
	})
}

// A request that is not held, because its proxy does not do that, passes in the pause of others. So do the others after a
// trial that ends without an answer.
func TestAPauseIsForThoseWhoMayBeHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRace(t, 0)
		pauses := []time.Duration{5 * time.Second, 0}
		r.start(t.Context(), time.Minute, func() time.Duration { p := pauses[0]; pauses = pauses[1:]; return p }, ignore)
		r.start(t.Context(), 0, accepted, ignore)
		if len(r.went) != 2 {
			t.Errorf("passed %v", r.went)
		}
		r.all.Wait()
		ctx, leave := context.WithCancel(t.Context())
		r.start(ctx, time.Minute, func() time.Duration { return 5 * time.Second }, ignore)
		r.start(t.Context(), time.Minute, accepted, ignore)
		leave()
		r.all.Wait()
		if took := time.Since(r.began); took != 10*time.Second || len(r.went) != 5 {
			t.Errorf("passed %v in %s", r.went, took)
		}
	})
}

// A trial that the API does not answer holds the others for a second.
func TestASlowTrialDoesNotHoldTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRace(t, 0)
		calls := 0
		r.start(t.Context(), time.Minute, func() time.Duration {
			if calls++; calls == 1 {
				return time.Second
			}
			<-time.After(time.Minute)
			return 0
		}, ignore)
		r.start(t.Context(), time.Minute, accepted, ignore)
		r.all.Wait()
		if want := []passed{{1, 0}, {1, time.Second}, {2, 2 * time.Second}}; !slices.Equal(r.went, want) {
			t.Errorf("passed %v", r.went)
		}
	})
}

// Whatever happens, the limit is kept, every request ends, and none is held for longer than it may.
func TestAPaceWithEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			limit := []float64{0, 3, 20, 80}[seed%4]
			r := newRace(t, limit)
			ended := 0
			const n = 200
			for range n {
				ctx, leave := context.WithTimeout(t.Context(), time.Duration(random.IntN(60))*time.Second)
				t.Cleanup(leave)
				budget := time.Duration(random.IntN(20)) * time.Second
				answer := []time.Duration{0, 0, 0, time.Second, time.Duration(random.IntN(5000)) * time.Millisecond}[random.IntN(5)]
				slow := time.Duration(random.IntN(2000)) * time.Millisecond
				r.start(ctx, budget, func() time.Duration { <-time.After(slow); return answer }, func(held time.Duration, _ error) {
					r.mu.Lock()
					defer r.mu.Unlock()
					if ended++; held > budget {
						t.Errorf("seed %d: held for %s of %s", seed, held, budget)
					}
				})
				<-time.After(time.Duration(random.IntN(100)) * time.Millisecond)
			}
			r.all.Wait()
			if ended != n {
				t.Errorf("seed %d: %d requests have ended", seed, ended)
			}
			if limit > 0 && r.most(time.Second) > int(limit) {
				t.Errorf("seed %d: %d requests in a second", seed, r.most(time.Second))
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.waiting) != 0 || r.pause.trial != 0 {
				t.Errorf("seed %d: %d requests wait, trial %d", seed, len(r.waiting), r.pause.trial)
			}
		})
	}
}

// A request that may be held for less than the pause of others passes when its own time is over.
func TestAShortPatienceEndsBeforeALongPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRace(t, 0)
		pauses := []time.Duration{50 * time.Second, 0}
		r.start(t.Context(), time.Minute, func() time.Duration { p := pauses[0]; pauses = pauses[1:]; return p }, ignore)
		<-time.After(time.Second)
		r.start(t.Context(), 5*time.Second, accepted, ignore)
		r.all.Wait()
		if want := []passed{{1, 0}, {2, 6 * time.Second}, {1, 50 * time.Second}}; !slices.Equal(r.went, want) {
			t.Errorf("passed %v", r.went)
		}
	})
}

// A request that ends when it may be sent gives its turn to the next one at once.
func TestARequestThatEndsGivesUpItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRace(t, 0)
		r.answered(r.arrive(), time.Second)
		first, second := r.enter(r.arrive(), time.Minute), r.enter(r.arrive(), time.Minute)
		<-first.ready
		r.leave(first) // it has passed already
		r.gaveUp(first.number)
		<-second.ready
		if took := time.Since(r.began); took != time.Second {
			t.Errorf("the second one passed after %s", took)
		}
		r.gaveUp(second.number)
	})
}
