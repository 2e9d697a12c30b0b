// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// Two callers that ask for the same token cause one request.
func ExampleClient_Token() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		_, _ = io.WriteString(w, `{"access_token":"a-token","token_type":"Bearer","expires_in":3600}`)
	}))
	defer server.Close()
	client := clients.New(clients.Options{})
	grant := clients.Interxion{LoginURL: server.URL, ClientID: "client-1", ClientSecret: clients.NewSecret("a-secret")}
	for range 2 {
		token, err := client.Token(context.Background(), grant, 5*time.Minute)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(token.AccessToken, token.Authorization().Reveal(), time.Until(token.Expiry).Round(time.Hour))
	}
	// Output:
	// POST /connect/token
	// [redacted] Bearer a-token 1h0m0s
	// [redacted] Bearer a-token 1h0m0s
}

// An error says what the platform answered, and whether asking again later may help.
func ExampleError() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
	}))
	defer server.Close()
	grant := clients.Interxion{LoginURL: server.URL, ClientID: "client-1", ClientSecret: clients.NewSecret("another")}
	_, err := clients.New(clients.Options{}).Token(context.Background(), grant, 0)
	if failure := (*clients.Error)(nil); errors.As(err, &failure) {
		fmt.Println(failure.Platform, failure.Status, failure.Code, failure.Kind == clients.CredentialsRejected, failure.Temporary())
	}
	// Output: Interxion 400 invalid_client true false
}
