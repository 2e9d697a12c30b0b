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
		proxy := platform.APIProxy()
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
		_, bad := Equinix.APIProxy().Resolve(ofMap(map[string]string{"upstream": url}), Defaults())
		if len(bad.Invalid) != 1 || bad.Invalid[0].Input.Name != "upstream" {
			t.Errorf("%s is accepted: %v", url, bad.Invalid)
		}
	}
}

// An error names the API proxy in the diagnostic of its block, and the access token in the proxy's answers.
func TestAProxysErrorsNameIt(t *testing.T) {
	failed := &clients.Error{Platform: "Equinix", Endpoint: "host/path", Kind: clients.CredentialsRejected}
	if m := Equinix.APIProxy().Explain(failed, nil, terms); m.Summary != "No Equinix API proxy: credentials rejected" {
		t.Error(m.Summary)
	}
	if m := Equinix.ExplainNoAnswer("host gave no answer: odd", terms); !strings.Contains(m.Detail, "upstream or base_url (EQUINIX_API_ENDPOINT)") {
		t.Error(m.Detail)
	}
}

// Both limits are off unless they are set, and refuse what is none.
func TestTheLimitsOfAProxyAreChecked(t *testing.T) {
	for _, test := range []struct {
		rate, wait string
		wrong      int
		perSecond  float64
		held       time.Duration
	}{
		{"", "", 0, 0, 0},
		{"10", "2m", 0, 10, 2 * time.Minute},
		{"0.5", "0s", 0, 0.5, 0},
		{"2.5e+00", "1h30m", 0, 2.5, 90 * time.Minute}, // as Terraform's numbers may look
		{"1e-3", "24h", 0, 0.001, 24 * time.Hour},
		{"1000000", "1ms", 0, 1e6, time.Millisecond},
		{"0", "-1s", 2, 0, 0},
		{"-1", "25h", 2, 0, 0},
		{"1000001", "2", 2, 0, 0},
		{"NaN", "soon", 2, 0, 0},
		{"Inf", "2 m", 2, 0, 0},
		{"ten", "1d", 2, 0, 0},
	} {
		found, bad := Equinix.APIProxy().Resolve(ofMap(map[string]string{"max_requests_per_second": test.rate, "throttle_wait": test.wait}), Defaults())
		if len(bad.Invalid) != test.wrong {
			t.Errorf("%q, %q: %v", test.rate, test.wait, bad.Invalid)
		}
		if perSecond, held := found.Limits(); test.wrong == 0 && (perSecond != test.perSecond || held != test.held) {
			t.Errorf("%q, %q became %v, %s", test.rate, test.wait, perSecond, held)
		}
	}
	for _, platform := range All {
		if _, unwanted := LookUp(platform.Input(MaxRequestsPerSecond.Name), ofMap(nil)); platform.Input(ThrottleWait.Name).Name != "" || unwanted {
			t.Errorf("%s: the token has the limits of the proxy", platform.Name)
		}
	}
}

// What identifies the client is not secret, and does not depend on what the token is for.
func TestTheClientOfAProxyIsKnown(t *testing.T) {
	for _, platform := range All {
		values := map[string]string{"client_id": "a", "access_key": "a", "api_key": "a", "client_secret": "s", "secret_key": "s", "api_secret": "s", "scopes": "read"}
		found, _ := platform.APIProxy().Resolve(ofMap(values), Defaults())
		if got := platform.ClientID(found); got != "a" {
			t.Errorf("%s: the client is %q", platform.Name, got)
		}
	}
}
