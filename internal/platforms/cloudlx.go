// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import "github.com/ixtoken/terraform-provider-ixtoken/internal/clients"

// CloudLX describes the platform CloudLX.
var CloudLX = Platform{
	Name:     "cloudlx",
	Title:    "CloudLX",
	About:    "the CloudLX API (Epsilon, today Infiny)",
	URL:      "base_url",
	Upstream: "base_url",
	Inputs: []Input{
		{
			Name:        "base_url",
			Description: "The URL of your CloudLX portal, with or without `/api`. Portals are white-labelled, so there is no default.",
			Environment: "CLOUDLX_BASE_URL",
			Check:       clients.CheckURL,
		},
		{
			Name:        "api_version",
			Description: "The API version in the `Accept` header.",
			Default:     "v1",
			Check:       clients.CheckAPIVersion,
		},
		{
			Name:        "grant_type",
			Description: "How to obtain the token: `client_credentials`, which is the default.",
			RefreshNote: " Or `refresh_token`, which is the default if `previous_refresh_token` is set.",
			OneToken:    true,
			Optional:    true,
			Check:       clients.CheckOneOf(clients.CloudLXGrantTypes...),
		},
		{
			Name:        "client_id",
			Description: "The client id. You create it in the portal's section \"API Applications\".",
			Environment: "CLOUDLX_CLIENT_ID",
			Check:       clients.CheckText,
		},
		{
			Name:        "client_secret",
			Description: "The client secret. You create it in the portal's section \"API Applications\".",
			Environment: "CLOUDLX_CLIENT_SECRET",
			Secret:      true,
			Check:       clients.CheckVerbatim,
		},
		{
			Name:        "previous_refresh_token",
			Description: "The `refresh_token` of an earlier run. Its use revokes the access token that CloudLX issued with it. If CloudLX does not accept it any more, {program} uses the client credentials and warns.",
			Secret:      true,
			OneToken:    true,
			Grant:       clients.RefreshToken,
			Check:       clients.CheckVerbatim,
		},
		MinValidity,
	},
	Outputs: refreshOutputs("CloudLX issues one with every access token."),
	Grant: func(s Settings) clients.Grant {
		return clients.CloudLX{
			BaseURL:      s.Text("base_url"),
			APIVersion:   s.Text("api_version"),
			GrantType:    s.GrantType(),
			ClientID:     s.Text("client_id"),
			ClientSecret: s.Secret("client_secret"),
			RefreshToken: s.Secret("previous_refresh_token"),
		}
	},
}
