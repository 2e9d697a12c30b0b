// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/attr"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

var equinix = platform{
	name:     "equinix",
	title:    "Equinix",
	about:    "the Equinix APIs",
	url:      "base_url",
	rejected: "Equinix locks an account after five failed attempts.",
	inputs: []input{
		{
			name:        "base_url",
			description: "The URL of the Equinix API. That of the sandbox is `https://sandboxapi.equinix.com`; credentials belong to one of the two.",
			environment: "EQUINIX_API_ENDPOINT",
			fallback:    "https://api.equinix.com",
			check:       checkURL,
		},
		{
			name:        "grant_type",
			description: "How to obtain the token: `client_credentials`, which is the default, or `password`, which Equinix retired.",
			inEphemeral: " Or `refresh_token`, which is the default where `previous_refresh_token` is set.",
			blockOnly:   true,
			optional:    true,
			check:       checkOneOf(clients.ClientCredentials, clients.Password, clients.RefreshToken),
		},
		{
			name:        "client_id",
			description: "The app's consumer key, from the Equinix Developer Platform.",
			environment: "EQUINIX_API_CLIENTID",
			check:       checkText,
		},
		{
			name:        "client_secret",
			description: "The app's consumer secret, from the Equinix Developer Platform.",
			environment: "EQUINIX_API_CLIENTSECRET",
			secret:      true,
			check:       checkSecret,
		},
		{
			name:        "user_name",
			description: "The user to log in with the password grant.",
			asOutput:    " Where it is not set here, the user whom the token stands for, if Equinix names one.",
			environment: "EQUINIX_USER_NAME",
			grant:       clients.Password,
			output:      func(t clients.Token) attr.Value { return textOrNull(t.UserName) },
			check:       checkText,
		},
		{
			name:        "user_password",
			description: "The user's password, for the password grant; already encoded where `password_encoding` says so.",
			environment: "EQUINIX_USER_PASSWORD",
			secret:      true,
			grant:       clients.Password,
			check:       checkSecret,
		},
		{
			name:        "password_encoding",
			description: "How `user_password` is encoded: unset (not at all) or `md5-b64`, as `provider::ixtoken::md5_b64` does it.",
			grant:       clients.Password,
			optional:    true,
			check:       checkOneOf(clients.MD5Base64),
		},
		{
			name:        "previous_refresh_token",
			description: "A refresh token that an earlier password grant has issued. If Equinix no longer takes it, the token is obtained with the client credentials, with a warning.",
			secret:      true,
			blockOnly:   true,
			grant:       clients.RefreshToken,
			check:       checkSecret,
		},
		minValidity,
	},
	outputs: refreshOutputs("Equinix issues one to the password grant alone."),
	grant: func(s settings) clients.Grant {
		return clients.Equinix{
			BaseURL:          s.text("base_url"),
			GrantType:        s.grantType(),
			ClientID:         s.text("client_id"),
			ClientSecret:     s.secret("client_secret"),
			UserName:         s.text("user_name"),
			UserPassword:     s.secret("user_password"),
			PasswordEncoding: s.text("password_encoding"),
			RefreshToken:     s.secret("previous_refresh_token"),
		}
	},
}

// refreshOutputs are those of platforms that issue refresh tokens.
func refreshOutputs(when string) []output {
	return []output{
		{
			name:        "refresh_token",
			description: "The refresh token, for `previous_refresh_token` in a later run. " + when + " Null if there is none.",
			secret:      true,
			outlives:    true,
			value:       func(t clients.Token) attr.Value { return textOrNull(t.RefreshToken.Reveal()) },
		},
		{
			name:        "refresh_token_expires_at",
			description: "When the refresh token ends (RFC 3339, UTC). Null if that is not known.",
			outlives:    true,
			value:       func(t clients.Token) attr.Value { return timeOrNull(t.RefreshTokenExpiry) },
		},
	}
}
