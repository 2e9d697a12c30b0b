// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// This file has the attribute that turns a block off. It is no input of the platforms: only blocks that Terraform opens
// in the plan and again in the apply need it.

const enabledName = "enabled"

// enabledAttribute returns the attribute of every ephemeral resource.
func enabledAttribute() schema.Attribute {
	return schema.BoolAttribute{
		Optional: true,
		MarkdownDescription: "If `false`, the provider sends nothing and does not check the other arguments, and each output is null. " +
			"With `terraform.applying`, the plan needs no credentials and no login. Default: `true`.",
	}
}

// enabled returns the attribute's value. It is null in a data source, which does not have the attribute.
func enabled(block types.Object) types.Bool {
	value, _ := block.Attributes()[enabledName].(types.Bool)
	return value
}

// disabled reports whether the block is certainly off.
func disabled(block types.Object) bool { return enabled(block).Equal(types.BoolValue(false)) }
