// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package printable makes text from outside safe to show in a message, on a terminal or in a log.
package printable

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// OneLine replaces characters that a terminal or a log would interpret by blanks, and several blanks by one.
func OneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if NotGraphic(r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// Clip cuts text to at most limit bytes, at the boundary of a rune.
func Clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// Path quotes the path of a file. It leaves the backslashes of Windows as they are.
func Path(path string) string { return strings.ReplaceAll(strconv.Quote(path), `\\`, `\`) }

// NotGraphic reports whether r cannot be seen: a blank, a control or format character, or a byte outside UTF-8.
func NotGraphic(r rune) bool { return r == utf8.RuneError || r == ' ' || !unicode.IsPrint(r) }
