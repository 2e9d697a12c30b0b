// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// Value is what one source says about an input. The zero value: nothing, as null, "" and [] do.
type Value struct {
	Secret  clients.Secret // a list is joined by blanks, as the wire has it
	Unknown bool           // it is decided later, as Terraform decides values that are known after apply
}

// Text is a value of one text.
func Text(text string, unknown bool) Value { return Value{clients.NewSecret(text), unknown} }

// List is a value of several texts; empty ones are left out.
func List(items []string, unknown bool) Value {
	items = slices.DeleteFunc(items, func(item string) bool { return item == "" })
	return Text(strings.Join(items, " "), unknown)
}

// Map is a value of several texts with names; empty ones are left out.
func Map(items map[string]string, unknown bool) Value { return Value{clients.Pairs(items), unknown} }

// Source is a place in which values may be set.
type Source struct {
	Origin Origin
	Value  func(Input) Value
}

// Origin is a source in the words of a message.
type Origin string

// The sources that every front end has.
const (
	FromEnvironment Origin = "the environment"
	FromDefault     Origin = "the default"
)

// Environment is the source that reads the variables of the inputs.
func Environment(getenv func(string) string) Source {
	return Source{FromEnvironment, func(in Input) Value {
		if in.Environment == "" {
			return Value{}
		}
		return Value{Secret: clients.NewSecret(getenv(in.Environment))}
	}}
}

// Defaults is the source that comes last.
func Defaults() Source {
	return Source{FromDefault, func(in Input) Value { return Value{Secret: clients.NewSecret(in.Default)} }}
}

// Settings are the values of a platform's inputs for one token.
type Settings map[string]Setting

// Setting is a value and where it comes from. All values are kept as secrets: what cannot be printed need not be told
// apart.
type Setting struct {
	Value clients.Secret
	From  Origin
}

// Secret is the value of an input; zero: it has none.
func (s Settings) Secret(name string) clients.Secret { return s[name].Value }

// Text is the value of an input in clear.
func (s Settings) Text(name string) string { return s[name].Value.Reveal() }

func (s Settings) has(name string) bool { return !s[name].Value.IsZero() }

// GrantType is the one that is set, or the one that follows from what is set. The password grant never follows.
func (s Settings) GrantType() string {
	switch {
	case s.has("grant_type"):
		return s.Text("grant_type")
	case s.has("previous_refresh_token"):
		return clients.RefreshToken
	default:
		return clients.ClientCredentials
	}
}

// MinValidity is min_validity, which has been checked.
func (s Settings) MinValidity() time.Duration {
	least, _ := time.ParseDuration(s.Text(MinValidity.Name))
	return least
}

// Problems are what keeps settings from being complete. Each list becomes one message.
type Problems struct {
	Missing []Input // required, and set nowhere
	Unknown []Input // decided later
	Invalid []Invalid
}

// Invalid is what is wrong with one input's value.
type Invalid struct {
	Input Input
	From  Origin
	Text  string
}

// LookUp returns the first value that is set, or is to be decided later, in the order of the sources.
func LookUp(in Input, sources ...Source) (found Setting, unknown bool) {
	for _, source := range sources {
		if value := source.Value(in); value.Unknown || !value.Secret.IsZero() {
			return Setting{value.Secret, source.Origin}, value.Unknown
		}
	}
	return Setting{}, false
}

// sourcesOf are the sources of an input: all of them, or the first that sets the input or its rival.
func (p Platform) sourcesOf(in Input, sources []Source) []Source {
	other := p.rival(in)
	if other.Name == "" {
		return sources
	}
	for i, source := range sources {
		for _, one := range []Input{in, other} {
			if value := source.Value(one); value.Unknown || !value.Secret.IsZero() {
				return sources[i : i+1]
			}
		}
	}
	return nil
}

// clash is what is wrong with an input that is set beside the one that it replaces; "": nothing is.
func (in Input) clash(set Settings) string {
	if in.Replaces == "" || !set.has(in.Name) || !set.has(in.Replaces) {
		return ""
	}
	return "is set beside " + in.Replaces + ", which it replaces: leave out one of the two"
}

// Resolve looks up every input, and checks what the grant type uses.
func (p Platform) Resolve(sources ...Source) (Settings, Problems) {
	found := Settings{}
	var bad Problems
	for _, in := range p.Inputs {
		value, unknown := LookUp(in, p.sourcesOf(in, sources)...)
		if unknown {
			bad.Unknown = append(bad.Unknown, in)
		}
		found[in.Name] = value
	}
	grantType := found.GrantType()
	for _, in := range p.Inputs {
		switch used := in.Grant == "" || in.Grant == grantType; {
		case !used:
			delete(found, in.Name)
		case found.has(in.Name):
			if text := cmp.Or(in.Check(found.Secret(in.Name)), in.clash(found)); text != "" {
				bad.Invalid = append(bad.Invalid, Invalid{in, found[in.Name].From, text})
			}
		case found.has(p.rival(in).Name) || slices.ContainsFunc(bad.Unknown, p.rival(in).is): // the other one counts
		case !in.Optional && !slices.ContainsFunc(bad.Unknown, in.is):
			bad.Missing = append(bad.Missing, in)
		}
	}
	bad.Unknown = slices.DeleteFunc(bad.Unknown, func(in Input) bool { return in.Grant != "" && in.Grant != grantType })
	return found, bad
}

// Wrong is what is wrong with a value, as far as it is known; "": nothing.
func (in Input) Wrong(value Value) string {
	if value.Unknown || value.Secret.IsZero() {
		return ""
	}
	return in.Check(value.Secret)
}

func (in Input) is(other Input) bool { return in.Name == other.Name }

// Validate finds what is wrong with the values of one source alone, as far as they are known. decided reports whether the
// grant type is among those.
func (p Platform) Validate(source Source) (set Settings, faults []Invalid, decided bool) {
	set, decided = Settings{}, true
	for _, in := range p.Inputs {
		value := source.Value(in)
		if value.Unknown {
			decided = decided && in.Name != "grant_type" && in.Name != "previous_refresh_token"
			continue
		}
		set[in.Name] = Setting{value.Secret, source.Origin}
		if text := in.Wrong(value); text != "" {
			faults = append(faults, Invalid{in, source.Origin, text})
		}
	}
	if !decided || len(faults) > 0 {
		return set, faults, decided
	}
	grantType := set.GrantType()
	for _, in := range p.Inputs {
		if text := in.clash(set); text != "" {
			faults = append(faults, Invalid{in, source.Origin, text})
		}
		if in.Grant != "" && in.Grant != grantType && set.has(in.Name) {
			faults = append(faults, Invalid{in, source.Origin, fmt.Sprintf("is for grant_type = %q alone, and the grant type here is %q", in.Grant, grantType)})
		}
	}
	return set, faults, decided
}
