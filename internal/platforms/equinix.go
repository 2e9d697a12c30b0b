// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"slices"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// Equinix describes the platform Equinix.
var Equinix = Platform{
	Name:        "equinix",
	Title:       "Equinix",
	About:       "the Equinix APIs",
	URL:         "base_url",
	Upstream:    "base_url",
	ExchangeURL: "sts_url",
	Rejected:    "Equinix locks an account after five failed attempts.",
	Inputs: slices.Concat([]Input{
		{
			Name:        "base_url",
			Description: "The URL of the Equinix API. The sandbox has `https://sandboxapi.equinix.com`. Credentials belong to one of the two.",
			Environment: "EQUINIX_API_ENDPOINT",
			Default:     "https://api.equinix.com",
			Check:       clients.CheckURL,
		},
		{
			Name:        "grant_type",
			Description: "How to obtain the token: `client_credentials`, which is the default; `token_exchange`, which is the default if an input of a token exchange is set; or `password`, which Equinix has retired.",
			RefreshNote: " Or `refresh_token`, which is the default if `previous_refresh_token` is set.",
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
			Check:       clients.CheckVerbatim,
		},
		{
			Name:        "user_name",
			Description: "The name of the user, for the password grant.",
			OutputNote:  " If you do not set it, the user that Equinix names with the token.",
			Environment: "EQUINIX_USER_NAME",
			Grant:       clients.Password,
			Output:      func(t clients.Token) any { return textOrNull(t.UserName) },
			Check:       clients.CheckText,
		},
		{
			Name:        "user_password",
			Description: "The password of the user, for the password grant. If `password_encoding` is set, it must be encoded already.",
			Environment: "EQUINIX_USER_PASSWORD",
			Secret:      true,
			Grant:       clients.Password,
			Check:       clients.CheckVerbatim,
		},
		{
			Name:        "password_encoding",
			Description: "How `user_password` is encoded: unset (not at all) or `md5-b64`. {encode}",
			Grant:       clients.Password,
			Optional:    true,
			Check:       clients.CheckOneOf(clients.MD5Base64),
		},
		{
			Name:        "previous_refresh_token",
			Description: "A refresh token from an earlier password grant. If Equinix does not accept it any more, {program} uses the client credentials and warns.",
			Secret:      true,
			OneToken:    true,
			Grant:       clients.RefreshToken,
			Check:       clients.CheckVerbatim,
		},
		{
			Name:        "sts_url",
			Description: "The URL of Equinix's security token service, for `grant_type = \"token_exchange\"`.",
			Environment: "EQUINIX_STS_ENDPOINT",
			Default:     "https://sts.eqix.equinix.com",
			Grant:       clients.TokenExchange,
			URL:         true,
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
	Outputs:        refreshOutputs("Equinix issues one only for the password grant."),
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

// refreshOutputs returns the outputs of platforms that issue refresh tokens. when says when they do.
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
			Description: "When the refresh token expires (RFC 3339, UTC). Null if the lifetime is not known.",
			Outlives:    true,
			Value:       func(t clients.Token) any { return timeOrNull(t.RefreshTokenExpiry) },
		},
	}
}
