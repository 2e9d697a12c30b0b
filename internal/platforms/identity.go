// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"cmp"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// This file holds the inputs of a token exchange (RFC 8693): where the identity token comes from.

// The names of these inputs. The identity token comes from one of the first four.
const (
	subjectToken         = "token_exchange_subject_token"
	subjectTokenVariable = "token_exchange_subject_token_env_var"
	subjectTokenFile     = "token_exchange_subject_token_file"
	exchangeAudience     = "token_exchange_audience"
	exchangeScope        = "token_exchange_scope"
)

// hcpVariable is the environment variable in which HCP Terraform puts an identity token. A variable for a tag of the
// user's choice has "_" and the tag behind this name ("Manually Generating Workload Identity Tokens").
const hcpVariable = "TFC_WORKLOAD_IDENTITY_TOKEN"

// identityInputs returns the inputs that say where the identity token comes from. The environment variables are those that
// the platform's own tools read, or "" if there is none. tag is the tag of the identity token in HCP Terraform.
func identityInputs(tokenVariable, nameVariable, tag string) []Input {
	return []Input{
		{
			Name:        subjectToken,
			Description: "The identity token, for `grant_type = \"token_exchange\"`. Set this or one of `" + subjectTokenVariable + "`, `" + subjectTokenFile + "` and `" + exchangeAudience + "`.",
			Environment: tokenVariable,
			InFile:      subjectTokenFile,
			Secret:      true,
			Grant:       clients.TokenExchange,
			Check:       clients.CheckIdentityToken,
		},
		{
			Name:        subjectTokenVariable,
			Description: "The name of the environment variable that holds the identity token, such as one that GitLab CI fills by `id_tokens`. Where no identity token is set, that of HCP Terraform is used, if there is one: `" + hcpVariable + "_" + tag + "`, otherwise `" + hcpVariable + "`.",
			Environment: nameVariable,
			Variable:    true,
			Grant:       clients.TokenExchange,
			Optional:    true,
			Replaces:    subjectToken,
			Fallbacks:   []string{hcpVariable + "_" + tag, hcpVariable},
			Check:       clients.CheckVariable,
		},
		{
			Name:        subjectTokenFile,
			Description: "The path of a file that holds the identity token. The file is read for each exchange.",
			Grant:       clients.TokenExchange,
			Optional:    true,
			Replaces:    subjectToken,
			Check:       checkFile,
		},
		{
			Name:        exchangeAudience,
			Description: "The audience of an identity token that GitHub Actions issues on request. The job needs `permissions: id-token: write`.",
			Grant:       clients.TokenExchange,
			Optional:    true,
			Replaces:    subjectToken,
			Check:       clients.CheckText,
		},
	}
}

// identity returns where the identity token comes from.
func identity(s Settings) clients.IdentitySource {
	return clients.IdentitySource{
		Token:    s.Secret(subjectToken),
		Variable: s.Text(subjectTokenVariable),
		File:     s.Text(subjectTokenFile),
		Audience: s.Text(exchangeAudience),
	}
}

func checkFile(path clients.Secret) string {
	switch text := path.Reveal(); {
	case text == "-":
		return "is standard input, which cannot be read for each request: write the path of a file"
	case strings.HasPrefix(text, "eyJ"): // {" in base64url, with which every JSON Web Token begins
		return "is an identity token: write the path of a file that holds it"
	case strings.Contains(text, "-----BEGIN"):
		return "is the content of a file: write the path of the file"
	}
	return cmp.Or(clients.CheckText(path), checkPath(path, "a file"))
}
