// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// NewServer returns the provider as a server of the plugin protocol. A panic in a call becomes an error of this call.
func NewServer(options Options) tfprotov6.ProviderServer {
	return server{providerserver.NewProtocol6(New(options))()}
}

// server recovers from panics in every call that a CLI makes to a provider without managed resources. The framework does
// not: a panic would end the process, and Go would print the panic value, which may contain a secret, on the terminal.
type server struct{ tfprotov6.ProviderServer }

// serveCall serves one call. After a panic, it returns an error with the location. It drops the panic value.
func serveCall[Request, Response any](ctx context.Context, request Request,
	serve func(context.Context, Request) (Response, error), failed func([]*tfprotov6.Diagnostic) Response,
) (response Response, err error) {
	call := newCallContext(ctx)
	defer call.end()
	defer func() {
		if recover() != nil {
			fault := explainPanic(clients.PanicOrigin())
			response, err = failed([]*tfprotov6.Diagnostic{{
				Severity: tfprotov6.DiagnosticSeverityError, Summary: fault.Summary(), Detail: fault.Detail(),
			}}), nil
		}
	}()
	return serve(call, request)
}

func (s server) GetMetadata(ctx context.Context, request *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.GetMetadata, func(d []*tfprotov6.Diagnostic) *tfprotov6.GetMetadataResponse {
		return &tfprotov6.GetMetadataResponse{Diagnostics: d}
	})
}

func (s server) GetProviderSchema(ctx context.Context, request *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.GetProviderSchema, func(d []*tfprotov6.Diagnostic) *tfprotov6.GetProviderSchemaResponse {
		return &tfprotov6.GetProviderSchemaResponse{Diagnostics: d}
	})
}

func (s server) GetResourceIdentitySchemas(ctx context.Context, request *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.GetResourceIdentitySchemas, func(d []*tfprotov6.Diagnostic) *tfprotov6.GetResourceIdentitySchemasResponse {
		return &tfprotov6.GetResourceIdentitySchemasResponse{Diagnostics: d}
	})
}

func (s server) ValidateProviderConfig(ctx context.Context, request *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.ValidateProviderConfig, func(d []*tfprotov6.Diagnostic) *tfprotov6.ValidateProviderConfigResponse {
		return &tfprotov6.ValidateProviderConfigResponse{Diagnostics: d}
	})
}

func (s server) ConfigureProvider(ctx context.Context, request *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.ConfigureProvider, func(d []*tfprotov6.Diagnostic) *tfprotov6.ConfigureProviderResponse {
		return &tfprotov6.ConfigureProviderResponse{Diagnostics: d}
	})
}

func (s server) StopProvider(ctx context.Context, request *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.StopProvider, func(d []*tfprotov6.Diagnostic) *tfprotov6.StopProviderResponse {
		return &tfprotov6.StopProviderResponse{Error: d[0].Summary}
	})
}

func (s server) ValidateDataResourceConfig(ctx context.Context, request *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.ValidateDataResourceConfig, func(d []*tfprotov6.Diagnostic) *tfprotov6.ValidateDataResourceConfigResponse {
		return &tfprotov6.ValidateDataResourceConfigResponse{Diagnostics: d}
	})
}

func (s server) ReadDataSource(ctx context.Context, request *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.ReadDataSource, func(d []*tfprotov6.Diagnostic) *tfprotov6.ReadDataSourceResponse {
		return &tfprotov6.ReadDataSourceResponse{Diagnostics: d}
	})
}

func (s server) GetFunctions(ctx context.Context, request *tfprotov6.GetFunctionsRequest) (*tfprotov6.GetFunctionsResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.GetFunctions, func(d []*tfprotov6.Diagnostic) *tfprotov6.GetFunctionsResponse {
		return &tfprotov6.GetFunctionsResponse{Diagnostics: d}
	})
}

func (s server) CallFunction(ctx context.Context, request *tfprotov6.CallFunctionRequest) (*tfprotov6.CallFunctionResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.CallFunction, func(d []*tfprotov6.Diagnostic) *tfprotov6.CallFunctionResponse {
		return &tfprotov6.CallFunctionResponse{Error: &tfprotov6.FunctionError{Text: d[0].Summary + ": " + d[0].Detail}}
	})
}

func (s server) ValidateEphemeralResourceConfig(ctx context.Context, request *tfprotov6.ValidateEphemeralResourceConfigRequest) (*tfprotov6.ValidateEphemeralResourceConfigResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.ValidateEphemeralResourceConfig, func(d []*tfprotov6.Diagnostic) *tfprotov6.ValidateEphemeralResourceConfigResponse {
		return &tfprotov6.ValidateEphemeralResourceConfigResponse{Diagnostics: d}
	})
}

func (s server) OpenEphemeralResource(ctx context.Context, request *tfprotov6.OpenEphemeralResourceRequest) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.OpenEphemeralResource, func(d []*tfprotov6.Diagnostic) *tfprotov6.OpenEphemeralResourceResponse {
		return &tfprotov6.OpenEphemeralResourceResponse{Diagnostics: d}
	})
}

func (s server) RenewEphemeralResource(ctx context.Context, request *tfprotov6.RenewEphemeralResourceRequest) (*tfprotov6.RenewEphemeralResourceResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.RenewEphemeralResource, func(d []*tfprotov6.Diagnostic) *tfprotov6.RenewEphemeralResourceResponse {
		return &tfprotov6.RenewEphemeralResourceResponse{Diagnostics: d}
	})
}

func (s server) CloseEphemeralResource(ctx context.Context, request *tfprotov6.CloseEphemeralResourceRequest) (*tfprotov6.CloseEphemeralResourceResponse, error) {
	return serveCall(ctx, request, s.ProviderServer.CloseEphemeralResource, func(d []*tfprotov6.Diagnostic) *tfprotov6.CloseEphemeralResourceResponse {
		return &tfprotov6.CloseEphemeralResourceResponse{Diagnostics: d}
	})
}
