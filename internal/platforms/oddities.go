// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// This file finds what files, shells and pipelines leave around a value by mistake, or instead of it. A secret may have any
// characters, so such a value is no error. It is sent unchanged, and a warning says what is odd.

const (
	// variable matches the name of a variable.
	variable = `[A-Za-z_][A-Za-z0-9_]*`

	// braced matches a reference to a variable that cannot be anything else: ${NAME}, $(command), $[NAME], $env:NAME,
	// ${{ github.expression }}, {{ template }}, #{NAME}#, %NAME%.
	braced = `\$\{\{.*?\}\}|\{\{.*?\}\}|\$\{[^}]+\}|\$\([^)]+\)|\$\[[^\]]+\]|\$[Ee][Nn][Vv]:` + variable + `|#\{[^}]+\}#?|%` + variable + `%`
)

var (
	// placeholder matches a value that is only a placeholder. $name with small letters is not one: passwords may look so.
	placeholder = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?s)^(` + braced + `|\$[A-Z_][A-Z0-9_]+|__[A-Z][A-Z0-9_]*__|<[A-Za-z][A-Za-z0-9 _.:/'-]*>)$`)
	})

	// mask matches what logs, plans and web pages show instead of a secret.
	mask = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)^(\*{3,}|•{3,}|\.{3,}|…|\[(redacted|masked|filtered|hidden|secure|secret|removed)\]|\(sensitive( value)?\)|\(known after apply\))$`)
	})

	// nothing matches what programs print if there is no value.
	nothing = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)^(null|nil|none|undefined|\(null\)|\(none\))$`) })
)

// quotes are pairs of quotation marks.
var quotes = [][2]string{{`"`, `"`}, {`'`, `'`}, {"`", "`"}, {"“", "”"}, {"‘", "’"}}

// oddities returns what is odd about a value. Each is the rest of a sentence that begins with the setting's name, and does
// not contain the value.
func oddities(value clients.Secret) []string {
	text := value.Reveal()
	var found []string
	if first, _ := utf8.DecodeRuneInString(text); invisible(first) {
		found = append(found, "begins with "+character(first))
	}
	if last, _ := utf8.DecodeLastRuneInString(text); invisible(last) {
		found = append(found, "ends in "+character(last))
	}
	text = strings.TrimFunc(text, invisible)
	if inner, ok := unquoted(text); ok {
		found, text = append(found, "is in quotation marks"), inner
	}
	switch {
	case placeholder().MatchString(text):
		found = append(found, "is a placeholder that nothing has replaced")
	case mask().MatchString(text):
		found = append(found, "is what is shown in the place of a secret")
	case nothing().MatchString(text):
		found = append(found, "is what a program prints for no value")
	}
	return found
}

// oddities returns what is odd about the value of an input or, if it is a map, about the values in it.
func (in Input) oddities(value clients.Secret) (found []string) {
	if !in.Map {
		return oddities(value)
	}
	clients.EachValue(value, func(name string, value clients.Secret) {
		for _, text := range oddities(value) {
			found = append(found, fmt.Sprintf("has a value, %q, that %s", name, text))
		}
	})
	return found
}

// invisible reports whether a character cannot be seen on a screen.
func invisible(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

func character(r rune) string {
	switch r {
	case '\n':
		return "a line break"
	case '\r':
		return "a carriage return"
	case '\t':
		return "a tab"
	case ' ':
		return "a blank"
	case '\ufeff':
		return "a byte order mark"
	}
	return fmt.Sprintf("a character that cannot be seen (%U)", r)
}

// unquoted returns the text between quotation marks. ok reports whether there are any.
func unquoted(text string) (inner string, ok bool) {
	for _, pair := range quotes {
		if inner, ok = strings.CutPrefix(text, pair[0]); ok {
			return strings.CutSuffix(inner, pair[1])
		}
	}
	return text, false
}

// oddCredential is a credential that may not be what the user meant.
type oddCredential struct {
	Input
	texts []string // see oddities
}

// sentence returns the sentence that says what is odd.
func (o oddCredential) sentence(terms Terms) string {
	return terms.Input(o.Input) + " " + Enumerate(o.texts) + "."
}

// oddCredentials returns the odd ones among the credentials in use.
func (p Platform) oddCredentials(found Settings) []oddCredential {
	needed := p.credentials(found)
	var odd []oddCredential
	for _, in := range p.Inputs {
		if !in.Secret && !slices.ContainsFunc(needed, in.is) || in.Grant == clients.TokenExchange || in.Parsed {
			continue
		}
		if texts := in.oddities(found.Secret(in.Name)); texts != nil {
			odd = append(odd, oddCredential{in, texts})
		}
	}
	return odd
}
