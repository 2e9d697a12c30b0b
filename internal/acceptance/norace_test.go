// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build !race

package acceptance

var raceFlags []string
