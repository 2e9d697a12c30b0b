// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// entryNames matches the names of the objects of entries. A bucket may also hold other objects.
var entryNames = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^` + entryPrefix + `[0-9a-f]{32}\.entry$`)
})

// Entries reads all entries. It needs the right to list.
func (b *Bucket) Entries(ctx context.Context) ([]Entry, error) {
	var entries []Entry
	err := b.each(ctx, func(name Name, found entryObject) error {
		if found.isUsed() {
			entries = append(entries, Entry{
				strings.TrimPrefix(string(name), entryPrefix), found.content.Written, found.content.usefulUntil(),
				int64(len(found.content.encode())),
			})
		}
		return nil
	})
	slices.SortFunc(entries, func(a, b Entry) int { return a.Written.Compare(b.Written) })
	return entries, err
}

// Clear removes the objects of all entries but those that a process has claimed.
func (b *Bucket) Clear(ctx context.Context) (removed, inUse int, err error) {
	err = b.each(ctx, func(name Name, found entryObject) error {
		if found.isClaimed(b.clock.now()) {
			inUse++
			return nil
		}
		_, err := b.request(ctx, func(ctx context.Context) (object, error) {
			return object{}, b.objects.delete(ctx, string(name)+entrySuffix)
		})
		if err == nil && found.isUsed() {
			removed++
		}
		return err
	})
	return removed, inUse, err
}

// isUsed reports whether a process has stored something in the object.
func (o entryObject) isUsed() bool { return len(o.content.Token)+len(o.content.Rejected) > 0 }

// each reads the objects of all entries.
func (b *Bucket) each(ctx context.Context, do func(Name, entryObject) error) error {
	names, err := b.objects.list(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !entryNames().MatchString(name) {
			continue
		}
		entry := Name(strings.TrimSuffix(name, entrySuffix))
		found, err := b.read(ctx, entry)
		if err == nil && found.tag != "" {
			err = do(entry, found)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
