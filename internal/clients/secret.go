// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"fmt"
	"io"
	"log/slog"
	"unique"
)

const redacted = "[redacted]"

// Secret holds a secret or a token. Every verb, encoder and logger prints it as [redacted]. Only Reveal returns the
// text. Two Secrets are equal (==) if their texts are equal. The zero value is the empty text.
//
// The text is behind a handle, because fmt calls no methods on the unexported fields of other structs. It would print a
// plain string there.
type Secret struct {
	text unique.Handle[string]
}

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{unique.Make(text)}
}

// Reveal returns the text itself. Use it for requests and for Terraform's results, never for a message.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.text.Value()
}

// IsZero reports whether the text is empty.
func (s Secret) IsZero() bool { return s == Secret{} }

// String returns [redacted].
func (s Secret) String() string { return redacted }

// Format writes [redacted] for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns [redacted]. JSON, XML and map keys use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// GobEncode returns [redacted].
func (s Secret) GobEncode() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns [redacted].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
