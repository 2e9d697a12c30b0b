// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
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

// disabled reports whether the block is certainly off. It is on in a data source, which does not have the attribute.
func disabled(block values) bool {
	on := true
	value, ok := block[enabledName]
	if ok && !value.IsNull() && value.IsKnown() {
		_ = value.As(&on) // the schema says that it is a boolean
	}
	return !on
}
