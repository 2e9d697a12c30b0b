// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"math/big"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// inputAttribute is an input's place in a schema.
func inputAttribute(in platforms.Input) schema.Attribute {
	text := in.Description + in.RefreshNote + in.OutputNote
	if in.Environment != "" {
		text += " Environment variable: `" + in.Environment + "`."
	}
	if in.Default != "" {
		text += " Default: `" + in.Default + "`."
	}
	switch {
	case in.Number: // not Int64Attribute: the framework converts its value before any check of ours, and words what is wrong
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
		return schema.Int64Attribute{Computed: true, Sensitive: out.Secret, MarkdownDescription: out.Description}
	}
	return schema.StringAttribute{Computed: true, Sensitive: out.Secret, MarkdownDescription: out.Description}
}

// outputs are those of the ephemeral resource or, without what must not be stored, of the data source.
func outputs(p platforms.Platform, stored bool) []platforms.Output {
	var all []platforms.Output
	for _, out := range p.AllOutputs() {
		if !stored || !out.Outlives {
			all = append(all, out)
		}
	}
	return all
}

// blockAttributes are those of the ephemeral resource or, without what must not be stored, of the data source.
func blockAttributes(p platforms.Platform, stored bool) map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{}
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

// providerAttributes are those of the platform's object in the provider block.
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

// attributeValue is an output's as an attribute has it.
func attributeValue(number bool, value any) attr.Value {
	switch value := value.(type) {
	case string:
		return types.StringValue(value)
	case int64:
		return types.Int64Value(value)
	}
	if number {
		return types.Int64Null()
	}
	return types.StringNull()
}

// The sources of values that only Terraform has.
const (
	fromBlock         platforms.Origin = "this block"
	fromProviderBlock platforms.Origin = "the provider block"
)

// values are the attributes of a block or of an object in it, by name.
type values map[string]attr.Value

// source is the values as a place where platforms look.
func (v values) source(origin platforms.Origin) platforms.Source {
	return platforms.Source{Origin: origin, Value: v.read}
}

// read returns an attribute's value as the wire has it. One that is null, "", [] or {} counts as unset.
func (v values) read(in platforms.Input) platforms.Value {
	switch value := v[in.Name].(type) {
	case types.String:
		return platforms.Text(value.ValueString(), value.IsUnknown())
	case types.Number:
		return platforms.Text(formatNumber(value.ValueBigFloat()), value.IsUnknown())
	case types.Map:
		items, unknown := map[string]string{}, value.IsUnknown()
		for name, item := range value.Elements() {
			text, ok := item.(types.String)
			unknown = unknown || !ok || text.IsUnknown()
			items[name] = text.ValueString()
		}
		return platforms.Map(items, unknown)
	case types.List:
		var items []string
		unknown := value.IsUnknown()
		for _, item := range value.Elements() {
			text, ok := item.(types.String)
			unknown = unknown || !ok || text.IsUnknown()
			items = append(items, text.ValueString())
		}
		return platforms.List(items, unknown)
	}
	return platforms.Value{}
}

// formatNumber writes a number as users do. One that is not whole, or beyond 64 bits, has an exponent.
func formatNumber(number *big.Float) string {
	if number == nil {
		return ""
	}
	if whole, accuracy := number.Int64(); accuracy == big.Exact {
		return strconv.FormatInt(whole, 10)
	}
	rounded, _ := number.Float64()
	return strconv.FormatFloat(rounded, 'e', -1, 64)
}
