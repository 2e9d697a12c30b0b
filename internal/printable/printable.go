// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package printable makes text from outside safe to show in a message, on a terminal or in a log.
package printable

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
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

// WithoutPath returns an error of the file system without the path, and without the full stop of Windows. The caller names the
// file. An error of another kind is returned as it is.
func WithoutPath(err error) error {
	if number := syscall.Errno(0); errors.As(err, &number) {
		return systemError{number}
	}
	return err
}

// systemError is an error number whose text is a part of a sentence.
type systemError struct{ syscall.Errno }

func (e systemError) Error() string { return strings.TrimSuffix(e.Errno.Error(), ".") }

// Unwrap returns the number.
func (e systemError) Unwrap() error { return e.Errno }

// NotGraphic reports whether r cannot be seen: a blank, a control or format character, or a byte outside UTF-8.
func NotGraphic(r rune) bool { return r == utf8.RuneError || r == ' ' || !unicode.IsPrint(r) }
