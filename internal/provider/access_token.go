// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// accessToken is what the ephemeral resources and the data source of a platform share.
type accessToken struct {
	platforms.Platform
	stored   bool          // the results are stored in the state: this is a data source
	provider *providerData // nil before Configure
}

// open obtains the token for one block. The object that it returns has the configured values and the outputs.
func (a *accessToken) open(ctx context.Context, block tftypes.Value) (tftypes.Value, clients.Token, diag.Diagnostics) {
	config := attributes(block)
	_, token, diags := a.obtain(ctx, config)
	if diags.HasError() {
		return block, clients.Token{}, diags
	}
	tflog.Debug(ctx, "handed out an access token", map[string]any{"platform": a.Title, "expires_at": token.Expiry})

	result := maps.Clone(config)
	for _, in := range a.Inputs {
		if in.Output != nil && config[in.Name].IsNull() {
			result[in.Name] = attributeValue(false, in.Output(token))
		}
	}
	for _, out := range outputs(a.Platform, a.stored) {
		result[out.Name] = attributeValue(out.Number, out.Value(token))
	}
	return tftypes.NewValue(block.Type(), map[string]tftypes.Value(result)), token, diags
}

// obtain looks up the settings for one block, and obtains a token with them.
func (a *accessToken) obtain(ctx context.Context, block values) (platforms.Settings, clients.Token, diag.Diagnostics) {
	found, diags := a.settings(block)
	if diags.HasError() {
		return found, clients.Token{}, diags
	}
	token, err := a.provider.client.Token(ctx, a.Grant(found), found.MinValidity())
	if err != nil {
		diags.Append(diagnostics(a.Explain(err, found, a.terms()))...)
	} else {
		diags.Append(diagnostics(a.RemarksOnToken(found, token, words)...)...)
	}
	if problem := a.provider.client.Unshared(); problem != nil {
		diags.Append(diagnostics(platforms.RemarkOnSharing(problem))...)
	}
	return found, token, diags
}

// settings looks up and checks the values for one block. They are complete and valid unless there is an error.
func (a *accessToken) settings(block values) (platforms.Settings, diag.Diagnostics) {
	found, bad := a.Resolve(block.source(fromBlock), a.provider.blocks[a.Name].source(fromProviderBlock),
		platforms.Environment(os.Getenv), platforms.Defaults())
	diags := a.explainProblems(bad)
	if !diags.HasError() {
		diags.Append(diagnostics(a.RemarksOnSettings(found, a.terms())...)...)
	}
	return found, diags
}

// validateBlock checks what a block sets, as far as the values are known. It does not check a block that is disabled.
func (a *accessToken) validateBlock(block values) diag.Diagnostics {
	if disabled(block) {
		return nil
	}
	set, faults, decided := a.Validate(block.source(fromBlock))
	if a.stored && decided && len(faults) == 0 {
		for _, in := range a.Inputs {
			if in.Secret && in.OneToken && in.Grant == set.GrantType() {
				faults = append(faults, platforms.Invalid{
					Input: platforms.Input{Name: "grant_type"}, From: fromBlock,
					Text: fmt.Sprintf("cannot be %q in a data source, which must not hold %s: use the ephemeral resource of the same name", in.Grant, in.Name),
				})
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return diagnostics(a.ExplainInvalid(faults, a.terms())...)
}

// ephemeralToken is the ephemeral resource of a platform.
type ephemeralToken struct{ accessToken }

var (
	_ ephemeral.EphemeralResourceWithConfigure      = (*ephemeralToken)(nil)
	_ ephemeral.EphemeralResourceWithValidateConfig = (*ephemeralToken)(nil)
	_ ephemeral.EphemeralResourceWithClose          = (*ephemeralToken)(nil)
)

func (e *ephemeralToken) Metadata(_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = e.Name + "_access_token"
}

func (e *ephemeralToken) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "An OAuth 2.0 access token for " + e.About + ". It is not stored: not in the state, and not in plan files.",
		Attributes:          blockAttributes(e.Platform, e.stored),
	}
}

func (e *ephemeralToken) Configure(_ context.Context, req ephemeral.ConfigureRequest, _ *ephemeral.ConfigureResponse) {
	e.provider, _ = req.ProviderData.(*providerData)
}

func (e *ephemeralToken) ValidateConfig(_ context.Context, req ephemeral.ValidateConfigRequest, resp *ephemeral.ValidateConfigResponse) {
	resp.Diagnostics.Append(e.validateBlock(attributes(req.Config.Raw))...)
}

// expiryKey is the key of the private data that tells Close when the token ends. Private data goes to the CLI, so it must
// not contain a secret.
const expiryKey = "expires_at"

// Open obtains the token. There is no Renew, because Terraform cannot take a new token from it.
func (e *ephemeralToken) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	if !e.toOpen(req, resp) {
		return
	}
	result, token, diags := e.open(ctx, req.Config.Raw)
	if resp.Diagnostics.Append(diags...); resp.Diagnostics.HasError() {
		return
	}
	resp.Result.Raw = result
	if !token.Expiry.IsZero() {
		expiry, _ := json.Marshal(token.Expiry) // a time with a year of four digits always marshals
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, expiryKey, expiry)...)
	}
}

// toOpen reports whether the block has to be opened. If not, it is disabled, or an error is in resp. The result of a disabled
// block is its configuration, in which every output is null: the framework has put it there.
func (e *ephemeralToken) toOpen(req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) bool {
	block := attributes(req.Config.Raw)
	if !block[enabledName].IsKnown() {
		resp.Diagnostics.Append(e.explainUnknownEnabled())
		return false
	}
	return !disabled(block)
}

// Close warns if the token ended while it was in use. It does not revoke the token, which other blocks share.
func (e *ephemeralToken) Close(ctx context.Context, req ephemeral.CloseRequest, resp *ephemeral.CloseResponse) {
	stored, diags := req.Private.GetKey(ctx, expiryKey)
	resp.Diagnostics.Append(diags...)
	var expiry time.Time
	if stored != nil && json.Unmarshal(stored, &expiry) == nil && time.Now().After(expiry) {
		resp.Diagnostics.Append(e.explainExpired(expiry))
	}
}

// dataToken is the data source of a platform.
type dataToken struct{ accessToken }

var (
	_ datasource.DataSourceWithConfigure      = (*dataToken)(nil)
	_ datasource.DataSourceWithValidateConfig = (*dataToken)(nil)
)

func (d *dataToken) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = d.Name + "_access_token"
}

func (d *dataToken) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := map[string]dataschema.Attribute{}
	for name, attribute := range blockAttributes(d.Platform, d.stored) {
		attributes[name] = attribute
	}
	resp.Schema = dataschema.Schema{
		MarkdownDescription: "An OAuth 2.0 access token for " + d.About + ". **It is stored in the state and in plan files.** The ephemeral resource of the same name does not store it.",
		Attributes:          attributes,
	}
}

func (d *dataToken) Configure(_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	d.provider, _ = req.ProviderData.(*providerData)
}

func (d *dataToken) ValidateConfig(_ context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
	resp.Diagnostics.Append(d.validateBlock(attributes(req.Config.Raw))...)
}

func (d *dataToken) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	result, _, diags := d.open(ctx, req.Config.Raw)
	if resp.Diagnostics.Append(diags...); !resp.Diagnostics.HasError() {
		resp.State.Raw = result
	}
}
