// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

var interxion = platform{
	name:  "interxion",
	title: "Interxion",
	about: "Interxion's IX-API (today Digital Realty)",
	url:   "login_url",
	scope: "Without scopes, it grants all of them.",
	inputs: []input{
		{
			name:        "login_url",
			description: "The login URL that Interxion sends by e-mail, one for acceptance and one for production; with or without `/connect/token`.",
			environment: "INTERXION_LOGIN_URL",
			check:       checkURL,
		},
		{
			name:        "client_id",
			description: "The client id that Interxion sends by e-mail.",
			environment: "INTERXION_CLIENT_ID",
			check:       checkText,
		},
		{
			name:        "client_secret",
			description: "The client secret that Interxion sends by e-mail.",
			environment: "INTERXION_CLIENT_SECRET",
			secret:      true,
			check:       checkSecret,
		},
		{
			name:        "scopes",
			description: "The scopes to ask for. Unset: all that the client may have.",
			list:        true,
			optional:    true,
			check:       checkText,
		},
		minValidity,
	},
	outputs: []output{{
		name:        "scope",
		description: "The scopes as Interxion granted them, in its own words. Null if it names none.",
		value:       func(t clients.Token) attr.Value { return textOrNull(t.Scope) },
	}},
	grant: func(s settings) clients.Grant {
		return clients.Interxion{
			LoginURL:     s.text("login_url"),
			ClientID:     s.text("client_id"),
			ClientSecret: s.secret("client_secret"),
			Scope:        s.text("scopes"),
		}
	},
}

func textOrNull(text string) types.String {
	if text == "" {
		return types.StringNull()
	}
	return types.StringValue(text)
}
