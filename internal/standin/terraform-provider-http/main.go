// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-http stands in for hashicorp/http. It has the parts of the data source that an example uses.
package main

import (
	"context"
	"net/http"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/standin"
)

func main() { standin.Serve("hashicorp/http", standIn{}) }

type standIn struct{}

func (standIn) Metadata(_ context.Context, _ provider.MetadataRequest, r *provider.MetadataResponse) {
	r.TypeName = "http"
}

func (standIn) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (standIn) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (standIn) Resources(context.Context) []func() resource.Resource { return nil }

func (standIn) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return data{} }}
}

type data struct{}

type model struct {
	URL            types.String      `tfsdk:"url"`
	RequestHeaders map[string]string `tfsdk:"request_headers"`
	ResponseBody   types.String      `tfsdk:"response_body"`
}

func (data) Metadata(_ context.Context, _ datasource.MetadataRequest, r *datasource.MetadataResponse) {
	r.TypeName = "http"
}

func (data) Schema(_ context.Context, _ datasource.SchemaRequest, r *datasource.SchemaResponse) {
	r.Schema.Attributes = map[string]schema.Attribute{
		"url":             schema.StringAttribute{Required: true},
		"request_headers": schema.MapAttribute{ElementType: types.StringType, Optional: true},
		"response_body":   schema.StringAttribute{Computed: true},
	}
}

func (data) Read(ctx context.Context, q datasource.ReadRequest, r *datasource.ReadResponse) {
	var m model
	r.Diagnostics.Append(q.Config.Get(ctx, &m)...)
	if r.Diagnostics.HasError() {
		return
	}
	body, err := standin.API{URL: m.URL.ValueString(), Header: m.RequestHeaders}.Call(ctx, http.MethodGet, "", "")
	if err != nil {
		r.Diagnostics.AddError("The request failed", err.Error())
		return
	}
	m.ResponseBody = types.StringValue(body)
	r.Diagnostics.Append(r.State.Set(ctx, m)...)
}
