// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

const maxBody = 1 << 20 // bytes of an answer, before and after decoding

var errBodyTooLarge = fmt.Errorf("the answer is too large: more than %d bytes", maxBody)

// readBody reads a body of at most maxBody bytes. A longer body is an error, so that a cut body never looks complete.
func readBody(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err == nil && len(data) > maxBody {
		return data[:maxBody], errBodyTooLarge
	}
	return data, err
}

// decode undoes the content codings of an answer (RFC 9110, section 8.4). Requests ask for no coding, but some servers
// compress the answer, and some of these do not declare it. On an error, decode returns the part of the body that it
// could decode.
func decode(header http.Header, body []byte) ([]byte, error) {
	codings := strings.FieldsFunc(strings.ToLower(strings.Join(header.Values("Content-Encoding"), ",")), func(r rune) bool { return r == ',' || r == ' ' })
	for i := len(codings) - 1; i >= 0; i-- {
		var err error
		switch coding := codings[i]; coding {
		case "identity":
		case "gzip", "x-gzip":
			body, err = inflate(body, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
		case "deflate": // zlib's format (RFC 1950), or by a common mistake only the data inside it
			body, err = inflate(body, func(r io.Reader) (io.Reader, error) {
				if decoder, err := zlib.NewReader(r); err == nil {
					return decoder, nil
				}
				return flate.NewReader(bytes.NewReader(body)), nil
			})
		default:
			return nil, fmt.Errorf("the answer is compressed with %s, which was not asked for", printable.Clip(printable.OneLine(coding), 32))
		}
		if err != nil {
			return body, err
		}
	}
	if bytes.HasPrefix(body, []byte("\x1f\x8b")) {
		return inflate(body, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
	}
	return body, nil
}

// inflate decompresses body. The result has at most maxBody bytes.
func inflate(body []byte, open func(io.Reader) (io.Reader, error)) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil // some servers send errors with a content coding and without a body
	}
	decoder, err := open(bytes.NewReader(body))
	if err != nil {
		return nil, errCoding
	}
	text, err := readBody(decoder)
	if err != nil && !errors.Is(err, errBodyTooLarge) {
		err = errCoding
	}
	return text, err
}

var errCoding = errors.New("the answer is compressed and cannot be decoded")
