// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// limited limits a handler.
func limited(quota *simulator.Quota, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if quota.Admit(time.Now()) {
			next(w, r)
		} else {
			quota.Refuse(w)
		}
	}
}

// Callers that together send more than the API allows get no 429 if the proxy may hold them. If it also knows the limit,
// hardly a request is sent twice. Without either, they do get 429: otherwise this test would prove nothing.
func TestCallersDoNotMeetTheLimitOfTheAPI(t *testing.T) {
	t.Parallel()
	requests, callers, perSecond := 150, 32, 50
	if os.Getenv("IXTOKEN_SOAK") != "" {
		requests = 1000
	}
	for name, sliding := range map[string]bool{"a fixed window": false, "a sliding window": true} {
		for mode, change := range map[string]func(*Options){
			"neither":        func(*Options) {},
			"held":           func(o *Options) { o.ThrottleWait = 2 * time.Minute },
			"held and paced": func(o *Options) { o.ThrottleWait, o.Pace = 2*time.Minute, NewPace(float64(perSecond)) },
		} {
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				quota := &simulator.Quota{Requests: perSecond, Window: time.Second, Sliding: sliding, RetryAfter: time.Second}
				s := newFixture(t, limited(quota, smallAnswer), change)
				began := time.Now()
				failed := s.callAtOnce(requests, callers)
				took := time.Since(began)
				ideal := time.Duration(requests) * time.Second / time.Duration(perSecond)
				t.Logf("%d requests of %d callers: %d failures, %d refusals (%.1f %%), %.2f s, %.3f of the ideal", requests, callers, failed,
					quota.Refused(), 100*float64(quota.Refused())/float64(requests), took.Seconds(), took.Seconds()/ideal.Seconds())
				switch {
				case mode == "neither" && failed == 0:
					t.Error("the API has no limit, so this test proves nothing")
				case mode != "neither" && failed > 0:
					t.Errorf("%d callers have got an error", failed)
				case mode == "held and paced" && quota.Refused() > requests*3/100:
					t.Errorf("%d requests were sent twice", quota.Refused())
				}
			})
		}
	}
}

// callAtOnce sends requests of many callers, of every kind. It returns how many were not answered 200.
func (s *fixture) callAtOnce(requests, callers int) int64 {
	s.t.Helper()
	var failed, next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for n := next.Add(1); n <= int64(requests); n = next.Add(1) {
				answer, _ := s.do([]string{"GET", "POST", "DELETE", "PUT"}[n%4], fmt.Sprint("/x?n=", n), strings.NewReader(strings.Repeat("x", int(n%3)*1000)))
				if answer.StatusCode != http.StatusOK {
					failed.Add(1)
				}
			}
		})
	}
	all.Wait()
	return failed.Load()
}
