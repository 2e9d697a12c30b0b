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
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// scrubWindow is the length in bytes of the shortest piece of a secret that is recognised. Platforms cut what they
	// echo ("invalid secret 'nykSBH…'"), so whole secrets are not enough; much shorter pieces occur in ordinary words.
	scrubWindow = 6

	// scrubLayers is how many layers of escapes are undone, as for a URL within a URL within JSON.
	scrubLayers = 3
)

// standardCodes are those of RFC 6749, sections 5.2 and 4.1.2.1. Secrets often have "client" in them, but a code that
// anybody knows tells nothing of it, and decides what the error means.
var standardCodes = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
	"unsupported_grant_type": true, "invalid_scope": true, "server_error": true, "temporarily_unavailable": true,
}

// scrubber removes secrets, whole or in part, plain or encoded, from text that comes from outside.
type scrubber struct {
	forms [scrubWindow + 1][]string // of the secrets, in lower case, by length; the last are that long or longer
}

func newScrubber(secrets ...Secret) scrubber {
	var s scrubber
	for _, secret := range secrets {
		for _, form := range encodings(secret.Reveal()) {
			size := min(len(form), scrubWindow)
			s.forms[size] = append(s.forms[size], asciiLower(form))
		}
	}
	return s
}

// scrub returns text as one line of at most limit bytes, in which every piece of a secret reads [redacted].
func (s scrubber) scrub(text string, limit int) string {
	if standardCodes[text] {
		return text
	}
	// What lies far beyond the limit needs no look, even where redaction makes the text shorter.
	text = s.mask(oneLine(clip(text, 16*limit)))
	if len(text) > limit {
		text = clip(text, limit) + "…"
	}
	return text
}

// mask replaces each run of bytes that belong to a secret.
func (s scrubber) mask(text string) string {
	hidden := make([]bool, len(text))
	views := asWritten(text).views(scrubLayers)
	for size := 1; size <= scrubWindow; size++ {
		if s.forms[size] != nil {
			hide(hidden, windows(views, size), s.forms[size], size)
		}
	}
	var out strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			out.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			out.WriteString(redacted)
		}
	}
	return strings.ToValidUTF8(out.String(), "") // halves of characters, next to [redacted]
}

// hide marks the places of all pieces of so many bytes that a form has.
func hide(hidden []bool, places map[string][]span, forms []string, size int) {
	for _, form := range forms {
		for i := 0; i+size <= len(form); i++ {
			piece := form[i : i+size]
			if found := places[piece]; found != nil {
				for _, place := range found {
					for j := place.from; j < place.to; j++ {
						hidden[j] = true
					}
				}
				delete(places, piece) // other forms need not hide it again
			}
		}
	}
}

// windows returns the places of all pieces of so many bytes that the views have.
func windows(views []view, size int) map[string][]span {
	places := map[string][]span{}
	for _, v := range views {
		text := asciiLower(string(v.text))
		for i := 0; i+size <= len(text); i++ {
			piece := text[i : i+size]
			places[piece] = append(places[piece], span{v.spans[i].from, v.spans[i+size-1].to})
		}
	}
	return places
}

// view is a text of which some escapes are undone.
type view struct {
	text  []byte
	spans []span // which each byte of text stands for
}

// span is a place in the original.
type span struct{ from, to int }

func asWritten(text string) view {
	v := view{text: []byte(text), spans: make([]span, len(text))}
	for i := range v.spans {
		v.spans[i] = span{i, i + 1}
	}
	return v
}

// views returns v and what it becomes when up to so many layers of escapes are undone: servers and gateways escape what
// they echo in ways of their own, one behind the other. One kind is undone at a time, because what looks like another
// may belong to the secret.
func (v view) views(layers int) []view {
	all := []view{v}
	for _, kind := range escapes {
		if places := kind.FindAllIndex(v.text, -1); places != nil && layers > 0 {
			all = append(all, v.unescape(places).views(layers-1)...)
		}
	}
	return all
}

// unescape undoes the escapes at the places given.
func (v view) unescape(places [][]int) view {
	var undone view
	done := 0
	for _, at := range places {
		start, end := at[0], at[1]
		undone.add(v.text[done:start], v.spans[done:start]...)
		char := character(string(v.text[start:end]))
		undone.add([]byte(char), slices.Repeat([]span{{v.spans[start].from, v.spans[end-1].to}}, len(char))...)
		done = end
	}
	undone.add(v.text[done:], v.spans[done:]...)
	return undone
}

func (v *view) add(text []byte, spans ...span) {
	v.text, v.spans = append(v.text, text...), append(v.spans, spans...)
}

// escapes are the ways to write one character in URLs, in HTML and XML, and in JSON and programming languages.
var escapes = []*regexp.Regexp{
	regexp.MustCompile(`%[0-9a-fA-F]{2}`),
	regexp.MustCompile(`&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,6});`),
	regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}` +
		`|\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-3][0-7]{2}|.)`),
}

// character is what an escape stands for.
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

// encodings returns the forms in which servers, gateways and libraries echo a value, but for those that escape single
// characters.
func encodings(text string) []string {
	forms := []string{
		text,
		oneLine(text),
		strings.ReplaceAll(text, " ", "+"), // RFC 1866, section 8.2.1
		hex.EncodeToString([]byte(text)),
		each(text, "%02x", " "),
		each(text, "%02x", ":"),
		each(text, "%02x", "-"),
		each(text, "%d", " "), // Go's []byte
		each(text, "%d", ","),
		each(text, "%d", ", "), // Java's Arrays.toString
	}
	// Inside a longer value (HTTP Basic's "id:secret") base64 and base32 depend on the offset. Without the digit that is
	// shared with what stands before, three and five forms are those of any surroundings.
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

// each writes every byte of text in the format given.
func each(text, format, separator string) string {
	parts := make([]string, len(text))
	for i := range parts {
		parts[i] = fmt.Sprintf(format, text[i])
	}
	return strings.Join(parts, separator)
}

// asciiLower folds ASCII letters alone, so that lengths and offsets hold in both texts.
func asciiLower(text string) string {
	folded := []byte(text)
	for i, c := range folded {
		if 'A' <= c && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		}
	}
	return string(folded)
}

// oneLine replaces what a terminal or a log would act on by single blanks.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if notGraphic(r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// clip cuts text to at most limit bytes at a rune's boundary.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
