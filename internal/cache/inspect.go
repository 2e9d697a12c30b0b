// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Entry is what can be said about an entry without the secrets that it is encrypted with.
type Entry struct {
	Name        string // a digest
	Written     time.Time
	UsefulUntil time.Time // nothing in it is of use after that
	Size        int64     // bytes
}

// Entries returns the entries that hold a token, by the time when they were written.
func (d *Directory) Entries() ([]Entry, error) {
	names, err := d.names()
	if err != nil {
		return nil, reason(err)
	}
	var entries []Entry
	for _, name := range names {
		info, err := d.root.Lstat(name.file(Token))
		if err != nil {
			continue // a lock or a mark, or removed in the meantime
		}
		header, err := d.read(name.file(Token), int64(headerSize))
		until, ok := entryUsefulUntil(header)
		if err != nil || !ok {
			continue // it is no entry
		}
		entries = append(entries, Entry{strings.TrimPrefix(string(name), entryPrefix), info.ModTime(), until, info.Size()})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Written.Compare(b.Written) })
	return entries, nil
}

// Clear removes all entries but those whose lock another process holds. It keeps the marks: what was used stays spent.
func (d *Directory) Clear() (removed, inUse int, err error) {
	names, err := d.names()
	if err != nil {
		return 0, 0, reason(err)
	}
	for _, name := range names {
		if !strings.HasPrefix(string(name), entryPrefix) {
			continue
		}
		release, err := d.tryLock(name)
		switch {
		case err != nil:
			return removed, inUse, err
		case release == nil:
			inUse++
			continue
		}
		_ = d.root.Remove(string(name) + writeSuffix)
		found := false
		for _, part := range []Part{Rejection, Token} {
			problem := d.root.Remove(name.file(part))
			found = found || problem == nil
			if problem != nil && !errors.Is(problem, fs.ErrNotExist) {
				err = reason(problem)
			}
		}
		removeLock(d.root, string(name)+lockSuffix, release)
		if err != nil {
			return removed, inUse, err
		}
		if found {
			removed++
		}
	}
	return removed, inUse, nil
}
