// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package platforms holds what users see of the platforms in every front end: the settings of each platform, where values
// come from, the checks, and the messages. It knows neither Terraform nor HTTP.
package platforms

import (
	"cmp"
	"slices"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// All lists the platforms. Every front end offers all of them.
var All = []Platform{Interxion, Equinix, CloudLX, DigitalRealty, Megaport, IXAPI, OAuth2}

// Platform describes a platform for the front ends.
type Platform struct {
	Name   string // as in equinix_access_token
	Title  string // as in "Equinix"
	About  string // the APIs that accept the token
	Inputs []Input
	// URL is the name of the input with the platform's address.
	URL string
	// ExchangeURL is the name of the input with the address for token exchanges. If it is "", URL is used for them too.
	ExchangeURL string
	// Upstream is the name of an input whose value is also the API's address. If it is "", an API proxy needs its own input.
	Upstream string
	// Outputs are the outputs that only this platform has.
	Outputs []Output
	// Grant returns the grant for complete and checked settings.
	Grant func(Settings) clients.Grant
	// TokenVariables are the environment variables from which the platform's own tools read a token.
	TokenVariables []string
	// Rejected and Scope are sentences for errors about rejected credentials and about a rejected scope; may be empty.
	Rejected, Scope string
	// Server names the server that answers, for messages. If it is "", Title does.
	Server string

	result string // what a block makes, for messages, or "" for an access token
}

// Input is a setting of one platform, under the platform's own name for it. It is required for each grant that uses it,
// unless it is Optional, has a Default, or another input is set in its place. A required input without a Default counts
// among the credentials in messages.
type Input struct {
	Name        string
	Description string
	RefreshNote string // is added to Description in a front end that accepts refresh tokens, or "" if there is nothing
	OutputNote  string // is added to Description in a front end that shows Output, or "" if there is nothing
	Environment string // the environment variable that sets the input, or "" if there is none
	Default     string // the value if nothing sets the input, or "" if there is none
	Secret      bool
	Number      bool
	URL         bool   // a URL: if it is not accepted, it may contain a secret
	List        bool   // a list of strings; requests separate them by blanks
	Map         bool   // a map of strings, as clients.Pairs encodes them; Secret is set too, because values may be secrets
	Variable    bool   // the value is the name of an environment variable that holds a secret
	Argument    bool   // for a map: values need not be secrets, so a command also accepts pairs as arguments
	OneToken    bool   // is set for one token only, so it is not in the provider block
	Grant       string // the only grant type that uses the input, or "" if all use it; without a Default, a value also selects this grant
	Except      string // the grant type that does not use the input, or "" if there is none
	Optional    bool
	// Required reports whether an Optional input must be set with these settings. It is nil if it need
	// never be set.
	Required func(Settings) bool
	// Client is set if the input is about the client. A token exchange uses it only if it has a client.
	Client bool
	// Methods are the ways to authenticate that use the input. It is nil if all use it. If no source names a method, the input
	// implies the first of them.
	Methods []string
	// InFile is the name of the input that names a file with the value. It is "" if there is none. A command then reads the
	// value only from the file.
	InFile string
	// Parsed is set if the client reads the value, so that blanks and line breaks around it do no harm.
	Parsed bool
	// Replaces is the name of the input that this one can be set in place of. It is "" if it replaces none. Several inputs may
	// replace the same input. The first source that sets one of them decides which of them is used.
	Replaces string
	// Fallbacks are environment variables that may hold a value for the grant. If no source sets the input, or another input
	// in its place, its value is the name of the first variable that is set.
	Fallbacks []string
	// Output returns what a result shows if the input is not set. It is nil if that is nothing.
	Output func(clients.Token) any
	// Check returns what is wrong with a value, without the value itself, or "" if nothing is.
	Check func(clients.Secret) string
	// Conflict returns what is wrong with a value that Check accepts beside the other settings, or "" if nothing is. It
	// is nil if there is no such rule.
	Conflict func(Settings) string
}

// Output is one part of a result.
type Output struct {
	Name        string
	Description string
	Secret      bool
	Outlives    bool // is valid for longer than the access token
	Number      bool
	Value       func(clients.Token) any // returns a string, or an int64 if Number is set, or nil
}

// Input returns the input with the name, or the zero value if the platform has none.
func (p Platform) Input(name string) Input {
	for _, in := range p.Inputs {
		if in.Name == name {
			return in
		}
	}
	return Input{}
}

// alternatives returns the other inputs of which only one can be used together with in: those in place of which in can be set,
// and those that can be set in place of in.
func (p Platform) alternatives(in Input) (others []Input) {
	group := cmp.Or(in.Replaces, in.Name)
	for i := range p.Inputs { // does not copy the inputs, because each block asks for the others of each input
		if other := &p.Inputs[i]; cmp.Or(other.Replaces, other.Name) == group && other.Name != in.Name {
			others = append(others, *other)
		}
	}
	return others
}

// urlInput returns the input with the address that a request with these settings goes to.
func (p Platform) urlInput(found Settings) Input {
	in := p.Input(p.URL)
	if p.ExchangeURL != "" && found.GrantType() == clients.TokenExchange {
		in = p.Input(p.ExchangeURL)
	}
	return p.inUse(in, found)
}

// inUse returns in, or the input that is set in place of it.
func (p Platform) inUse(in Input, found Settings) Input {
	for _, other := range p.alternatives(in) {
		if found.has(other.Name) {
			return other
		}
	}
	return in
}

// AllOutputs returns the outputs that every platform has, and the outputs of this one.
func (p Platform) AllOutputs() []Output { return slices.Concat(common, p.Outputs) }

// common are the outputs that every platform has.
var common = []Output{
	{
		Name:        "access_token",
		Description: "The access token.",
		Secret:      true,
		Value:       func(t clients.Token) any { return t.AccessToken.Reveal() },
	},
	{
		Name:        "authorization",
		Description: "The value for the `Authorization` header: `Bearer`, a blank, and the access token.",
		Secret:      true,
		Value:       func(t clients.Token) any { return t.Authorization().Reveal() },
	},
	{
		Name:        "token_type",
		Description: "The platform's name for the type of the token. Use every token as a bearer token: `authorization` is the right header.",
		Value:       func(t clients.Token) any { return t.TokenType },
	},
	{
		Name:        "expires_at",
		Description: "When the token expires (RFC 3339, UTC). Null if the platform names no lifetime.",
		Value:       func(t clients.Token) any { return timeOrNull(t.Expiry) },
	},
	{
		Name:        "expires_in",
		Description: "How many seconds the token was still valid when {program} returned it. Null if the platform names no lifetime.",
		Number:      true,
		Value:       func(t clients.Token) any { return secondsLeft(t.Expiry) },
	},
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func timeOrNull(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.UTC().Truncate(time.Second).Format(time.RFC3339)
}

func secondsLeft(expiry time.Time) any {
	if expiry.IsZero() {
		return nil
	}
	return int64(max(0, time.Until(expiry)) / time.Second)
}
