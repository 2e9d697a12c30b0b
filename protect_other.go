// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix && !linux

package main

// forbidInspection does nothing: only Linux supports it.
func forbidInspection() {}
