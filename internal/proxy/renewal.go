// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import "time"

// Renewal returns how much of a token's lifetime must be left at least, and when less will be left. It is the rule of the
// API proxy, for others that keep a token for long. A token without an expiry has no renewal: both are zero.
func Renewal(obtained, expiry time.Time, minValidity time.Duration) (least time.Duration, at time.Time) {
	if !obtained.Before(expiry) {
		return 0, time.Time{}
	}
	least = effectiveMinValidity(minValidity, expiry.Sub(obtained))
	return least, expiry.Add(-least)
}
