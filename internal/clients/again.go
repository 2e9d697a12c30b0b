// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

// AskAgain lets the next call of [Client.Token] send the request of grant once more, although the platform has rejected it or its
// outcome stayed unknown. It is for a process that stays for days: after an hour, a later request is no repetition. What is
// known about refresh tokens stays, except that one which the platform has hardly acted on may be sent again. A failure that
// may pass stays too, because it is forgotten in time.
func (c *Client) AskAgain(grant Grant) {
	for grant != nil {
		r, err := c.request(grant)
		if err != nil {
			return // nothing was sent
		}
		last := c.sharer.memory.lastComplete(r)
		for _, each := range []*request{r, last} {
			c.sharer.memory.askAgain(each)
		}
		c.sharer.next.askAgain(last)
		grant = r.fallback
	}
}

// askAgain forgets the failure of r, and that its outcome stayed unknown. The mark on a refresh token stays, unless a later
// process may send it.
func (m *memory) askAgain(r *request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range []digest{r.key(), r.exactKey()} {
		if e := m.entry(key); e.failed != nil && !e.failed.temporary {
			e.failed = nil
		}
	}
	if e := m.entry(r.mark()); r.refreshToken.IsZero() || e.kept != nil {
		e.spent, e.kept = false, nil
	}
}

// askAgain forgets that the credentials of r were rejected. They count as unproven then, so that one request carries them.
func (g *gate) askAgain(r *request) {
	accounts := g.of(r)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range accounts {
		a.rejected, a.accepted, a.doubt = nil, false, Secret{}
	}
}
