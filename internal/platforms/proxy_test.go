// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// ofMap returns a source with the given values.
func ofMap(values map[string]string) Source {
	return Source{here, func(in Input) Value { return Text(values[in.Name], false) }}
}

// A proxy has the inputs of an access token, those that limit it, and the input upstream, which has a default if the API's URL is known.
func TestEveryPlatformHasAProxy(t *testing.T) {
	for _, platform := range All {
		before := len(platform.Inputs)
		proxy := platform.Proxy()
		if len(platform.Inputs) != before || len(proxy.Inputs) != before+3 {
			t.Errorf("%s: %d inputs, %d of the proxy", platform.Name, before, len(proxy.Inputs))
		}
		if platform.Input("min_validity").Default != "5m" || proxy.Input("min_validity").Default != "1m" {
			t.Errorf("%s: min_validity", platform.Name)
		}
		if got := proxy.None("odd"); got != "No "+platform.Title+" API proxy: odd" {
			t.Error(got)
		}
		found, bad := proxy.Resolve(ofMap(map[string]string{platform.URL: "https://platform.example"}), Defaults())
		missing := slices.ContainsFunc(bad.Missing, func(in Input) bool { return in.Name == "upstream" })
		if required := platform.Upstream == ""; missing != required || !required && proxy.UpstreamURL(found) != "https://platform.example" {
			t.Errorf("%s: upstream is missing: %t, %q", platform.Name, missing, proxy.UpstreamURL(found))
		}
		found, _ = proxy.Resolve(ofMap(map[string]string{platform.URL: "https://platform.example", "upstream": "https://api.example/v2"}), Defaults())
		if got := proxy.UpstreamURL(found); got != "https://api.example/v2" || found.MinValidity() != time.Minute {
			t.Errorf("%s: upstream %s, min_validity %s", platform.Name, got, found.MinValidity())
		}
	}
}

// The upstream gets tokens, so it has the same check as the URL that gets the secret.
func TestTheUpstreamIsChecked(t *testing.T) {
	for _, url := range []string{"http://api.example", "https://u:p@api.example", "https://api.example?a", "api.example", "ftp://api.example"} {
		_, bad := Equinix.Proxy().Resolve(ofMap(map[string]string{"upstream": url}), Defaults())
		if len(bad.Invalid) != 1 || bad.Invalid[0].Input.Name != "upstream" {
			t.Errorf("%s is accepted: %v", url, bad.Invalid)
		}
	}
}

// An error names the API proxy in the diagnostic of its block, and the access token in the proxy's answers.
func TestAProxysErrorsNameIt(t *testing.T) {
	failed := &clients.Error{Platform: "Equinix", Endpoint: "host/path", Kind: clients.CredentialsRejected}
	if m := Equinix.Proxy().Explain(failed, nil, terms); m.Summary != "No Equinix API proxy: credentials rejected" {
		t.Error(m.Summary)
	}
	if m := Equinix.ExplainNoAnswer("host gave no answer: odd", terms); !strings.Contains(m.Detail, "upstream or base_url (EQUINIX_API_ENDPOINT)") {
		t.Error(m.Detail)
	}
}
