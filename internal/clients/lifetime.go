// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxLifetime is the longest accepted lifetime, because no platform grants a year. A longer value is a time in
	// seconds since 1970, or a lifetime in milliseconds.
	maxLifetime = 400 * 24 * time.Hour

	maxDigits = 1 << 10 // bytes; a longer lifetime is not read
)

// seconds matches a lifetime as platforms write it: a number of seconds, followed by the unit, by words in parentheses,
// or by both. "3599 (60 minutes)" is Equinix's own example.
var seconds = lazily(`^\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(?i:s|secs?|seconds?)?\s*(?:\([^()]*\))?\s*$`)

// readLifetime reads a lifetime, which is a number or a string. It returns nil if there is none, or if it is not accepted. A negative
// lifetime is zero.
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
	found := seconds().FindStringSubmatch(text)
	if found == nil {
		return nil
	}
	number, _ := strconv.ParseFloat(found[1], 64) // a number out of range becomes infinite, with the right sign
	if number > maxLifetime.Seconds() {
		return nil
	}
	lifetime := time.Duration(max(0, number) * float64(time.Second))
	return &lifetime
}

// claims are the claims of a JWT (RFC 7519, section 4.1) that give its lifetime, in seconds since 1970. A
// claim that is missing is zero.
type claims struct{ issued, expires float64 }

// readClaims reads the claims of a token. They are zero if the token is not a JWT. The signature is not checked: the lifetime
// beside the token can be forged as easily as the claims.
func readClaims(token Secret) (found claims) {
	members, err := parseObject(jwtPayload(token), "iat", "exp")
	if err != nil {
		return claims{}
	}
	return claims{issued: readMoment(members["iat"]), expires: readMoment(members["exp"])}
}

// jwtPayload returns the payload of a JSON Web Token in its compact form (RFC 7515, section 3.1), or nil if token is
// not one.
func jwtPayload(token Secret) []byte {
	parts := strings.SplitN(token.Reveal(), ".", 4)
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	return payload
}

// readMoment reads a time in seconds since 1970. It returns zero if the time is missing, not valid, or after the year 5138.
func readMoment(value json.RawMessage) (moment float64) {
	if value == nil || json.Unmarshal(value, &moment) != nil || moment <= 0 || moment > 1e11 {
		return 0
	}
	return moment
}

// jwtLifetime returns how long a JWT lasts from start on, or nil if the token is not a JWT, or does not say. others are
// the lifetimes that the answer names beside the token.
//
// If the token says when it was issued, its lifetime is a difference, and no clock matters. Otherwise the token expires
// at a time by the server's clock, and the Date header corrects this machine's clock. The Date header may be wrong. It
// must not expire a token for which the answer names a positive lifetime.
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

// serverTime returns the time by the server's clock, from the Date header (RFC 9110, section 6.6.1); now if there is
// none. The server wrote the other times by the same clock.
func serverTime(header http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return now
}

// expiry returns when the shortest of the named lifetimes ends, or zero if none is named.
func expiry(start time.Time, lifetimes ...*time.Duration) time.Time {
	var end time.Time
	for _, lifetime := range lifetimes {
		if lifetime != nil && (end.IsZero() || start.Add(*lifetime).Before(end)) {
			end = start.Add(*lifetime)
		}
	}
	return end
}

// longestPause replaces any longer Retry-After. It only has to be longer than any caller waits.
const longestPause = 10 * 365 * 24 * time.Hour

// retryAfter reads the Retry-After header (RFC 9110, section 10.2.3) as a time to wait. It returns false if the header
// is missing, occurs more than once, or makes no sense.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	values := header.Values("Retry-After")
	if len(values) != 1 {
		return 0, false
	}
	if strings.Trim(values[0], "0123456789") == "" && values[0] != "" {
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

// RequestedPause returns how long the answer of an API asks to wait before the next request, or zero if it does not say. It
// reads the headers as those of a token endpoint.
func RequestedPause(status int, header http.Header) time.Duration {
	return pauseOf(status, header, serverTime(header, time.Now()))
}

// pauseOf returns how long an answer asks to wait, or zero if it does not say. The headers of a rate limit count with status
// 429 alone, because many servers send them with every answer.
func pauseOf(status int, header http.Header, now time.Time) time.Duration {
	pause, named := retryAfter(header, now)
	if !named && status == http.StatusTooManyRequests {
		return rateLimitPause(header, now)
	}
	return pause
}

// rateLimitPause returns how long the headers of a rate limit ask to wait, or zero if they do not say. Their names and forms
// are those of the drafts "RateLimit header fields for HTTP", and of servers that are older. RateLimit lists several limits,
// which have the requests that remain in r, and the seconds to wait in t.
func rateLimitPause(header http.Header, now time.Time) time.Duration {
	value := func(name string) string { return strings.Join(header.Values(name), ",") } // two values are no number
	var listed time.Duration
	for _, limit := range splitOutsideQuotes(value("RateLimit"), ',') {
		found := map[string]string{}
		for _, parameter := range splitOutsideQuotes(limit, ';') {
			name, text, _ := strings.Cut(parameter, "=")
			found[strings.TrimSpace(name)] = text
		}
		listed = max(listed, untilReset(found["t"], found["r"], now))
	}
	return cmp.Or(
		untilReset(value("RateLimit-Reset"), value("RateLimit-Remaining"), now),
		listed,
		untilReset(value("X-RateLimit-Reset"), value("X-RateLimit-Remaining"), now),
		untilReset(value("X-Rate-Limit-Reset"), value("X-Rate-Limit-Remaining"), now),
	)
}

// splitOutsideQuotes splits a list (RFC 9110, section 5.6) at the separators outside quotation marks.
func splitOutsideQuotes(list string, separator rune) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(list, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return r == separator && !quoted
	})
}

const (
	longestReset = 24 * time.Hour // a longer time is not believed
	milliseconds = 1e11           // a time since 1970 above it is in milliseconds; in seconds, it would be after the year 5138
)

var count = lazily(`^[0-9]+(\.[0-9]+)?$`)

// untilReset returns the time until a rate limit is reset, or zero if the text does not say, or requests remain. It is a
// number of seconds, or a time since 1970.
func untilReset(reset, remaining string, now time.Time) time.Duration {
	reset, remaining = strings.TrimSpace(reset), strings.TrimSpace(remaining)
	if !count().MatchString(reset) || strings.Trim(remaining, "0") != "" {
		return 0
	}
	number, _ := strconv.ParseFloat(reset, 64)
	wait := time.Duration(min(number, longestReset.Seconds()) * float64(time.Second))
	switch {
	case number > milliseconds:
		wait = time.UnixMilli(int64(number)).Sub(now)
	case number > longestReset.Seconds():
		wait = time.Unix(int64(number), 0).Sub(now)
	}
	if wait < 0 || wait > longestReset {
		return 0
	}
	return wait
}
