// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"slices"
	"sync"
)

// Tally says what a Client has done for one platform.
type Tally struct {
	Platform string `json:"-"`
	Logins   int    `json:"logins"` // token requests that were sent to the platform, each attempt
	Hits     int    `json:"hits"`   // results of other processes that were used in their place
	Waits    int    `json:"waits"`  // waits for other processes that were asking
}

// tallies counts for each platform.
type tallies struct {
	mu     sync.Mutex
	counts map[string]*Tally
}

// count changes what was counted for a platform.
func (t *tallies) count(platform string, change func(*Tally)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]*Tally{}
	}
	if t.counts[platform] == nil {
		t.counts[platform] = &Tally{Platform: platform}
	}
	change(t.counts[platform])
}

// of returns what was counted for a platform.
func (t *tallies) of(platform string) Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tally := t.counts[platform]; tally != nil {
		return *tally
	}
	return Tally{Platform: platform}
}

// Tallies returns what the client has done, by platform. Platforms that it did not ask for are not among them.
func (c *Client) Tallies() []Tally {
	t := c.sharer.tallies
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Tally
	for _, tally := range t.counts {
		all = append(all, *tally)
	}
	slices.SortFunc(all, func(a, b Tally) int { return cmp.Compare(a.Platform, b.Platform) })
	return all
}
