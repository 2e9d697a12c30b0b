// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Quota is the rate limit of an API. It answers 429 to the requests beyond it, which do not count. Its fields do not change
// while it is in use.
type Quota struct {
	// Requests is how many requests the API accepts in each Window.
	Requests int
	// Window is the time that the API counts in.
	Window time.Duration
	// Sliding lets the window end at each request. Otherwise one window follows the other.
	Sliding bool
	// RetryAfter is the header Retry-After of a refusal, in whole seconds; zero: there is none.
	RetryAfter time.Duration

	mu       sync.Mutex
	accepted []time.Time // in the window
	began    time.Time   // of the window; only if it is not sliding
	refused  int
}

// Admit counts a request that has come at this time, and reports whether it is within the limit.
func (q *Quota) Admit(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.Sliding:
		for len(q.accepted) > 0 && now.Sub(q.accepted[0]) >= q.Window {
			q.accepted = q.accepted[1:]
		}
	case now.Sub(q.began) >= q.Window:
		q.began, q.accepted = now.Truncate(q.Window), nil
	}
	if len(q.accepted) >= q.Requests {
		q.refused++
		return false
	}
	q.accepted = append(q.accepted, now)
	return true
}

// Refused returns how many requests were beyond the limit.
func (q *Quota) Refused() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.refused
}

// Refuse writes the answer to a request beyond the limit (RFC 6585, section 4).
func (q *Quota) Refuse(w http.ResponseWriter) {
	if q.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(q.RetryAfter/time.Second)))
	}
	http.Error(w, "too many requests", http.StatusTooManyRequests)
}

// LimitAPI limits the requests to the API; nil: there is no limit. Token requests do not count.
func (p *Platform) LimitAPI(quota *Quota) {
	if quota == nil {
		p.Intercept(nil)
		return
	}
	p.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != p.apiPath || quota.Admit(p.now()) {
			return false
		}
		quota.Refuse(w)
		return true
	})
}
