// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix && !linux

package process

// ForbidInspection does nothing: only Linux supports it.
func ForbidInspection() {}
