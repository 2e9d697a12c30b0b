// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package cache keeps sealed entries and marks in a store that processes share. It does not know what the entries hold. The
// store is a directory, for the processes of one machine, or a bucket, for those of many machines.
package cache
