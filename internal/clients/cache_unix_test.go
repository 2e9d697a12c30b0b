// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package clients

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
		for _, suffix := range []string{entrySuffix, lockSuffix, writeSuffix} {
			t.Run(name+" as "+suffix[1:], func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				p, logged := onLoopback(t, counted()), new(notes)
				dir := filepath.Join(t.TempDir(), "cache")
				clients := []*Client{p.logging(dir, logged.handler()), p.logging(dir, logged.handler())}
				path := strings.TrimSuffix(entryOf(t, dir, p.interxion("")), entrySuffix) + suffix
				put(t, path)
				before, err := os.Lstat(path)
				must(t, err)
				for _, c := range clients {
					if _, err := c.Token(ctx, p.interxion(""), 0); err != nil {
						t.Error(err)
					}
				}
				text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "victim"))
				if err == nil && string(text) != victimsText {
					t.Errorf("the victim was changed: %q", text)
				}
				if _, err := os.Lstat(path + "-nowhere"); err == nil {
					t.Error("a link was followed")
				}
				changed := len(logged.with("level=WARN", "something else has changed it"))
				requests, warnings := len(p.seen("")), len(logged.with("level=WARN"))-changed
				if requests+warnings != 1 && (requests != 2 || warnings != 2) { // shared without a warning, or not shared with two
					t.Errorf("%d requests, warnings: %q", requests, logged.with("level=WARN"))
				}
				unreadable := strings.Contains(name, "mode 000") && os.Geteuid() != 0
				if suffix == entrySuffix && !unreadable && changed != requests || suffix != entrySuffix && changed != 0 { // one warning for each process that reads the entry
					t.Errorf("%d requests, warnings: %q", requests, logged.with("level=WARN"))
				}
				for _, secret := range []string{dir, clientSecret, "client-1"} {
					if lines := logged.with(secret); len(lines) != 0 {
						t.Errorf("%q", lines)
					}
				}
				after, err := os.Lstat(entryOf(t, dir, p.interxion("")))
				if requests == 1 && (err != nil || after.Mode() != 0o600 || suffix == entrySuffix && os.SameFile(before, after)) {
					t.Errorf("the entry: %v, %v", after, err)
				}
				opened(t, dir) // a sweep does not block either
				nothingOpen(t, dir)
			})
		}
	}
}

func TestWhatCannotBeReadIsNotSwept(t *testing.T) {
	p, dir := &fakePlatform{url: "http://127.0.0.1"}, t.TempDir()
	path, elsewhere := entryOf(t, dir, p.interxion("")), filepath.Join(t.TempDir(), "entry")
	store(t, dir, p.interxion(""), tokenOf("t-1", 0, time.Hour, ""))
	lockFor(t, opened(t, dir), p.interxion(""))()
	must(t, os.Rename(path, elsewhere))
	must(t, os.Symlink(elsewhere, path)) // causes an error even for root
	if _, why, damaged := opened(t, dir).load(requestFor(t, p.interxion(""))); !strings.Contains(why, "not a regular file") || !damaged {
		t.Errorf("a link was followed: %q", why)
	}
	must(t, os.Remove(path))
	must(t, os.Rename(elsewhere, path))
	if found, why, _ := opened(t, dir).load(requestFor(t, p.interxion(""))); found.Token.AccessToken.IsZero() {
		t.Error(why)
	}
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
		}, "cannot be made"},
		"below a file": {func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "file"), nil)
			return filepath.Join(dir, "file", "cache")
		}, "cannot be made (not a directory)"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := row.prepare(t, t.TempDir())
			k, err := OpenCache(dir)
			switch {
			case row.refusal == "" && err != nil:
				t.Error(err)
			case row.refusal != "" && (err == nil || k != nil || !strings.Contains(err.Error(), row.refusal) || strings.Contains(err.Error(), dir)):
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
		if got := reason(err).Error(); got != syscall.EACCES.Error() {
			t.Errorf("%q", got)
		}
	}
}

// A directory that another user can replace keeps access tokens. It keeps no refresh token, and none is sent: with an old
// copy of the directory, its mark would be gone. In the containers of some pipelines, every directory is like that.
func TestADirectoryThatOthersCanReplaceKeepsNoRefreshToken(t *testing.T) { // F06
	for name, row := range map[string]struct {
		prepare func(t *testing.T, above string) // above is the parent of the directory's parent
		certain bool
	}{
		"its owner's alone": {func(*testing.T, string) {}, true},
		"readable":          {func(t *testing.T, above string) { must(t, os.Chmod(above, 0o755)) }, true},
		"sticky":            {func(t *testing.T, above string) { must(t, os.Chmod(above, 0o777|os.ModeSticky)) }, true},
		"for everyone":      {func(t *testing.T, above string) { must(t, os.Chmod(above, 0o777)) }, false},
		"for a group":       {func(t *testing.T, above string) { must(t, os.Chmod(above, 0o770)) }, false},
		"of another user": {func(t *testing.T, above string) {
			if err := os.Chown(above, 12345, -1); err != nil {
				t.Skip(err)
			}
		}, false},
		"behind a link": {func(t *testing.T, above string) {
			elsewhere := filepath.Join(t.TempDir(), "open")
			must(t, os.Mkdir(elsewhere, 0o700))
			must(t, os.Chmod(elsewhere, 0o777))
			must(t, os.Symlink(elsewhere, filepath.Join(above, "parent")))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			platform, above, logged := &rotating{life: 3600}, filepath.Join(t.TempDir(), "above"), new(notes)
			p := onLoopback(t, platform.ServeHTTP)
			must(t, os.Mkdir(above, 0o700))
			row.prepare(t, above)
			dir := filepath.Join(above, "parent", "cache")
			gets(t, p.another(dir), p.cloudLX(ClientCredentials), "t-1")
			gets(t, p.another(dir), p.cloudLX(ClientCredentials), "t-1") // shared all the same
			found, why, _ := opened(t, dir).load(requestFor(t, p.cloudLX(ClientCredentials)))
			if stored := !found.Token.RefreshToken.IsZero(); stored != row.certain {
				t.Errorf("the refresh token is stored: %t; %s", stored, why)
			}
			token, err := p.logging(dir, logged.handler()).Token(t.Context(), p.cloudLX(RefreshToken), 0)
			if err != nil || (token.Fallback == nil) != row.certain {
				t.Errorf("%v, %v", err, token.Fallback)
			}
			if !row.certain {
				platform.count(t, 1, 0, 0)
			}
			if warned := len(logged.with("level=WARN", "the refresh token is not used")) > 0; warned == row.certain {
				t.Errorf("warnings: %q", logged.with("level=WARN"))
			}
		})
	}
}

// A process that has opened the directory uses no file of another one that takes its place.
func TestADirectoryThatIsReplacedChangesNothing(t *testing.T) { // F06
	p, base := onLoopback(t, counted()), t.TempDir()
	dir, grant := filepath.Join(base, "cache"), p.interxion("")
	c := p.another(dir)
	store(t, filepath.Join(base, "planted"), grant, tokenOf("planted", 0, time.Hour, ""))
	must(t, os.Rename(dir, filepath.Join(base, "away")))
	must(t, os.Rename(filepath.Join(base, "planted"), dir))
	gets(t, c, grant, "t-1")
	if names := filesIn(t, filepath.Join(base, "away"), entrySuffix); len(names) != 1 {
		t.Errorf("the directory that was opened holds %q", names)
	}
	gets(t, p.another(dir), grant, "planted")
}
