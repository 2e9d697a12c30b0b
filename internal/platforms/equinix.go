// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"slices"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// Equinix is the platform of that name.
var Equinix = Platform{
	Name:     "equinix",
	Title:    "Equinix",
	About:    "the Equinix APIs",
	URL:      "base_url",
	Upstream: "base_url",
	STS:      "sts_url",
	Rejected: "Equinix locks an account after five failed attempts.",
	Inputs: slices.Concat([]Input{
		{
			Name:        "base_url",
			Description: "The URL of the Equinix API. That of the sandbox is `https://sandboxapi.equinix.com`; credentials belong to one of the two.",
			Environment: "EQUINIX_API_ENDPOINT",
			Default:     "https://api.equinix.com",
			Check:       clients.CheckURL,
		},
		{
			Name:        "grant_type",
			Description: "How to obtain the token: `client_credentials`, which is the default; `token_exchange`, which is the default where an input of a token exchange is set; or `password`, which Equinix retired.",
			RefreshNote: " Or `refresh_token`, which is the default where `previous_refresh_token` is set.",
			OneToken:    true,
			Optional:    true,
			Check:       clients.CheckOneOf(clients.EquinixGrantTypes...),
		},
		{
			Name:        "client_id",
			Description: "The app's consumer key, from the Equinix Developer Platform.",
			Environment: "EQUINIX_API_CLIENTID",
			Except:      clients.TokenExchange,
			Check:       clients.CheckText,
		},
		{
			Name:        "client_secret",
			Description: "The app's consumer secret, from the Equinix Developer Platform.",
			Environment: "EQUINIX_API_CLIENTSECRET",
			Except:      clients.TokenExchange,
			Secret:      true,
			Check:       clients.CheckSecret,
		},
		{
			Name:        "user_name",
			Description: "The user to log in with the password grant.",
			OutputNote:  " Where it is not set here, the user whom the token stands for, if Equinix names one.",
			Environment: "EQUINIX_USER_NAME",
			Grant:       clients.Password,
			Output:      func(t clients.Token) any { return textOrNull(t.UserName) },
			Check:       clients.CheckText,
		},
		{
			Name:        "user_password",
			Description: "The user's password, for the password grant; already encoded where `password_encoding` says so.",
			Environment: "EQUINIX_USER_PASSWORD",
			Secret:      true,
			Grant:       clients.Password,
			Check:       clients.CheckSecret,
		},
		{
			Name:        "password_encoding",
			Description: "How `user_password` is encoded: unset (not at all) or `md5-b64`, as `provider::ixtoken::md5_b64` does it.",
			Grant:       clients.Password,
			Optional:    true,
			Check:       clients.CheckOneOf(clients.MD5Base64),
		},
		{
			Name:        "previous_refresh_token",
			Description: "A refresh token that an earlier password grant has issued. If Equinix no longer takes it, the token is obtained with the client credentials, with a warning.",
			Secret:      true,
			OneToken:    true,
			Grant:       clients.RefreshToken,
			Check:       clients.CheckSecret,
		},
		{
			Name:        "sts_url",
			Description: "The URL of Equinix's security token service, for `grant_type = \"token_exchange\"`.",
			Environment: "EQUINIX_STS_ENDPOINT",
			Default:     "https://sts.eqix.equinix.com",
			Grant:       clients.TokenExchange,
			Check:       clients.CheckURL,
		},
		{
			Name:        exchangeScope,
			Description: "What the token is for, with `grant_type = \"token_exchange\"`: an `ern:…`, `roleassignments:` and an organization, `projectpolicies:` and a project, or `orgpolicies:` and an organization.",
			Environment: "EQUINIX_TOKEN_EXCHANGE_SCOPE",
			Grant:       clients.TokenExchange,
			Check:       clients.CheckText,
		},
	}, identityInputs("EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN", "EQUINIX_TOKEN_EXCHANGE_SUBJECT_TOKEN_ENV_VAR", "EQUINIX"), []Input{MinValidity}),
	TokenVariables: []string{"EQUINIX_API_TOKEN"},
	Outputs:        refreshOutputs("Equinix issues one to the password grant alone."),
	Grant: func(s Settings) clients.Grant {
		return clients.Equinix{
			BaseURL:          s.Text("base_url"),
			GrantType:        s.GrantType(),
			ClientID:         s.Text("client_id"),
			ClientSecret:     s.Secret("client_secret"),
			UserName:         s.Text("user_name"),
			UserPassword:     s.Secret("user_password"),
			PasswordEncoding: s.Text("password_encoding"),
			RefreshToken:     s.Secret("previous_refresh_token"),
			STSURL:           s.Text("sts_url"),
			Scope:            s.Text(exchangeScope),
			Identity:         identity(s),
		}
	},
}

// refreshOutputs are those of platforms that issue refresh tokens.
func refreshOutputs(when string) []Output {
	return []Output{
		{
			Name:        "refresh_token",
			Description: "The refresh token, for `previous_refresh_token` in a later run. " + when + " Null if there is none.",
			Secret:      true,
			Outlives:    true,
			Value:       func(t clients.Token) any { return textOrNull(t.RefreshToken.Reveal()) },
		},
		{
			Name:        "refresh_token_expires_at",
			Description: "When the refresh token ends (RFC 3339, UTC). Null if that is not known.",
			Outlives:    true,
			Value:       func(t clients.Token) any { return timeOrNull(t.RefreshTokenExpiry) },
		},
	}
}
