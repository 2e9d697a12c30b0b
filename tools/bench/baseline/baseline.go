// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package baseline has the provider for comparison. It has the same schemas. It answers with constants, or sends one request
// for each block as the data source "http" does.
package baseline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/function"
	framework "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
)

// New returns the provider. If asks is set, it sends one request for each block, to the URL and with the credentials in the
// environment.
func New(asks bool) framework.Provider {
	return &constant{provider.New(provider.Options{Version: "baseline"}), asks}
}

// constant has the schemas of the real provider. It embeds interfaces, so it has only their methods: no validation, no
// configuration of a type, no Close.
type constant struct {
	framework.Provider
	asks bool
}

func (f *constant) Configure(context.Context, framework.ConfigureRequest, *framework.ConfigureResponse) {
}

func (f *constant) Functions(ctx context.Context) []func() function.Function {
	if all, ok := f.Provider.(framework.ProviderWithFunctions); ok {
		return all.Functions(ctx)
	}
	return nil
}

func (f *constant) EphemeralResources(ctx context.Context) []func() ephemeral.EphemeralResource {
	var all []func() ephemeral.EphemeralResource
	if real, ok := f.Provider.(framework.ProviderWithEphemeralResources); ok {
		for _, construct := range real.EphemeralResources(ctx) {
			all = append(all, func() ephemeral.EphemeralResource { return ephemeralToken{construct(), f.asks} })
		}
	}
	return all
}

func (f *constant) DataSources(ctx context.Context) []func() datasource.DataSource {
	var all []func() datasource.DataSource
	for _, construct := range f.Provider.DataSources(ctx) {
		all = append(all, func() datasource.DataSource { return dataToken{construct(), f.asks} })
	}
	return all
}

type ephemeralToken struct {
	ephemeral.EphemeralResource
	asks bool
}

func (e ephemeralToken) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	result, err := answer(ctx, req.Config, e.asks)
	if err != nil {
		resp.Diagnostics.AddError("No token", err.Error())
		return
	}
	resp.Result.Raw = result
}

type dataToken struct {
	datasource.DataSource
	asks bool
}

func (d dataToken) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	result, err := answer(ctx, req.Config, d.asks)
	if err != nil {
		resp.Diagnostics.AddError("No token", err.Error())
		return
	}
	resp.State.Raw = result
}

// The constant outputs. They are as long as those of the simulator.
const (
	accessToken = "qwErtY8zyW1abcdefGHI"
	userName    = "john.doe@example.com"
)

// answer sets the outputs as values of the protocol, without the framework's conversions. No provider that uses the
// framework can do less.
func answer(ctx context.Context, config tfsdk.Config, asks bool) (tftypes.Value, error) {
	token := accessToken
	if asks {
		var err error
		if token, err = ask(ctx); err != nil {
			return tftypes.Value{}, err
		}
	}
	var block map[string]tftypes.Value
	if err := config.Raw.As(&block); err != nil {
		return tftypes.Value{}, err
	}
	for name, value := range map[string]any{
		"access_token":  token,
		"authorization": "Bearer " + token,
		"token_type":    "Bearer",
		"expires_at":    "2030-01-01T00:00:00Z",
		"expires_in":    3599,
		"user_name":     userName,
	} {
		if before, ok := block[name]; ok {
			block[name] = tftypes.NewValue(before.Type(), value)
		}
	}
	return tftypes.NewValue(config.Raw.Type(), block), nil
}

// ask sends one request over a new connection, like the data source "http", which clones the default transport for each
// block.
func ask(ctx context.Context) (string, error) {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return "", errors.New("the default transport is another one")
	}
	client := http.Client{Transport: transport.Clone()}
	body, err := json.Marshal(map[string]string{
		"grant_type":    "client_credentials",
		"client_id":     os.Getenv("EQUINIX_API_CLIENTID"),
		"client_secret": os.Getenv("EQUINIX_API_CLIENTSECRET"),
	})
	if err != nil {
		return "", err
	}
	address, err := url.JoinPath(os.Getenv("EQUINIX_API_ENDPOINT"), "/oauth2/v1/token")
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(string(body)))
	if err != nil {
		return "", err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&token); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the answer is %s", response.Status)
	}
	return token.AccessToken, nil
}
