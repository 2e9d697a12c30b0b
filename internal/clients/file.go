// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// FileText returns the value in a file of a secret, a token or a key: its text without a byte order mark at the start and
// without one line break at the end, which editors and shells add. The error says what is wrong with the file, as the rest of a
// sentence.
func FileText(data []byte) (string, error) {
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

// readFile returns the text of a file of at most maxToken bytes. It follows links: Kubernetes replaces what it projects by
// changing a link.
func readFile(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot be read (%w)", printable.WithoutPath(err))
	case info.IsDir():
		return "", errors.New("cannot be read (it is a directory)")
	case !info.Mode().IsRegular():
		return "", errors.New("cannot be read (it is not a regular file, so it cannot be read again)")
	}
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return "", fmt.Errorf("cannot be read (%w)", printable.WithoutPath(err))
	}
	defer func() { _ = file.Close() }() // only reads
	data, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot be read (%w)", printable.WithoutPath(err))
	case len(data) > maxToken: // with the blanks and line breaks around it
		return "", fmt.Errorf("is larger than %d KiB", maxToken>>10)
	}
	return FileText(data)
}
