// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-restapi stands in for Mastercard/restapi. It has the parts that an example uses: headers in the
// provider block, and a resource that creates, reads and deletes an object.
package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	providerschema "github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/standin"
)

func main() { standin.Serve("mastercard/restapi", standIn{}) }

type standIn struct{}

type configuration struct {
	URI                types.String      `tfsdk:"uri"`
	Headers            map[string]string `tfsdk:"headers"`
	WriteReturnsObject types.Bool        `tfsdk:"write_returns_object"`
}

func (standIn) Metadata(_ context.Context, _ provider.MetadataRequest, r *provider.MetadataResponse) {
	r.TypeName = "restapi"
}

func (standIn) Schema(_ context.Context, _ provider.SchemaRequest, r *provider.SchemaResponse) {
	r.Schema.Attributes = map[string]providerschema.Attribute{
		"uri":                  providerschema.StringAttribute{Required: true},
		"headers":              providerschema.MapAttribute{ElementType: types.StringType, Optional: true},
		"write_returns_object": providerschema.BoolAttribute{Optional: true},
	}
}

func (standIn) Configure(ctx context.Context, q provider.ConfigureRequest, r *provider.ConfigureResponse) {
	var c configuration
	r.Diagnostics.Append(q.Config.Get(ctx, &c)...)
	r.ResourceData = standin.API{URL: c.URI.ValueString(), Header: c.Headers}
}

func (standIn) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (standIn) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return &object{} }}
}

type object struct{ api standin.API }

type model struct {
	ID          types.String `tfsdk:"id"`
	Path        types.String `tfsdk:"path"`
	Data        types.String `tfsdk:"data"`
	APIResponse types.String `tfsdk:"api_response"`
}

func (m model) location() string { return m.Path.ValueString() + "/" + m.ID.ValueString() }

func (*object) Metadata(_ context.Context, _ resource.MetadataRequest, r *resource.MetadataResponse) {
	r.TypeName = "restapi_object"
}

func (*object) Schema(_ context.Context, _ resource.SchemaRequest, r *resource.SchemaResponse) {
	replace := []planmodifier.String{stringplanmodifier.RequiresReplace()}
	r.Schema.Attributes = map[string]schema.Attribute{
		"id":           schema.StringAttribute{Computed: true},
		"path":         schema.StringAttribute{Required: true, PlanModifiers: replace},
		"data":         schema.StringAttribute{Required: true, PlanModifiers: replace},
		"api_response": schema.StringAttribute{Computed: true},
	}
}

func (o *object) Configure(_ context.Context, q resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	o.api, _ = q.ProviderData.(standin.API)
}

func (o *object) Create(ctx context.Context, q resource.CreateRequest, r *resource.CreateResponse) {
	var m model
	r.Diagnostics.Append(q.Plan.Get(ctx, &m)...)
	answer, err := o.api.Call(ctx, http.MethodPost, m.Path.ValueString(), m.Data.ValueString())
	if err != nil {
		r.Diagnostics.AddError("The object was not created", err.Error())
		return
	}
	var created struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &created); err != nil {
		r.Diagnostics.AddError("The answer holds no object", err.Error())
		return
	}
	m.ID, m.APIResponse = types.StringValue(created.ID), types.StringValue(answer)
	r.Diagnostics.Append(r.State.Set(ctx, m)...)
}

func (o *object) Read(ctx context.Context, q resource.ReadRequest, r *resource.ReadResponse) {
	var m model
	r.Diagnostics.Append(q.State.Get(ctx, &m)...)
	answer, err := o.api.Call(ctx, http.MethodGet, m.location(), "")
	if err != nil {
		r.Diagnostics.AddError("The object was not read", err.Error())
		return
	}
	r.Diagnostics.Append(r.State.SetAttribute(ctx, path.Root("api_response"), answer)...)
}

// Update does nothing: a change of an argument replaces the object.
func (*object) Update(_ context.Context, q resource.UpdateRequest, r *resource.UpdateResponse) {
	r.State.Raw = q.Plan.Raw
}

func (o *object) Delete(ctx context.Context, q resource.DeleteRequest, r *resource.DeleteResponse) {
	var m model
	r.Diagnostics.Append(q.State.Get(ctx, &m)...)
	if _, err := o.api.Call(ctx, http.MethodDelete, m.location(), ""); err != nil {
		r.Diagnostics.AddError("The object was not deleted", err.Error())
	}
}
