// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package platformstest makes the texts of the platforms, for the tests of the front ends.
package platformstest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// wrong are values that the checks refuse, each for another reason.
var wrong = []string{"\x00", "\xff", strings.Repeat("x", 9000), "~/x", "$HOME/x", "-", "eyJ", "-----BEGIN", "http://host.example", "{}", "s3://${B}", "x:y", "none"}

// Texts calls do with each message and description that a front end may show with these terms.
func Texts(terms platforms.Terms, do func(text string)) {
	say := func(messages ...platforms.Message) {
		for _, m := range messages {
			detail, _ := m.Split()
			do(m.Summary + "\n" + strings.ReplaceAll(detail, platforms.Issues, ""))
		}
	}
	for _, in := range platforms.General {
		do(terms.Fill(in.Description))
		for _, text := range wrong {
			do(terms.Fill(in.Wrong(platforms.Text(text, false))))
		}
	}
	say(platforms.RemarkOnSharing(errors.New("it failed")))
	for _, token := range platforms.All {
		for _, p := range []platforms.Platform{token, token.APIProxy()} {
			for _, in := range p.Inputs {
				do(terms.Fill(in.Description + in.RefreshNote))
				say(p.ExplainInvalid(refused(p, in), terms)...)
			}
			say(p.ExplainMissing(p.Inputs, terms), p.ExplainNoListener(errors.New("it failed")), p.ExplainNoAnswer("it failed", terms))
			say(p.RemarksOnHolds(2, time.Second)...)
			say(p.RemarksOnRefusals(2, 3)...)
			failures(p, terms, say)
		}
	}
}

// refused returns what is wrong with an input that has one of the wrong values.
func refused(p platforms.Platform, in platforms.Input) (faults []platforms.Invalid) {
	for _, text := range wrong {
		source := platforms.Source{Origin: "a test", Value: func(other platforms.Input) platforms.Value {
			switch {
			case other.Name != in.Name:
				return platforms.Value{}
			case in.Map:
				return platforms.Map(map[string]string{text: text}, false)
			}
			return platforms.Text(text, false)
		}}
		_, bad := p.Resolve(source)
		_, more, _ := p.Validate(source)
		faults = append(append(faults, bad.Invalid...), more...)
	}
	return faults
}

// failures makes the messages about each kind of failure, and the warnings.
func failures(p platforms.Platform, terms platforms.Terms, say func(...platforms.Message)) {
	for _, grant := range []string{clients.ClientCredentials, clients.Password, clients.RefreshToken, clients.TokenExchange} {
		found := platforms.Settings{}
		for name, text := range map[string]string{"grant_type": grant, "client_secret": "secret\n", "min_validity": "5m", "scopes": "a b"} {
			found[name] = platforms.Setting{Value: clients.NewSecret(text), From: "a test"}
		}
		for kind := clients.InvalidInput; kind <= clients.Internal; kind++ {
			say(p.Explain(&clients.Error{Platform: p.Title, Endpoint: "host/path", Kind: kind}, found, terms))
		}
		for hint := clients.NoHint; hint <= clients.PlainPassword; hint++ {
			say(p.Explain(&clients.Error{Platform: p.Title, Kind: clients.InvalidInput, Hint: hint}, found, terms))
		}
		say(p.RemarksOnSettings(found, terms)...)
		for _, token := range []clients.Token{{Fallback: fmt.Errorf("it failed"), Scope: "a"}, {Expiry: time.Now().Add(time.Minute)}} {
			say(p.RemarksOnToken(found, token, terms.Words)...)
		}
	}
}
