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
	FromOthers      Origin = "the other settings" // the grant type follows from them
	FromHCP         Origin = "HCP Terraform"
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

// GrantType is the grant type; that of a platform without a choice is the client credentials grant.
func (s Settings) GrantType() string { return cmp.Or(s.Text("grant_type"), clients.ClientCredentials) }

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

// decides reports whether a source says something about the input, now or later.
func (s Source) decides(in Input) bool {
	value := s.Value(in)
	return value.Unknown || !value.Secret.IsZero()
}

// lookUp is LookUp, for an input that others may replace: the first source that sets one of them decides.
func (p Platform) lookUp(in Input, sources []Source) (found Setting, unknown bool) {
	group := append(p.rivals(in), in)
	for _, source := range sources {
		if slices.ContainsFunc(group, source.decides) {
			return LookUp(in, source)
		}
	}
	for _, holder := range in.Holders {
		if found, _ := LookUp(Input{Environment: holder}, sources...); !found.Value.IsZero() {
			return Setting{clients.NewSecret(holder), FromHCP}, false
		}
	}
	return Setting{}, false
}

// clash is what is wrong with an input that is set beside another one that may be set in its place; "": nothing is.
func (p Platform) clash(in Input, set Settings) string {
	rivals := p.rivals(in)
	for _, other := range p.Inputs {
		switch {
		case other.is(in): // the rest is told of those inputs
			return ""
		case set.has(in.Name) && set.has(other.Name) && slices.ContainsFunc(rivals, other.is):
			return "is set beside " + other.Name + ": leave out one of the two"
		}
	}
	return ""
}

// inferGrantType sets the grant type that follows from what the sources set, if none of them sets it. The first source
// that sets something for one of the grants decides, so that an identity token in the environment does not hide a client
// secret in a block. The password grant never follows.
func (p Platform) inferGrantType(found Settings, sources []Source) {
	if found.has("grant_type") {
		return
	}
	for _, source := range sources {
		for _, in := range p.Inputs {
			if in.impliesGrant() && source.decides(in) {
				found["grant_type"] = Setting{clients.NewSecret(in.Grant), FromOthers}
				return
			}
		}
		if slices.ContainsFunc(p.Inputs, func(in Input) bool { return in.Secret && in.Except != "" && source.decides(in) }) {
			break
		}
	}
	found["grant_type"] = Setting{clients.NewSecret(clients.ClientCredentials), FromOthers}
}

// impliesGrant reports whether a value of the input means that its grant is used.
func (in Input) impliesGrant() bool {
	return in.Default == "" && (in.Grant == clients.RefreshToken || in.Grant == clients.TokenExchange)
}

// usedBy reports whether a grant uses the input.
func (in Input) usedBy(grantType string) bool {
	return (in.Grant == "" || in.Grant == grantType) && in.Except != grantType
}

// Resolve looks up every input, and checks what the grant type uses.
func (p Platform) Resolve(sources ...Source) (Settings, Problems) {
	found := Settings{}
	var bad Problems
	for _, in := range p.Inputs {
		value, unknown := p.lookUp(in, sources)
		if unknown {
			bad.Unknown = append(bad.Unknown, in)
		}
		found[in.Name] = value
	}
	p.inferGrantType(found, sources)
	grantType := found.GrantType()
	bad.Unknown = slices.DeleteFunc(bad.Unknown, func(in Input) bool { return !in.usedBy(grantType) })
	later := func(in Input) bool { return slices.ContainsFunc(bad.Unknown, in.is) }
	for _, in := range p.Inputs {
		switch {
		case !in.usedBy(grantType):
			delete(found, in.Name)
		case found.has(in.Name):
			if text := cmp.Or(in.Check(found.Secret(in.Name)), p.clash(in, found)); text != "" {
				bad.Invalid = append(bad.Invalid, Invalid{in, found[in.Name].From, text})
			}
		case in.Optional || later(in):
		case slices.ContainsFunc(p.rivals(in), func(other Input) bool { return found.has(other.Name) || later(other) }):
		default:
			bad.Missing = append(bad.Missing, in)
		}
	}
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
			decided = decided && in.Name != "grant_type" && !in.impliesGrant()
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
	p.inferGrantType(set, []Source{source})
	for _, in := range p.Inputs {
		if text := cmp.Or(p.clash(in, set), in.unused(set)); text != "" {
			faults = append(faults, Invalid{in, source.Origin, text})
		}
	}
	return set, faults, decided
}

// unused is what is wrong with an input that is set for another grant type; "": nothing is.
func (in Input) unused(set Settings) string {
	grantType := set.GrantType()
	switch {
	case in.Name == "grant_type" || !set.has(in.Name) || in.usedBy(grantType):
		return ""
	case in.Except != "":
		return fmt.Sprintf("is not used by grant_type = %q, which needs no client credentials: leave it out, or leave out what is for that grant type", grantType)
	}
	return fmt.Sprintf("is for grant_type = %q alone, and the grant type here is %q", in.Grant, grantType)
}
