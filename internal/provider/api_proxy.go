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
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/apiproxy"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/proxy"
)

// proxies holds the open proxies of this process. It is safe for concurrent use.
type proxies struct {
	paces apiproxy.Paces

	mu   sync.Mutex
	last int
	open map[int]*proxy.Proxy
}

// add stores a proxy and returns its number for take. The number is not secret.
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

// take removes a proxy and returns it; nil: there is none with this number.
func (all *proxies) take(number int) *proxy.Proxy {
	all.mu.Lock()
	defer all.mu.Unlock()
	p := all.open[number]
	delete(all.open, number)
	return p
}

// apiProxy is the ephemeral resource of a platform's API proxy. It is configured and validated as an ephemeralToken is. The
// embedded Platform describes the proxy, and token describes the access token.
type apiProxy struct {
	ephemeralToken
	token platforms.Platform
}

func newAPIProxy(platform, proxy platforms.Platform) *apiProxy {
	return &apiProxy{ephemeralToken{accessToken{Platform: proxy}}, platform}
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
		enabledName: enabledAttribute(),

		"url":     schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: platforms.ProxyURL},
		"address": schema.StringAttribute{Computed: true, MarkdownDescription: platforms.ProxyAddress},
		"secret":  schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: platforms.ProxySecret},
	}
	for _, in := range a.Inputs {
		in.Output, in.OutputNote = nil, ""
		attributes[in.Name] = inputAttribute(in)
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "An API proxy on this machine for " + a.About + ". It adds a valid access token to each request, so that a run may take longer than a token lasts.",
		Attributes:          attributes,
	}
}

// proxyKey is the key of the private data that tells Close the proxy's number. Private data goes to the CLI, so it must not
// contain the URL, which is a secret.
const proxyKey = "proxy"

// Open obtains the first token and starts the proxy. It listens in this process until Close.
func (a *apiProxy) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	if !a.toOpen(req, resp) {
		return
	}
	block := attributes(req.Config.Raw)
	found, token, diags := a.obtain(ctx, block)
	if resp.Diagnostics.Append(diags...); resp.Diagnostics.HasError() {
		return
	}
	started, err := apiproxy.Start(detach(ctx), apiproxy.Options{
		Platform: a.token, Settings: found, Terms: a.terms(), Client: a.provider.client, First: token,
		RootCAs: a.provider.rootCAs, Paces: &a.provider.proxies.paces, Logger: slog.New(logHandler{}),
	})
	if err != nil {
		resp.Diagnostics.Append(diagnostics(a.ExplainNoListener(err))...)
		return
	}
	result := maps.Clone(block)
	result["url"], result["secret"] = attributeValue(false, started.URL().Reveal()), attributeValue(false, started.Secret().Reveal())
	result["address"] = attributeValue(false, started.Address())
	resp.Result.Raw = tftypes.NewValue(req.Config.Raw.Type(), map[string]tftypes.Value(result))
	number, _ := json.Marshal(a.provider.proxies.add(started)) // a number always marshals
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, proxyKey, number)...)
	if resp.Diagnostics.HasError() { // the CLI closes no block that was not opened
		started.Close()
	}
}

// Close closes the proxy, and warns if the API refused fresh tokens or asked for fewer requests.
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
	summary := open.Close()
	resp.Diagnostics.Append(diagnostics(a.RemarksOnRefusals(summary.Fresh, summary.Kept)...)...)
	resp.Diagnostics.Append(diagnostics(a.RemarksOnHolds(summary.Held, summary.LongestHold)...)...)
}
