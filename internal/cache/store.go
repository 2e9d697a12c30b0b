// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"errors"
	"time"
)

// Store is where processes share entries and marks: a Directory or a Bucket.
type Store interface {
	// Look returns what is stored under a key.
	Look(ctx context.Context, key Key) Found
	// Claim waits for the exclusive right to replace what is stored under a key, until ctx ends. While it waits, and once
	// before it returns a claim, it passes what is stored to enough. If enough returns true, there is no claim, and no error.
	Claim(ctx context.Context, key Key, enough func(Found) bool) (Claim, error)
	// Spend marks what may be used once, before it is used. Its error is ErrSpent or ErrHeld if it may not be used. Any other
	// error means that the store cannot keep others from using it.
	Spend(ctx context.Context, mark Mark) (Spending, error)
	// Update replaces the stored token by the result of change. It does nothing if there is no token, if change returns
	// false, or if another process has a claim. It does not wait for claims.
	Update(ctx context.Context, key Key, change func(found Found) (changed []byte, useful time.Time, ok bool))
	// WhyMarksMayBeLost returns why a mark may not last, or nil if it lasts.
	WhyMarksMayBeLost() error
	// Local reports whether only processes of one user on this machine use the store.
	Local() bool
	// Entries returns the entries that Clear would remove, by the time when they were written.
	Entries(ctx context.Context) ([]Entry, error)
	// Clear removes all entries but those with a claim. It keeps the marks: what was used stays spent.
	Clear(ctx context.Context) (removed, inUse int, err error)
	// Close gives back what the store holds of this process.
	Close() error
}

// Found is what is stored under a key. Everything except a complete entry of this key is missing.
type Found struct {
	Token     []byte // nil: there is none
	Rejection []byte // nil: there is none
	Miss      string // why there is no token; empty: there is one
	Damaged   bool   // this program cannot have written what is there, or has written it for another secret
	// Ahead is by how much the clock of the store is ahead of the clock of this machine. The times in an entry are in the
	// time of the store. Zero: the two are the same.
	Ahead time.Duration
	// Problem is why the store could not be asked; nil: it was asked.
	Problem error
}

// Claim is the exclusive right to replace what is stored under a key.
type Claim interface {
	// Store replaces a part of what is stored, and keeps it until useful; zero: its end is not known. Others can claim the
	// key afterwards.
	Store(part Part, content []byte, useful time.Time) error
	// Release gives the right back. What is stored stays as it is.
	Release()
	// Ahead is as in Found.
	Ahead() time.Duration
}

// Mark says what is spent.
type Mark struct {
	Name  Name
	Began time.Time // when this process could first have used something
	Ends  time.Time // when what is marked has ended; zero: that is not known
	// Key1 is where the first version keeps the mark; nil: that version has none.
	Key1 *Key
}

// Spending is a mark that this process has set. Until Release, a Directory lets others wait that want to set the mark.
type Spending interface {
	// Unmark removes the mark: what is marked was not used. If that fails, it is not used again, which costs a login.
	Unmark()
	// Hold lets only processes that begin later use what is marked. If that fails, no process uses it.
	Hold()
	// Release ends the wait of others. The mark stays.
	Release()
}

var (
	// ErrSpent means that what the mark is about was used before, or may be in use.
	ErrSpent = errors.New("it was used before")
	// ErrHeld means that what the mark is about was used while the caller had begun already. See Spending.Hold.
	ErrHeld = errors.New("only a later process may use it again")
)

// ClockNoise is by how much the clocks of two machines may differ although both are right. The times in entries are not
// corrected by less. An entry that is from the future by less counts as written now.
const ClockNoise = 5 * time.Second
