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

// Secret returns the value of an input, or the zero Secret if it has none.
func (s Settings) Secret(name string) clients.Secret { return s[name].Value }

// Text returns the value of an input in clear, or "" if it has none.
func (s Settings) Text(name string) string { return s[name].Value.Reveal() }

func (s Settings) has(name string) bool { return !s[name].Value.IsZero() }

// GrantType returns the grant type. A platform without a choice has the client credentials grant.
func (s Settings) GrantType() string { return cmp.Or(s.Text("grant_type"), clients.ClientCredentials) }

// use is what decides which inputs a request uses.
type use struct {
	grantType string
	// method is how the client authenticates. It is empty if it is not known, so any method may be used.
	method string
	// client reports whether there is a client. A token exchange may have none.
	client bool
}

// use returns what the settings of a request are for.
func (s Settings) use() use {
	grantType := s.GrantType()
	return use{grantType, cmp.Or(s.Text(authMethod), clients.ClientSecretBasic), grantType != clients.TokenExchange || s.has("client_id")}
}

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
func (p Platform) lookUp(in Input, u use, sources []Source) (found Setting, unknown bool) {
	others := p.alternatives(in)
	for _, source := range sources {
		counts := func(other Input) bool { return other.usedBy(u) && source.Sets(other) }
		if counts(in) || slices.ContainsFunc(others, counts) {
			return LookUp(in, source)
		}
	}
	for _, variable := range in.Fallbacks {
		if found, _ := LookUp(Input{Environment: variable}, sources...); !found.Value.IsZero() {
			return Setting{clients.NewSecret(variable), FromHCP}, false
		}
	}
	return Setting{}, false
}

// clash returns what is wrong with an input that is set together with an alternative, or "" if nothing is.
func (p Platform) clash(in Input, set Settings) string {
	if !set.has(in.Name) {
		return ""
	}
	index := slices.IndexFunc(p.Inputs, in.is)
	for _, other := range p.alternatives(in) {
		// A clash with a later input is reported for that input.
		if set.has(other.Name) && slices.IndexFunc(p.Inputs, other.is) < index {
			return "is set beside " + other.Name + ": leave out one of the two"
		}
	}
	return ""
}

// conflict returns what is wrong with an input beside the other settings, or "" if nothing is.
func (in *Input) conflict(set Settings) string {
	if in.Conflict == nil {
		return ""
	}
	return in.Conflict(set)
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
		if slices.ContainsFunc(p.Inputs, func(in Input) bool { return in.authenticates() && source.Sets(in) }) {
			break
		}
	}
	found["grant_type"] = Setting{clients.NewSecret(clients.ClientCredentials), FromOthers}
}

// impliesGrant reports whether the input's grant is used if the input is set.
func (in Input) impliesGrant() bool {
	return in.Default == "" && (in.Grant == clients.RefreshToken || in.Grant == clients.TokenExchange)
}

// authenticates reports whether a client authenticates with the input, so that it has the client credentials grant.
func (in Input) authenticates() bool { return in.Secret && in.Except != "" || in.Methods != nil }

// inferMethod sets how the client authenticates, if the platform leaves that to the user. The first source that names a
// method, or sets an input of one, decides. A client secret says nothing about where it is sent, and a certificate may
// stand beside any method, so both leave the choice to a method that a later source names.
func (p Platform) inferMethod(found Settings, sources []Source) {
	own := p.Input(authMethod)
	if own.Name == "" {
		return
	}
	named, _ := LookUp(own, sources...)
	bySecret := slices.Contains(bySecret, named.Value.Reveal())
	for _, source := range sources {
		switch {
		case source.Sets(own):
			found[authMethod] = Setting{source.Value(own).Secret, source.Origin}
			return
		case p.implies(clients.PrivateKeyJWT, source):
			found[authMethod] = Setting{clients.NewSecret(clients.PrivateKeyJWT), FromOthers}
			return
		case p.implies(clients.ClientSecretBasic, source) && !bySecret:
			found[authMethod] = Setting{clients.NewSecret(clients.ClientSecretBasic), FromOthers}
			return
		case p.implies(clients.ClientSecretBasic, source):
			found[authMethod] = named
			return
		case p.implies(clients.TLSClientAuth, source) && named.Value.IsZero():
			found[authMethod] = Setting{clients.NewSecret(clients.TLSClientAuth), FromOthers}
			return
		}
	}
	method := clients.ClientSecretBasic
	if found.GrantType() == clients.TokenExchange {
		method = clients.NoAuthentication
	}
	found[authMethod] = Setting{clients.NewSecret(method), FromDefault}
}

// implies reports whether the source sets an input that implies the method.
func (p Platform) implies(method string, source Source) bool {
	return slices.ContainsFunc(p.Inputs, func(in Input) bool { return in.implied() == method && source.Sets(in) })
}

// implied returns the way to authenticate that the input implies, or "" if there is none.
func (in Input) implied() string { return strings.Join(in.Methods[:min(1, len(in.Methods))], "") }

// hasClient reports whether there is a client. In a token exchange there is one if client_id comes from a source that also
// sets an input of the exchange. So a client in the environment does not authenticate the exchange of a block.
func (p Platform) hasClient(grantType string, sources []Source) bool {
	if grantType != clients.TokenExchange {
		return true
	}
	for _, source := range sources {
		if source.Sets(p.Input("client_id")) {
			return source.Value(p.Input("grant_type")).Secret.Reveal() == clients.TokenExchange ||
				slices.ContainsFunc(p.Inputs, func(in Input) bool { return in.Grant == clients.TokenExchange && source.Sets(in) })
		}
	}
	return false
}

// usedBy reports whether a request uses the input.
func (in Input) usedBy(u use) bool {
	return (in.Grant == "" || in.Grant == u.grantType) && in.Except != u.grantType && (u.client || !in.Client) &&
		(in.Methods == nil || u.method == "" || slices.Contains(in.Methods, u.method))
}

// required reports whether the input must be set with these settings.
func (in Input) required(found Settings) bool {
	return !in.Optional || in.Required != nil && in.Required(found)
}

// Resolve looks up every input, and checks the inputs that the request uses. If there are no [Problems], [Platform.Grant] takes
// the settings.
func (p Platform) Resolve(sources ...Source) (Settings, Problems) {
	found, u := p.choose(sources)
	var bad Problems
	for _, in := range p.Inputs {
		if _, chosen := found[in.Name]; chosen || !in.usedBy(u) {
			continue
		}
		value, unknown := p.lookUp(in, u, sources)
		if unknown {
			bad.Unknown = append(bad.Unknown, in)
		}
		found[in.Name] = value
	}
	for _, in := range []Input{p.Input("grant_type"), p.Input(authMethod)} {
		if _, unknown := LookUp(in, sources...); unknown && in.usedBy(u) {
			bad.Unknown = append(bad.Unknown, in)
		}
	}
	later := func(in Input) bool { return slices.ContainsFunc(bad.Unknown, in.is) }
	for _, in := range p.Inputs {
		switch {
		case !in.usedBy(u):
		case found.has(in.Name):
			if text := cmp.Or(in.Check(found.Secret(in.Name)), p.clash(in, found), in.conflict(found)); text != "" {
				bad.Invalid = append(bad.Invalid, Invalid{in, found[in.Name].From, text})
			}
		case !in.required(found) || later(in):
		case slices.ContainsFunc(p.alternatives(in), func(other Input) bool { return found.has(other.Name) || later(other) }):
		default:
			bad.Missing = append(bad.Missing, in)
		}
	}
	for _, in := range p.Inputs { // a way to authenticate that is not in use is not worth a line
		if in.Methods != nil && !found.has(in.Name) && !in.required(found) {
			delete(found, in.Name)
		}
	}
	return found, bad
}

// choose returns the settings that decide what else is used: the grant type, and how the client authenticates.
func (p Platform) choose(sources []Source) (Settings, use) {
	found := Settings{}
	if in := p.Input("grant_type"); in.Name != "" {
		if found["grant_type"], _ = LookUp(in, sources...); !found.has("grant_type") {
			delete(found, "grant_type")
		}
	}
	p.inferGrantType(found, sources)
	u := use{grantType: found.GrantType()}
	if u.client = p.hasClient(u.grantType, sources); u.client {
		p.inferMethod(found, sources)
		u.method = found.Text(authMethod)
	}
	return found, u
}

// Wrong returns what is wrong with a value, or "" if nothing is wrong or the value is not known yet.
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
	methodKnown := true
	for _, in := range p.Inputs {
		value := source.Value(in)
		if value.Unknown {
			decided = decided && in.Name != "grant_type" && !in.impliesGrant()
			methodKnown = methodKnown && in.Name != authMethod && in.Methods == nil
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
	u := use{grantType: set.GrantType(), client: true}
	if chosen := (Settings{}); methodKnown {
		if p.inferMethod(chosen, []Source{source}); chosen[authMethod].From != FromDefault {
			u.method = chosen.Text(authMethod)
		}
	}
	for _, in := range p.Inputs {
		if text := cmp.Or(p.clash(in, set), p.unused(in, u, set)); text != "" {
			faults = append(faults, Invalid{in, source.Origin, text})
		}
	}
	return set, faults, decided
}

// unused returns what is wrong with an input that the request does not use, or "" if nothing is. set holds the
// settings of the same source.
func (p Platform) unused(in Input, u use, set Settings) string {
	switch {
	case in.Name == "grant_type" || !set.has(in.Name) || in.usedBy(u):
		return ""
	case slices.ContainsFunc(p.alternatives(in), func(other Input) bool { return set.has(other.Name) }):
		return "" // that is a clash
	case in.Except != "" && in.Except == u.grantType:
		return fmt.Sprintf("is not used by grant_type = %q, which needs no client credentials: leave it out, or leave out what is for that grant type", u.grantType)
	case in.Grant != "" && in.Grant != u.grantType:
		return fmt.Sprintf("is for grant_type = %q alone, and the grant type here is %q", in.Grant, u.grantType)
	}
	return fmt.Sprintf("is not used by %s = %q: leave out one of the two", authMethod, u.method)
}
