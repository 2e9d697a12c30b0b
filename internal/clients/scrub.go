// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scrubWindow is the length in bytes of the shortest piece of a secret that is recognised. Platforms cut what they
// echo ("invalid secret 'nykSBH…'"), so whole secrets are not enough; much shorter pieces occur in ordinary words.
const scrubWindow = 6

// scrubber removes secrets, whole or in part, plain or encoded, from text that comes from outside.
type scrubber struct {
	pieces map[string]bool
}

func newScrubber(secrets ...Secret) scrubber {
	s := scrubber{pieces: map[string]bool{}}
	for _, secret := range secrets {
		if secret.IsZero() {
			continue
		}
		for _, form := range encodings(secret.Reveal()) {
			form = asciiLower(form)
			size := min(scrubWindow, len(form))
			for i := 0; i+size <= len(form); i++ {
				s.pieces[form[i:i+size]] = true
			}
		}
	}
	return s
}

// scrub returns text as one line of at most limit bytes, in which every piece of a secret reads [redacted].
func (s scrubber) scrub(text string, limit int) string {
	// What lies beyond the limit needs no look, except that a secret may straddle it.
	text = oneLine(s.mask(clip(text, 16*limit)))
	if len(text) > limit {
		text = clip(text, limit) + "…"
	}
	return text
}

// mask replaces each run of bytes that are part of a known piece.
func (s scrubber) mask(text string) string {
	folded := asciiLower(text)
	hit := make([]bool, len(folded))
	for i := range folded {
		for size := 1; size <= scrubWindow && i+size <= len(folded); size++ {
			if s.pieces[folded[i:i+size]] {
				for j := i; j < i+size; j++ {
					hit[j] = true
				}
			}
		}
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case !hit[i]:
			out.WriteByte(text[i])
		case i == 0 || !hit[i-1]:
			out.WriteString(redacted)
		}
	}
	return strings.ToValidUTF8(out.String(), "")
}

// encodings returns the forms in which servers, gateways and libraries echo a value.
func encodings(text string) []string {
	marshalled, _ := json.Marshal(text) // a string always marshals
	forms := []string{
		text,
		url.QueryEscape(text),
		url.PathEscape(text),
		url.QueryEscape(url.QueryEscape(text)),
		hex.EncodeToString([]byte(text)),
		strings.Trim(string(marshalled), `"`),
		strings.ReplaceAll(text, `/`, `\/`),
		strings.Trim(strconv.Quote(text), `"`),
		strings.Trim(strconv.QuoteToASCII(text), `"`),
		html.EscapeString(text),
	}
	var percent, escapes, spaced strings.Builder
	for i := range len(text) {
		digits := hex.EncodeToString([]byte{text[i]})
		percent.WriteString("%" + digits)
		escapes.WriteString(`\u00` + digits)
		spaced.WriteString(digits + " ")
	}
	forms = append(forms, percent.String(), escapes.String(), strings.TrimSpace(spaced.String()))
	// Inside a longer value (HTTP Basic's "id:secret") base64 and base32 depend on the offset. What shares a group with
	// its neighbours is left off; without that the three and five forms below are those of any surroundings.
	for offset := range 3 {
		forms = append(forms,
			inner(base64.RawStdEncoding.EncodeToString(padded(text, offset)), offset*8, len(text)*8, 6),
			inner(base64.RawURLEncoding.EncodeToString(padded(text, offset)), offset*8, len(text)*8, 6))
	}
	for offset := range 5 {
		forms = append(forms,
			inner(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(padded(text, offset)), offset*8, len(text)*8, 5))
	}
	return forms
}

func padded(text string, offset int) []byte {
	return append(make([]byte, offset, offset+len(text)), text...)
}

// inner returns the digits, of so many bits each, that hold nothing but the bits from start on.
func inner(encoded string, start, bits, digit int) string {
	from, to := (start+digit-1)/digit, (start+bits)/digit
	if from >= to {
		return ""
	}
	return encoded[from:to]
}

// asciiLower folds letters without changing the length, so that offsets hold in both texts.
func asciiLower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// oneLine replaces what a terminal or a log would act on by single blanks.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
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
