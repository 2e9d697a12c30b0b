// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package platforms is what users see of the platforms, whichever front end they use: the settings of each, where values
// come from, what is checked, and what a failure is called. It knows neither Terraform nor HTTP.
package platforms

import (
	"cmp"
	"slices"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// All is the one list: every front end offers the platforms in it.
var All = []Platform{Interxion, Equinix, CloudLX, DigitalRealty, Megaport, IXAPI, OAuth2}

// Platform is what a front end knows about a platform beyond the wire.
type Platform struct {
	Name   string // as in equinix_access_token
	Title  string // as in "Equinix"
	About  string // what the token is for
	Inputs []Input
	// URL is the name of the input that says where the platform is.
	URL string
	// STS is the name of the input that says where a token exchange is sent; "": where all requests are sent.
	STS string
	// Upstream is the name of the input that says where the API is too; "": an API proxy has to be told.
	Upstream string
	// Outputs are what only this platform's token has.
	Outputs []Output
	Grant   func(Settings) clients.Grant
	// TokenVariables are the environment variables in which the platform's own tools look for a token.
	TokenVariables []string
	// Rejected and Scope are what to know about the platform when it has rejected credentials or a scope; may be empty.
	Rejected, Scope string
	// Party is who answers, where that is not the platform of the title; "": the title.
	Party string

	thing string // that a block makes; "": an access token
}

// Input is a setting of one platform, under the platform's own name for it. Without Grant and Optional it is required,
// whatever the grant type.
type Input struct {
	Name        string
	Description string
	RefreshNote string // what the description adds where refresh tokens can be given; "": nothing
	OutputNote  string // what the description adds where Output has a value; "": nothing
	Environment string // variable; "": none
	Default     string // value where nothing is set; "": none
	Secret      bool
	Number      bool
	URL         bool   // may have a secret in it where it is not accepted
	List        bool   // of strings, which the wire separates by blanks
	Map         bool   // of strings, as clients.Pairs encodes them; its values may be secrets, so Secret is set too
	Argument    bool   // of a map: its values need not be secrets, so a command takes pairs as arguments as well
	OneToken    bool   // may differ from token to token, so it is no setting for all of them
	Grant       string // the only grant type that uses it, and needs it; "": all do
	Except      string // the grant type that does not use it; "": none
	Optional    bool
	// Replaces is the name of the input that this one is set in the place of; "": it replaces none. Several inputs may
	// replace the same one. The first source that sets one of them decides which of them counts.
	Replaces string
	// Holders are environment variables. The name of the first that is set is the input's value, if nothing sets the input
	// or one that may be set in its place.
	Holders []string
	// Output is what a result shows where nothing is set; nil: nothing.
	Output func(clients.Token) any
	// Check returns what is wrong with a value, in words that never contain it; "": nothing.
	Check func(clients.Secret) string
}

// Output is one part of a result.
type Output struct {
	Name        string
	Description string
	Secret      bool
	Outlives    bool // is valid longer than the access token
	Number      bool
	Value       func(clients.Token) any // a string, an int64 where Number is set, or nil
}

// Input returns the one with that name; its zero value, if the platform has none.
func (p Platform) Input(name string) Input {
	for _, in := range p.Inputs {
		if in.Name == name {
			return in
		}
	}
	return Input{}
}

// rivals returns the inputs of which one is set in the place of in, or in in the place of it.
func (p Platform) rivals(in Input) []Input {
	group := cmp.Or(in.Replaces, in.Name)
	return slices.DeleteFunc(slices.Clone(p.Inputs), func(other Input) bool {
		return other.is(in) || cmp.Or(other.Replaces, other.Name) != group
	})
}

// place is the input that says where the platform is, with these settings.
func (p Platform) place(found Settings) Input {
	in := p.Input(p.URL)
	if p.STS != "" && found.GrantType() == clients.TokenExchange {
		in = p.Input(p.STS)
	}
	return p.used(in, found)
}

// used is in, or the input that is set in its place.
func (p Platform) used(in Input, found Settings) Input {
	for _, other := range p.rivals(in) {
		if found.has(other.Name) {
			return other
		}
	}
	return in
}

// AllOutputs are those of every platform and its own.
func (p Platform) AllOutputs() []Output { return slices.Concat(common, p.Outputs) }

// common are the outputs of every platform's token.
var common = []Output{
	{
		Name:        "access_token",
		Description: "The access token.",
		Secret:      true,
		Value:       func(t clients.Token) any { return t.AccessToken.Reveal() },
	},
	{
		Name:        "authorization",
		Description: "The value of the `Authorization` header that carries the token: `Bearer`, a blank, and the access token.",
		Secret:      true,
		Value:       func(t clients.Token) any { return t.Authorization().Reveal() },
	},
	{
		Name:        "token_type",
		Description: "What the platform calls the token. Whatever it is, the token is used as a bearer token; `authorization` has the right header.",
		Value:       func(t clients.Token) any { return t.TokenType },
	},
	{
		Name:        "expires_at",
		Description: "When the token ends (RFC 3339, UTC). Null if the platform names no lifetime.",
		Value:       func(t clients.Token) any { return timeOrNull(t.Expiry) },
	},
	{
		Name:        "expires_in",
		Description: "The seconds that were left when the token was handed out. Null if the platform names no lifetime.",
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
