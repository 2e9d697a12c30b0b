// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"net"
	"os"
	"syscall"
	"testing"
)

// A system reports a reset by the other side in more than one way.
func TestAResetIsCalledOne(t *testing.T) { // T11
	for _, number := range []syscall.Errno{reset, aborted, syscall.EPIPE} {
		found := explain(&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", number)}, reached{peer: peerServer})
		if found.Kind != Unreachable || found.Description != "the connection was reset" || !found.Temporary {
			t.Errorf("%d: %+v", number, found)
		}
	}
}
