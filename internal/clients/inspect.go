// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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

// Entries returns the entries, by the time when they were written.
func (k *Cache) Entries() ([]Entry, error) {
	names, err := k.names()
	if err != nil {
		return nil, reason(err)
	}
	var entries []Entry
	for _, name := range names {
		path := filepath.Join(k.dir, name+entrySuffix)
		info, err := os.Lstat(path)
		if err != nil {
			continue // a lock alone, or removed in the meantime
		}
		header, err := readEntry(path, int64(headerSize))
		if err != nil || len(header) < headerSize || string(header[:len(entryMagic)]) != entryMagic {
			continue // it is no entry
		}
		until := time.Unix(int64(binary.BigEndian.Uint64(header[len(entryMagic):])), 0) //nolint:gosec // as it was written
		entries = append(entries, Entry{strings.TrimPrefix(name, entryPrefix), info.ModTime(), until, info.Size()})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Written.Compare(b.Written) })
	return entries, nil
}

// Clear removes all entries but those whose lock another process holds.
func (k *Cache) Clear() (removed, inUse int, err error) {
	names, err := k.names()
	if err != nil {
		return 0, 0, reason(err)
	}
	for _, name := range names {
		path := filepath.Join(k.dir, name)
		release, err := tryLock(path + lockSuffix)
		switch {
		case err != nil:
			return removed, inUse, err
		case release == nil:
			inUse++
			continue
		}
		_ = os.Remove(path + writeSuffix)
		err = os.Remove(path + entrySuffix)
		removeLock(path+lockSuffix, release)
		switch {
		case err == nil:
			removed++
		case !errors.Is(err, fs.ErrNotExist):
			return removed, inUse, reason(err)
		}
	}
	return removed, inUse, nil
}
