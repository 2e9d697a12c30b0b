// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"os"

	"golang.org/x/sys/windows"
)

// ForbidCoreDumps does nothing: Windows writes a dump only if an administrator has configured it, and lets processes of the
// same user read each other's memory.
func ForbidCoreDumps() (restore func()) { return func() {} }

// EndWithParent ends this process when the CLI has ended. A CLI that is killed does not stop its plugins. If Windows gives no
// access to the CLI's process, EndWithParent does nothing.
func EndWithParent() {
	parent, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(os.Getppid())) //nolint:gosec // an id of Windows
	if err != nil {
		return
	}
	if !startedBefore(parent, windows.CurrentProcess()) {
		_ = windows.CloseHandle(parent) // another process has got the id of the CLI, which has ended
		return
	}
	go func() {
		if event, err := windows.WaitForSingleObject(parent, windows.INFINITE); err == nil && event == windows.WAIT_OBJECT_0 {
			os.Exit(1)
		}
	}()
}

// startedBefore reports whether the first process is older than the second one. If Windows does not say, it reports true.
func startedBefore(first, second windows.Handle) bool {
	var began [2]windows.Filetime
	for i, process := range []windows.Handle{first, second} {
		var exited, kernel, user windows.Filetime
		if windows.GetProcessTimes(process, &began[i], &exited, &kernel, &user) != nil {
			return true
		}
	}
	return began[0].Nanoseconds() <= began[1].Nanoseconds()
}

// KeepIgnored does nothing: Windows has no such signals.
func KeepIgnored() {}
