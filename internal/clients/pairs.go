// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Pairs encodes a map as one Secret, so that a Grant which holds it can be compared. Equal maps are equal Secrets. Pairs
// without a value are left out, as RFC 6749, section 3.2, treats them, and as the zero Secret if there are no others.
func Pairs(all map[string]string) Secret {
	encoded := url.Values{}
	for name, value := range all {
		if value != "" {
			encoded.Set(name, value)
		}
	}
	return NewSecret(encoded.Encode()) // sorted by name
}

// unpair is the inverse of Pairs.
func unpair(pairs Secret) map[string]string {
	encoded, _ := url.ParseQuery(pairs.Reveal()) // what Pairs has encoded
	all := map[string]string{}
	for name := range encoded {
		all[name] = encoded.Get(name)
	}
	return all
}

// names are those in pairs, sorted.
func names(pairs Secret) []string { return slices.Sorted(maps.Keys(unpair(pairs))) }

// values are those in pairs, in the order of their names.
func values(pairs Secret) (all []Secret) {
	EachValue(pairs, func(_ string, value Secret) { all = append(all, value) })
	return all
}

// EachValue calls do for the values in pairs, in the order of their names.
func EachValue(pairs Secret, do func(name string, value Secret)) {
	found := unpair(pairs)
	for _, name := range names(pairs) {
		do(name, NewSecret(found[name]))
	}
}

// ownParameters are those that a grant sets itself, or that are a second way to authenticate (RFC 6749, section 2.3,
// allows one), with the input to use.
var ownParameters = map[string]string{
	"grant_type": "grant_type", "client_id": "client_id", "client_secret": "client_secret", "scope": "scopes",
	"audience": "audience", "refresh_token": "previous_refresh_token",
	"client_assertion": "client_assertion", "client_assertion_type": "client_assertion",
	"subject_token": "token_exchange_subject_token",
}

// CheckParameters checks further parameters. Their names are shown, their values are not.
func CheckParameters(pairs Secret) string {
	for _, name := range names(pairs) {
		switch input := ownParameters[name]; {
		case input != "":
			return fmt.Sprintf("must not set %q: %s has an input of its own", name, input)
		case name == "":
			return "has a parameter without a name"
		case CheckText(NewSecret(name)) != "":
			return "has a parameter whose name " + CheckText(NewSecret(name))
		case strings.ContainsFunc(name, unfitForName):
			return fmt.Sprintf("has a parameter whose name has a blank, or a character that cannot be seen: %q", name)
		}
	}
	return checkPairs(pairs, CheckVerbatim)
}

// unfitForName reports whether no parameter has this character in its name.
func unfitForName(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }

// ownHeaders are those that the client sets itself, that would change who is asked or how the connection is used, or that
// hold credentials of another kind. A name that ends in "-" stands for all that begin with it.
var ownHeaders = []string{
	"accept", "accept-", "authorization", "connection", "content-", "cookie", "cookie2", "expect", "forwarded", "host",
	"http2-settings", "keep-alive", "proxy-", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via",
}

// CheckHeaders checks further headers. Their names are shown, their values are not.
func CheckHeaders(pairs Secret) string {
	seen := map[string]bool{}
	for _, name := range names(pairs) {
		lower := asciiLower(name)
		switch {
		case !isToken(name):
			return "has a header whose name is empty or has a character that no name may have"
		case slices.ContainsFunc(ownHeaders, func(own string) bool {
			return lower == own || strings.HasSuffix(own, "-") && strings.HasPrefix(lower, own)
		}):
			return fmt.Sprintf("must not set %q, which belongs to the request itself", name)
		case seen[lower]:
			return fmt.Sprintf("sets %q twice: upper and lower case are the same in a header's name", name)
		}
		seen[lower] = true
	}
	return checkPairs(pairs, checkHeaderValue)
}

func checkPairs(pairs Secret, check func(Secret) string) (fault string) {
	if len(pairs.Reveal()) > maxPairs {
		return fmt.Sprintf("is longer than %d bytes", maxPairs)
	}
	EachValue(pairs, func(name string, value Secret) {
		if text := check(value); text != "" && fault == "" {
			fault = fmt.Sprintf("has a value that cannot be sent: %q %s", name, text)
		}
	})
	return fault
}

// checkHeaderValue allows what every server reads in the same way: characters of ASCII that can be seen, and blanks
// between them (RFC 9110, section 5.5).
func checkHeaderValue(value Secret) string {
	text := value.Reveal()
	switch {
	case strings.TrimSpace(text) != text:
		return "begins or ends with a blank or a line break"
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return "has a line break, a control character or a character outside ASCII"
	}
	return CheckVerbatim(value)
}

// isToken reports whether text is a token of RFC 9110, section 5.6.2.
func isToken(text string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
	return text != "" && strings.Trim(asciiLower(text), allowed) == ""
}
