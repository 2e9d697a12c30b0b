// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	d, now := opened(t, dir), time.Now()
	path := func(text, suffix string) string { return filepath.Join(dir, string(keyOf(text).Name)+suffix) }
	locks := map[string]func(){}
	for text, useful := range map[string]time.Time{
		"live": now.Add(time.Hour), "over": now.Add(-time.Hour), "rejected": now.Add(-time.Hour), "held": now.Add(-time.Hour), "orphan": now.Add(-time.Hour),
	} {
		must(t, d.store(keyOf(text), Token, []byte("content"), useful))
		write(t, path(text, writeSuffix), []byte("half"))
		if text != "orphan" {
			locks[text] = lockFor(t, d, keyOf(text))
		}
	}
	must(t, d.store(keyOf("rejected"), Rejection, []byte("content"), now.Add(time.Minute)))
	locks["killed"] = lockFor(t, d, keyOf("killed"))
	write(t, path("killed", writeSuffix), []byte("half"))
	for text, release := range locks {
		if text != "held" {
			release()
		}
	}
	d.sweep(now)
	want := map[string]string{"live": "token lock", "over": "", "rejected": "rejected lock", "killed": "", "held": "token lock new", "orphan": ""}
	check := func() {
		t.Helper()
		for text, names := range want {
			for _, suffix := range []string{string(Token), string(Rejection), lockSuffix, writeSuffix} {
				_, err := os.Lstat(path(text, suffix))
				if (err == nil) != strings.Contains(names, suffix[1:]) {
					t.Errorf("%s: %s is there: %t", text, suffix, err == nil)
				}
			}
		}
	}
	check()
	locks["held"]()
	opened(t, dir) // as the next process
	want["held"] = ""
	check()
	d.sweep(now.Add(unknownLife + time.Hour))
	if names := filesIn(t, dir, ""); len(names) != 0 {
		t.Errorf("left in the end: %q", names)
	}
}

// An entry whose end is not known is kept for unknownLife. So is a file that is no valid entry, so that a process can report it.
// Then a sweep removes both.
func TestWhatIsNoEntryIsSweptLater(t *testing.T) {
	dir := t.TempDir()
	d, now := opened(t, dir), time.Now()
	must(t, d.store(keyOf("without an end"), Token, []byte("content"), time.Time{}))
	write(t, filepath.Join(dir, keyOf("damaged").Name.file(Token)), []byte("damaged"))
	must(t, os.Mkdir(filepath.Join(dir, keyOf("directory").Name.file(Token)), 0o700))
	d.sweep(now.Add(unknownLife - time.Hour))
	if names := filesIn(t, dir, string(Token)); len(names) != 3 {
		t.Errorf("left are %q, want all three", names)
	}
	d.sweep(now.Add(unknownLife + time.Hour))
	if names := filesIn(t, dir, ""); len(names) != 0 {
		t.Errorf("left in the end: %q", names)
	}
}

func TestALockHasOneHolderDuringSweeps(t *testing.T) {
	dir := t.TempDir()
	d, name := opened(t, dir), keyOf("a").Name
	var workers sync.WaitGroup
	var inside, most, held atomic.Int32
	for range 4 {
		workers.Go(func() {
			for range 3000 {
				release, err := d.tryLock(name)
				if err != nil {
					t.Error(err)
					return
				}
				if release == nil {
					continue
				}
				held.Add(1)
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				for range 10 { // long enough for others to try
					_, _ = os.Lstat(dir)
					runtime.Gosched()
				}
				inside.Add(-1)
				_ = d.root.Remove(string(name) + lockSuffix) // as a sweep does
				release()
			}
		})
	}
	workers.Wait()
	if most.Load() != 1 || held.Load() == 0 {
		t.Errorf("%d held the lock at once", most.Load())
	}
	nothingOpen(t, dir)
}

func TestEntriesOfAnotherVersionAreLeftAlone(t *testing.T) { // F18
	dir, key := t.TempDir(), keyOf("a")
	digits := strings.TrimPrefix(key.Name.file(Token), entryPrefix)
	others := []string{"v1-" + digits, "v3-" + digits, "v3-0.lock", "v3-0.new", "README", "v2-notes.txt", "v2-api.token", "v2-report.new", "v2-Gemfile.lock", "spent-.mark", "spent-report.mark"}
	for _, other := range others {
		write(t, filepath.Join(dir, other), []byte("of others"))
	}
	d := opened(t, dir)
	must(t, d.store(key, Token, []byte("content"), inAnHour()))
	d.sweep(time.Now().Add(100 * 365 * 24 * time.Hour))
	if _, _, err := d.Clear(t.Context()); err != nil {
		t.Error(err)
	}
	for _, other := range others {
		if string(read(t, filepath.Join(dir, other))) != "of others" {
			t.Errorf("%s was changed", other)
		}
	}
}

// A mark is set once, and then it is on the disk.
func TestAMarkIsSetOnce(t *testing.T) {
	dir, name := t.TempDir(), MarkName(keyOf("a").Bound)
	for i := range 4 {
		err := opened(t, dir).mark(Mark{Name: name, Began: time.Now(), Ends: inAnHour()})
		if first := err == nil; first != (i%2 == 0) || !first && !errors.Is(err, ErrSpent) {
			t.Errorf("call %d: %v", i, err)
		}
		if i%2 == 1 {
			opened(t, dir).unmark(name)
		}
	}
}

// Entries lists what Clear removes. Neither touches a mark, nor an entry that another process has locked.
func TestWhatIsListedIsCleared(t *testing.T) {
	dir := t.TempDir()
	d := opened(t, dir)
	for text, parts := range map[string][]Part{"token": {Token}, "rejection": {Rejection}, "both": {Token, Rejection}, "in use": {Token}} {
		for _, part := range parts {
			must(t, d.store(keyOf(text), part, []byte("content"), inAnHour()))
		}
	}
	err := d.mark(Mark{Name: MarkName(keyOf("a").Bound), Ends: inAnHour()})
	must(t, err)
	release := lockFor(t, d, keyOf("in use"))
	for range 2 {
		listed, err := d.Entries(t.Context())
		must(t, err)
		removed, inUse, err := d.Clear(t.Context())
		if must(t, err); removed+inUse != len(listed) || inUse != 1 {
			t.Errorf("%d entries removed and %d in use of %d", removed, inUse, len(listed))
		}
	}
	release()
	if removed, inUse, err := d.Clear(t.Context()); removed != 1 || inUse != 0 || err != nil {
		t.Errorf("%d entries removed and %d in use: %v", removed, inUse, err)
	}
	if names := filesIn(t, dir, ""); len(names) != 1 || !strings.HasSuffix(names[0], markSuffix) {
		t.Errorf("left are %q, want the mark", names)
	}
}

// A mark outlives what it marks. If nothing says when that ends, the mark stays for a year.
func TestMarksOutliveWhatTheyMark(t *testing.T) {
	const day = 24 * time.Hour
	for name, row := range map[string]struct {
		content           string
		keptFor, goneFrom time.Duration
	}{
		"its end is known":   {fmt.Sprint(time.Now().Add(400 * day).Unix()), 399 * day, 401 * day},
		"it has ended":       {fmt.Sprint(time.Now().Add(-day).Unix()), -2 * day, 0},
		"empty, of a crash":  {"", 364 * day, 367 * day},
		"cannot be read":     {"x", 364 * day, 367 * day},
		"more than a number": {"99999999999999999999", 364 * day, 367 * day},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d, mark := opened(t, dir), filepath.Join(dir, string(MarkName(keyOf("a").Bound))+markSuffix)
			write(t, mark, []byte(row.content))
			d.sweep(time.Now().Add(row.keptFor))
			if _, err := os.Lstat(mark); err != nil {
				t.Errorf("swept after %s", row.keptFor)
			}
			d.sweep(time.Now().Add(row.goneFrom))
			if names := filesIn(t, dir, ""); len(names) != 0 {
				t.Errorf("left after %s: %q", row.goneFrom, names)
			}
		})
	}
}

// What is held may be used by a process that begins later, and by no other one.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, name, began := opened(t, t.TempDir()), MarkName(keyOf("a").Bound), time.Now()
		<-time.After(time.Second)
		if err := d.mark(Mark{Name: name, Began: began, Ends: inAnHour()}); err != nil {
			t.Fatal(err)
		}
		d.hold(name)
		if err := d.mark(Mark{Name: name, Began: began, Ends: inAnHour()}); !errors.Is(err, ErrHeld) {
			t.Errorf("a process that had begun: %v", err)
		}
		<-time.After(time.Second)
		if err := d.mark(Mark{Name: name, Began: time.Now(), Ends: inAnHour()}); err != nil {
			t.Errorf("a later process: %v", err)
		}
		if err := d.mark(Mark{Name: name, Began: time.Now(), Ends: inAnHour()}); !errors.Is(err, ErrSpent) {
			t.Errorf("again: %v", err)
		}
		d.unmark(name)
		if err := d.mark(Mark{Name: name, Began: began, Ends: inAnHour()}); err != nil {
			t.Errorf("after the mark was removed: %v", err)
		}
		d.hold(name)
		d.sweep(time.Now().Add(heldFor - time.Hour))
		if err := d.mark(Mark{Name: name, Began: began, Ends: inAnHour()}); !errors.Is(err, ErrHeld) {
			t.Error("it was swept too early")
		}
		d.sweep(time.Now().Add(heldFor + time.Hour))
		if err := d.mark(Mark{Name: name, Began: began, Ends: inAnHour()}); err != nil {
			t.Errorf("it was not swept: %v", err)
		}
	})
}
