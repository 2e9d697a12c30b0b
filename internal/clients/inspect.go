// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Entry is what can be said about an entry of the cache without the secret that it is encrypted with.
type Entry struct {
	Name        string // a digest
	Written     time.Time
	UsefulUntil time.Time // nothing in it is of use after that
	Size        int64     // bytes
}

// Entries returns the entries that hold a token, by the time when they were written.
func (k *Cache) Entries() ([]Entry, error) {
	names, err := k.names()
	if err != nil {
		return nil, reason(err)
	}
	var entries []Entry
	for _, name := range names {
		info, err := k.root.Lstat(name + entrySuffix)
		if err != nil {
			continue // a lock or a mark, or removed in the meantime
		}
		header, err := k.read(name+entrySuffix, int64(headerSize))
		until, ok := entryUsefulUntil(header)
		if err != nil || !ok {
			continue // it is no entry
		}
		entries = append(entries, Entry{strings.TrimPrefix(name, entryPrefix), info.ModTime(), until, info.Size()})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Written.Compare(b.Written) })
	return entries, nil
}

// Clear removes all tokens and rejections but those whose lock another process holds. It keeps the marks: a refresh token
// that was sent stays spent.
func (k *Cache) Clear() (removed, inUse int, err error) {
	names, err := k.names()
	if err != nil {
		return 0, 0, reason(err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, entryPrefix) {
			continue
		}
		release, err := k.tryLock(name)
		switch {
		case err != nil:
			return removed, inUse, err
		case release == nil:
			inUse++
			continue
		}
		_ = k.root.Remove(name + writeSuffix)
		found := false
		for _, suffix := range []string{rejectionSuffix, entrySuffix} {
			problem := k.root.Remove(name + suffix)
			found = found || problem == nil
			if problem != nil && !errors.Is(problem, fs.ErrNotExist) {
				err = reason(problem)
			}
		}
		removeLock(k.root, name+lockSuffix, release)
		if err != nil {
			return removed, inUse, err
		}
		if found {
			removed++
		}
	}
	return removed, inUse, nil
}
