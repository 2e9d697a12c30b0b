// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package oauth2servers

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// wantKind fails the test unless err is an error of that kind without a secret.
func wantKind(t *testing.T, err error, want clients.Kind) {
	t.Helper()
	failure := (*clients.Error)(nil)
	if !errors.As(err, &failure) {
		t.Fatalf("error %v, want a failure of the client", err)
	}
	if failure.Kind != want {
		t.Errorf("kind %d, want %d: %v", failure.Kind, want, err)
	}
	for _, c := range []client{plain, hostile} {
		if strings.Contains(err.Error(), c.secret) || strings.Contains(err.Error(), url.QueryEscape(c.secret)) {
			t.Error("the error repeats the secret")
		}
	}
}

// passwordGrant obtains a refresh token with a user's password. The provider itself does not support this.
func passwordGrant(t *testing.T, s *server, method string, registered client) clients.Secret {
	t.Helper()
	fields := url.Values{"grant_type": {"password"}, "username": {"user-1"}, "password": {"password-1"}, "scope": {"a offline"}}
	if method == clients.ClientSecretPost {
		fields.Set("client_id", registered.id)
		fields.Set("client_secret", registered.secret)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/oauth/token", strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if method == clients.ClientSecretBasic {
		request.SetBasicAuth(url.QueryEscape(registered.id), url.QueryEscape(registered.secret))
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.RefreshToken == "" {
		t.Fatalf("no refresh token: %d, %v", response.StatusCode, err)
	}
	return clients.NewSecret(answer.RefreshToken)
}
