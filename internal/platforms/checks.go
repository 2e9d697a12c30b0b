// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

func checkDuration(least, most, example time.Duration) func(clients.Secret) string {
	return func(value clients.Secret) string {
		duration, err := time.ParseDuration(value.Reveal())
		if err != nil || duration < least || duration > most {
			return fmt.Sprintf("must be a duration from %s to %s with its unit, such as %q", Brief(least), Brief(most), Brief(example))
		}
		return ""
	}
}

func checkNumber(least, most int) func(clients.Secret) string {
	return func(value clients.Secret) string {
		number, err := strconv.Atoi(value.Reveal())
		if err != nil || number < least || number > most {
			return fmt.Sprintf("must be a whole number from %d to %d", least, most)
		}
		return ""
	}
}

// checkRate refuses what is no number of requests in a second.
func checkRate(value clients.Secret) string {
	number, err := strconv.ParseFloat(value.Reveal(), 64)
	if err != nil || !(number > 0 && number <= 1e6) {
		return "must be a number above 0, and at most 1000000"
	}
	return ""
}
