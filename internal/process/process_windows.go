// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package process

// ForbidCoreDumps does nothing: Windows writes a dump only if an administrator has configured it, and lets processes of the
// same user read each other's memory.
func ForbidCoreDumps() (restore func()) { return func() {} }

// EndWithParent does nothing: on Windows, Getppid does not change when the parent ends.
func EndWithParent() {}

// KeepIgnored does nothing: Windows has no such signals.
func KeepIgnored() {}
