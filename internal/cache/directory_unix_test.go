// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package cache

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// hostile are objects that an attacker may put in place of a file of the cache.
var hostile = map[string]func(t *testing.T, path string){
	"F04 a link to a victim": func(t *testing.T, path string) { must(t, os.Symlink(victim(t, path), path)) },
	"F04 a link to nowhere":  func(t *testing.T, path string) { must(t, os.Symlink(path+"-nowhere", path)) },
	"F04 a link to itself":   func(t *testing.T, path string) { must(t, os.Symlink(path, path)) },
	"F05 a hard link":        func(t *testing.T, path string) { must(t, os.Link(victim(t, path), path)) },
	"F19 a directory":        func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) },
	"F19 a FIFO":             func(t *testing.T, path string) { must(t, unix.Mkfifo(path, 0o600)) },
	"F19 a FIFO with a writer that is silent": func(t *testing.T, path string) {
		fifo := filepath.Join(filepath.Dir(filepath.Dir(path)), "fifo")
		must(t, unix.Mkfifo(fifo, 0o600))
		writer, err := os.OpenFile(fifo, os.O_RDWR, 0)
		must(t, err)
		t.Cleanup(func() { _ = writer.Close() })
		must(t, os.Link(fifo, path))
	},
	"F19 a file with mode 000":   func(t *testing.T, path string) { write(t, path, nil); must(t, os.Chmod(path, 0)) },
	"F07 a file that others may": func(t *testing.T, path string) { write(t, path, []byte("old")); must(t, os.Chmod(path, 0o666)) },
	"F19 a huge file": func(t *testing.T, path string) {
		write(t, path, []byte(entryMagic))
		if err := os.Truncate(path, 1<<40); err != nil {
			t.Skip("this file system has no holes in files: ", err)
		}
	},
	"F19 a socket": func(t *testing.T, path string) {
		socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		must(t, err)
		t.Cleanup(func() { _ = unix.Close(socket) })
		t.Chdir(filepath.Dir(path)) // the path of a socket must be short
		must(t, unix.Bind(socket, &unix.SockaddrUnix{Name: filepath.Base(path)}))
	},
}

const victimsText = "the victim's"

// victim makes a file outside of the cache.
func victim(t *testing.T, path string) string {
	t.Helper()
	name := filepath.Join(filepath.Dir(filepath.Dir(path)), "victim")
	write(t, name, []byte(victimsText))
	return name
}

func TestHostileFiles(t *testing.T) { // F04, F05, F07, F19
	for name, put := range hostile {
		for _, suffix := range []string{string(Token), lockSuffix, writeSuffix} {
			t.Run(name+" as "+suffix[1:], func(t *testing.T) {
				dir, key := filepath.Join(t.TempDir(), "cache"), keyOf("a")
				processes := []*Directory{opened(t, dir), opened(t, dir)}
				path, entry := filepath.Join(dir, string(key.Name)+suffix), filepath.Join(dir, key.Name.file(Token))
				put(t, path)
				before, err := os.Lstat(path)
				must(t, err)
				stored, changed := 0, 0
				var troubles []string
				for _, d := range processes {
					found, damaged, err := useWithTheLock(t, d, key)
					switch {
					case err != nil:
						troubles = append(troubles, err.Error())
					case !found:
						stored++
					}
					if damaged {
						changed++
					}
				}
				text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "victim"))
				if err == nil && string(text) != victimsText {
					t.Errorf("the victim was changed: %q", text)
				}
				if _, err := os.Lstat(path + "-nowhere"); err == nil {
					t.Error("a link was followed")
				}
				if stored+len(troubles) != 1 && (stored != 0 || len(troubles) != 2) { // shared without trouble, or not shared with two
					t.Errorf("%d stored, troubles: %q", stored, troubles)
				}
				unreadable := strings.Contains(name, "mode 000") && os.Geteuid() != 0
				if want := suffix == string(Token) && !unreadable; want && changed != stored+len(troubles) || !want && changed != 0 {
					t.Errorf("%d processes have read a damaged entry; %d stored, troubles: %q", changed, stored, troubles)
				}
				if strings.Contains(strings.Join(troubles, ""), dir) {
					t.Errorf("an error contains the path: %q", troubles)
				}
				after, err := os.Lstat(entry)
				if stored == 1 && (err != nil || after.Mode() != 0o600 || path == entry && os.SameFile(before, after)) {
					t.Errorf("the entry: %v, %v", after, err)
				}
				opened(t, dir) // a sweep does not block either
				nothingOpen(t, dir)
			})
		}
	}
}

// useWithTheLock looks for an entry with the lock, and stores one if there is none.
func useWithTheLock(t *testing.T, d *Directory, key Key) (found, damaged bool, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	release, err := d.lock(ctx, key.Name)
	if err != nil {
		return false, false, err
	}
	defer release()
	_, why, damaged := d.look(key, Token)
	if why == "" {
		return true, damaged, nil
	}
	return false, damaged, d.store(key, Token, []byte("content"), inAnHour())
}

func TestWhatCannotBeReadIsNotSwept(t *testing.T) {
	dir, key := t.TempDir(), keyOf("a")
	path, elsewhere := filepath.Join(dir, key.Name.file(Token)), filepath.Join(t.TempDir(), "entry")
	must(t, opened(t, dir).store(key, Token, []byte("content"), inAnHour()))
	lockFor(t, opened(t, dir), key)()
	must(t, os.Rename(path, elsewhere))
	must(t, os.Symlink(elsewhere, path)) // causes an error even for root
	if _, why, damaged := opened(t, dir).look(key, Token); !strings.Contains(why, "not a regular file") || !damaged {
		t.Errorf("a link was followed: %q", why)
	}
	must(t, os.Remove(path))
	must(t, os.Rename(elsewhere, path))
	wantContent(t, opened(t, dir), key, "content")
}

func TestDirectories(t *testing.T) { // F06
	for name, row := range map[string]struct {
		prepare func(t *testing.T, dir string) string // returns the directory to open
		refusal string
	}{
		"its owner's alone": {func(_ *testing.T, dir string) string { return dir }, ""},
		"others may read":   {func(t *testing.T, dir string) string { must(t, os.Chmod(dir, 0o755)); return dir }, ""},
		"missing":           {func(_ *testing.T, dir string) string { return filepath.Join(dir, "a", "b") }, ""},
		"F06 0777":          {func(t *testing.T, dir string) string { must(t, os.Chmod(dir, 0o777)); return dir }, "others may write"},
		"F06 0720":          {func(t *testing.T, dir string) string { must(t, os.Chmod(dir, 0o720)); return dir }, "others may write"},
		"F06 sticky":        {func(t *testing.T, dir string) string { must(t, os.Chmod(dir, 0o777|os.ModeSticky)); return dir }, "others may write"},
		"F06 of another user": {func(t *testing.T, dir string) string {
			if err := os.Chown(dir, 12345, -1); err != nil {
				t.Skip(err)
			}
			return dir
		}, "another user"},
		"a link": {func(t *testing.T, dir string) string {
			must(t, os.Symlink(t.TempDir(), filepath.Join(dir, "link")))
			return filepath.Join(dir, "link")
		}, "a link or a file"},
		"a link with a slash": {func(t *testing.T, dir string) string {
			must(t, os.Symlink(t.TempDir(), filepath.Join(dir, "link")))
			return filepath.Join(dir, "link") + "/"
		}, "a link or a file"},
		"a file": {func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "file"), nil)
			return filepath.Join(dir, "file")
		}, "a link or a file"},
		"below a file": {func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "file"), nil)
			return filepath.Join(dir, "file", "cache")
		}, "cannot be made (not a directory)"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := row.prepare(t, t.TempDir())
			d, err := Open(dir)
			switch {
			case row.refusal == "" && err != nil:
				t.Error(err)
			case row.refusal != "" && (err == nil || d != nil || !strings.Contains(err.Error(), row.refusal) || strings.Contains(err.Error(), dir)):
				t.Errorf("%v, want %q", err, row.refusal)
			}
		})
	}
}

func TestAnErrorOfTheFileSystemIsOneShortLine(t *testing.T) { // H21
	for _, err := range []error{
		&os.PathError{Op: "open", Path: "/a/path", Err: syscall.EACCES}, &os.LinkError{Op: "rename", Old: "/a/path", New: "/a/path", Err: syscall.EACCES},
		os.NewSyscallError("flock", syscall.EACCES),
	} {
		if got := printable.WithoutPath(err).Error(); got != syscall.EACCES.Error() {
			t.Errorf("%q", got)
		}
	}
}

// A process that has opened the directory uses no file of another one that takes its place.
func TestADirectoryThatIsReplacedChangesNothing(t *testing.T) { // F06
	base, key := t.TempDir(), keyOf("a")
	dir := filepath.Join(base, "cache")
	d := opened(t, dir)
	must(t, opened(t, filepath.Join(base, "planted")).store(key, Token, []byte("planted"), inAnHour()))
	must(t, os.Rename(dir, filepath.Join(base, "away")))
	must(t, os.Rename(filepath.Join(base, "planted"), dir))
	if found, why, _ := d.look(key, Token); why != "there is no entry" {
		t.Errorf("%q, %s", found, why)
	}
	must(t, d.store(key, Token, []byte("content"), inAnHour()))
	wantContent(t, d, key, "content")
	wantContent(t, opened(t, filepath.Join(base, "away")), key, "content")
	wantContent(t, opened(t, dir), key, "planted")
	if d.WhyMarksMayBeLost() == nil || opened(t, dir).WhyMarksMayBeLost() != nil {
		t.Error("a mark in a directory that is not at its path would be lost")
	}
}
