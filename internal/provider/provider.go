// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package provider is the Terraform provider: schemas, values and diagnostics. It knows nothing about HTTP.
package provider

import (
	"context"
	"crypto/x509"
	"log/slog"
	"maps"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/function"
	framework "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// Options are the settings that come from the process and not from the configuration.
type Options struct {
	// Version is the version of the build, for the CLI.
	Version string
	// UserAgent begins the value of the User-Agent header; empty: it is only what TF_APPEND_USER_AGENT says.
	UserAgent string
	// Interrupted ends every wait when it is closed; nil: it is never closed.
	Interrupted <-chan struct{}
	// Ignored is an environment variable that was set and that main has unset; empty: none. Configure warns about it.
	Ignored string
	// Record takes note of what the provider does; nil: nothing does.
	Record *Record
}

// New returns the provider.
func New(options Options) framework.Provider { return &ixtoken{options: options} }

type ixtoken struct {
	options Options
	proxies proxies
}

var (
	_ framework.ProviderWithEphemeralResources = (*ixtoken)(nil)
	_ framework.ProviderWithFunctions          = (*ixtoken)(nil)
	_ framework.ProviderWithValidateConfig     = (*ixtoken)(nil)
)

// providerData is the result of configuring the provider. The blocks use it.
type providerData struct {
	client *clients.Client
	// rootCAs are the certificate authorities to trust; nil: the system's.
	rootCAs *x509.CertPool
	// proxies are the open proxies of the process. They are the same in all providerData of the process.
	proxies *proxies
	// blocks are the settings in the provider block, by platform.
	blocks map[string]values
	// unknown are the general settings in the provider block that are known only in the apply.
	unknown []platforms.Input
	// blockError is the error of every block; nil: none. Configure does not return it, because Terraform would add an error
	// of its own, about a provider block that may not exist.
	blockError diag.Diagnostic
}

func (p *ixtoken) Metadata(_ context.Context, _ framework.MetadataRequest, resp *framework.MetadataResponse) {
	resp.TypeName, resp.Version = "ixtoken", p.options.Version
}

func (p *ixtoken) Schema(_ context.Context, _ framework.SchemaRequest, resp *framework.SchemaResponse) {
	attributes := map[string]schema.Attribute{}
	for _, in := range platforms.General {
		attributes[in.Name] = inputAttribute(in)
	}
	for _, platform := range platforms.All {
		nested := map[string]schema.Attribute{}
		for name, attribute := range providerAttributes(platform) {
			nested[name] = attribute
		}
		attributes[platform.Name] = schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "Settings for " + platform.Title + ". They apply to every block that does not set them itself. A platform that you do not use needs no settings.",
			Attributes:          nested,
		}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Obtains OAuth 2.0 access tokens from interconnection platforms.",
		Attributes:          attributes,
	}
}

func (p *ixtoken) ValidateConfig(_ context.Context, req framework.ValidateConfigRequest, resp *framework.ValidateConfigResponse) {
	config := attributes(req.Config.Raw)
	check := func(name string, in platforms.Input, from values) {
		if text := in.Wrong(from.read(in)); text != "" {
			resp.Diagnostics.Append(explainSetting(name, text))
		}
	}
	for _, in := range platforms.General {
		check(in.Name, in, config)
	}
	if config.source(fromProviderBlock).Sets(platforms.TokenCacheDir) && config.source(fromProviderBlock).Sets(platforms.TokenCacheURL) {
		resp.Diagnostics.Append(explainSetting(platforms.TokenCacheURL.Name, platforms.BesideCacheDir))
	}
	for _, platform := range platforms.All {
		object := attributes(config[platform.Name])
		for _, in := range platform.Inputs {
			check(platform.Name+"."+in.Name, in, object)
		}
	}
}

func (p *ixtoken) Configure(_ context.Context, req framework.ConfigureRequest, resp *framework.ConfigureResponse) {
	if p.options.Ignored != "" {
		resp.Diagnostics.Append(explainProtocolDump(p.options.Ignored))
	}
	data, diags := p.configure(attributes(req.Config.Raw))
	resp.Diagnostics.Append(diags...)
	resp.EphemeralResourceData, resp.DataSourceData = data, data
}

func (p *ixtoken) configure(block values) (*providerData, diag.Diagnostics) {
	data := &providerData{blocks: map[string]values{}, proxies: &p.proxies}
	options := clients.Options{
		Interrupted: p.options.Interrupted,
		Logger:      slog.New(logHandler{}),
	}
	var messages []platforms.Message
	sources := []platforms.Source{block.source(fromProviderBlock), platforms.Environment(os.Getenv), platforms.Defaults()}
	data.unknown, messages = platforms.Configure(&options, words, sources...)
	options.UserAgent, data.blockError = userAgent(p.options.UserAgent)
	for _, wrong := range platforms.CheckCache(sources...) {
		data.blockError = explainSetting(inputName(wrong.Input), wrong.Text)
	}
	for _, platform := range platforms.All {
		data.blocks[platform.Name] = platformSettings(platform, block)
	}
	data.client, data.rootCAs = clients.New(options), options.RootCAs
	p.options.Record.add(data.client)
	return data, diagnostics(messages...)
}

// platformSettings returns the provider block's settings for the platform. If the platform's object is unknown as a whole,
// each of its inputs is unknown.
func platformSettings(p platforms.Platform, block values) values {
	found := values{}
	maps.Copy(found, attributes(block[p.Name]))
	if !block[p.Name].IsKnown() {
		for _, in := range p.Inputs {
			found[in.Name] = tftypes.NewValue(tftypes.String, tftypes.UnknownValue)
		}
	}
	found[platforms.MinValidity.Name] = block[platforms.MinValidity.Name]
	return found
}

// userAgent returns the value of the User-Agent header. Like Terraform, it appends TF_APPEND_USER_AGENT.
func userAgent(agent string) (string, diag.Diagnostic) {
	if more := strings.TrimSpace(os.Getenv("TF_APPEND_USER_AGENT")); more != "" {
		agent += " " + more
	}
	if strings.ContainsFunc(agent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", explainSetting("The environment variable TF_APPEND_USER_AGENT", "contains a line break, a control character or a character outside ASCII")
	}
	return agent, nil
}

func (p *ixtoken) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	var all []func() ephemeral.EphemeralResource
	for _, platform := range platforms.All {
		proxy := platform.APIProxy() // the framework makes each resource several times in a start, and once for each call
		all = append(all, func() ephemeral.EphemeralResource {
			return &ephemeralToken{accessToken{Platform: platform}}
		}, func() ephemeral.EphemeralResource {
			return newAPIProxy(platform, proxy)
		})
	}
	return all
}

func (p *ixtoken) DataSources(context.Context) []func() datasource.DataSource {
	var all []func() datasource.DataSource
	for _, platform := range platforms.All {
		all = append(all, func() datasource.DataSource {
			return &dataToken{accessToken{Platform: platform, stored: true}}
		})
	}
	return all
}

func (p *ixtoken) Functions(context.Context) []func() function.Function {
	return []func() function.Function{func() function.Function { return md5Base64{} }}
}

func (p *ixtoken) Resources(context.Context) []func() resource.Resource { return nil }
