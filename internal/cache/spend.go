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
	name, data, tag := string(mark.Name)+markSuffix, markContent{Ends: ends}.encode(), ""
	wait := waiting{}
	for range maxRefusals {
		now, written, err := b.write(ctx, name, data, tag)
		switch {
		case err == nil && written:
			return &spent{b, name, now.tag, ends}, nil
		case ctx.Err() != nil:
			b.withdraw(name, data, func(ctx context.Context, _ string) error { return b.objects.delete(ctx, name) })
			return nil, ctx.Err()
		case errors.Is(err, errUnreadable):
			return nil, ErrSpent // it is there
		case err != nil:
			return nil, b.failed(ctx, err)
		}
		if now.tag != "" && now.tag != tag {
			if tag, err = b.mayFollow(now, mark.Began); err != nil {
				return nil, err
			}
			continue
		}
		if err := wait.pause(ctx); err != nil {
			return nil, err
		}
	}
	return nil, b.failed(ctx, unstable(tag))
}

// mayFollow returns the tag of a mark that a process that has begun at began may replace.
func (b *Bucket) mayFollow(now object, began time.Time) (tag string, err error) {
	var content markContent
	switch {
	case json.Unmarshal(now.data, &content) != nil || content.Held.IsZero():
		return "", ErrSpent
	case content.Held.After(began.Add(b.clock.ahead())):
		return "", ErrHeld
	}
	return now.tag, nil
}

// spent is a Spending of a Bucket.
type spent struct {
	bucket    *Bucket
	name, tag string
	ends      time.Time
}

// Unmark removes the object of the mark. It sends one request: the second one could remove the mark of another process.
func (s *spent) Unmark() {
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	_ = s.bucket.objects.delete(ctx, s.name)
}

// Hold replaces the object of the mark.
func (s *spent) Hold() {
	held := markContent{Ends: s.ends, Held: s.bucket.clock.now()}.encode()
	_, _, _ = s.bucket.write(context.Background(), s.name, held, s.tag)
}

// Release does nothing: nobody waits for a mark in a bucket.
func (s *spent) Release() {}

// probe makes sure, once in a process, that the storage honours both conditions: If-None-Match and If-Match. Some storages
// ignore one of them, and say nothing.
//
// There is a marker object. It is written on the condition that it is not there, which must be refused: one request. If it
// was not there, this process goes on to see both conditions refused, and otherwise removes the marker. So where the marker
// stands, both were refused before.
func (b *Bucket) probe(ctx context.Context) error {
	b.probing.Lock()
	defer b.probing.Unlock()
	if b.probed {
		return b.KeepsMarks()
	}
	created, err := b.isRefused(ctx, "")
	if err == nil && created {
		err = b.probeBoth(ctx)
	}
	if err != nil {
		return b.failed(ctx, err)
	}
	b.probed = true
	return nil
}

// probeBoth sees both conditions refused. The marker is there.
func (b *Bucket) probeBoth(ctx context.Context) error {
	for _, probe := range []struct{ tag, condition string }{{"", "If-None-Match"}, {`"0123456789abcdef0123456789abcdef"`, "If-Match"}} {
		done, err := b.isRefused(ctx, probe.tag)
		if err == nil && done {
			err = &StorageError{Reason: "does not honour the condition " + probe.condition + ", so it cannot keep two machines apart: use one that has conditional writes"}
		}
		if err != nil {
			_ = b.objects.delete(context.WithoutCancel(ctx), b.markerName())
			return err
		}
	}
	return nil
}

// isRefused writes the marker under a condition, until the storage has refused that or has written the marker.
func (b *Bucket) isRefused(ctx context.Context, tag string) (done bool, err error) {
	wait := waiting{}
	for range maxRefusals {
		_, err = b.request(ctx, func(ctx context.Context) (object, error) {
			return b.objects.put(ctx, b.markerName(), []byte("ixtoken: the storage honours conditional writes\n"), tag)
		})
		switch outcome := outcomeOf(err); {
		case outcome == refused:
			return false, nil
		case outcome == doubtful && !isLate(err):
			if problem := wait.pause(ctx); problem != nil {
				return false, problem
			}
		default:
			return err == nil, err
		}
	}
	return false, err
}

// markerName returns the name of the marker object. If the content of a bucket is copied to another storage, the marker has
// no meaning there.
func (b *Bucket) markerName() string {
	digest := sum(b.about.Endpoint, b.about.Bucket)
	return "conditions-" + hex.EncodeToString(digest[:8])
}
