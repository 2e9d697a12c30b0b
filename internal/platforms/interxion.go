// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// Interxion describes the platform Interxion.
var Interxion = Platform{
	Name:  "interxion",
	Title: "Interxion",
	About: "Interxion's IX-API (today Digital Realty)",
	URL:   "login_url",
	Scope: "Without scopes, it grants all that the client may have.",
	Inputs: []Input{
		{
			Name:        "login_url",
			Description: "The login URL, with or without `/connect/token`. For production, it is `https://login.digitalrealty.com/connect/token`. Interxion sends that for acceptance by e-mail.",
			Environment: "INTERXION_LOGIN_URL",
			Check:       clients.CheckURL,
		},
		{
			Name:        "client_id",
			Description: "The client id. Interxion sends it by e-mail.",
			Environment: "INTERXION_CLIENT_ID",
			Check:       clients.CheckText,
		},
		{
			Name:        "client_secret",
			Description: "The client secret. Interxion sends it by e-mail.",
			Environment: "INTERXION_CLIENT_SECRET",
			Secret:      true,
			Check:       clients.CheckVerbatim,
		},
		{
			Name:        "scopes",
			Description: "The scopes to ask for. If it is not set, Interxion grants all that the client may have.",
			List:        true,
			Optional:    true,
			Check:       clients.CheckText,
		},
		MinValidity,
	},
	Outputs: []Output{{
		Name:        "scope",
		Description: "The scopes that Interxion granted, as it writes them. Null if it names none.",
		Value:       func(t clients.Token) any { return textOrNull(t.Scope) },
	}},
	Grant: func(s Settings) clients.Grant {
		return clients.Interxion{
			LoginURL:     s.Text("login_url"),
			ClientID:     s.Text("client_id"),
			ClientSecret: s.Secret("client_secret"),
			Scope:        s.Text("scopes"),
		}
	},
}
