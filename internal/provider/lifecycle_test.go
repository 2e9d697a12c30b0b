// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
)

// X09: closing a block twice, or one that was not opened, is no error and sends nothing.
func TestClosingTwiceOrUnopenedDoesNothing(t *testing.T) {
	s := startSimulator(t)
	server := provider.NewServer(provider.Options{Version: "test"})
	ended, err := json.Marshal(map[string][]byte{"expires_at": []byte(time.Now().Add(-time.Hour).Format(`"` + time.RFC3339 + `"`))})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, kind string
		private    []byte
		want       int // warnings
	}{
		{"never opened", "equinix_access_token", nil, 0},
		{"the token has ended", "equinix_access_token", ended, 1},
		{"never opened", "equinix_api_proxy", nil, 0},
		{"of no proxy", "equinix_api_proxy", []byte(`{"proxy":"Nw=="}`), 0},
	} {
		for range 2 {
			response, err := server.CloseEphemeralResource(t.Context(), &tfprotov6.CloseEphemeralResourceRequest{TypeName: test.kind, Private: test.private})
			if err != nil {
				t.Fatal(err)
			}
			if len(response.Diagnostics) != test.want {
				t.Errorf("%s: %d diagnostics, want %d", test.name, len(response.Diagnostics), test.want)
			}
			for _, d := range response.Diagnostics {
				if d.Severity == tfprotov6.DiagnosticSeverityError {
					t.Errorf("%s: %s: %s", test.name, d.Summary, d.Detail)
				}
			}
		}
	}
	if sent := len(s.Equinix.Requests()); sent != 0 {
		t.Errorf("closing has sent %d requests", sent)
	}
}
