// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package leak

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"
)

// encoding is a way to write a value as text. An encoding has several forms if its text depends on the value's position or
// on the program that writes it.
type encoding struct {
	name  string
	forms func(string) []string
}

// encoded is a value in one form.
type encoded struct{ encoding, text string }

// encode returns value unchanged, in every encoding, and in every pair of encodings, such as a JSON string in base64. It
// leaves out pairs of two binary encodings.
func encode(value string) []encoded {
	seen := map[string]bool{}
	var all []encoded
	add := func(name string, texts []string) {
		for _, text := range texts {
			if !seen[text] {
				seen[text] = true
				all = append(all, encoded{name, text})
			}
		}
	}
	add("itself", []string{value})
	for _, encodings := range [][]encoding{textual, binaries} {
		for _, outer := range encodings {
			add(outer.name, outer.forms(value))
		}
	}
	compose := func(inner, outer []encoding) {
		done := map[string]bool{value: true} // its encodings were added above
		for _, in := range inner {
			for _, text := range in.forms(value) {
				if done[text] {
					continue
				}
				done[text] = true
				for _, out := range outer {
					add(out.name+" of "+in.name, out.forms(text))
				}
			}
		}
	}
	compose(textual, textual)
	compose(textual, binaries)
	compose(binaries, textual)
	return all
}

// textual encodings leave ordinary characters unchanged.
var textual = []encoding{
	{"URL query", func(text string) []string {
		escaped := url.QueryEscape(text)
		return eitherCase(
			escaped,
			strings.ReplaceAll(escaped, "+", "%20"),
			queryOfJavaScript.Replace(escaped),
			queryOfJava.Replace(escaped),
		)
	}},
	{"URL path", func(text string) []string {
		escaped := url.PathEscape(text)
		return eitherCase(escaped, strings.ReplaceAll(escaped, "%2F", "/"))
	}},
	{"JSON", func(text string) []string {
		marshalled, _ := json.Marshal(text) // a string always marshals
		escaped := inner(string(marshalled))
		plain := jsonPlain.Replace(escaped)
		return eitherCase(escaped, plain, strings.ReplaceAll(escaped, "/", `\/`), strings.ReplaceAll(plain, "/", `\/`))
	}},
	{"Go string", func(text string) []string {
		return []string{inner(strconv.Quote(text)), inner(strconv.QuoteToASCII(text))}
	}},
	{"JavaScript string", func(text string) []string { return eitherCase(template.JSEscapeString(text)) }},
	{"HTML", func(text string) []string {
		escaped := html.EscapeString(text)
		return []string{
			escaped,
			htmlNamed.Replace(escaped),
			htmlHexadecimal.Replace(escaped),
			htmlWithQuotes.Replace(text),
		}
	}},
	{"shell word", func(text string) []string {
		return []string{
			strings.ReplaceAll(text, "'", `'\''`),
			shellQuoted.Replace(text),
		}
	}},
	{"HCL string", func(text string) []string {
		return []string{hclQuoted.Replace(text)}
	}},
}

var (
	// JavaScript's encodeURIComponent and Java's URLEncoder leave other characters unescaped than Go.
	queryOfJavaScript = strings.NewReplacer("+", "%20", "%21", "!", "%2A", "*", "%27", "'", "%28", "(", "%29", ")")
	queryOfJava       = strings.NewReplacer("~", "%7E", "%2A", "*")
	// jsonPlain undoes the escapes that encoding/json adds for HTML.
	jsonPlain       = strings.NewReplacer(`\\`, `\\`, `\u003c`, "<", `\u003e`, ">", `\u0026`, "&")
	htmlNamed       = strings.NewReplacer("&#34;", "&quot;", "&#39;", "&apos;")
	htmlHexadecimal = strings.NewReplacer("&#34;", "&quot;", "&#39;", "&#x27;")
	htmlWithQuotes  = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	shellQuoted     = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")
	hclQuoted       = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", "$${", "%{", "%%{", "\n", `\n`)
)

// binaries change every character.
var binaries = []encoding{
	{"base64", func(text string) []string {
		var forms []string
		for offset := range 3 { // inside a longer value, such as "id:secret", the digits depend on the position
			forms = append(forms,
				digits(base64.RawStdEncoding.EncodeToString, text, offset, 6),
				digits(base64.RawURLEncoding.EncodeToString, text, offset, 6))
		}
		return forms
	}},
	{"base32", func(text string) []string {
		var forms []string
		for offset := range 5 {
			upper := digits(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString, text, offset, 5)
			forms = append(forms, upper, strings.ToLower(upper))
		}
		return forms
	}},
	{"hex", func(text string) []string {
		lower := hex.EncodeToString([]byte(text))
		spaced := fmt.Sprintf("% x", text)
		colons := strings.ReplaceAll(spaced, " ", ":")
		return []string{lower, strings.ToUpper(lower), spaced, strings.ToUpper(spaced), colons, strings.ToUpper(colons)}
	}},
	{"percent signs throughout", each("%%%02x", "%%%02X")},
	{`\u throughout`, each(`\u%04x`, `\u%04X`)},
	{`\x throughout`, each(`\x%02x`, `\x%02X`)},
	{"octal throughout", each(`\%03o`)},
	{"HTML entities throughout", each("&#%d;", "&#x%x;", "&#x%X;")},
	{"numbers", each("%d ", "%d,", "%d, ", "0x%x, ")}, // as fmt and encoders print bytes
	{"UTF-16", func(text string) []string {
		units := utf16.Encode([]rune(text))
		little, _ := binary.Append(nil, binary.LittleEndian, units) // never fails for numbers
		big, _ := binary.Append(nil, binary.BigEndian, units)
		return []string{string(little), string(big)}
	}},
}

// each returns forms in which every byte is written in a format, one form per format.
func each(formats ...string) func(string) []string {
	tables := make([][256]string, len(formats))
	for i, format := range formats {
		for b := range tables[i] {
			tables[i][b] = fmt.Sprintf(format, b)
		}
	}
	return func(text string) []string {
		forms := make([]string, len(formats))
		for i := range tables {
			var out strings.Builder
			for j := range len(text) {
				out.WriteString(tables[i][text[j]])
			}
			forms[i] = strings.TrimRight(out.String(), " ,")
		}
		return forms
	}
}

// digits encodes text after offset other bytes, and returns those digits that depend on text only. Each digit has width
// bits.
func digits(encode func([]byte) string, text string, offset, width int) string {
	all := encode(append(make([]byte, offset), text...))
	return all[(8*offset+width-1)/width : 8*(offset+len(text))/width]
}

// inner removes the quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// eitherCase adds to each text its variants with lower-case and upper-case hexadecimal escapes.
func eitherCase(texts ...string) []string {
	all := texts
	for _, text := range texts {
		all = append(all, recase(text, strings.ToLower), recase(text, strings.ToUpper))
	}
	return all
}

// recase changes the case of the digits after "%" and "\u".
func recase(text string, change func(string) string) string {
	out := []byte(text)
	for i := range out {
		switch {
		case out[i] == '%' && i+3 <= len(out):
			copy(out[i+1:i+3], change(text[i+1:i+3]))
		case out[i] == '\\' && i+6 <= len(out) && out[i+1] == 'u':
			copy(out[i+2:i+6], change(text[i+2:i+6]))
		}
	}
	return string(out)
}
