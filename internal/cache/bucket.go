// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

const (
	// lease is how long a claim lasts. It is longer than a process takes to find out what an entry shall hold (two minutes), so
	// no process has to renew a claim. If a machine dies, others wait until then at most.
	lease = 122 * time.Second
	// claimPoll and claimPollMax are the first and the longest pause between two looks at an entry that another machine has
	// claimed. A random part, up to half of each pause, is left out.
	claimPoll    = 200 * time.Millisecond
	claimPollMax = time.Second

	// firstTime bounds the first request to the storage, which may include requests for credentials. requestTime bounds each
	// further request.
	firstTime   = 10 * time.Second
	requestTime = 5 * time.Second
	// releaseTime bounds what a process still sends after its end was asked for.
	releaseTime = time.Second
	// patience is how long a bucket is not asked again after it has failed.
	patience = time.Minute
	// maxReads is how often a read is tried while the storage is busy, or its answers are lost.
	maxReads = 3
	// maxRefusals is how often one write may fail although no other process has written.
	maxRefusals = 6
)

// Bucket is a Store for many machines: a bucket of an S3-compatible storage with conditional writes. Each Name has an
// object with its entries and its claim. Each mark has an object of its own.
//
// A write whose outcome is doubtful is followed by a read. Every content has a random part, so the read tells whether the
// write was done. Nothing is repeated before.
type Bucket struct {
	objects objects
	about   Description
	clock   *clock

	mu     sync.Mutex
	seen   map[Name]entryObject // what Look has found last; Claim needs no further request for it
	asked  bool                 // the storage has answered
	broken time.Time            // until when the storage is not asked; zero: it works

	probing chan struct{} // holds one element while a caller probes the storage
	probed  bool          // this process may use the storage; guarded by probing
	matched bool          // the storage has refused If-Match with a wrong tag; guarded by probing
}

// ErrOut means that a bucket has failed, and is not asked again for a minute. The failure itself was returned before.
var ErrOut = errors.New("the bucket is not used at the moment")

func newBucket(objects objects, about Description) *Bucket {
	return &Bucket{objects: objects, about: about, clock: new(clock), seen: map[Name]entryObject{}, probing: make(chan struct{}, 1)}
}

// String returns the URL of the bucket, without parameters.
func (b *Bucket) String() string { return b.about.String() }

// Local reports false.
func (b *Bucket) Local() bool { return false }

// Close does nothing: a bucket holds nothing of a process.
func (b *Bucket) Close() error { return nil }

// WhyMarksMayBeLost returns why the bucket cannot be used at the moment.
func (b *Bucket) WhyMarksMayBeLost() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().Before(b.broken) {
		return ErrOut
	}
	return nil
}

// Look reads the object of a key: one request.
func (b *Bucket) Look(ctx context.Context, key Key) Found {
	found, err := b.read(ctx, key.Name)
	switch {
	case outcomeOf(err) == forbidden: // without the right to list, a storage does not say that there is no object
		return Found{Miss: noEntry, Ahead: b.clock.ahead()}
	case err != nil:
		return Found{Miss: err.Error(), Problem: b.failed(ctx, err)}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[key.Name] = found
	return found.open(key, b.clock)
}

// Claim writes a claim into the object of a key.
func (b *Bucket) Claim(ctx context.Context, key Key, enough func(Found) bool) (Claim, error) {
	if err := b.probe(ctx); err != nil {
		return nil, err
	}
	if key.Marked {
		return &claimed{bucket: b, key: key}, nil
	}
	wait, own := waiting{}, nonce()
	found, known := b.lastSeen(key.Name)
	for refusals := 0; ; {
		if !known {
			var err error
			if found, err = b.read(ctx, key.Name); err != nil && outcomeOf(err) != forbidden {
				return nil, b.failed(ctx, err)
			}
		}
		mine := &claimed{bucket: b, key: key, entryObject: found}
		isMine := bytes.Equal(found.content.Nonce, own) // an earlier write was done after the storage was asked for it
		switch done := enough(found.open(key, b.clock)); {
		case done && isMine:
			mine.Release()
			return nil, nil
		case done:
			return nil, nil
		case isMine:
			return mine, nil
		}
		if !found.isClaimed(b.clock.now()) {
			now, written, err := b.claim(ctx, key, found, own)
			switch {
			case err != nil:
				return nil, err
			case written:
				return &claimed{bucket: b, key: key, entryObject: now}, nil
			case now.tag != found.tag: // another process was first
				found, known = now, true
				continue
			}
			if refusals++; refusals == maxRefusals {
				return nil, b.failed(ctx, unstable(now.tag))
			}
		}
		known = false
		if err := wait.pause(ctx); err != nil {
			return nil, err
		}
	}
}

// claim tries to write a claim over what was found. If that is not there any more, it writes nothing; now is what is there.
func (b *Bucket) claim(ctx context.Context, key Key, found entryObject, own []byte) (now entryObject, written bool, err error) {
	next := found.content.with(own, b.clock.now().Add(lease))
	now, written, err = b.writeEntry(ctx, key.Name, next, found.tag)
	switch {
	case err == nil && written:
		return now, true, nil
	case ctx.Err() != nil: // the write may have been done all the same
		b.withdraw(string(key.Name)+entrySuffix, next.encode(), found.content.with(nonce(), time.Time{}).encode())
		return now, false, ctx.Err()
	case err != nil:
		return now, false, b.failed(ctx, err)
	}
	return now, false, nil
}

// unstable is the error of a storage that refuses a write without a reason. tag is that of what is there; "": nothing is.
func unstable(tag string) error {
	if tag == "" {
		return &StorageError{Reason: "says that an object is there, and then that it is not; a bucket with versions, in which objects were removed, may do so: use one without versions"}
	}
	return &StorageError{Reason: "refuses writes although nothing else has written: it is too busy"}
}

// claimed is a Claim of a Bucket: the object of the entry with the claim of this process in it.
type claimed struct {
	bucket *Bucket
	key    Key
	entryObject
	stored bool
}

// Ahead returns by how much the clock of the storage is ahead.
func (c *claimed) Ahead() time.Duration { return c.bucket.clock.ahead() }

// Store writes the entry, and ends the claim.
func (c *claimed) Store(part Part, content []byte, useful time.Time) error {
	sealed, err := c.key.seal(entryMagic, part, content, useful)
	if err != nil {
		return err
	}
	next := c.content.with(nonce(), time.Time{})
	next.set(part, sealed)
	next.Written = c.bucket.clock.now()
	ctx, cancel := context.WithTimeout(context.Background(), 2*requestTime)
	defer cancel()
	for range maxRefusals {
		now, written, err := c.bucket.writeEntry(ctx, c.key.Name, next, c.tag)
		switch {
		case err != nil:
			return c.bucket.failed(ctx, err)
		case written:
			c.stored = true
			return nil
		case now.tag != c.tag && c.key.Marked: // somebody else has stored a result
			return nil
		case now.tag != c.tag:
			return errors.New("another machine has taken over")
		}
		if err := (&waiting{}).pause(ctx); err != nil {
			return err
		}
	}
	return c.bucket.failed(ctx, unstable(c.tag))
}

// Release ends the claim. If that fails, the claim ends with its lease.
func (c *claimed) Release() {
	if c.stored || c.key.Marked {
		return
	}
	c.bucket.atLast(func(ctx context.Context) error {
		_, err := c.bucket.objects.put(ctx, string(c.key.Name)+entrySuffix, c.content.with(nonce(), time.Time{}).encode(), c.tag)
		return err
	})
}

// atLast sends what gives something back to others, even if the storage has failed before. If it fails, others wait longer.
func (b *Bucket) atLast(send func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
	defer cancel()
	wait := waiting{}
	for outcomeOf(send(ctx)) == doubtful && wait.pause(ctx) == nil {
	}
}

// Update replaces the stored token if no other machine has claimed it.
func (b *Bucket) Update(ctx context.Context, key Key, change func(found Found) (changed []byte, useful time.Time, ok bool)) {
	ctx, cancel := context.WithTimeout(ctx, firstTime)
	defer cancel()
	if b.probe(ctx) != nil {
		return
	}
	found, err := b.read(ctx, key.Name)
	if err != nil || found.isClaimed(b.clock.now()) {
		return
	}
	opened := found.open(key, b.clock)
	if opened.Miss != "" {
		return
	}
	if changed, useful, ok := change(opened); ok {
		_ = (&claimed{bucket: b, key: key, entryObject: found}).Store(Token, changed, useful) // on an error the old entry stays
	}
}

// read reads the object of an entry. An object that is not there has no tag.
func (b *Bucket) read(ctx context.Context, name Name) (entryObject, error) {
	found, err := b.get(ctx, string(name)+entrySuffix)
	if outcomeOf(err) == absent {
		return entryObject{}, nil
	}
	return decodeEntry(found), err
}

// lastSeen returns what Look has found, once.
func (b *Bucket) lastSeen(name Name) (entryObject, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, ok := b.seen[name]
	delete(b.seen, name)
	return found, ok
}

// writeEntry is write for an entry.
func (b *Bucket) writeEntry(ctx context.Context, name Name, content entryContent, tag string) (now entryObject, written bool, err error) {
	found, written, err := b.write(ctx, string(name)+entrySuffix, content.encode(), tag)
	return decodeEntry(found), written, err
}

// write writes an object if the one that is there has the tag; "": if there is none. written reports whether this write has
// been done. If it is false without an error, now is what is there: another process was first, or the storage is busy.
func (b *Bucket) write(ctx context.Context, name string, data []byte, tag string) (now object, written bool, err error) {
	now, err = b.request(ctx, func(ctx context.Context) (object, error) { return b.objects.put(ctx, name, data, tag) })
	outcome := outcomeOf(err)
	switch {
	case err == nil:
		now.data = data
		return now, true, nil
	case outcome != refused && outcome != doubtful:
		return object{}, false, err
	}
	now, problem := b.get(ctx, name)
	switch {
	case problem == nil && bytes.Equal(now.data, data):
		return now, true, nil
	case isLate(err): // another attempt would take as long
	case problem == nil:
		return now, false, nil
	case outcomeOf(problem) == absent:
		return object{}, false, nil
	case outcomeOf(problem) == forbidden && outcome == refused:
		return object{}, false, errUnreadable
	case outcomeOf(problem) == forbidden && tag == "": // nothing may be there: see Look
		return object{}, false, nil
	}
	return object{}, false, err
}

// errUnreadable is the error of an object that is there, and that this program may not read.
var errUnreadable = &StorageError{Reason: "does not let this program read what is there: the role needs s3:GetObject", outcome: forbidden}

// get reads an object. Reading changes nothing, so it is repeated.
func (b *Bucket) get(ctx context.Context, name string) (found object, err error) {
	wait := waiting{}
	for range maxReads {
		found, err = b.request(ctx, func(ctx context.Context) (object, error) { return b.objects.get(ctx, name) })
		if outcomeOf(err) != doubtful || isLate(err) || wait.pause(ctx) != nil {
			break
		}
	}
	return found, err
}

// request sends one request in bounded time, and takes the time of the storage from its answer.
func (b *Bucket) request(ctx context.Context, send func(context.Context) (object, error)) (object, error) {
	b.mu.Lock()
	limit, broken := requestTime, time.Now().Before(b.broken)
	if !b.asked {
		limit = firstTime
	}
	b.mu.Unlock()
	if broken {
		return object{}, ErrOut
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	sent := time.Now()
	answer, err := send(ctx)
	if outcome := outcomeOf(err); err == nil || outcome != failed && outcome != doubtful {
		b.mu.Lock()
		b.asked = true
		b.mu.Unlock()
	}
	b.clock.set(answer.date, sent)
	return answer, err
}

// failed notes that the storage has failed, and returns err. It is not asked again for a minute. If ctx has ended, the
// storage is not to blame.
func (b *Bucket) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, ErrOut) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = time.Now().Add(patience)
	return err
}

// withdraw undoes a write whose answer nobody waits for any more: it writes what was there before.
func (b *Bucket) withdraw(name string, data, before []byte) {
	b.atLast(func(ctx context.Context) error {
		found, err := b.objects.get(ctx, name)
		if err == nil && bytes.Equal(found.data, data) {
			_, err = b.objects.put(ctx, name, before, found.tag)
		}
		return err
	})
}

// waiting is a series of pauses that grow.
type waiting struct{ next time.Duration }

// pause waits. Its error is that of ctx, if ctx ends first.
func (w *waiting) pause(ctx context.Context) error {
	w.next = min(max(claimPoll, w.next*3/2), claimPollMax)
	select {
	case <-ctx.Done():
		return fmt.Errorf("another machine has claimed it: %w", ctx.Err())
	case <-time.After(w.next - mathrand.N(w.next/2)): //nolint:gosec // a wait is no secret
		return nil
	}
}
