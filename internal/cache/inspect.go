// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// Entry is what can be said about an entry without the secrets that it is encrypted with.
type Entry struct {
	Name        string // a digest
	Written     time.Time
	UsefulUntil time.Time // nothing in it is of use after that
	Size        int64     // bytes
}

// Entries returns the entries that Clear would remove, by the time when they were written. A token and a rejection of one name
// are one entry.
func (d *Directory) Entries(context.Context) ([]Entry, error) {
	names, err := d.names()
	if err != nil {
		return nil, printable.WithoutPath(err)
	}
	var entries []Entry
	for _, name := range names {
		entry, ok := d.entry(name, Token)
		if !ok {
			entry, ok = d.entry(name, Rejection)
		}
		if ok {
			entries = append(entries, entry)
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Written.Compare(b.Written) })
	return entries, nil
}

// entry returns what can be said about an entry; false: there is none, it was removed in the meantime, or it is another file.
func (d *Directory) entry(name Name, part Part) (Entry, bool) {
	info, err := d.root.Lstat(name.file(part))
	if err != nil {
		return Entry{}, false
	}
	header, err := d.read(name.file(part), int64(headerSize))
	until, ok := entryUsefulUntil(header)
	return Entry{strings.TrimPrefix(string(name), entryPrefix), info.ModTime(), until, info.Size()}, err == nil && ok
}

// Clear removes all entries but those whose lock another process holds. It keeps the marks: what was used stays spent.
func (d *Directory) Clear(context.Context) (removed, inUse int, err error) {
	names, err := d.names()
	if err != nil {
		return 0, 0, printable.WithoutPath(err)
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
				err = printable.WithoutPath(problem)
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
