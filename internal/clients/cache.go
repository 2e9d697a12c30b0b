// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// entryPrefix contains the version of the format. Two versions of this program never touch each other's entries.
	entryPrefix = "v2-"
	// markPrefix contains no version: a refresh token that one version has marked as spent is spent for all versions.
	markPrefix = "spent-"

	entrySuffix     = ".token"
	rejectionSuffix = ".rejected"
	markSuffix      = ".mark"
	lockSuffix      = ".lock"
	writeSuffix     = ".new"
	maxEntrySize    = 1 << 20 // bytes; two tokens of the greatest size fit, each byte escaped in JSON

	// lockWait bounds the wait for the lock of another process. It is longer than any process holds the lock.
	lockWait = budget + 10*time.Second

	// lockPoll and lockPollMax are the first and the longest pause between two attempts to take a lock that another
	// process holds. The pauses double, so that hundreds of waiting processes leave the processor to the one that
	// works. A random part, up to half of each pause, is left out. Otherwise all processes would try at the same
	// moments, and only one of them would get the lock.
	lockPoll    = 10 * time.Millisecond
	lockPollMax = 160 * time.Millisecond

	// unknownLife is how long an entry is kept if the lifetime of its refresh token is unknown. It is the lifetime of
	// Equinix's refresh tokens.
	unknownLife = 60 * 24 * time.Hour
	// unknownSpent is how long a mark is kept if the lifetime of what it marks is unknown.
	unknownSpent = 365 * 24 * time.Hour
)

// own matches the names of the cache's own files.
var own = lazily(`^(` + entryPrefix + `|` + markPrefix + `)[0-9a-f]{32}\.(token|rejected|mark|lock|new)$`)

// Cache is a directory in which the processes of one user share tokens. A request has an entry for its token, another
// for its rejection, and one lock. A process holds the lock while it reads the entries, sends the request and stores the
// result. Entries are encrypted: see entry.go. A refresh token that was sent has a mark, which is a file of its own.
//
// All files are opened through a handle of the directory. If another directory takes its place, this process continues
// with the one that it has checked.
type Cache struct {
	dir  string
	root *os.Root
	// uncertain is why refresh tokens are neither stored nor sent; nil: they are. If another user can replace the
	// directory by an old copy, a mark is lost, and its refresh token would be sent again.
	uncertain error
}

// OpenCache returns the cache in dir, and creates dir if it is missing. It refuses a directory in which other users
// could put files. The entries are encrypted, but a lock that other users can take protects nothing. Its errors do not
// contain dir.
func OpenCache(dir string) (*Cache, error) {
	dir = filepath.Clean(dir) // a slash at the end would make Lstat follow a link
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("it cannot be made (%w)", reason(err))
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it cannot be read (%w)", reason(err))
	case !info.IsDir():
		return nil, errors.New("it is a link or a file, not a directory")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read (%w)", reason(err))
	}
	k := &Cache{dir: dir, root: root}
	if !k.inPlace() {
		err = errMoved
	} else {
		err = ownAlone(info)
	}
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	k.uncertain = certain(dir)
	k.sweep(time.Now())
	return k, nil
}

// errMoved means that the directory is no longer at its path.
var errMoved = errors.New("it was moved or replaced in the meantime")

// inPlace reports whether the directory is still at its path.
func (k *Cache) inPlace() bool {
	held, err := k.root.Stat(".")
	if err != nil {
		return false
	}
	there, err := os.Lstat(k.dir)
	return err == nil && os.SameFile(held, there)
}

// keepsMarks returns why a mark in the directory would not last; nil: it lasts.
func (k *Cache) keepsMarks() error {
	if !k.inPlace() {
		return errMoved
	}
	return k.uncertain
}

// certain returns why another user could put another directory in the place of dir; nil: no other user can.
func certain(dir string) error {
	resolved, err := filepath.EvalSymlinks(dir)
	if err == nil {
		resolved, err = filepath.Abs(resolved)
	}
	for err == nil && filepath.Dir(resolved) != resolved {
		resolved = filepath.Dir(resolved)
		var info fs.FileInfo
		if info, err = os.Lstat(resolved); err == nil {
			err = cannotBeReplaced(info)
		}
	}
	return reason(err)
}

// reason returns an error of the file system without the path. The caller names the path.
func reason(err error) error {
	if number := syscall.Errno(0); errors.As(err, &number) {
		return number
	}
	return err
}

// lock waits for a lock until ctx ends. release gives the lock back.
func (k *Cache) lock(ctx context.Context, name string) (release func(), err error) {
	for pause := lockPoll; ; pause = min(2*pause, lockPollMax) {
		release, err := k.tryLock(name)
		if release != nil || err != nil {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause - mathrand.N(pause/2)): //nolint:gosec // a wait is no secret
		}
	}
}

// tryLock takes a lock without waiting. release gives the lock back; nil: another process has the lock.
func (k *Cache) tryLock(name string) (release func(), err error) {
	file, err := k.open(name+lockSuffix, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, reason(err)
	}
	release = func() { unlockFile(file); _ = file.Close() }
	switch held, err := lockFile(file); {
	case err != nil:
		_ = file.Close()
		return nil, reason(err)
	case !held:
		_ = file.Close()
		return nil, nil
	case !k.isAt(name+lockSuffix, file): // a sweep removed the file between open and lock, so other processes do not see this lock
		release()
		return nil, nil
	}
	return release, nil
}

// isAt reports whether file is the one with the name.
func (k *Cache) isAt(name string, file *os.File) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := k.root.Lstat(name)
	return err == nil && os.SameFile(held, there)
}

// errUnfit means that the file in the place of one of the cache's own cannot be one.
var errUnfit = errors.New("not a regular file of a fitting size")

// open opens a file. It does not follow links, and does not wait for pipes.
func (k *Cache) open(name string, flags int) (*os.File, error) {
	info, err := k.root.Lstat(name)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxEntrySize) {
		return nil, errUnfit
	}
	return k.root.OpenFile(name, flags|noWait, 0o600)
}

// read returns at most the given number of bytes from the start of a file.
func (k *Cache) read(name string, most int64) ([]byte, error) {
	file, err := k.open(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only reads
	return io.ReadAll(io.LimitReader(file, most))
}

// write replaces the file name+suffix. The caller holds the lock of name, so no other process uses the temporary file.
func (k *Cache) write(name, suffix string, data []byte) error {
	err := k.create(name+writeSuffix, data)
	if err == nil {
		err = replace(k.root, name+writeSuffix, name+suffix)
	}
	if err != nil {
		_ = k.root.Remove(name + writeSuffix)
		return reason(err)
	}
	return nil
}

// create writes a new file, or replaces an old one. The data is on the disk when it returns.
func (k *Cache) create(name string, data []byte) error {
	if err := k.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return k.createOnce(name, data)
}

// createOnce writes a new file. Its error is fs.ErrExist if there is something with this name. The data is on the disk
// when it returns.
func (k *Cache) createOnce(name string, data []byte) error {
	file, err := k.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// mark marks what has the name as spent until end, before it is sent; zero: its end is not known. mark returns false if
// it was marked before. The mark is on the disk when mark returns.
func (k *Cache) mark(name string, end time.Time) (first bool, err error) {
	if end.IsZero() {
		end = time.Now().Add(unknownSpent)
	}
	name += markSuffix
	err = k.createOnce(name, strconv.AppendInt(nil, end.Unix(), 10))
	switch {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err == nil:
		err = syncDirectory(k.root)
	}
	if err != nil {
		_ = k.root.Remove(name)
		return false, reason(err)
	}
	return true, nil
}

// unmark removes a mark. If it cannot be removed, what it marks is not sent again: that costs a login.
func (k *Cache) unmark(name string) { _ = k.root.Remove(name + markSuffix) }

// sweep removes what is no longer useful: expired entries and marks, and temporary files of processes that were killed.
// It needs no key. It does not wait for locks, so it skips what is in use.
func (k *Cache) sweep(now time.Time) {
	names, err := k.names()
	if err != nil {
		return
	}
	for _, name := range names {
		release, err := k.tryLock(name)
		if release == nil || err != nil {
			continue
		}
		_ = k.root.Remove(name + writeSuffix)
		empty := true
		for _, suffix := range []string{entrySuffix, rejectionSuffix, markSuffix} {
			if k.expired(name+suffix, now) {
				_ = k.root.Remove(name + suffix)
			} else {
				empty = false
			}
		}
		if empty {
			removeLock(k.root, name+lockSuffix, release)
		} else {
			release()
		}
	}
}

// names returns the names of the cache's own files, without what follows the dot.
func (k *Cache) names() ([]string, error) {
	files, err := fs.ReadDir(k.root.FS(), ".")
	var names []string
	for _, file := range files {
		if own().MatchString(file.Name()) { // the directory may also hold other files
			names = append(names, strings.TrimSuffix(file.Name(), filepath.Ext(file.Name())))
		}
	}
	return slices.Compact(names), err // they are sorted
}

// expired reports whether a file is missing or no longer useful. A file that cannot be read is kept. So is any other file
// in its place, for as long as it could be useful: load reports it, and save replaces it.
func (k *Cache) expired(name string, now time.Time) bool {
	longest, usefulUntil := unknownLife, entryUsefulUntil
	if strings.HasSuffix(name, markSuffix) {
		longest, usefulUntil = unknownSpent, markUsefulUntil
	}
	head, err := k.read(name, int64(headerSize))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true
	case err != nil && !errors.Is(err, errUnfit):
		return false
	}
	if until, ok := usefulUntil(head); ok {
		return now.After(until)
	}
	info, err := k.root.Lstat(name)
	return err == nil && now.After(info.ModTime().Add(longest))
}

// markUsefulUntil returns when what the mark with this content marks has ended.
func markUsefulUntil(content []byte) (time.Time, bool) {
	seconds, err := strconv.ParseInt(string(content), 10, 64)
	return time.Unix(seconds, 0), err == nil
}
