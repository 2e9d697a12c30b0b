// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"encoding/json"
	"sync"
	"time"
)

// entrySuffix is the end of the name of the object of an entry.
const entrySuffix = ".entry"

// entryObject is the object of a Name.
type entryObject struct {
	tag     string // "": there is no object
	content entryContent
	damaged bool // this program has not written it
}

// entryContent is what the object of a Name holds: its entries, sealed as in a Directory, and its claim.
type entryContent struct {
	Format  int       `json:"ixtoken"`                // entryFormat
	Nonce   []byte    `json:"nonce"`                  // another one for each write
	Claimed time.Time `json:"claimed_until,omitzero"` // zero: nobody has claimed it
	Written time.Time `json:"written,omitzero"`       // when a process has stored an entry
	Token   []byte    `json:"token,omitempty"`        // sealed
	// Rejected is a rejection, sealed. It does not replace a token, which may belong to another secret.
	Rejected []byte `json:"rejected,omitempty"`
}

// entryFormat is the format of entryContent. Objects of another format have other names: see entryPrefix.
const entryFormat = 1

// nonce returns the random part of a content.
func nonce() []byte { return random(saltSize) }

// decodeEntry reads an object. What this program cannot have written counts as empty.
func decodeEntry(o object) entryObject {
	found := entryObject{tag: o.tag}
	if o.tag == "" {
		return found
	}
	if json.Unmarshal(o.data, &found.content) != nil || found.content.Format != entryFormat {
		found.content, found.damaged = entryContent{}, true
	}
	return found
}

func (c entryContent) encode() []byte {
	c.Format = entryFormat
	text, _ := json.Marshal(c) // it has no value that JSON does not know
	return text
}

// with returns the content with another nonce and claim.
func (c entryContent) with(nonce []byte, claimed time.Time) entryContent {
	c.Nonce, c.Claimed = nonce, claimed
	return c
}

func (c *entryContent) set(part Part, sealed []byte) {
	if part == Rejection {
		c.Rejected = sealed
	} else {
		c.Token = sealed
	}
}

// isClaimed reports whether a process has claimed the entry. A claim from the future does not count: an old copy of the
// object was restored, or the clock of the storage was set back.
func (o entryObject) isClaimed(now time.Time) bool {
	return now.Before(o.content.Claimed) && !o.content.Claimed.After(now.Add(lease+ClockNoise))
}

// usefulUntil returns when nothing in the entry is of use any more.
func (c entryContent) usefulUntil() time.Time {
	token, _ := entryUsefulUntil(c.Token)
	if rejected, _ := entryUsefulUntil(c.Rejected); rejected.After(token) {
		return rejected
	}
	return token
}

// open decrypts what was found. What has ended is not decrypted, because that may be slow.
func (o entryObject) open(key Key, clock *clock) Found {
	found := Found{Ahead: clock.ahead(), Damaged: o.damaged, Miss: noEntry}
	now := clock.now()
	if o.damaged {
		found.Miss = "the entry is damaged or foreign"
	}
	if until, ok := entryUsefulUntil(o.content.Token); ok && now.After(until) {
		found.Miss = "the entry has ended"
	} else if len(o.content.Token) > 0 {
		found.Token, found.Miss, found.Damaged = key.unseal(o.content.Token, Token)
	}
	if until, ok := entryUsefulUntil(o.content.Rejected); ok && now.Before(until) {
		found.Rejection, _, _ = key.unseal(o.content.Rejected, Rejection)
	}
	return found
}

// clock is the time of a storage. It does not follow the clock of this machine if that is set.
type clock struct {
	mu   sync.Mutex
	date time.Time // the last time that the storage named; zero: none
	at   time.Time // when it was named, on the monotonic clock of this process
}

// latest is the last date that a storage can name. The times in objects are later than that, and JSON ends with the year 9999.
var latest = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

// set takes the date of an answer to a request that was sent at the given moment. The storage has set the date in between.
func (c *clock) set(date, sent time.Time) {
	if date.IsZero() || date.After(latest) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.date, c.at = date, sent.Add(now.Sub(sent)/2)
}

// now returns the time of the storage. If it has named none, it is that of this machine.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.date.IsZero() {
		return time.Now().Round(0)
	}
	now := c.date.Add(time.Since(c.at))
	if off := now.Sub(time.Now().Round(0)); off.Abs() < ClockNoise {
		return time.Now().Round(0) // a date has whole seconds
	}
	return now
}

// ahead returns by how much the clock of the storage is ahead of that of this machine; zero: not by more than ClockNoise.
func (c *clock) ahead() time.Duration {
	off := c.now().Sub(time.Now().Round(0))
	if off.Abs() < ClockNoise {
		return 0
	}
	return off
}
