// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build linux

package clients

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	mounts := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if id := os.Geteuid(); id != 0 {
		mounts.Cloneflags |= syscall.CLONE_NEWUSER
		mounts.UidMappings = []syscall.SysProcIDMap{{ContainerID: id, HostID: id, Size: 1}}
		mounts.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
		mounts.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	attributesFor["read-only"], attributesFor["full disk"] = mounts, mounts
	troubles["read-only"], troubles["full disk"] = onAReadOnlyDisk, onAFullDisk
	troubles["file size"], troubles["no descriptors"] = withShortFiles, withoutDescriptors
}

func onAReadOnlyDisk(c child, open func()) *pipes {
	check(syscall.Mount(c.Dir, c.Dir, "", syscall.MS_BIND, ""))
	check(syscall.Mount("", c.Dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	open()
	return nil
}

func onAFullDisk(c child, open func()) *pipes {
	entry := filepath.Join(c.Dir, string(callOf(c.grant()).name())+entrySuffix)
	old, err := os.ReadFile(entry)
	check(err)
	check(syscall.Mount("none", c.Dir, "tmpfs", 0, "size=16k,mode=0700"))
	check(os.WriteFile(entry, old, 0o600))
	open()
	filler, err := os.Create(filepath.Join(c.Dir, "filler"))
	check(err)
	for err == nil {
		_, err = filler.Write(make([]byte, 1024))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		check(err)
	}
	return nil
}

func withShortFiles(_ child, open func()) *pipes {
	open()
	check(unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 64, Max: unix.RLIM_INFINITY}))
	return nil
}

func withoutDescriptors(_ child, open func()) *pipes {
	open()
	network := newPipes()
	p := &fakePlatform{script: []http.HandlerFunc{grantsToken("t-1")}}
	go func() { _ = http.Serve(network, p) }()
	_, _ = time.LoadLocation("Local") // loads the time zone now, because that needs a file
	var limit unix.Rlimit
	check(unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	limit.Cur = 0
	check(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	return network
}

func TestAMachineInTrouble(t *testing.T) { // F12, F13, K19
	for _, trouble := range []string{"read-only", "full disk", "file size", "no descriptors"} {
		t.Run(trouble, func(t *testing.T) {
			p, dir := onLoopback(t, grantsToken("t-1")), t.TempDir()
			store(t, dir, p.interxion(""), tokenOf("t-0", time.Hour, time.Minute, ""))
			r := child{URL: p.url, Dir: dir, Grant: "interxion", Trouble: trouble, Blocks: 20, MinValidity: 5 * time.Minute}.race(t, 1)[0]
			if len(r.Tokens) != 20 || r.Tokens[0] != "t-1" || len(r.Warnings) != 1 {
				t.Errorf("%+v", r)
			}
			if slices.ContainsFunc(r.Files, func(name string) bool { return strings.HasSuffix(name, writeSuffix) }) {
				t.Errorf("left: %q", r.Files)
			}
			if trouble != "no descriptors" && r.Old != "" {
				t.Errorf("the old entry is gone: %s", r.Old)
			}
			t.Logf("%s", r.Warnings)
		})
	}
}

func TestAReadOnlyDirectoryStillAnswers(t *testing.T) { // F13
	p, dir := onLoopback(t, grantsToken("t-1")), t.TempDir()
	store(t, dir, p.interxion(""), tokenOf("t-0", 0, time.Hour, ""))
	allGot(t, child{URL: p.url, Dir: dir, Grant: "interxion", Trouble: "read-only"}.race(t, 1), 1, "t-0")
	// On a read-only disk, a refresh token cannot be marked as used.
	store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
	r := child{URL: p.url, Dir: dir, Grant: "cloudlx", Trouble: "read-only"}.race(t, 1)[0]
	if len(r.Tokens) != 1 || r.Tokens[0] != "t-1" {
		t.Errorf("%+v", r)
	}
	p.sent(0, "/refresh")
}
