// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import "github.com/ixtoken/terraform-provider-ixtoken/internal/clients"

// Megaport describes the platform Megaport. The environment has no default: if it is not set, Megaport's own Terraform
// provider uses staging, and its command line uses production.
var Megaport = Platform{
	Name:  "megaport",
	Title: "Megaport",
	About: "the Megaport API",
	URL:   "environment",
	Inputs: []Input{
		{
			Name:        "environment",
			Description: "Megaport's environment: `production`, `staging` or `development`. There is no default, because Megaport's own tools disagree: without it, its Terraform provider uses staging and its command line uses production.",
			Environment: "MEGAPORT_ENVIRONMENT",
			Check:       clients.CheckOneOf(clients.MegaportEnvironments...),
		},
		{
			Name:        "token_url",
			Description: "The URL of the token endpoint, instead of `environment`.",
			Environment: "MEGAPORT_TOKEN_URL",
			Optional:    true,
			Replaces:    "environment",
			URL:         true,
			Check:       clients.CheckURL,
		},
		{
			Name:        "access_key",
			Description: "The access key of an API key. You create it in Megaport's portal.",
			Environment: "MEGAPORT_ACCESS_KEY",
			Check:       clients.CheckAccessKey,
		},
		{
			Name:        "secret_key",
			Description: "The secret key of an API key. You create it in Megaport's portal.",
			Environment: "MEGAPORT_SECRET_KEY",
			Secret:      true,
			Check:       clients.CheckVerbatim,
		},
		MinValidity,
	},
	Grant: func(s Settings) clients.Grant {
		return clients.Megaport{
			Environment: s.Text("environment"),
			TokenURL:    s.Text("token_url"),
			AccessKey:   s.Text("access_key"),
			SecretKey:   s.Secret("secret_key"),
		}
	},
}
