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

// Value is the value of an input in one source. The zero value means that the source does not set the input. Null, "" and
// [] become the zero value.
type Value struct {
	Secret  clients.Secret // the items of a list are joined by blanks, as requests have them
	Unknown bool           // the value is not known yet, such as one that Terraform knows after apply
}

// Text returns the value of a text.
func Text(text string, unknown bool) Value { return Value{clients.NewSecret(text), unknown} }

// List returns the value of a list of texts. Empty texts are left out.
func List(items []string, unknown bool) Value {
	items = slices.DeleteFunc(items, func(item string) bool { return item == "" })
	return Text(strings.Join(items, " "), unknown)
}

// Map returns the value of a map of texts. Empty texts are left out.
func Map(items map[string]string, unknown bool) Value { return Value{clients.Pairs(items), unknown} }

// Source is a place that sets values.
type Source struct {
	Origin Origin
	Value  func(Input) Value
}

// Origin names a source in messages.
type Origin string

// The origins that every front end has.
const (
	FromEnvironment Origin = "the environment"
	FromDefault     Origin = "the default"
	FromOthers      Origin = "the other settings" // of a grant type that follows from them
	FromHCP         Origin = "HCP Terraform"
)

// Environment returns the source that reads the environment variables of the inputs.
func Environment(getenv func(string) string) Source {
	return Source{FromEnvironment, func(in Input) Value {
		if in.Environment == "" {
			return Value{}
		}
		return Value{Secret: clients.NewSecret(getenv(in.Environment))}
	}}
}

// Defaults returns the source of the defaults. It comes last.
func Defaults() Source {
	return Source{FromDefault, func(in Input) Value { return Value{Secret: clients.NewSecret(in.Default)} }}
}

// Settings are the values of a platform's inputs for one token.
type Settings map[string]Setting

// Setting is a value, and the source that set it. All values are kept as secrets, so that none of them can be printed.
type Setting struct {
	Value clients.Secret
	From  Origin
}

// Secret returns the value of an input; zero: it has none.
func (s Settings) Secret(name string) clients.Secret { return s[name].Value }

// Text returns the value of an input in clear; empty: it has none.
func (s Settings) Text(name string) string { return s[name].Value.Reveal() }

func (s Settings) has(name string) bool { return !s[name].Value.IsZero() }

// GrantType returns the grant type. A platform without a choice has the client credentials grant.
func (s Settings) GrantType() string { return cmp.Or(s.Text("grant_type"), clients.ClientCredentials) }

// MinValidity returns min_validity, which has been checked.
func (s Settings) MinValidity() time.Duration {
	least, _ := time.ParseDuration(s.Text(MinValidity.Name))
	return least
}

// Problems are the reasons why settings cannot be used. Each list becomes one message.
type Problems struct {
	Missing []Input // required, and not set in any source
	Unknown []Input // not known yet
	Invalid []Invalid
}

// Invalid says what is wrong with the value of an input.
type Invalid struct {
	Input Input
	From  Origin
	Text  string
}

// LookUp returns the first value in the order of the sources. unknown reports that it is set, but not known yet.
func LookUp(in Input, sources ...Source) (found Setting, unknown bool) {
	for _, source := range sources {
		if value := source.Value(in); value.Unknown || !value.Secret.IsZero() {
			return Setting{value.Secret, source.Origin}, value.Unknown
		}
	}
	return Setting{}, false
}

// Sets reports whether the source sets the input, to a value that is known or not known yet.
func (s Source) Sets(in Input) bool {
	value := s.Value(in)
	return value.Unknown || !value.Secret.IsZero()
}

// lookUp is LookUp for an input that others may replace. Only the first source that sets one of them counts.
func (p Platform) lookUp(in Input, sources []Source) (found Setting, unknown bool) {
	group := append(p.rivals(in), in)
	for _, source := range sources {
		if slices.ContainsFunc(group, source.Sets) {
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

// clash returns what is wrong with an input that is set together with a rival; "": nothing.
func (p Platform) clash(in Input, set Settings) string {
	rivals := p.rivals(in)
	for _, other := range p.Inputs {
		switch {
		case other.is(in): // a clash with a later input is reported for that input
			return ""
		case set.has(in.Name) && set.has(other.Name) && slices.ContainsFunc(rivals, other.is):
			return "is set beside " + other.Name + ": leave out one of the two"
		}
	}
	return ""
}

// inferGrantType sets the grant type if no source sets it. The first source that sets an input of only one grant decides.
// So an identity token in the environment does not hide a client secret in a block. The password grant is never inferred.
func (p Platform) inferGrantType(found Settings, sources []Source) {
	if found.has("grant_type") {
		return
	}
	for _, source := range sources {
		for _, in := range p.Inputs {
			if in.impliesGrant() && source.Sets(in) {
				found["grant_type"] = Setting{clients.NewSecret(in.Grant), FromOthers}
				return
			}
		}
		if slices.ContainsFunc(p.Inputs, func(in Input) bool { return in.Secret && in.Except != "" && source.Sets(in) }) {
			break
		}
	}
	found["grant_type"] = Setting{clients.NewSecret(clients.ClientCredentials), FromOthers}
}

// impliesGrant reports whether the input's grant is used if the input is set.
func (in Input) impliesGrant() bool {
	return in.Default == "" && (in.Grant == clients.RefreshToken || in.Grant == clients.TokenExchange)
}

// usedBy reports whether the grant uses the input.
func (in Input) usedBy(grantType string) bool {
	return (in.Grant == "" || in.Grant == grantType) && in.Except != grantType
}

// Resolve looks up every input, and checks the inputs that the grant type uses.
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

// Wrong returns what is wrong with a value; "": nothing, or the value is not known yet.
func (in Input) Wrong(value Value) string {
	if value.Unknown || value.Secret.IsZero() {
		return ""
	}
	return in.Check(value.Secret)
}

// SecretVariables returns the names of the environment variables that may hold a secret or an identity token of the platform:
// those that secret inputs are read from, and those that a source names as the value of an input. The variables of GitHub and
// of HCP Terraform are not among them: other providers sign in with these, too.
func (p Platform) SecretVariables(sources ...Source) []string {
	var names []string
	for _, in := range p.Inputs {
		if in.Secret && in.Environment != "" {
			names = append(names, in.Environment)
		}
		for _, source := range sources {
			if name := source.Value(in).Secret; in.Variable && !name.IsZero() && in.Check(name) == "" && !strings.HasPrefix(name.Reveal(), hcpVariable) {
				names = append(names, name.Reveal())
			}
		}
	}
	return names
}

func (in Input) is(other Input) bool { return in.Name == other.Name }

// Validate finds what is wrong with the values of one source, as far as they are known. decided reports whether the grant
// type is known.
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

// unused returns what is wrong with an input that the grant type does not use; "": nothing.
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
