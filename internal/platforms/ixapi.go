// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import "github.com/ixtoken/terraform-provider-ixtoken/internal/clients"

// IXAPI describes the API that internet exchanges have in common.
var IXAPI = Platform{
	Name:     "ixapi",
	Title:    "IX-API",
	About:    "the IX-API of an internet exchange (DE-CIX, AMS-IX, LINX and others)",
	URL:      "base_url",
	Upstream: "base_url",
	Inputs: []Input{
		{
			Name:        "base_url",
			Description: "The URL of the exchange's IX-API, with the version in its path, such as `https://ixapi.de-cix.net/api/v2`. Each exchange has its own URL, so there is no default.",
			Environment: "IX_API_HOST",
			Check:       clients.CheckURL,
		},
		{
			Name:        "api_key",
			Description: "The API key, from the exchange.",
			Environment: "IX_API_KEY",
			Check:       clients.CheckText,
		},
		{
			Name:        "api_secret",
			Description: "The API secret, from the exchange.",
			Environment: "IX_API_SECRET",
			Secret:      true,
			Check:       clients.CheckVerbatim,
		},
		{
			Name:        "previous_refresh_token",
			Description: "The `refresh_token` of an earlier run. It works once. If the exchange does not accept it any more, {program} uses the key and the secret and warns.",
			Secret:      true,
			OneToken:    true,
			Grant:       clients.RefreshToken,
			Check:       clients.CheckVerbatim,
		},
		MinValidity,
	},
	Outputs: refreshOutputs("IX-API issues one with every access token."),
	Grant: func(s Settings) clients.Grant {
		return clients.IXAPI{
			BaseURL:      s.Text("base_url"),
			APIKey:       s.Text("api_key"),
			APISecret:    s.Secret("api_secret"),
			RefreshToken: s.Secret("previous_refresh_token"),
		}
	},
}
