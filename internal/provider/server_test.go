// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/leak"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// panicking is a server in which every call panics with a value that contains a secret.
type panicking struct {
	tfprotov6.ProviderServer // nil: a call that is missing below panics too
	calls                    *int
}

const panicValue = "CANARY-0c5be1f7"

func panicWithSecret[Response any](p panicking) (Response, error) {
	*p.calls++
	panic("no token for client_secret " + panicValue)
}

func (p panicking) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	return panicWithSecret[*tfprotov6.GetMetadataResponse](p)
}

func (p panicking) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return panicWithSecret[*tfprotov6.GetProviderSchemaResponse](p)
}

func (p panicking) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return panicWithSecret[*tfprotov6.GetResourceIdentitySchemasResponse](p)
}

func (p panicking) ValidateProviderConfig(context.Context, *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return panicWithSecret[*tfprotov6.ValidateProviderConfigResponse](p)
}

func (p panicking) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return panicWithSecret[*tfprotov6.ConfigureProviderResponse](p)
}

func (p panicking) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return panicWithSecret[*tfprotov6.StopProviderResponse](p)
}

func (p panicking) ValidateDataResourceConfig(context.Context, *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return panicWithSecret[*tfprotov6.ValidateDataResourceConfigResponse](p)
}

func (p panicking) ReadDataSource(context.Context, *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	return panicWithSecret[*tfprotov6.ReadDataSourceResponse](p)
}

func (p panicking) GetFunctions(context.Context, *tfprotov6.GetFunctionsRequest) (*tfprotov6.GetFunctionsResponse, error) {
	return panicWithSecret[*tfprotov6.GetFunctionsResponse](p)
}

func (p panicking) CallFunction(context.Context, *tfprotov6.CallFunctionRequest) (*tfprotov6.CallFunctionResponse, error) {
	return panicWithSecret[*tfprotov6.CallFunctionResponse](p)
}

func (p panicking) ValidateEphemeralResourceConfig(context.Context, *tfprotov6.ValidateEphemeralResourceConfigRequest) (*tfprotov6.ValidateEphemeralResourceConfigResponse, error) {
	return panicWithSecret[*tfprotov6.ValidateEphemeralResourceConfigResponse](p)
}

func (p panicking) OpenEphemeralResource(context.Context, *tfprotov6.OpenEphemeralResourceRequest) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	return panicWithSecret[*tfprotov6.OpenEphemeralResourceResponse](p)
}

func (p panicking) RenewEphemeralResource(context.Context, *tfprotov6.RenewEphemeralResourceRequest) (*tfprotov6.RenewEphemeralResourceResponse, error) {
	return panicWithSecret[*tfprotov6.RenewEphemeralResourceResponse](p)
}

func (p panicking) CloseEphemeralResource(context.Context, *tfprotov6.CloseEphemeralResourceRequest) (*tfprotov6.CloseEphemeralResourceResponse, error) {
	return panicWithSecret[*tfprotov6.CloseEphemeralResourceResponse](p)
}

// forResources matches the calls for managed resources. A CLI does not make them, because the provider has none.
var forResources = regexp.MustCompile(`^(ValidateResourceConfig|UpgradeResourceState|UpgradeResourceIdentity|ReadResource|PlanResourceChange|ApplyResourceChange|ImportResourceState|MoveResourceState|GenerateResourceConfig)$`)

// H07: a panic in any call becomes one diagnostic without the panic value.
func TestAPanicInAnyCallIsOneDiagnosticWithoutASecret(t *testing.T) {
	t.Parallel()
	scanner := leak.New(map[string]string{"what was thrown": panicValue})
	calls := 0
	guarded := reflect.ValueOf(server{panicking{calls: &calls}})
	protocol := reflect.TypeFor[tfprotov6.ProviderServer]()
	called := 0
	for i := range protocol.NumMethod() {
		method := protocol.Method(i)
		if forResources.MatchString(method.Name) {
			continue
		}
		called++
		said := callGuarded(t, method, guarded)
		for _, hit := range scanner.Text(method.Name, []byte(said)) {
			t.Error(hit)
		}
		if !strings.Contains(said, "Internal fault of the provider ixtoken") {
			t.Errorf("%s says %q", method.Name, said)
		}
		if method.Name != "StopProvider" && (!strings.Contains(said, platforms.Issues) || !strings.Contains(said, "server_test.go:")) {
			t.Errorf("%s does not say where to report what: %q", method.Name, said)
		}
	}
	t.Logf("%d of the protocol's %d calls are guarded; the others are for resources", called, protocol.NumMethod())
	if called == 0 || calls != called {
		t.Errorf("%d of %d calls have thrown", calls, called)
	}
}

// callGuarded calls a method that must not panic, and returns the text of its only error.
func callGuarded(t *testing.T, method reflect.Method, on reflect.Value) (said string) {
	t.Helper()
	defer func() {
		if recover() != nil {
			t.Errorf("%s is not guarded", method.Name)
		}
	}()
	request := reflect.New(method.Type.In(1).Elem())
	results := on.MethodByName(method.Name).Call([]reflect.Value{reflect.ValueOf(t.Context()), request})
	if !results[1].IsNil() {
		t.Errorf("%s: the call itself fails", method.Name)
	}
	response := results[0].Elem()
	switch failure := response.FieldByName("Error"); {
	case !failure.IsValid():
		diagnostics, _ := response.FieldByName("Diagnostics").Interface().([]*tfprotov6.Diagnostic)
		if len(diagnostics) != 1 || diagnostics[0].Severity != tfprotov6.DiagnosticSeverityError {
			t.Errorf("%s: %d diagnostics, want one error", method.Name, len(diagnostics))
			return ""
		}
		return diagnostics[0].Summary + "\n" + diagnostics[0].Detail
	case failure.Kind() == reflect.String:
		return failure.String()
	default:
		return failure.Interface().(*tfprotov6.FunctionError).Text
	}
}

// H23: the private data of an open block contains no secret, because the CLI keeps it and every protocol log shows it. Nor does
// the answer for a block that failed.
func TestPrivateDataHoldsNoSecret(t *testing.T) {
	t.Parallel()
	platforms, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := platforms.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, p := range platforms.Platforms() {
		name := strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(p.Name()))
		_, url, _ := strings.Cut(p.Environment()[0], "=")
		id := p.Credentials().ClientID
		s := NewServer(Options{Version: "test"})
		schemas, err := s.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: object(t, schemas.Provider, nil)}); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{p.Credentials().ClientSecret, `Kx%9+/v&R"=\<w~ '2Qj#`} {
			kind := name + "_access_token"
			opened, err := s.OpenEphemeralResource(t.Context(), &tfprotov6.OpenEphemeralResourceRequest{
				TypeName: kind,
				Config: object(t, schemas.EphemeralResourceSchemas[kind], map[string]string{
					"login_url": url, "base_url": url, "token_url": url,
					"client_id": id, "access_key": id, "api_key": id, "client_secret": secret, "secret_key": secret, "api_secret": secret,
				}),
			})
			if err != nil {
				t.Fatal(err)
			}
			if failed := len(opened.Diagnostics) > 0; failed == (secret == p.Credentials().ClientSecret) {
				t.Fatalf("%s: %d diagnostics", name, len(opened.Diagnostics))
			}
			closed, err := s.CloseEphemeralResource(t.Context(), &tfprotov6.CloseEphemeralResourceRequest{TypeName: kind, Private: opened.Private})
			if err != nil {
				t.Fatal(err)
			}
			secrets := map[string]string{"client secret": secret}
			for i, token := range p.Issued() {
				secrets[fmt.Sprint("token ", i)] = token[strings.LastIndex(token, ".")+1:]
			}
			scanner := leak.New(secrets)
			for where, text := range map[string]string{"private data": string(opened.Private), "diagnostics": texts(opened.Diagnostics) + texts(closed.Diagnostics)} {
				for _, hit := range scanner.Text(name+" "+where, []byte(text)) {
					t.Error(hit)
				}
			}
			if len(opened.Diagnostics) == 0 && !strings.Contains(string(opened.Private), expiryKey) {
				t.Errorf("%s: the private data is %q", name, opened.Private)
			}
		}
	}
}

func texts(diagnostics []*tfprotov6.Diagnostic) string {
	var all strings.Builder
	for _, d := range diagnostics {
		all.WriteString(d.Summary + "\n" + d.Detail + "\n")
	}
	return all.String()
}

// object returns a block in which only the attributes in set have values. Attributes that the block does not have are ignored.
func object(t *testing.T, schema *tfprotov6.Schema, set map[string]string) *tfprotov6.DynamicValue {
	t.Helper()
	kind, _ := schema.ValueType().(tftypes.Object)
	values := map[string]tftypes.Value{}
	for name, attribute := range kind.AttributeTypes {
		values[name] = tftypes.NewValue(attribute, nil)
		if text, ok := set[name]; ok {
			values[name] = tftypes.NewValue(attribute, text)
		}
	}
	value, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, values))
	if err != nil {
		t.Fatal(err)
	}
	return &value
}
