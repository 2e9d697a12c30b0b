// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

// forbidCoreDumps does nothing: Windows writes a dump only where an administrator has asked for it.
func forbidCoreDumps() {}

// forbidInspection does nothing: Windows lets processes of the same user read each other.
func forbidInspection() {}

// endWithParent does nothing: a process there keeps the number of a parent that is gone.
func endWithParent() {}
