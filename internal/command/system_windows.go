// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"errors"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/windows"
)

// sameVariable reports whether two names denote the same environment variable. On Windows, case does not matter.
func sameVariable(a, b string) bool { return strings.EqualFold(a, b) }

// isClosed reports that standard output is open: on Windows, a write to a closed one fails.
func isClosed(*os.File) bool { return false }

// isNull reports whether a file is the null device: a character device that is not the console.
func isNull(file *os.File) bool {
	info, err := file.Stat()
	var mode uint32
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && windows.GetConsoleMode(windows.Handle(file.Fd()), &mode) != nil
}

// replaceFile renames a file over another. That fails while another program reads the old file, so it tries again for 100 ms.
func replaceFile(from, to string) error {
	err := os.Rename(from, to)
	for range 20 {
		if !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			break
		}
		<-time.After(5 * time.Millisecond)
		err = os.Rename(from, to)
	}
	return err
}

// showsColours reports whether a console understands escape sequences.
func showsColours(console *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(console.Fd()), &mode) == nil && mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0
}
