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

// Secret holds a secret or a token. It prints as [redacted] under every verb, encoder and logger; only Reveal tells
// the text. Two Secrets are equal (==) if their texts are. The zero value is the empty text.
//
// The text sits behind a handle, not in a field: fmt calls no methods on the unexported fields of other structs, and
// would print a plain string in there.
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

// Reveal returns the text itself. It is for the wire and for Terraform's results, never for a message.
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

// Format writes [redacted], whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns [redacted]; it serves JSON, XML and map keys.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// GobEncode returns [redacted].
func (s Secret) GobEncode() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns [redacted].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
