// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/apiproxy"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/proxy"
)

// proxies are the open ones of this process. It is safe for concurrent use.
type proxies struct {
	mu   sync.Mutex
	last int
	open map[int]*proxy.Proxy
}

// add keeps a proxy, and returns the number that take finds it by. The number is no secret.
func (all *proxies) add(p *proxy.Proxy) int {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.open == nil {
		all.open = map[int]*proxy.Proxy{}
	}
	all.last++
	all.open[all.last] = p
	return all.last
}

// take returns a proxy once; nil: there is none.
func (all *proxies) take(number int) *proxy.Proxy {
	all.mu.Lock()
	defer all.mu.Unlock()
	p := all.open[number]
	delete(all.open, number)
	return p
}

// apiProxy is the ephemeral resource of a platform that forwards to its API. Its Platform is the description of the proxy,
// token that of the access token.
type apiProxy struct {
	accessToken
	token platforms.Platform
}

func newAPIProxy(platform platforms.Platform) *apiProxy {
	return &apiProxy{accessToken{Platform: platform.Proxy()}, platform}
}

var (
	_ ephemeral.EphemeralResourceWithConfigure      = (*apiProxy)(nil)
	_ ephemeral.EphemeralResourceWithValidateConfig = (*apiProxy)(nil)
	_ ephemeral.EphemeralResourceWithClose          = (*apiProxy)(nil)
)

func (a *apiProxy) Metadata(_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = a.Name + "_api_proxy"
}

func (a *apiProxy) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	attributes := map[string]schema.Attribute{
		"url": schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: platforms.ProxyURL},
	}
	for _, in := range a.Inputs {
		in.Output, in.OutputNote = nil, ""
		attributes[in.Name] = inputAttribute(in)
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A proxy on this machine for " + a.About + ". It puts a valid access token on each request, so that a run may take longer than a token lasts.",
		Attributes:          attributes,
	}
}

func (a *apiProxy) Configure(_ context.Context, req ephemeral.ConfigureRequest, _ *ephemeral.ConfigureResponse) {
	a.provider, _ = req.ProviderData.(*providerData)
}

func (a *apiProxy) ValidateConfig(ctx context.Context, req ephemeral.ValidateConfigRequest, resp *ephemeral.ValidateConfigResponse) {
	var block types.Object
	if resp.Diagnostics.Append(req.Config.Get(ctx, &block)...); !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(a.validateBlock(block)...)
	}
}

// proxyKey is the private data in which Close finds the proxy's number. The URL, which is a secret, is not there: private
// data crosses the wire to the CLI.
const proxyKey = "proxy"

// Open obtains the first token and starts the proxy. It listens in this process until Close.
func (a *apiProxy) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var block types.Object
	if resp.Diagnostics.Append(req.Config.Get(ctx, &block)...); resp.Diagnostics.HasError() {
		return
	}
	found, diags := a.settings(block)
	if resp.Diagnostics.Append(diags...); resp.Diagnostics.HasError() {
		return
	}
	token, err := a.provider.client.Token(ctx, a.Grant(found), found.MinValidity())
	if err != nil {
		resp.Diagnostics.Append(diagnostics(a.Explain(err, found, a.terms()))...)
		return
	}
	resp.Diagnostics.Append(diagnostics(a.RemarksOnToken(found, token)...)...)
	started, err := apiproxy.Start(detach(ctx), apiproxy.Options{
		Platform: a.token, Settings: found, Terms: a.terms(), Client: a.provider.client, First: token,
		RootCAs: a.provider.rootCAs, Logger: slog.New(logHandler{}),
	})
	if err != nil {
		resp.Diagnostics.Append(diagnostics(a.ExplainNoListener(err))...)
		return
	}
	result := maps.Clone(block.Attributes())
	result["url"] = types.StringValue(started.URL().Reveal())
	object, problems := types.ObjectValue(block.AttributeTypes(ctx), result)
	resp.Diagnostics.Append(problems...)
	resp.Diagnostics.Append(resp.Result.Set(ctx, object)...)
	number, _ := json.Marshal(a.provider.proxies.add(started)) // a number always marshals
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, proxyKey, number)...)
	if resp.Diagnostics.HasError() { // the CLI closes no block that was not opened
		started.Close()
	}
}

// Close ends the proxy, and says if the API has refused fresh tokens.
func (a *apiProxy) Close(ctx context.Context, req ephemeral.CloseRequest, resp *ephemeral.CloseResponse) {
	stored, diags := req.Private.GetKey(ctx, proxyKey)
	resp.Diagnostics.Append(diags...)
	var number int
	if stored == nil || json.Unmarshal(stored, &number) != nil || a.provider == nil {
		return
	}
	open := a.provider.proxies.take(number)
	if open == nil {
		return
	}
	if refusals := open.Close(); refusals > 0 {
		resp.Diagnostics.Append(diagnostics(a.RemarkOnRefusals(refusals))...)
	}
}
