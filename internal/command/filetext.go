// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"bytes"
	"errors"
	"strings"
)

// fileText returns the value in a file: its text without a byte order mark at the start and without one line break at the end,
// which editors and shells add. The error says what is wrong with the file, as the rest of a sentence.
func fileText(data []byte) (string, error) {
	if isUTF16(data) {
		return "", errors.New("is UTF-16, which PowerShell 5 writes. Convert it to UTF-8: (Get-Content FILE) | Set-Content -Encoding utf8 FILE")
	}
	const byteOrderMark = "\uFEFF"
	text := strings.TrimPrefix(string(data), byteOrderMark)
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" {
		return "", errors.New("is empty")
	}
	return text, nil
}

// isUTF16 reports whether data begins with the byte order mark of UTF-16, or with an ASCII character in UTF-16.
func isUTF16(data []byte) bool {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(mark)) {
			return true
		}
	}
	return len(data) > 1 && len(data)%2 == 0 && (data[0] == 0) != (data[1] == 0)
}
