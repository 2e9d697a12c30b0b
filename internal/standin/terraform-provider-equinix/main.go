// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-equinix stands in for equinix/equinix. It has the parts that an example uses: a provider block
// with a token, and the data source of a port.
package main

import (
	"cmp"
	"context"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	providerschema "github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/standin"
)

func main() { standin.Serve("equinix/equinix", standIn{}) }

type standIn struct{}

type configuration struct {
	Endpoint types.String `tfsdk:"endpoint"`
	Token    types.String `tfsdk:"token"`
}

func (standIn) Metadata(_ context.Context, _ provider.MetadataRequest, r *provider.MetadataResponse) {
	r.TypeName = "equinix"
}

func (standIn) Schema(_ context.Context, _ provider.SchemaRequest, r *provider.SchemaResponse) {
	r.Schema.Attributes = map[string]providerschema.Attribute{
		"endpoint": providerschema.StringAttribute{Optional: true},
		"token":    providerschema.StringAttribute{Required: true, Sensitive: true},
	}
}

func (standIn) Configure(ctx context.Context, q provider.ConfigureRequest, r *provider.ConfigureResponse) {
	var c configuration
	r.Diagnostics.Append(q.Config.Get(ctx, &c)...)
	r.DataSourceData = standin.API{
		URL:    cmp.Or(c.Endpoint.ValueString(), os.Getenv("EQUINIX_API_ENDPOINT")),
		Header: map[string]string{"Authorization": "Bearer " + c.Token.ValueString()},
	}
}

func (standIn) Resources(context.Context) []func() resource.Resource { return nil }

func (standIn) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return &port{} }}
}

type port struct{ api standin.API }

type model struct {
	UUID  types.String `tfsdk:"uuid"`
	Name  types.String `tfsdk:"name"`
	State types.String `tfsdk:"state"`
}

func (*port) Metadata(_ context.Context, _ datasource.MetadataRequest, r *datasource.MetadataResponse) {
	r.TypeName = "equinix_fabric_port"
}

func (*port) Schema(_ context.Context, _ datasource.SchemaRequest, r *datasource.SchemaResponse) {
	r.Schema.Attributes = map[string]schema.Attribute{
		"uuid":  schema.StringAttribute{Required: true},
		"name":  schema.StringAttribute{Computed: true},
		"state": schema.StringAttribute{Computed: true},
	}
}

func (p *port) Configure(_ context.Context, q datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	p.api, _ = q.ProviderData.(standin.API)
}

func (p *port) Read(ctx context.Context, q datasource.ReadRequest, r *datasource.ReadResponse) {
	var m model
	r.Diagnostics.Append(q.Config.Get(ctx, &m)...)
	var found struct{ Name, State string }
	if err := p.api.Read(ctx, "/fabric/v4/ports/"+m.UUID.ValueString(), &found); err != nil {
		r.Diagnostics.AddError("The port cannot be read", err.Error())
		return
	}
	m.Name, m.State = types.StringValue(found.Name), types.StringValue(found.State)
	r.Diagnostics.Append(r.State.Set(ctx, m)...)
}
