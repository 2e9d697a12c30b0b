// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

const (
	// scrubWindow is the length in bytes of the shortest recognised piece of a secret. Platforms cut what they echo
	// ("invalid secret 'nykSBH…'"), so it is not enough to look for whole secrets. Much shorter pieces occur in
	// ordinary words.
	scrubWindow = 6

	// scrubLayers is how many layers of escapes are undone. An example is a URL within a URL within JSON.
	scrubLayers = 3
)

// standardCodes are the error codes of RFC 6749, sections 5.2 and 4.1.2.1. They are shown even if a secret contains the
// same word, such as "client". A public code reveals nothing about a secret, and it decides what the error means.
var standardCodes = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
	"unsupported_grant_type": true, "invalid_scope": true, "server_error": true, "temporarily_unavailable": true,
}

// scrubber hides text from outside that repeats a secret, whole or in part, plain or encoded.
type scrubber struct {
	forms func() []string // returns the secrets in every encoding, in lower case; costly at its first call
}

func newScrubber(secrets ...Secret) scrubber {
	return scrubber{sync.OnceValue(func() (forms []string) {
		for _, secret := range secrets {
			if !secret.IsZero() {
				for _, form := range encodings(secret.Reveal()) {
					forms = append(forms, asciiLower(form))
				}
			}
		}
		return forms
	})}
}

// scrub returns text as one line of at most limit bytes. It returns [redacted] if the text repeats a piece of a secret.
func (s scrubber) scrub(text string, limit int) string {
	if standardCodes[text] {
		return text
	}
	text = printable.OneLine(printable.Clip(text, 4*limit)) // the rest is not shown, so it needs no check
	switch {
	case s.repeats(text):
		return redacted
	case len(text) > limit:
		return printable.Clip(text, limit) + "…"
	}
	return text
}

// repeats reports whether text contains a piece of a secret, in any encoding and with any escapes.
func (s scrubber) repeats(text string) bool {
	for _, view := range unescaped(text, scrubLayers) {
		view = asciiLower(view)
		windows := map[string]bool{}
		for i := 0; i+scrubWindow <= len(view); i++ {
			windows[view[i:i+scrubWindow]] = true
		}
		for _, form := range s.forms() {
			if len(form) < scrubWindow && strings.Contains(view, form) {
				return true
			}
			for i := 0; i+scrubWindow <= len(form); i++ {
				if windows[form[i:i+scrubWindow]] {
					return true
				}
			}
		}
	}
	return false
}

// unescaped returns text, and what it becomes when up to the given number of layers of escapes are undone. Each server
// or gateway on the way may escape what it echoes, in its own way. Each layer undoes one kind of escape only, because
// text that looks like another kind may belong to the secret.
func unescaped(text string, layers int) []string {
	all := []string{text}
	if layers == 0 {
		return all
	}
	for _, kind := range escapes() {
		if kind.MatchString(text) {
			all = append(all, unescaped(kind.ReplaceAllStringFunc(text, character), layers-1)...)
		}
	}
	return all
}

// escapes match the ways to write one character in URLs, in HTML and XML, and in JSON and programming languages.
var escapes = sync.OnceValue(func() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`%[0-9a-fA-F]{2}`),
		regexp.MustCompile(`&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,6});`),
		regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}` +
			`|\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-3][0-7]{2}|.)`),
	}
})

// character returns the text that an escape stands for.
func character(escape string) string {
	switch escape[0] {
	case '%':
		text, _ := url.PathUnescape(escape) // two digits always decode
		return text
	case '&':
		return html.UnescapeString(escape)
	}
	var text string
	if err := json.Unmarshal([]byte(`"`+escape+`"`), &text); err == nil {
		return text
	}
	if text, err := strconv.Unquote(`"` + escape + `"`); err == nil {
		return text
	}
	return escape[1:] // as in shells
}

// encodings returns the forms in which servers, gateways and libraries echo a value. It leaves out those that escape
// single characters, which unescaped undoes.
func encodings(text string) []string {
	forms := []string{
		text,
		printable.OneLine(text),
		strings.ReplaceAll(text, " ", "+"), // RFC 1866, section 8.2.1
		hex.EncodeToString([]byte(text)),
		each(text, "%02x", " "),
		each(text, "%02x", ":"),
		each(text, "%02x", "-"),
		each(text, "%d", " "), // Go's []byte
		each(text, "%d", ","),
		each(text, "%d", ", "), // Java's Arrays.toString
	}
	// Inside a longer value (HTTP Basic's "id:secret"), base64 and base32 depend on the offset. The digit shared with
	// the text before is left out. Three forms of base64 and five of base32 then cover any surroundings.
	for offset := range 3 {
		shifted := append(make([]byte, offset), text...)
		forms = append(forms,
			base64.RawStdEncoding.EncodeToString(shifted)[(offset*8+5)/6:],
			base64.RawURLEncoding.EncodeToString(shifted)[(offset*8+5)/6:])
	}
	for offset := range 5 {
		shifted := append(make([]byte, offset), text...)
		forms = append(forms, base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(shifted)[(offset*8+4)/5:])
	}
	return forms
}

// each writes every byte of text in the given format, with separator between them.
func each(text, format, separator string) string {
	parts := make([]string, len(text))
	for i := range parts {
		parts[i] = fmt.Sprintf(format, text[i])
	}
	return strings.Join(parts, separator)
}

// asciiLower turns only ASCII letters into lower case, so that lengths and offsets are the same in both texts.
func asciiLower(text string) string {
	folded := []byte(text)
	for i, c := range folded {
		if 'A' <= c && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		}
	}
	return string(folded)
}
