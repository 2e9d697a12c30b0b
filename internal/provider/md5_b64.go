// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"crypto/md5" //nolint:gosec // the platform's encoding, not protection
	"encoding/base64"

	"github.com/hashicorp/terraform-plugin-framework/function"
)

// md5Base64 is the function provider::ixtoken::md5_b64.
type md5Base64 struct{}

func (md5Base64) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "md5_b64"
}

func (md5Base64) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary:             "Encodes a password for password_encoding = \"md5-b64\"",
		MarkdownDescription: "Returns the base64 (RFC 4648, section 4) of the 16 bytes of a password's MD5 digest. Equinix calls this `md5-b64`. It does not protect the password: the result is enough to log in.",
		Parameters: []function.Parameter{
			function.StringParameter{Name: "password", MarkdownDescription: "The password, as the user types it."},
		},
		Return: function.StringReturn{},
	}
}

func (md5Base64) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var password string
	if resp.Error = req.Arguments.Get(ctx, &password); resp.Error == nil {
		digest := md5.Sum([]byte(password)) //nolint:gosec // as above
		resp.Error = resp.Result.Set(ctx, base64.StdEncoding.EncodeToString(digest[:]))
	}
}
