// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
	"github.com/ixtoken/terraform-provider-ixtoken/tools/bench/baseline"
)

const typeName = "equinix_access_token"

// block measures the calls that a CLI makes to a provider for each block, without the CLI and the connection to it.
func (b *bench) block(ctx context.Context) (string, error) {
	progress("one block inside the provider")
	server, _ := platform(http.StatusOK, time.Hour, 0)
	defer server.Close()
	for name, value := range map[string]string{"ENDPOINT": server.URL, "CLIENTID": clientID, "CLIENTSECRET": clientSecret} {
		if err := os.Setenv("EQUINIX_API_"+name, value); err != nil {
			return "", err
		}
	}
	t := table{{"one block whose token is there, inside the provider", "this provider, µs", "constant, µs", "to the constant", "allocations", "of the constant"}}
	for _, kind := range []string{"ephemeral", "data"} {
		us, err := newBlock(ctx, kind, provider.NewServer(provider.Options{Version: "bench"}))
		if err != nil {
			return "", err
		}
		them, err := newBlock(ctx, kind, providerserver.NewProtocol6(baseline.New(false))())
		if err != nil {
			return "", err
		}
		all := []*contender{{name: "this provider", do: us}, {name: "constant", do: them}}
		if err := compare(b.runs, all); err != nil {
			return "", err
		}
		t.add(kind, all[0].nanoseconds.scaled(1e-3).format(0), all[1].nanoseconds.scaled(1e-3).format(0),
			all[0].nanoseconds.over(all[1].nanoseconds).spread(2), all[0].allocations.format(0), all[1].allocations.format(0))
	}
	return t.String(), nil
}

// newBlock configures the provider and returns a function that makes the calls for one block without arguments.
func newBlock(ctx context.Context, kind string, server tfprotov6.ProviderServer) (func() error, error) {
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return nil, err
	}
	empty, err := unset(schemas.Provider)
	if err != nil {
		return nil, err
	}
	configured, err := server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{TerraformVersion: "1.11.4", Config: empty})
	if err := failed(err, configured.Diagnostics); err != nil {
		return nil, err
	}
	if kind == "data" {
		return dataBlock(ctx, server, schemas)
	}
	return ephemeralBlock(ctx, server, schemas)
}

func ephemeralBlock(ctx context.Context, server tfprotov6.ProviderServer, schemas *tfprotov6.GetProviderSchemaResponse) (func() error, error) {
	config, err := unset(schemas.EphemeralResourceSchemas[typeName])
	return func() error {
		valid, err := server.ValidateEphemeralResourceConfig(ctx, &tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: typeName, Config: config})
		if err := failed(err, valid.Diagnostics); err != nil {
			return err
		}
		opened, err := server.OpenEphemeralResource(ctx, &tfprotov6.OpenEphemeralResourceRequest{TypeName: typeName, Config: config})
		if err := failed(err, opened.Diagnostics); err != nil {
			return err
		}
		closed, err := server.CloseEphemeralResource(ctx, &tfprotov6.CloseEphemeralResourceRequest{TypeName: typeName, Private: opened.Private})
		return failed(err, closed.Diagnostics)
	}, err
}

func dataBlock(ctx context.Context, server tfprotov6.ProviderServer, schemas *tfprotov6.GetProviderSchemaResponse) (func() error, error) {
	config, err := unset(schemas.DataSourceSchemas[typeName])
	return func() error {
		valid, err := server.ValidateDataResourceConfig(ctx, &tfprotov6.ValidateDataResourceConfigRequest{TypeName: typeName, Config: config})
		if err := failed(err, valid.Diagnostics); err != nil {
			return err
		}
		read, err := server.ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{TypeName: typeName, Config: config})
		return failed(err, read.Diagnostics)
	}, err
}

// unset returns an object of the schema in which every attribute is null, encoded for the plugin protocol.
func unset(schema *tfprotov6.Schema) (*tfprotov6.DynamicValue, error) {
	object, ok := schema.ValueType().(tftypes.Object)
	if !ok {
		return nil, errors.New("the schema is no object")
	}
	values := map[string]tftypes.Value{}
	for name, kind := range object.AttributeTypes {
		values[name] = tftypes.NewValue(kind, nil)
	}
	value, err := tfprotov6.NewDynamicValue(object, tftypes.NewValue(object, values))
	return &value, err
}

// failed returns diagnostics as an error. Warnings are errors too, because they take time.
func failed(err error, diagnostics []*tfprotov6.Diagnostic) error {
	var text []string
	for _, d := range diagnostics {
		text = append(text, d.Summary+": "+d.Detail)
	}
	if err == nil && len(text) > 0 {
		err = fmt.Errorf("diagnostics: %s", strings.Join(text, "; "))
	}
	return err
}
