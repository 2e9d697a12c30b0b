// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// inChroot runs the program of an unpacked image with that as its root, as the user of the image, as a container would.
func inChroot(t *testing.T, root string, args ...string) (output string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "/ixtoken", args...)
	command.Path, command.Err = "/ixtoken", nil // below the root
	command.Dir, command.Env = "/", settings
	command.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	if os.Getuid() != 0 { // a namespace, in which this user is the image's
		command.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 65532, HostID: os.Getuid(), Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 65532, HostID: os.Getgid(), Size: 1}}
	}
	text, err := command.CombinedOutput()
	return string(text), err
}
