// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import "github.com/ixtoken/terraform-provider-ixtoken/internal/clients"

// DigitalRealty is the platform of that name. Interxion's IX-API, which is Digital Realty's too, is a platform of its own.
var DigitalRealty = Platform{
	Name:     "digitalrealty",
	Title:    "Digital Realty",
	About:    "Digital Realty's API",
	URL:      "base_url",
	Upstream: "base_url",
	Inputs: []Input{
		{
			Name:        "base_url",
			Description: "The URL of Digital Realty's API, with or without `/v2/auth/token`. That of the playground is `https://playground.digitalrealty.com`.",
			Environment: "DIGITALREALTY_BASE_URL",
			Default:     "https://api.digitalrealty.com",
			Check:       clients.CheckURL,
		},
		{
			Name:        "client_id",
			Description: "The client ID, from Digital Realty's developer portal.",
			Environment: "DIGITALREALTY_CLIENT_ID",
			Check:       clients.CheckText,
		},
		{
			Name:        "client_secret",
			Description: "The client secret, from Digital Realty's developer portal.",
			Environment: "DIGITALREALTY_CLIENT_SECRET",
			Secret:      true,
			Check:       clients.CheckSecret,
		},
		MinValidity,
	},
	Outputs: []Output{{
		Name:        "scope",
		Description: "The scopes as Digital Realty granted them, in its own words. Null if it names none.",
		Value:       func(t clients.Token) any { return textOrNull(t.Scope) },
	}},
	Grant: func(s Settings) clients.Grant {
		return clients.DigitalRealty{BaseURL: s.Text("base_url"), ClientID: s.Text("client_id"), ClientSecret: s.Secret("client_secret")}
	},
}
