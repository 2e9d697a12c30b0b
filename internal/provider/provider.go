// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package provider is the Terraform side: schemas, where a setting's value comes from, and what users are told. It knows
// nothing of HTTP.
package provider

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/function"
	framework "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// Options are what the process knows and the configuration does not.
type Options struct {
	// Version and Commit are those of the provider's build; they are in the User-Agent header.
	Version, Commit string
	// Interrupted, once closed, ends every wait; nil: none is ever ended by it.
	Interrupted <-chan struct{}
	// Ignored is the environment variable that was switched off before the process began to serve; "": none was. Users
	// are told of it when the provider is configured.
	Ignored string
}

// New returns the provider.
func New(options Options) framework.Provider { return &ixtoken{options} }

type ixtoken struct{ options Options }

var (
	_ framework.ProviderWithEphemeralResources = (*ixtoken)(nil)
	_ framework.ProviderWithFunctions          = (*ixtoken)(nil)
	_ framework.ProviderWithValidateConfig     = (*ixtoken)(nil)
)

// configured is what the provider block comes to.
type configured struct {
	client *clients.Client
	// blocks are the settings in the provider block for each platform.
	blocks map[string]values
	// unknown are the settings of the provider block itself that are decided in the apply only.
	unknown []input
	// refused is why no block gets a token; nil: nothing is. It is told by the blocks: an error while the provider is
	// configured makes Terraform add one of its own, about a provider block that may not be there.
	refused diag.Diagnostic
}

// The settings of the provider block that are not a platform's.
var (
	requestTimeout = input{
		name:        "request_timeout",
		description: "The time for one attempt, from dialling to the last byte of the answer; from `1s` to `2m`.",
		fallback:    "30s",
		check:       checkDuration(time.Second, 2*time.Minute, "30s"),
	}
	caCertPEM = input{
		name:        "ca_cert_pem",
		description: "Certificates of authorities, in PEM, that are trusted in addition to the system's.",
		check:       checkCertificates,
	}
	tokenCacheDir = input{
		name:        "token_cache_dir",
		description: "A directory in which the processes of one user share tokens, encrypted; it is made if it is missing. Unset: tokens stay in memory, and no files are written. See the guide on the token cache.",
		environment: "IXTOKEN_CACHE_DIR",
		check:       checkDirectory,
	}
	general = []input{requestTimeout, minValidity, caCertPEM, tokenCacheDir}
)

const (
	defaultMaxRetries = 3
	mostRetries       = 10
)

func (p *ixtoken) Metadata(_ context.Context, _ framework.MetadataRequest, resp *framework.MetadataResponse) {
	resp.TypeName, resp.Version = "ixtoken", p.options.Version
}

func (p *ixtoken) Schema(_ context.Context, _ framework.SchemaRequest, resp *framework.SchemaResponse) {
	attributes := map[string]schema.Attribute{
		"max_retries": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: fmt.Sprintf("How often a request is sent again after faults that may pass, from 0 to %d. Rejected credentials are not sent again. Default: `%d`.", mostRetries, defaultMaxRetries),
		},
	}
	for _, in := range general {
		attributes[in.name] = in.attribute()
	}
	for _, platform := range platforms {
		nested := map[string]schema.Attribute{}
		for name, attribute := range platform.providerAttributes() {
			nested[name] = attribute
		}
		attributes[platform.name] = schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "Settings for " + platform.title + " that hold for every block that does not set them itself. A platform that is not used needs none.",
			Attributes:          nested,
		}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Obtains OAuth 2.0 access tokens from interconnection platforms.",
		Attributes:          attributes,
	}
}

func (p *ixtoken) ValidateConfig(ctx context.Context, req framework.ValidateConfigRequest, resp *framework.ValidateConfigResponse) {
	var block types.Object
	if resp.Diagnostics.Append(req.Config.Get(ctx, &block)...); resp.Diagnostics.HasError() {
		return
	}
	config := values(block.Attributes())
	for _, in := range general {
		if value, known := config.read(in); known && !value.IsZero() {
			if text := in.check(value); text != "" {
				resp.Diagnostics.Append(explainSetting(in.name, text))
			}
		}
	}
	if retries, ok := config["max_retries"].(types.Int64); ok && (retries.ValueInt64() < 0 || retries.ValueInt64() > mostRetries) {
		resp.Diagnostics.Append(explainSetting("max_retries", fmt.Sprintf("must be a number from 0 to %d", mostRetries)))
	}
	for _, platform := range platforms {
		object, _ := config[platform.name].(types.Object)
		for _, in := range platform.inputs {
			value, known := values(object.Attributes()).read(in)
			if !known || value.IsZero() {
				continue
			}
			if text := in.check(value); text != "" {
				resp.Diagnostics.Append(explainSetting(platform.name+"."+in.name, text))
			}
		}
	}
}

func (p *ixtoken) Configure(ctx context.Context, req framework.ConfigureRequest, resp *framework.ConfigureResponse) {
	var block types.Object
	if resp.Diagnostics.Append(req.Config.Get(ctx, &block)...); resp.Diagnostics.HasError() {
		return
	}
	if p.options.Ignored != "" {
		resp.Diagnostics.Append(explainDump(p.options.Ignored))
	}
	data, diags := p.configure(block.Attributes())
	resp.Diagnostics.Append(diags...)
	resp.EphemeralResourceData, resp.DataSourceData = data, data
}

func (p *ixtoken) configure(block values) (*configured, diag.Diagnostics) {
	data := &configured{blocks: map[string]values{}}
	options := clients.Options{
		MaxAttempts: defaultMaxRetries + 1,
		Interrupted: p.options.Interrupted,
		Logger:      slog.New(logHandler{}),
	}
	timeout := data.general(requestTimeout, block)
	options.RequestTimeout, _ = time.ParseDuration(timeout.Reveal()) // has been checked
	options.RootCAs = trusted(data.general(caCertPEM, block))
	if retries, ok := block["max_retries"].(types.Int64); ok && !retries.IsNull() {
		data.note(input{name: "max_retries"}, !retries.IsUnknown())
		options.MaxAttempts = int(retries.ValueInt64()) + 1
	}
	options.UserAgent, data.refused = userAgent(p.options.Version, p.options.Commit)
	var diags diag.Diagnostics
	options.Cache, diags = openCache(data.general(tokenCacheDir, block))
	for _, platform := range platforms {
		data.blocks[platform.name] = platform.inProvider(block)
	}
	data.client = clients.New(options)
	return data, diags
}

// openCache opens the cache in dir; nil: there is none, or it is not used, of which the diagnostics tell.
func openCache(dir clients.Secret) (*clients.Cache, diag.Diagnostics) {
	if dir.IsZero() {
		return nil, nil
	}
	if text := checkDirectory(dir); text != "" { // from the environment: in the block it has been checked
		return nil, diag.Diagnostics{explainNoCache(dir.Reveal(), errors.New("the name "+text))}
	}
	cache, err := clients.OpenCache(dir.Reveal())
	if err != nil {
		return nil, diag.Diagnostics{explainNoCache(dir.Reveal(), err)}
	}
	return cache, nil
}

// general returns a setting that is not a platform's.
func (c *configured) general(in input, block values) clients.Secret {
	found, known := lookUp(in, place{inProviderBlock, block})
	c.note(in, known)
	return found.value
}

// note remembers a setting that is not known yet. It is no error until a block needs it.
func (c *configured) note(in input, known bool) {
	if !known {
		c.unknown = append(c.unknown, in)
	}
}

// inProvider returns the provider block's settings for the platform. Where the platform's object is not known as a
// whole, no input in it is.
func (p platform) inProvider(block values) values {
	object, _ := block[p.name].(types.Object)
	found := values(object.Attributes())
	if object.IsUnknown() {
		for _, in := range p.inputs {
			found[in.name] = types.StringUnknown()
		}
	}
	found[minValidity.name] = block[minValidity.name]
	return found
}

// trusted returns the system's authorities and those in pem; nil, the system's alone, if there are none in it.
func trusted(pem clients.Secret) *x509.CertPool {
	if pem.IsZero() {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM([]byte(pem.Reveal()))
	return pool
}

func checkCertificates(pem clients.Secret) string {
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(pem.Reveal())) {
		return `holds no certificate in PEM; use file("ca.pem") for a file that does`
	}
	return ""
}

// userAgent names the provider and, as Terraform does, what TF_APPEND_USER_AGENT adds.
func userAgent(version, commit string) (string, diag.Diagnostic) {
	agent := "terraform-provider-ixtoken/" + version + " (" + commit + ")"
	if more := strings.TrimSpace(os.Getenv("TF_APPEND_USER_AGENT")); more != "" {
		agent += " " + more
	}
	if strings.ContainsFunc(agent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", explainSetting("The environment variable TF_APPEND_USER_AGENT", "has a line break, a control character or a character outside ASCII")
	}
	return agent, nil
}

func (p *ixtoken) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	var all []func() ephemeral.EphemeralResource
	for _, platform := range platforms {
		all = append(all, func() ephemeral.EphemeralResource {
			return &ephemeralToken{accessToken{platform: platform}}
		})
	}
	return all
}

func (p *ixtoken) DataSources(context.Context) []func() datasource.DataSource {
	var all []func() datasource.DataSource
	for _, platform := range platforms {
		all = append(all, func() datasource.DataSource {
			return &dataToken{accessToken{platform: platform, stored: true}}
		})
	}
	return all
}

func (p *ixtoken) Functions(context.Context) []func() function.Function {
	return []func() function.Function{func() function.Function { return md5Base64{} }}
}

func (p *ixtoken) Resources(context.Context) []func() resource.Resource { return nil }
