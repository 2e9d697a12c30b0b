// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"math/big"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// inputAttribute returns the attribute for an input.
func inputAttribute(in platforms.Input) schema.Attribute {
	text := words.Fill(in.Description + in.RefreshNote + in.OutputNote)
	if in.Environment != "" {
		text += " Environment variable: `" + in.Environment + "`."
	}
	if in.Default != "" {
		text += " Default: `" + in.Default + "`."
	}
	switch {
	case in.Number: // not Int64Attribute: the framework converts its values before our checks, with errors of its own
		return schema.NumberAttribute{Optional: true, Sensitive: in.Secret, MarkdownDescription: text}
	case in.Map:
		return schema.MapAttribute{ElementType: types.StringType, Optional: true, Sensitive: in.Secret, MarkdownDescription: text}
	case in.List:
		return schema.ListAttribute{ElementType: types.StringType, Optional: true, Sensitive: in.Secret, MarkdownDescription: text}
	}
	return schema.StringAttribute{Optional: true, Computed: in.Output != nil, Sensitive: in.Secret, MarkdownDescription: text}
}

func outputAttribute(out platforms.Output) schema.Attribute {
	if out.Number {
		return schema.Int64Attribute{Computed: true, Sensitive: out.Secret, MarkdownDescription: words.Fill(out.Description)}
	}
	return schema.StringAttribute{Computed: true, Sensitive: out.Secret, MarkdownDescription: words.Fill(out.Description)}
}

// outputs returns the outputs of the ephemeral resource. If stored is set, it returns those of the data source: the outputs
// that do not outlive the access token.
func outputs(p platforms.Platform, stored bool) []platforms.Output {
	var all []platforms.Output
	for _, out := range p.AllOutputs() {
		if !stored || !out.Outlives {
			all = append(all, out)
		}
	}
	return all
}

// blockAttributes returns the attributes of the ephemeral resource. If stored is set, it returns those of the data source,
// which has no secret inputs and cannot be disabled.
func blockAttributes(p platforms.Platform, stored bool) map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{}
	if !stored {
		attributes[enabledName] = enabledAttribute()
	}
	for _, in := range p.Inputs {
		if stored {
			in.RefreshNote = ""
		}
		if !stored || !in.Secret {
			attributes[in.Name] = inputAttribute(in)
		}
	}
	for _, out := range outputs(p, stored) {
		attributes[out.Name] = outputAttribute(out)
	}
	return attributes
}

// providerAttributes returns the attributes of the platform's object in the provider block.
func providerAttributes(p platforms.Platform) map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{}
	for _, in := range p.Inputs {
		if !in.OneToken {
			in.Output, in.OutputNote = nil, ""
			attributes[in.Name] = inputAttribute(in)
		}
	}
	return attributes
}

// attributeValue converts the value of an output to that of an attribute.
func attributeValue(number bool, value any) tftypes.Value {
	if number {
		return tftypes.NewValue(tftypes.Number, value)
	}
	return tftypes.NewValue(tftypes.String, value)
}

// The origins of values that only the provider has.
const (
	fromBlock         platforms.Origin = "this block"
	fromProviderBlock platforms.Origin = "the provider block"
)

// values holds the attributes of a block, or of an object in a block, by name. They are as the protocol has them: the
// framework's own types take a walk over the schema for each block.
type values map[string]tftypes.Value

// attributes returns what is in an object or a map; it is nil if that is unknown. The result must not be changed.
func attributes(object tftypes.Value) values {
	var found map[string]tftypes.Value
	if object.IsKnown() {
		_ = object.As(&found) // the schema says that it is an object or a map
	}
	return found
}

// source returns the values as a source for platforms.
func (v values) source(origin platforms.Origin) platforms.Source {
	return platforms.Source{Origin: origin, Value: v.read}
}

// read returns the value of an input's attribute as text. null, "", [] and {} count as unset.
func (v values) read(in platforms.Input) platforms.Value {
	value, ok := v[in.Name]
	unknown := !value.IsKnown()
	switch {
	case !ok:
		return platforms.Value{}
	case in.Map:
		items := map[string]string{}
		for name, item := range attributes(value) {
			unknown = unknown || !item.IsKnown()
			items[name] = text(item)
		}
		return platforms.Map(items, unknown)
	case in.List:
		var all []tftypes.Value
		if !unknown {
			_ = value.As(&all)
		}
		var items []string
		for _, item := range all {
			unknown = unknown || !item.IsKnown()
			items = append(items, text(item))
		}
		return platforms.List(items, unknown)
	case in.Number:
		return platforms.Text(number(value), unknown)
	}
	return platforms.Text(text(value), unknown)
}

// text returns the text of a value; it is empty if that is null or unknown.
func text(value tftypes.Value) string {
	if value.IsNull() || !value.IsKnown() { // nearly all are null
		return ""
	}
	var found string
	_ = value.As(&found) // the schema says that it is text
	return found
}

// number returns the text of a number; it is empty if that is null or unknown.
func number(value tftypes.Value) string {
	if value.IsNull() || !value.IsKnown() {
		return ""
	}
	var found big.Float
	_ = value.As(&found) // the schema says that it is a number
	return formatNumber(&found)
}

// formatNumber writes a whole number of at most 64 bits in digits, and any other number with an exponent.
func formatNumber(number *big.Float) string {
	if whole, accuracy := number.Int64(); accuracy == big.Exact {
		return strconv.FormatInt(whole, 10)
	}
	rounded, _ := number.Float64()
	return strconv.FormatFloat(rounded, 'e', -1, 64)
}
