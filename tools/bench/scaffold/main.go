// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command scaffold is a minimal provider like terraform-provider-scaffolding-framework: one setting, and an ephemeral
// resource and a data source with two attributes each. Its cost is that of the framework.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	ephemeralschema "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	framework "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func main() {
	err := providerserver.Serve(context.Background(), func() framework.Provider { return &scaffold{} },
		providerserver.ServeOpts{Address: "providers.example/example/scaffold"})
	if err != nil {
		log.Fatal(err)
	}
}

type scaffold struct{}

func (*scaffold) Metadata(_ context.Context, _ framework.MetadataRequest, resp *framework.MetadataResponse) {
	resp.TypeName = "scaffold"
}

func (*scaffold) Schema(_ context.Context, _ framework.SchemaRequest, resp *framework.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"endpoint": schema.StringAttribute{Optional: true},
	}}
}

func (*scaffold) Configure(_ context.Context, _ framework.ConfigureRequest, resp *framework.ConfigureResponse) {
	resp.EphemeralResourceData, resp.DataSourceData = http.DefaultClient, http.DefaultClient
}

func (*scaffold) Resources(context.Context) []func() resource.Resource { return nil }

func (*scaffold) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{func() ephemeral.EphemeralResource { return ephemeralExample{} }}
}

func (*scaffold) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return dataExample{} }}
}

// model is the model of both examples.
type model struct {
	Name  types.String `tfsdk:"name"`
	Value types.String `tfsdk:"value"`
}

type ephemeralExample struct{}

func (ephemeralExample) Metadata(_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_example"
}

func (ephemeralExample) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = ephemeralschema.Schema{Attributes: map[string]ephemeralschema.Attribute{
		"name":  ephemeralschema.StringAttribute{Required: true},
		"value": ephemeralschema.StringAttribute{Computed: true},
	}}
}

func (ephemeralExample) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var data model
	if resp.Diagnostics.Append(req.Config.Get(ctx, &data)...); !resp.Diagnostics.HasError() {
		data.Value = types.StringValue("value")
		resp.Diagnostics.Append(resp.Result.Set(ctx, &data)...)
	}
}

type dataExample struct{}

func (dataExample) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_example"
}

func (dataExample) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = dataschema.Schema{Attributes: map[string]dataschema.Attribute{
		"name":  dataschema.StringAttribute{Required: true},
		"value": dataschema.StringAttribute{Computed: true},
	}}
}

func (dataExample) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var data model
	if resp.Diagnostics.Append(req.Config.Get(ctx, &data)...); !resp.Diagnostics.HasError() {
		data.Value = types.StringValue("value")
		resp.Diagnostics.Append(resp.State.Set(ctx, &data)...)
	}
}
