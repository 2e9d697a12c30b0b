// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import "io/fs"

const (
	noFollow = 0
	noWait   = 0
)

// ownAlone refuses nothing: who may write to a directory stands in its access control list, which a user's own
// directories inherit from the profile.
func ownAlone(fs.FileInfo) error { return nil }
