// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// PanicOrigin lists the functions that panicked, the innermost first. It leaves out their arguments and the panic
// value, which may hold a secret. A deferred function calls it after recover.
func PanicOrigin() []string {
	counters := make([]uintptr, 64)
	frames := runtime.CallersFrames(counters[:runtime.Callers(1, counters)])
	var origin []string
	for panicked, more := false, true; more && len(origin) < 8; {
		var frame runtime.Frame
		frame, more = frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(frame.Function, "runtime."):
			origin = append(origin, fmt.Sprintf("%s (%s:%d)", path.Base(frame.Function), path.Base(frame.File), frame.Line))
		}
	}
	return origin
}
