// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package clients

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func init() {
	troubles["umask"] = func(_ child, open func()) *pipes {
		syscall.Umask(0)
		open()
		return nil
	}
}

func TestTheHolderOfALockIsStopped(t *testing.T) { // K18
	dir := t.TempDir()
	holder := child{URL: "http://127.0.0.1", Dir: dir, Grant: "cloudlx", Hold: true}.start(t)
	if err := holder.command.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // in virtual time, so that the test need not wait for the others
		p, start := inMemory(t, counted()), time.Now()
		logs := make([]notes, 5)
		clients := make([]*Client, len(logs))
		for i := range clients {
			clients[i] = p.logging(dir, logs[i].handler())
		}
		_, errs := together(len(logs)*20, func(i int) (string, error) { return ask(t, clients[i%len(logs)], p.cloudLX(ClientCredentials)) })
		for _, err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took != lockWait {
			t.Errorf("they waited for %s, want %s", took, lockWait)
		}
		p.sent(len(logs), "") // each process sends its own request
		for i := range logs {
			if lines := logs[i].with("level=WARN"); len(lines) != 1 || !strings.Contains(lines[0], "without the cache") {
				t.Errorf("warnings: %q", lines)
			}
		}
	})
	if err := holder.command.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	holder.kill()
	lockFor(t, opened(t, dir), (&fakePlatform{url: "http://127.0.0.1"}).cloudLX(ClientCredentials))() // is free again
}

func TestModesWhateverTheUmask(t *testing.T) { // F08
	p, dir := onLoopback(t, grantsToken("t-1")), filepath.Join(t.TempDir(), "a", "cache")
	allGot(t, child{URL: p.url, Dir: dir, Grant: "interxion", Trouble: "umask"}.race(t, 1), 1, "t-1")
	want := map[string]os.FileMode{filepath.Dir(dir): 0o700, dir: 0o700}
	for _, name := range filesIn(t, dir, "") {
		want[filepath.Join(dir, name)] = 0o600
	}
	for path, mode := range want {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if len(want) != 4 {
		t.Errorf("files: %v", want)
	}
}
