// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"slices"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// OAuth2 describes any authorization server of RFC 6749.
var OAuth2 = Platform{
	Name:     "oauth2",
	Title:    "OAuth2",
	About:    "any API behind an OAuth 2.0 authorization server (RFC 6749)",
	URL:      "token_url",
	Server:   "the authorization server",
	Rejected: "Check token_endpoint_auth_method too: a wrong method looks like a wrong secret. {Program} does not try another method.",
	Inputs: slices.Concat([]Input{
		{
			Name:        "token_url",
			Description: "The URL of the token endpoint. {Program} appends nothing to it. It must have no query: `parameters` go into the body.",
			Environment: "OAUTH2_TOKEN_URL",
			Check:       clients.CheckURL,
		},
		{
			Name:        "grant_type",
			Description: "How to obtain the token: `client_credentials`, which is the default, or `token_exchange` (RFC 8693), which is the default if an identity token is set.",
			RefreshNote: " Or `refresh_token`, which is the default if `previous_refresh_token` is set.",
			OneToken:    true,
			Optional:    true,
			Check:       clients.CheckOneOf(clients.OAuth2GrantTypes...),
		},
		{
			Name:        "client_id",
			Description: "The client id that is registered at the server. A token exchange uses it, and what the client authenticates with, only if it is set in the same place as the inputs of the exchange.",
			Environment: "OAUTH2_CLIENT_ID",
			Client:      true,
			Check:       clients.CheckText,
		},
		{
			Name:        "client_secret",
			Description: "The client secret.",
			Environment: "OAUTH2_CLIENT_SECRET",
			Client:      true,
			Methods:     bySecret,
			Secret:      true,
			Check:       clients.CheckVerbatim,
		},
		{
			Name:        authMethod,
			Description: "How the client authenticates: `client_secret_basic`, with HTTP Basic and both parts form-encoded (RFC 6749, section 2.3.1); `client_secret_post`, in the body; `private_key_jwt`, with a signed assertion; `tls_client_auth`, with a certificate; or `none`, with the client id alone, in a token exchange. If it is not set, it follows from the other settings: `client_secret_basic` for a client secret. If the server refuses one method, {program} does not try another.",
			Client:      true,
			Optional:    true,
			Check:       clients.CheckOneOf(clients.OAuth2AuthMethods...),
			Conflict: func(s Settings) string {
				if s.Text(authMethod) == clients.NoAuthentication && s.GrantType() != clients.TokenExchange {
					return `is "none", which is for a token exchange alone`
				}
				return ""
			},
		},
		{
			Name:        "request_format",
			Description: "The encoding of the body: `form`, which RFC 6749 requires, or `json`.",
			Default:     clients.FormBody,
			Check:       clients.CheckOneOf(clients.OAuth2Formats...),
		},
		{
			Name:        "scopes",
			Description: "The scopes to ask for. If it is not set, the server decides.",
			List:        true,
			Optional:    true,
			Check:       clients.CheckText,
		},
		{
			Name:        "audience",
			Description: "The API that the token is for, if the server has this parameter, as Auth0 has. For several, write each on a line of its own.",
			Optional:    true,
			Check:       clients.CheckLineList,
		},
		{
			Name:        "parameters",
			Description: "Further parameters of the request, such as `resource`, or `subject_token_type` for a token exchange. For several resources, write each on a line of its own{lines}. No other parameter can be repeated. Values may be secrets. Parameters with an input of their own are refused.",
			Map:         true,
			Secret:      true,
			Optional:    true,
			Check:       clients.CheckParameters,
		},
		{
			Name:        "headers",
			Description: "Further headers of the request, such as a gateway's key. Values may be secrets. Headers that belong to the request itself, such as `Authorization`, `Host` and `Content-Type`, are refused.",
			Map:         true,
			Argument:    true,
			Secret:      true,
			Optional:    true,
			Check:       clients.CheckHeaders,
		},
		{
			Name:        "previous_refresh_token",
			Description: "A refresh token that the server has issued to this client. If the server does not accept it any more, {program} uses the client credentials and warns.",
			Secret:      true,
			OneToken:    true,
			Grant:       clients.RefreshToken,
			Check:       clients.CheckVerbatim,
		},
	}, clientInputs("OAUTH2"), identityInputs("", "", "OAUTH2"), []Input{MinValidity}),
	Outputs: append(refreshOutputs("Few servers issue one for the client credentials."), Output{
		Name:        "scope",
		Description: "The scopes that the server granted, as it writes them. Null if it names none.",
		Value:       func(t clients.Token) any { return textOrNull(t.Scope) },
	}),
	Grant: func(s Settings) clients.Grant {
		return clients.OAuth2{
			TokenURL:     s.Text("token_url"),
			GrantType:    s.GrantType(),
			ClientID:     s.Text("client_id"),
			ClientSecret: s.Secret("client_secret"),
			AuthMethod:   s.Text(authMethod),
			Assertion:    assertion(s),
			Key:          clientKey(s),
			Certificate:  clientCertificate(s),
			Format:       s.Text("request_format"),
			Scope:        s.Text("scopes"),
			Audience:     s.Text("audience"),
			Parameters:   s.Secret("parameters"),
			Headers:      s.Secret("headers"),
			RefreshToken: s.Secret("previous_refresh_token"),
			Identity:     identity(s),
		}
	},
}
