// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package standin has the common code of the stand-ins in its subdirectories. A stand-in replaces a third-party provider
// that an example needs and that cannot be built from a Go module. It is a real provider in its own process that sends real
// HTTP requests. It has only the arguments that the example uses, as in the documentation of the real provider. Stand-ins
// are not released.
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

// Serve serves the stand-in for the provider with the source address until Terraform ends it.
func Serve(source string, standIn provider.Provider) {
	err := providerserver.Serve(context.Background(), func() provider.Provider { return standIn }, providerserver.ServeOpts{
		Address:         "example.com/" + source, // only for the log
		ProtocolVersion: 6,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// API is the API that a stand-in calls.
type API struct {
	URL    string // paths are appended to it
	Header map[string]string
}

// Call sends a request with body as JSON, if body is not empty. It returns the body of the answer. A status of 300 or more
// is an error.
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

// Read sends a GET and decodes the answer into target.
func (a API) Read(ctx context.Context, path string, target any) error {
	text, err := a.Call(ctx, http.MethodGet, path, "")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), target)
}
