// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// A program that waits for the proxy learns whether there is a token, and until when. It needs the secret. A hundred such
// questions cost no token request.
func TestHealth(t *testing.T) {
	t.Parallel()
	var failure error
	s := newPlatform(t)
	s.api = newAPI(t, func(http.ResponseWriter, *http.Request) { t.Error("the API was asked") })
	s.open(func(o *Options) {
		obtain := o.Token
		o.Token = func(ctx context.Context, least time.Duration) (clients.Token, error) {
			if failure != nil {
				return clients.Token{}, failure
			}
			return obtain(ctx, least)
		}
	})
	before := len(s.platform.Requests())
	for range 100 {
		answer, body := s.do(http.MethodGet, "/.ixtoken/health", nil)
		var said struct {
			Status string    `json:"status"`
			Until  time.Time `json:"token_valid_until"`
		}
		if err := json.Unmarshal([]byte(body), &said); err != nil || answer.StatusCode != http.StatusOK || said.Status != "ready" || time.Until(said.Until) < 58*time.Minute {
			t.Fatalf("%d: %s", answer.StatusCode, body)
		}
	}
	if got := len(s.platform.Requests()); got != before {
		t.Errorf("%d token requests", got-before)
	}
	if answer, _ := s.do(http.MethodPost, "/.ixtoken/health", strings.NewReader("")); answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", answer.StatusCode)
	}
	without, err := http.Get("http://" + s.host + "/.ixtoken/health")
	if err != nil {
		t.Fatal(err)
	}
	without.Body.Close()
	if without.StatusCode != http.StatusNotFound {
		t.Errorf("without the secret: %s", without.Status)
	}
	failure = &clients.Error{Kind: clients.CredentialsRejected, Endpoint: "x"}
	if answer, body := s.do(http.MethodGet, "/.ixtoken/health", nil); answer.StatusCode != http.StatusBadGateway || !strings.Contains(body, "explained") {
		t.Errorf("without a token: %d: %s", answer.StatusCode, body)
	}
}
