// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

const (
	// entryPrefix contains the version of the format. Two versions of this program never touch each other's entries.
	entryPrefix = "v2-"
	// markPrefix contains no version: a refresh token that one version has marked as spent is spent for all versions.
	markPrefix = "spent-"

	markSuffix   = ".mark"
	lockSuffix   = ".lock"
	writeSuffix  = ".new"
	maxEntrySize = 1 << 20 // bytes; two tokens of the greatest size fit, each byte escaped in JSON

	// lockPoll and lockPollMax are the first and the longest pause between two attempts to take a lock that another
	// process holds. The pauses double, so that hundreds of waiting processes leave the processor to the one that
	// works. A random part, up to half of each pause, is left out. Otherwise all processes would try at the same
	// moments, and only one of them would get the lock.
	lockPoll    = 10 * time.Millisecond
	lockPollMax = 160 * time.Millisecond

	// unknownLife is how long an entry is kept if it is not known when it becomes useless. It is the lifetime of Equinix's
	// refresh tokens.
	unknownLife = 60 * 24 * time.Hour
	// unknownSpent is how long a mark is kept if the lifetime of what it marks is unknown.
	unknownSpent = 365 * 24 * time.Hour
	// heldFor is how long a mark of hold is kept. No process lasts longer.
	heldFor = 7 * 24 * time.Hour

	maxLinks = 40 // in the path of the directory, as on Linux
)

// own matches the names of the cache's own files.
var own = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(` + entryPrefix + `|` + markPrefix + `)[0-9a-f]{32}\.(token|rejected|mark|lock|new)$`)
})

// Directory is a Store for the processes of one user on this machine. A Name has an entry of each Part, and one lock. A
// process holds the lock while it reads the entries, finds out what they shall hold, and stores that. What may be done only
// once has a mark, which is a file of its own, with a lock of its own.
//
// All files are opened through a handle of the directory. If another directory takes its place, this process continues
// with the one that it has checked.
type Directory struct {
	dir  string
	root *os.Root
	// uncertain is why a mark may get lost; nil: it lasts. If another user can replace the directory by an old copy, a mark
	// is gone.
	uncertain error
}

// Open returns the store in dir, and creates dir if it is missing. It refuses a directory in which other users could put
// files. The entries are encrypted, but a lock that other users can take protects nothing. Its errors do not contain dir.
func Open(dir string) (*Directory, error) {
	dir = filepath.Clean(dir) // a slash at the end would make Lstat follow a link
	unmade := os.MkdirAll(dir, 0o700)
	info, err := os.Lstat(dir)
	switch {
	case unmade != nil && err != nil:
		return nil, fmt.Errorf("it cannot be made (%w)", printable.WithoutPath(unmade))
	case err != nil:
		return nil, fmt.Errorf("it cannot be read (%w)", printable.WithoutPath(err))
	case !info.IsDir():
		return nil, errors.New("it is a link or a file, not a directory")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read (%w)", printable.WithoutPath(err))
	}
	d := &Directory{dir: dir, root: root}
	if !d.inPlace() {
		err = errMoved
	} else {
		err = ownAlone(info)
	}
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	d.uncertain = certain(dir, maxLinks)
	d.sweep(time.Now())
	return d, nil
}

// Close gives the handle of the directory back.
func (d *Directory) Close() error { return d.root.Close() }

// errMoved means that the directory is no longer at its path.
var errMoved = errors.New("it was moved or replaced in the meantime")

// inPlace reports whether the directory is still at its path.
func (d *Directory) inPlace() bool {
	held, err := d.root.Stat(".")
	if err != nil {
		return false
	}
	there, err := os.Lstat(d.dir)
	return err == nil && os.SameFile(held, there)
}

// WhyMarksMayBeLost returns why a mark in the directory would not last; nil: it lasts.
func (d *Directory) WhyMarksMayBeLost() error {
	if !d.inPlace() {
		return errMoved
	}
	return d.uncertain
}

// certain returns why another user could put another directory in the place of dir; nil: no other user can. It looks at
// every directory that the path passes, and at those that the links in it pass.
func certain(dir string, links int) error {
	path, err := filepath.Abs(dir)
	for err == nil && filepath.Dir(path) != path {
		path = filepath.Dir(path)
		var info fs.FileInfo
		switch info, err = os.Lstat(path); {
		case err != nil:
		case info.Mode()&fs.ModeSymlink == 0:
			err = cannotBeReplaced(info)
		case links == 0:
			err = errors.New("there are too many links above it")
		default:
			var target string
			if target, err = follow(path); err == nil {
				err = certain(filepath.Join(target, "below"), links-1)
			}
		}
	}
	return printable.WithoutPath(err)
}

// follow returns the target of a link.
func follow(link string) (string, error) {
	target, err := os.Readlink(link)
	if err != nil || filepath.IsAbs(target) {
		return target, err
	}
	above, err := filepath.EvalSymlinks(filepath.Dir(link)) // the target may begin with ".."
	return filepath.Join(above, target), err
}

// Local reports true.
func (d *Directory) Local() bool { return true }

// Claim takes the lock of a key.
func (d *Directory) Claim(ctx context.Context, key Key, enough func(Found) bool) (Claim, error) {
	release, err := d.lock(ctx, key.Name)
	if err != nil {
		return nil, err
	}
	if enough(d.Look(ctx, key)) {
		release()
		return nil, nil
	}
	return &locked{d, key, release}, nil
}

// locked is a Claim of a Directory.
type locked struct {
	directory *Directory
	key       Key
	release   func()
}

func (c *locked) Store(part Part, content []byte, useful time.Time) error {
	return c.directory.store(c.key, part, content, useful)
}

func (c *locked) Release() { c.release() }

func (c *locked) Ahead() time.Duration { return 0 }

// Spend takes the lock of a mark, and creates the mark.
func (d *Directory) Spend(ctx context.Context, mark Mark) (Spending, error) {
	release, err := d.lock(ctx, mark.Name)
	if err != nil {
		return nil, err
	}
	err = d.mark(mark)
	if err == nil && mark.Key1 != nil {
		if err = d.mark1(ctx, *mark.Key1, true); err != nil && !errors.Is(err, ErrSpent) {
			d.unmark(mark.Name) // nothing is sent
		}
	}
	if err != nil {
		release()
		return nil, err
	}
	return &marked{d, mark, release}, nil
}

// marked is a Spending of a Directory.
type marked struct {
	directory *Directory
	mark      Mark
	release   func()
}

func (m *marked) Unmark() {
	m.directory.unmark(m.mark.Name)
	m.unmark1()
}

func (m *marked) Hold() {
	m.directory.hold(m.mark.Name)
	m.unmark1()
}

func (m *marked) Release() { m.release() }

// unmark1 removes the mark of the first version. If a process of that version holds its lock, the mark stays, and costs that
// version a login.
func (m *marked) unmark1() {
	if m.mark.Key1 == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = m.directory.mark1(ctx, *m.mark.Key1, false)
}

// lock waits for a lock until ctx ends. release gives the lock back.
func (d *Directory) lock(ctx context.Context, name Name) (release func(), err error) {
	for pause := lockPoll; ; pause = min(2*pause, lockPollMax) {
		release, err := d.tryLock(name)
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
func (d *Directory) tryLock(name Name) (release func(), err error) {
	path := string(name) + lockSuffix
	file, err := d.open(path, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, printable.WithoutPath(err)
	}
	release = func() { unlockFile(file); _ = file.Close() }
	switch held, err := lockFile(file); {
	case err != nil:
		_ = file.Close()
		return nil, printable.WithoutPath(err)
	case !held:
		_ = file.Close()
		return nil, nil
	case !d.isAt(path, file): // a sweep removed the file between open and lock, so other processes do not see this lock
		release()
		return nil, nil
	}
	return release, nil
}

// isAt reports whether file is the one with the name.
func (d *Directory) isAt(name string, file *os.File) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := d.root.Lstat(name)
	return err == nil && os.SameFile(held, there)
}

// errUnfit means that the file in the place of one of the cache's own cannot be one.
var errUnfit = errors.New("not a regular file of a fitting size")

// open opens a file. It does not follow links, and does not wait for pipes.
func (d *Directory) open(name string, flags int) (*os.File, error) {
	info, err := d.root.Lstat(name)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxEntrySize) {
		return nil, errUnfit
	}
	return d.root.OpenFile(name, flags|noWait, 0o600)
}

// read returns at most the given number of bytes from the start of a file.
func (d *Directory) read(name string, most int64) ([]byte, error) {
	file, err := d.open(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only reads
	return io.ReadAll(io.LimitReader(file, most))
}

// replace puts data into the place of an entry. The caller holds the lock of name, so no other process uses the temporary file.
func (d *Directory) replace(name Name, part Part, data []byte) error {
	temporary := string(name) + writeSuffix
	err := d.create(temporary, data)
	if err == nil {
		err = replace(d.root, temporary, name.file(part))
	}
	if err != nil {
		_ = d.root.Remove(temporary)
		return printable.WithoutPath(err)
	}
	return nil
}

// create writes a new file, or replaces an old one. The data is on the disk when it returns.
func (d *Directory) create(name string, data []byte) error {
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.createOnce(name, data)
}

// createOnce writes a new file. Its error is fs.ErrExist if there is something with this name. The data is on the disk
// when it returns.
func (d *Directory) createOnce(name string, data []byte) error {
	file, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

// mark creates a mark. The caller holds its lock. The mark is on the disk when it returns.
func (d *Directory) mark(mark Mark) error {
	end := mark.Ends
	if end.IsZero() {
		end = time.Now().Add(unknownSpent)
	}
	path := string(mark.Name) + markSuffix
	if content, err := d.read(path, int64(headerSize)); err == nil {
		switch since, held := heldSince(content); {
		case held && since.After(mark.Began):
			return ErrHeld
		case held:
			d.unmark(mark.Name)
		}
	}
	err := d.createOnce(path, strconv.AppendInt(nil, end.Unix(), 10))
	switch {
	case errors.Is(err, fs.ErrExist):
		return ErrSpent
	case err == nil:
		err = syncDirectory(d.root)
	}
	if err != nil {
		_ = d.root.Remove(path)
		return printable.WithoutPath(err)
	}
	return nil
}

// hold lets only those use what has the name again that begin after now. The caller has marked it. If the mark cannot be
// replaced, it stays.
func (d *Directory) hold(name Name) {
	path := string(name) + markSuffix
	if d.create(string(name)+writeSuffix, strconv.AppendInt([]byte(holdPrefix), time.Now().UnixNano(), 10)) == nil {
		_ = replace(d.root, string(name)+writeSuffix, path)
	}
}

// holdPrefix is the start of a mark that hold has written. The time follows, in nanoseconds since 1970.
const holdPrefix = "held "

// heldSince returns the time in a mark that hold has written.
func heldSince(content []byte) (since time.Time, ok bool) {
	text, ok := strings.CutPrefix(string(content), holdPrefix)
	nanoseconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(0, nanoseconds), ok && err == nil
}

// unmark removes a mark. If it cannot be removed, what it marks is not used again: that costs a login.
func (d *Directory) unmark(name Name) { _ = d.root.Remove(string(name) + markSuffix) }

// sweep removes what is no longer useful: expired entries and marks, and temporary files of processes that were killed.
// It needs no key. It does not wait for locks, so it skips what is in use.
func (d *Directory) sweep(now time.Time) {
	names, err := d.names()
	if err != nil {
		return
	}
	for _, name := range names {
		release, err := d.tryLock(name)
		if release == nil || err != nil {
			continue
		}
		_ = d.root.Remove(string(name) + writeSuffix)
		empty := true
		for _, path := range []string{name.file(Token), name.file(Rejection), string(name) + markSuffix} {
			if d.expired(path, now) {
				_ = d.root.Remove(path)
			} else {
				empty = false
			}
		}
		if empty {
			removeLock(d.root, string(name)+lockSuffix, release)
		} else {
			release()
		}
	}
}

// names returns the names of the cache's own files, without what follows the dot.
func (d *Directory) names() ([]Name, error) {
	files, err := fs.ReadDir(d.root.FS(), ".")
	var names []Name
	for _, file := range files {
		if own().MatchString(file.Name()) { // the directory may also hold other files
			names = append(names, Name(strings.TrimSuffix(file.Name(), filepath.Ext(file.Name()))))
		}
	}
	return slices.Compact(names), err // they are sorted
}

// expired reports whether a file is missing or no longer useful. A file that cannot be read is kept. So is any other file
// in its place, for as long as it could be useful: Look reports it, and store replaces it.
func (d *Directory) expired(name string, now time.Time) bool {
	longest, usefulUntil := unknownLife, entryUsefulUntil
	if strings.HasSuffix(name, markSuffix) {
		longest, usefulUntil = unknownSpent, markUsefulUntil
	}
	head, err := d.read(name, int64(headerSize))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true
	case err != nil && !errors.Is(err, errUnfit):
		return false
	}
	if until, ok := usefulUntil(head); ok {
		return now.After(until)
	}
	info, err := d.root.Lstat(name)
	return err == nil && now.After(info.ModTime().Add(longest))
}

// markUsefulUntil returns when what the mark with this content marks has ended. No process lasts longer than heldFor.
func markUsefulUntil(content []byte) (time.Time, bool) {
	if since, held := heldSince(content); held {
		return since.Add(heldFor), true
	}
	seconds, err := strconv.ParseInt(string(content), 10, 64)
	return time.Unix(seconds, 0), err == nil
}
