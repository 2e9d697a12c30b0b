// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// empty returns a configuration in which nothing is set.
func empty(b *testing.B, schema *tfprotov6.Schema) *tfprotov6.DynamicValue {
	b.Helper()
	object := schema.ValueType().(tftypes.Object)
	values := map[string]tftypes.Value{}
	for name, of := range object.AttributeTypes {
		values[name] = tftypes.NewValue(of, nil)
	}
	config, err := tfprotov6.NewDynamicValue(object, tftypes.NewValue(object, values))
	if err != nil {
		b.Fatal(err)
	}
	return &config
}

// BenchmarkBlock measures what one block of a plan costs the provider, over the plugin protocol and without a CLI: a block is
// validated, and then opened or read. All blocks share one token, and the settings come from the environment.
func BenchmarkBlock(b *testing.B) {
	const kind = "equinix_access_token"
	platforms, err := simulator.Start(simulator.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = platforms.Close() })
	for _, variable := range platforms.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		b.Setenv(name, value)
	}
	server, ctx := provider.NewServer(provider.Options{Version: "test"}), b.Context()
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{Config: empty(b, schemas.Provider)}); err != nil {
		b.Fatal(err)
	}
	ephemeral, data := empty(b, schemas.EphemeralResourceSchemas[kind]), empty(b, schemas.DataSourceSchemas[kind])
	for name, call := range map[string]func() ([]*tfprotov6.Diagnostic, error){
		"ephemeral/validate": func() ([]*tfprotov6.Diagnostic, error) {
			said, err := server.ValidateEphemeralResourceConfig(ctx, &tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: kind, Config: ephemeral})
			return said.Diagnostics, err
		},
		"ephemeral/open": func() ([]*tfprotov6.Diagnostic, error) {
			said, err := server.OpenEphemeralResource(ctx, &tfprotov6.OpenEphemeralResourceRequest{TypeName: kind, Config: ephemeral})
			return said.Diagnostics, err
		},
		"data/validate": func() ([]*tfprotov6.Diagnostic, error) {
			said, err := server.ValidateDataResourceConfig(ctx, &tfprotov6.ValidateDataResourceConfigRequest{TypeName: kind, Config: data})
			return said.Diagnostics, err
		},
		"data/read": func() ([]*tfprotov6.Diagnostic, error) {
			said, err := server.ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{TypeName: kind, Config: data})
			return said.Diagnostics, err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if said, err := call(); err != nil || len(said) > 0 {
					b.Fatal(said, err)
				}
			}
		})
	}
	if got := len(platforms.Equinix.Requests()); got > 1 {
		b.Errorf("%d requests", got)
	}
}
