// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// platforms is the one list: every platform in it has an ephemeral resource, a data source and a place in the provider
// block.
var platforms = []platform{interxion, equinix, cloudlx}

// platform is what the provider knows about a platform beyond the wire.
type platform struct {
	name   string // as in equinix_access_token
	title  string // as in "Equinix"
	about  string // what the token is for
	inputs []input
	// url is the name of the input that says where the platform is.
	url string
	// outputs are the attributes that only this platform's token has.
	outputs []output
	grant   func(settings) clients.Grant
	// rejected and scope are what to know about the platform when it has rejected credentials or a scope; may be empty.
	rejected, scope string
}

// input is a setting of one platform, under the platform's own name for it. Without grant and optional it is required,
// whatever the grant type.
type input struct {
	name        string
	description string
	inEphemeral string // what the description adds in the ephemeral resource, where refresh tokens are; "": nothing
	asOutput    string // what the description adds where output has a value; "": nothing
	environment string // variable that is read where the configuration says nothing; "": none
	fallback    string // value where nothing is set; "": none
	secret      bool   // Sensitive, and not in the data source, whose arguments are stored
	list        bool   // of strings, which the wire separates by blanks
	blockOnly   bool   // not in the platform's object in the provider block
	grant       string // the only grant type that uses it, and needs it; "": all do
	optional    bool
	// output is the attribute's value where nothing is configured; nil: it stays null, as inputs do.
	output func(clients.Token) attr.Value
	// check returns what is wrong with a value, in words that never contain it; "": nothing.
	check func(clients.Secret) string
}

// output is a computed attribute of the token.
type output struct {
	name        string
	description string
	secret      bool
	outlives    bool // is valid longer than the access token, and therefore not in the data source
	number      bool
	value       func(clients.Token) attr.Value
}

// attribute is the input's place in a schema.
func (in input) attribute() schema.Attribute {
	if in.list {
		return schema.ListAttribute{ElementType: types.StringType, Optional: true, Sensitive: in.secret, MarkdownDescription: in.markdown()}
	}
	return schema.StringAttribute{Optional: true, Computed: in.output != nil, Sensitive: in.secret, MarkdownDescription: in.markdown()}
}

// markdown is the description with the places where a value may come from.
func (in input) markdown() string {
	text := in.description + in.inEphemeral + in.asOutput
	if in.environment != "" {
		text += " Environment variable: `" + in.environment + "`."
	}
	if in.fallback != "" {
		text += " Default: `" + in.fallback + "`."
	}
	return text
}

func (out output) attribute() schema.Attribute {
	if out.number {
		return schema.Int64Attribute{Computed: true, Sensitive: out.secret, MarkdownDescription: out.description}
	}
	return schema.StringAttribute{Computed: true, Sensitive: out.secret, MarkdownDescription: out.description}
}

// blockAttributes are those of the ephemeral resource or, without what must not be stored, of the data source.
func (p platform) blockAttributes(stored bool) map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{}
	for _, in := range p.inputs {
		if stored {
			in.inEphemeral = ""
		}
		if !stored || !in.secret {
			attributes[in.name] = in.attribute()
		}
	}
	for _, out := range p.allOutputs(stored) {
		attributes[out.name] = out.attribute()
	}
	return attributes
}

// providerAttributes are those of the platform's object in the provider block.
func (p platform) providerAttributes() map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{}
	for _, in := range p.inputs {
		if !in.blockOnly {
			in.output, in.asOutput = nil, ""
			attributes[in.name] = in.attribute()
		}
	}
	return attributes
}

func (p platform) allOutputs(stored bool) []output {
	var all []output
	for _, out := range slices.Concat(commonOutputs, p.outputs) {
		if !stored || !out.outlives {
			all = append(all, out)
		}
	}
	return all
}
