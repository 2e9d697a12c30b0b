// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import "github.com/ixtoken/terraform-provider-ixtoken/internal/clients"

var cloudlx = platform{
	name:  "cloudlx",
	title: "CloudLX",
	about: "the CloudLX API (Epsilon, today Infiny)",
	url:   "base_url",
	inputs: []input{
		{
			name:        "base_url",
			description: "The URL of your CloudLX portal, with or without `/api`. Portals are white-labelled, so there is no default.",
			environment: "CLOUDLX_BASE_URL",
			check:       checkURL,
		},
		{
			name:        "api_version",
			description: "The API version in the `Accept` header.",
			fallback:    "v1",
			check:       checkAPIVersion,
		},
		{
			name:        "grant_type",
			description: "How to obtain the token: `client_credentials`, which is the default.",
			inEphemeral: " Or `refresh_token`, which is the default where `previous_refresh_token` is set.",
			blockOnly:   true,
			optional:    true,
			check:       checkOneOf(clients.ClientCredentials, clients.RefreshToken),
		},
		{
			name:        "client_id",
			description: "The client ID, made in the portal's section \"API Applications\".",
			environment: "CLOUDLX_CLIENT_ID",
			check:       checkText,
		},
		{
			name:        "client_secret",
			description: "The client secret, made in the portal's section \"API Applications\".",
			environment: "CLOUDLX_CLIENT_SECRET",
			secret:      true,
			check:       checkSecret,
		},
		{
			name:        "previous_refresh_token",
			description: "The `refresh_token` of an earlier run. CloudLX ends the access token that was issued with it. If CloudLX no longer takes it, the token is obtained with the client credentials, with a warning.",
			secret:      true,
			blockOnly:   true,
			grant:       clients.RefreshToken,
			check:       checkSecret,
		},
		minValidity,
	},
	outputs: refreshOutputs("CloudLX issues one with every access token."),
	grant: func(s settings) clients.Grant {
		return clients.CloudLX{
			BaseURL:      s.text("base_url"),
			APIVersion:   s.text("api_version"),
			GrantType:    s.grantType(),
			ClientID:     s.text("client_id"),
			ClientSecret: s.secret("client_secret"),
			RefreshToken: s.secret("previous_refresh_token"),
		}
	},
}
