// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file checks settings. A check returns what is wrong with a value, as the rest of a sentence that begins with the
// setting's name, or "" if nothing is wrong. It never repeats the value. Front ends check each setting before they build a
// grant, and the engine does not check it again.

// CheckText checks a setting that has one line.
func CheckText(value Secret) string {
	if strings.ContainsFunc(value.Reveal(), unicode.IsControl) {
		return "has a line break or another control character"
	}
	return CheckVerbatim(value)
}

// CheckLineList checks a setting that may have several values, each on a line of its own.
func CheckLineList(value Secret) string {
	return CheckText(NewSecret(strings.Join(strings.FieldsFunc(value.Reveal(), isLineBreak), " ")))
}

// CheckVerbatim checks a setting with a value to send unchanged.
func CheckVerbatim(value Secret) string {
	switch text := value.Reveal(); {
	case len(text) > maxInput:
		return fmt.Sprintf("is longer than %d bytes", maxInput)
	case !utf8.ValidString(text):
		return "is not valid UTF-8"
	}
	return ""
}

// CheckURL checks a platform's URL.
func CheckURL(value Secret) string {
	if _, err := ParseURL(value.Reveal()); err != nil {
		return "is not accepted: " + err.Error()
	}
	return ""
}

// CheckOneOf returns a check that accepts only the allowed values.
func CheckOneOf(allowed ...string) func(Secret) string {
	return func(value Secret) string {
		if slices.Contains(allowed, value.Reveal()) {
			return ""
		}
		return `must be "` + strings.Join(allowed, `" or "`) + `"`
	}
}

var variableName = lazily(`^[A-Za-z_][A-Za-z0-9_]*$`)

// CheckVariable checks the name of an environment variable. An identity token is none, because it has dots.
func CheckVariable(name Secret) string {
	if !variableName().MatchString(name.Reveal()) {
		return "is not the name of an environment variable: write the name alone, without $"
	}
	return CheckText(name)
}
