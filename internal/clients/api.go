// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import "time"

// Obtained is when the token was asked for.
func (t Token) Obtained() time.Time { return t.obtained }

// MayPass reports whether asking again later may help.
func (e *Error) MayPass() bool { return e.transient }
