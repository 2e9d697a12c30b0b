// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import "github.com/ixtoken/terraform-provider-ixtoken/internal/clients"

// DigitalRealty describes the API of Digital Realty. Interxion's API is another platform, although Interxion belongs to
// Digital Realty.
var DigitalRealty = Platform{
	Name:     "digitalrealty",
	Title:    "Digital Realty",
	About:    "Digital Realty's API",
	URL:      "base_url",
	Upstream: "base_url",
	Inputs: []Input{
		{
			Name:        "base_url",
			Description: "The URL of Digital Realty's API, with or without `/v2/auth/token`. The playground has `https://playground.digitalrealty.com`.",
			Environment: "DIGITALREALTY_BASE_URL",
			Default:     "https://api.digitalrealty.com",
			Check:       clients.CheckURL,
		},
		{
			Name:        "client_id",
			Description: "The client id, from Digital Realty's developer portal.",
			Environment: "DIGITALREALTY_CLIENT_ID",
			Check:       clients.CheckText,
		},
		{
			Name:        "client_secret",
			Description: "The client secret, from Digital Realty's developer portal.",
			Environment: "DIGITALREALTY_CLIENT_SECRET",
			Secret:      true,
			Check:       clients.CheckVerbatim,
		},
		MinValidity,
	},
	Outputs: []Output{{
		Name:        "scope",
		Description: "The scopes that Digital Realty granted, as it writes them. Null if it names none.",
		Value:       func(t clients.Token) any { return textOrNull(t.Scope) },
	}},
	Grant: func(s Settings) clients.Grant {
		return clients.DigitalRealty{BaseURL: s.Text("base_url"), ClientID: s.Text("client_id"), ClientSecret: s.Secret("client_secret")}
	},
}
