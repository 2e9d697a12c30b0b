// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"
)

// This file holds the marks of a Bucket, and the check that they hold.

// markContent is what the object of a mark holds.
type markContent struct {
	Nonce []byte    `json:"nonce"`         // another one for each write
	Ends  time.Time `json:"ends"`          // when what is marked has ended, in the time of the storage
	Held  time.Time `json:"held,omitzero"` // only processes that have begun later may use it; zero: none may
}

// always is the value of markContent.Held if all processes may use what is marked.
var always = time.Unix(0, 0).UTC()

func (c markContent) encode() []byte {
	c.Nonce = nonce()
	text, _ := json.Marshal(c) // it has no value that JSON does not know
	return text
}

// Spend creates the object of a mark: one request. Only the process that has created it uses what is marked.
func (b *Bucket) Spend(ctx context.Context, mark Mark) (Spending, error) {
	if err := b.probe(ctx); err != nil {
		return nil, err
	}
	ends := mark.Ends.Add(b.clock.ahead())
	if mark.Ends.IsZero() {
		ends = b.clock.now().Add(unknownSpent)
	}
	name, data := string(mark.Name)+markSuffix, markContent{Ends: ends}.encode()
	before, tag := markContent{Ends: ends, Held: always}, "" // what is there if nothing is marked
	wait := waiting{}
	for range maxRefusals {
		now, written, err := b.write(ctx, name, data, tag)
		switch {
		case err == nil && written:
			return &spent{b, name, now.tag, ends}, nil
		case ctx.Err() != nil:
			b.withdraw(name, data, before.encode())
			return nil, ctx.Err()
		case errors.Is(err, errUnreadable):
			return nil, ErrSpent // it is there
		case err != nil:
			return nil, b.failed(ctx, err)
		}
		if now.tag != "" && now.tag != tag {
			if before, err = b.mayFollow(ctx, now, mark.Began); err != nil {
				return nil, err
			}
			tag = now.tag
			continue
		}
		if err := wait.pause(ctx); err != nil {
			return nil, err
		}
	}
	return nil, b.failed(ctx, unstable(tag))
}

// mayFollow returns the content of a mark that a process that has begun at began may replace. Only If-Match keeps other
// processes from replacing it too.
func (b *Bucket) mayFollow(ctx context.Context, now object, began time.Time) (content markContent, err error) {
	switch {
	case json.Unmarshal(now.data, &content) != nil || content.Held.IsZero():
		return content, ErrSpent
	case content.Held.After(began.Add(b.clock.ahead())):
		return content, ErrHeld
	}
	return content, b.probeMatch(ctx)
}

// spent is a Spending of a Bucket.
type spent struct {
	bucket    *Bucket
	name, tag string
	ends      time.Time
}

// Unmark lets all processes use what is marked. The object stays: a request that removes it has no condition, so if it comes
// late, or twice, it removes the mark of another process.
func (s *spent) Unmark() { s.replace(always) }

// Hold lets processes that begin later use what is marked.
func (s *spent) Hold() { s.replace(s.bucket.clock.now()) }

// replace replaces the object of the mark.
func (s *spent) replace(held time.Time) {
	_, _, _ = s.bucket.write(context.Background(), s.name, markContent{Ends: s.ends, Held: held}.encode(), s.tag)
}

// Release does nothing: nobody waits for a mark in a bucket.
func (s *spent) Release() {}

// probe makes sure, once in a process, that the storage honours both conditions: If-None-Match and If-Match. Some storages
// ignore one of them, and say nothing.
//
// There is a marker object. It is written on the condition that it is not there, which must be refused: one request. If this
// process may have written it, it goes on to see both conditions refused, and otherwise removes the marker. So where the
// marker stands, both were refused before, unless a machine has died in between: see probeMatch.
func (b *Bucket) probe(ctx context.Context) error {
	leave, err := b.takeProbe(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if b.probed {
		return b.WhyMarksMayBeLost()
	}
	written, doubts, err := b.writeMarker(ctx, "")
	if err == nil && (written || doubts > 0) {
		err = b.probeBoth(ctx)
	}
	if err != nil {
		return b.failed(ctx, err)
	}
	b.probed = true
	return nil
}

// takeProbe waits until no other caller probes the storage.
func (b *Bucket) takeProbe(ctx context.Context) (leave func(), err error) {
	select {
	case b.probing <- struct{}{}:
		return func() { <-b.probing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// probeBoth sees both conditions refused. The marker is there.
func (b *Bucket) probeBoth(ctx context.Context) error {
	err := b.refuses(ctx, "", "If-None-Match")
	if err == nil {
		err = b.refuses(ctx, wrongTag, "If-Match")
	}
	if err != nil {
		b.atLast(func(ctx context.Context) error { return b.objects.delete(ctx, b.markerName()) })
		return err
	}
	b.matched = true
	return nil
}

// probeMatch makes sure, once in a process, that the storage refuses If-Match with a wrong tag. A claim needs no such
// certainty: if two machines get it, there is a login too many. Of a mark it decides who uses a refresh token.
func (b *Bucket) probeMatch(ctx context.Context) error {
	leave, err := b.takeProbe(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if b.matched {
		return nil
	}
	if err := b.refuses(ctx, wrongTag, "If-Match"); err != nil {
		return b.failed(ctx, err)
	}
	b.matched = true
	return nil
}

// wrongTag is the tag of no object.
const wrongTag = `"0123456789abcdef0123456789abcdef"`

// refuses returns an error unless the storage refuses to write the marker, which is there, under a condition.
func (b *Bucket) refuses(ctx context.Context, tag, condition string) error {
	written, _, err := b.writeMarker(ctx, tag)
	if err == nil && written {
		return &StorageError{Reason: "does not honour the condition " + condition + ", so it cannot keep two machines apart: use one that has conditional writes"}
	}
	return err
}

// writeMarker writes the marker under a condition, until the storage has refused that or has written the marker. doubts is
// how often it may have been written before.
func (b *Bucket) writeMarker(ctx context.Context, tag string) (written bool, doubts int, err error) {
	wait := waiting{}
	for doubts < maxRefusals {
		_, err = b.request(ctx, func(ctx context.Context) (object, error) {
			return b.objects.put(ctx, b.markerName(), []byte("ixtoken: the storage honours conditional writes\n"), tag)
		})
		switch outcome := outcomeOf(err); {
		case outcome == refused:
			return false, doubts, nil
		case outcome == doubtful && !isLate(err):
			doubts++
			if problem := wait.pause(ctx); problem != nil {
				return false, doubts, problem
			}
		default:
			return err == nil, doubts, err
		}
	}
	return false, doubts, err
}

// markerName returns the name of the marker object. If the content of a bucket is copied to another storage, the marker has
// no meaning there.
func (b *Bucket) markerName() string {
	digest := sum(b.about.Endpoint, b.about.Bucket)
	return "conditions-" + hex.EncodeToString(digest[:8])
}
