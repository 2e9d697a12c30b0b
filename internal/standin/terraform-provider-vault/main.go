// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-vault stands in for hashicorp/vault. It has the parts that an example uses: a secret of the
// engine KV, version 2, as a resource with a write-only argument, and as an ephemeral resource.
package main

import (
	"context"
	"net/http"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	ephemeralschema "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/standin"
)

func main() { standin.Serve("hashicorp/vault", standIn{}) }

// api returns the server in VAULT_ADDR, as the real provider does.
func api() standin.API {
	return standin.API{
		URL:    os.Getenv("VAULT_ADDR"),
		Header: map[string]string{"X-Vault-Token": os.Getenv("VAULT_TOKEN")},
	}
}

func location(mount, name types.String) string {
	return "/v1/" + mount.ValueString() + "/data/" + name.ValueString()
}

type standIn struct{}

func (standIn) Metadata(_ context.Context, _ provider.MetadataRequest, r *provider.MetadataResponse) {
	r.TypeName = "vault"
}

func (standIn) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (standIn) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (standIn) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (standIn) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return stored{} }}
}

func (standIn) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{func() ephemeral.EphemeralResource { return read{} }}
}

const typeName = "vault_kv_secret_v2"

// read is the secret as an ephemeral resource.
type read struct{}

type readModel struct {
	Mount types.String      `tfsdk:"mount"`
	Name  types.String      `tfsdk:"name"`
	Data  map[string]string `tfsdk:"data"`
}

func (read) Metadata(_ context.Context, _ ephemeral.MetadataRequest, r *ephemeral.MetadataResponse) {
	r.TypeName = typeName
}

func (read) Schema(_ context.Context, _ ephemeral.SchemaRequest, r *ephemeral.SchemaResponse) {
	r.Schema.Attributes = map[string]ephemeralschema.Attribute{
		"mount": ephemeralschema.StringAttribute{Required: true},
		"name":  ephemeralschema.StringAttribute{Required: true},
		"data":  ephemeralschema.MapAttribute{ElementType: types.StringType, Computed: true},
	}
}

func (read) Open(ctx context.Context, q ephemeral.OpenRequest, r *ephemeral.OpenResponse) {
	var m readModel
	r.Diagnostics.Append(q.Config.Get(ctx, &m)...)
	var found struct {
		Data struct{ Data map[string]string }
	}
	if err := api().Read(ctx, location(m.Mount, m.Name), &found); err != nil {
		r.Diagnostics.AddError("The secret was not read", err.Error())
		return
	}
	m.Data = found.Data.Data
	r.Diagnostics.Append(r.Result.Set(ctx, m)...)
}

// stored is the secret as a managed resource.
type stored struct{}

type storedModel struct {
	Mount       types.String `tfsdk:"mount"`
	Name        types.String `tfsdk:"name"`
	Data        types.String `tfsdk:"data_json_wo"`
	Version     types.Int64  `tfsdk:"data_json_wo_version"`
	DisableRead types.Bool   `tfsdk:"disable_read"`
}

func (stored) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = typeName
}

func (stored) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	r.Schema.Attributes = map[string]schema.Attribute{
		"mount":                schema.StringAttribute{Required: true},
		"name":                 schema.StringAttribute{Required: true},
		"data_json_wo":         schema.StringAttribute{Optional: true, Sensitive: true, WriteOnly: true},
		"data_json_wo_version": schema.Int64Attribute{Optional: true},
		"disable_read":         schema.BoolAttribute{Optional: true},
	}
}

// write stores the write-only argument. Terraform passes it only in the configuration, not in the plan.
func (stored) write(ctx context.Context, from tfsdk.Config) error {
	var m storedModel
	if diags := from.Get(ctx, &m); diags.HasError() {
		return nil // Terraform has checked the configuration against the schema
	}
	_, err := api().Call(ctx, http.MethodPut, location(m.Mount, m.Name), `{"data":`+m.Data.ValueString()+`}`)
	return err
}

func (s stored) Create(ctx context.Context, q resource.CreateRequest, r *resource.CreateResponse) {
	if err := s.write(ctx, q.Config); err != nil {
		r.Diagnostics.AddError("The secret was not written", err.Error())
		return
	}
	r.State.Raw = q.Plan.Raw
}

func (s stored) Update(ctx context.Context, q resource.UpdateRequest, r *resource.UpdateResponse) {
	if err := s.write(ctx, q.Config); err != nil {
		r.Diagnostics.AddError("The secret was not written", err.Error())
		return
	}
	r.State.Raw = q.Plan.Raw
}

// Read reads nothing, as disable_read asks.
func (stored) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (stored) Delete(ctx context.Context, q resource.DeleteRequest, r *resource.DeleteResponse) {
	var m storedModel
	r.Diagnostics.Append(q.State.Get(ctx, &m)...)
	if _, err := api().Call(ctx, http.MethodDelete, location(m.Mount, m.Name), ""); err != nil {
		r.Diagnostics.AddError("The secret was not deleted", err.Error())
	}
}
