// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// maxLifetime is the longest lifetime that is believed. What is longer is a moment in seconds since 1970, or a lifetime
	// in milliseconds, and no platform grants a year.
	maxLifetime = 400 * 24 * time.Hour

	maxDigits = 1 << 10 // bytes of a lifetime that are looked at
)

// seconds is a lifetime as platforms write it: a number of seconds, then the unit, or words in parentheses ("3599 (60
// minutes)" is Equinix's own example), or both.
var seconds = regexp.MustCompile(`^\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(?i:s|secs?|seconds?)?\s*(?:\([^()]*\))?\s*$`)

// readLifetime reads a lifetime, which is a number or a string. nil: none is named, or none that is believed. A negative
// one is zero.
func readLifetime(value json.RawMessage) *time.Duration {
	if value == nil {
		return nil
	}
	text := string(value)
	if jsonKind(value) == "a string" {
		_ = plainText(value, &text) // a string always decodes
	}
	if len(text) > maxDigits {
		return nil
	}
	found := seconds.FindStringSubmatch(text)
	if found == nil {
		return nil
	}
	number, _ := strconv.ParseFloat(found[1], 64) // out of range it is infinite, with the right sign
	if number > maxLifetime.Seconds() {
		return nil
	}
	lifetime := time.Duration(max(0, number) * float64(time.Second))
	return &lifetime
}

// claims are those of a JWT (RFC 7519, section 4.1) that say how long it lasts, in seconds since 1970; zero: not claimed.
type claims struct{ issued, expires float64 }

// readClaims reads the claims of a token; zero: it is no JWT. The signature is not checked: whoever can forge the claims
// can forge the lifetime beside the token.
func readClaims(token Secret) (found claims) {
	parts := strings.SplitN(token.Reveal(), ".", 4)
	if len(parts) != 3 {
		return claims{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}
	}
	members, err := object(payload, "iat", "exp")
	if err != nil {
		return claims{}
	}
	return claims{issued: readMoment(members["iat"]), expires: readMoment(members["exp"])}
}

// readMoment reads seconds since 1970; zero: none are named, or none before the year 5138.
func readMoment(value json.RawMessage) (moment float64) {
	if value == nil || json.Unmarshal(value, &moment) != nil || moment <= 0 || moment > 1e11 {
		return 0
	}
	return moment
}

// jwtLifetime returns how long a token that is a JWT lasts from start on; nil: it does not say. others are the lifetimes
// that the answer names beside the token.
//
// Where the token says when it was issued, its life is a difference, and no clock counts. Otherwise it ends at a moment
// by the server's clock. The Date header corrects this machine's clock, but may be wrong itself: it does not end a token
// that the answer calls good.
func jwtLifetime(token Secret, header http.Header, start time.Time, others ...*time.Duration) *time.Duration {
	found := readClaims(token)
	var lifetime time.Duration
	switch end := time.Unix(int64(found.expires), 0); {
	case found.expires == 0:
		return nil
	case found.issued != 0:
		lifetime = end.Sub(time.Unix(int64(found.issued), 0))
		if lifetime <= 0 {
			return nil
		}
	default:
		lifetime = end.Sub(serverTime(header, start))
		if lifetime <= 0 && anyPositive(others) {
			lifetime = end.Sub(start)
		}
		lifetime = max(0, lifetime)
	}
	if lifetime > maxLifetime {
		return nil
	}
	return &lifetime
}

func anyPositive(lifetimes []*time.Duration) bool {
	for _, lifetime := range lifetimes {
		if lifetime != nil && *lifetime > 0 {
			return true
		}
	}
	return false
}

// serverTime is the server's own clock (RFC 9110, section 6.6.1), by which it wrote the other times; now without it.
func serverTime(header http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return now
}

// expiry is when the shortest of the lifetimes that are named ends; zero: none is named.
func expiry(start time.Time, lifetimes ...*time.Duration) time.Time {
	var end time.Time
	for _, lifetime := range lifetimes {
		if lifetime != nil && (end.IsZero() || start.Add(*lifetime).Before(end)) {
			end = start.Add(*lifetime)
		}
	}
	return end
}

// longestPause is what a longer Retry-After is taken for. It only has to be longer than anybody waits.
const longestPause = 10 * 365 * 24 * time.Hour

var digits = regexp.MustCompile(`^[0-9]+$`)

// retryAfter reads the Retry-After header (RFC 9110, section 10.2.3) as a time to wait; false: there is none, or more
// than one, or one that makes no sense.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	values := header.Values("Retry-After")
	if len(values) != 1 {
		return 0, false
	}
	if digits.MatchString(values[0]) {
		seconds, err := strconv.ParseUint(values[0], 10, 63)
		if err != nil || seconds > uint64(longestPause/time.Second) {
			return longestPause, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	date, err := http.ParseTime(values[0])
	wait := date.Sub(now)
	if err != nil || wait < 0 {
		return 0, false
	}
	return min(wait, longestPause), true
}
