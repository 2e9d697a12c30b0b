// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package standin is what the stand-ins below it share. Each stands in for a provider of other people's that an example
// needs and that cannot be built from a Go module: a separate process, with those arguments of the real provider that
// the example uses, as its documentation has them, and real HTTP requests. None of it is released.
package standin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
)

// Sources are the source addresses of the providers that have a stand-in.
var Sources = []string{"equinix/equinix", "hashicorp/http", "hashicorp/vault", "mastercard/restapi"}

// Serve serves the stand-in for the provider at a source address until Terraform ends it.
func Serve(source string, standIn provider.Provider) {
	err := providerserver.Serve(context.Background(), func() provider.Provider { return standIn }, providerserver.ServeOpts{
		Address:         "example.com/" + source, // goes into the log alone
		ProtocolVersion: 6,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// API is what a stand-in calls.
type API struct {
	URL    string // paths are appended to it
	Header map[string]string
}

// Call sends the body, if there is any, as JSON, and returns the answer's. A status of 300 or more is an error.
func (a API) Call(ctx context.Context, method, path, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.URL, "/")+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range a.Header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s was answered %s", method, path, response.Status)
	}
	return string(text), err
}

// Read calls GET and decodes the answer into target.
func (a API) Read(ctx context.Context, path string, target any) error {
	text, err := a.Call(ctx, http.MethodGet, path, "")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), target)
}
