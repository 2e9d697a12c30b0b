// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import "strings"

// challenge returns the WWW-Authenticate header for a rejected API request; empty: the request has a valid access token of
// this platform in its Authorization header, which is the only place that the platforms document. For a request without
// credentials, the header names no error (RFC 6750, section 3.1).
func (p *Platform) challenge(q request) string {
	values := q.Header.Values("Authorization")
	if len(values) == 0 {
		return "Bearer"
	}
	scheme, value, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || scheme != "Bearer" || !p.ledger.opens(value) {
		return `Bearer error="invalid_token", error_description="The access token is invalid or has expired"`
	}
	return ""
}
