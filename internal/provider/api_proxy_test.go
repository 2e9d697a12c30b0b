// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/leak"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// session is a configured provider server, used as a CLI uses it.
type session struct {
	tfprotov6.ProviderServer
	t       *testing.T
	schemas *tfprotov6.GetProviderSchemaResponse
}

func newSession(t *testing.T) *session {
	t.Helper()
	s := &session{ProviderServer: provider.NewServer(provider.Options{Version: "test"}), t: t}
	var err error
	if s.schemas, err = s.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{}); err != nil {
		t.Fatal(err)
	}
	config := s.object(s.schemas.Provider, nil)
	if answer, err := s.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: config}); err != nil || len(answer.Diagnostics) > 0 {
		t.Fatal(err, answer)
	}
	return s
}

// object returns a block in which the given attributes are set.
func (s *session) object(schema *tfprotov6.Schema, set map[string]string) *tfprotov6.DynamicValue {
	s.t.Helper()
	kind := schema.ValueType().(tftypes.Object)
	attributes := map[string]tftypes.Value{}
	for name, attribute := range kind.AttributeTypes {
		attributes[name] = tftypes.NewValue(attribute, nil)
		if text, ok := set[name]; ok {
			attributes[name] = tftypes.NewValue(attribute, text)
		}
	}
	value, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, attributes))
	if err != nil {
		s.t.Fatal(err)
	}
	return &value
}

// open opens a block of the type name.
func (s *session) open(name string, set map[string]string) *tfprotov6.OpenEphemeralResourceResponse {
	s.t.Helper()
	answer, err := s.OpenEphemeralResource(s.t.Context(), &tfprotov6.OpenEphemeralResourceRequest{TypeName: name, Config: s.object(s.schemas.EphemeralResourceSchemas[name], set)})
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// opened opens a proxy, and returns its URL and the private data for Close.
func (s *session) opened(name string, set map[string]string) (string, []byte) {
	s.t.Helper()
	answer := s.open(name, set)
	for _, d := range answer.Diagnostics {
		s.t.Fatalf("%s: %s", d.Summary, d.Detail)
	}
	value, err := answer.Result.Unmarshal(s.schemas.EphemeralResourceSchemas[name].ValueType())
	if err != nil {
		s.t.Fatal(err)
	}
	attributes, text := map[string]tftypes.Value{}, ""
	if err := value.As(&attributes); err != nil {
		s.t.Fatal(err)
	}
	if err := attributes["url"].As(&text); err != nil {
		s.t.Fatal(err)
	}
	var address, secret string
	if attributes["address"].As(&address) != nil || attributes["secret"].As(&secret) != nil || text != address+"/"+secret {
		s.t.Errorf("the address is %s, and with the secret it is not the URL", address)
	}
	return text, answer.Private
}

func (s *session) close(name string, private []byte) []*tfprotov6.Diagnostic {
	s.t.Helper()
	answer, err := s.CloseEphemeralResource(s.t.Context(), &tfprotov6.CloseEphemeralResourceRequest{TypeName: name, Private: private})
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.Diagnostics
}

// get sends a GET.
func get(t *testing.T, url string) (int, http.Header, []byte) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, body
}

func listens(t *testing.T, proxy string) bool {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("tcp", u.Host)
	if err == nil {
		connection.Close()
	}
	return err == nil
}

// Each platform's proxy gives access to the API without a token of the caller, and ends with its block. The private data that
// the CLI keeps does not contain its URL.
func TestEveryPlatformsProxyOpensItsAPI(t *testing.T) {
	all := startSimulator(t)
	s := newSession(t)
	for _, p := range all.Platforms() {
		t.Run(p.Name(), func(t *testing.T) {
			name := strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(p.Name())) + "_api_proxy"
			set := map[string]string{}
			if p.Name() == "Interxion" || p.Name() == "Megaport" || p.Name() == "OAuth2" {
				set["upstream"] = p.URL()
			}
			first, private := s.opened(name, set)
			second, other := s.opened(name, set)
			if first == second {
				t.Error("two blocks have one address")
			}
			for _, hit := range leak.New(map[string]string{"the URL": first, "the secret": first[strings.LastIndex(first, "/")+1:]}).Text("the private data", private) {
				t.Error(hit)
			}
			path := strings.TrimPrefix(p.APIURL(), p.URL())
			if p.Name() == "IX-API" {
				path = strings.TrimPrefix(path, "/api/v2") // base_url has this part
			}
			for range 3 {
				if status, _, body := get(t, first+path); status != http.StatusOK {
					t.Errorf("answered %d: %s", status, body)
				}
			}
			if d := s.close(name, private); len(d) != 0 || listens(t, first) || !listens(t, second) {
				t.Errorf("closed with %v; listens: %t, the other %t", d, listens(t, first), listens(t, second))
			}
			if d := append(s.close(name, private), s.close(name, other)...); len(d) != 0 || listens(t, second) {
				t.Errorf("closed with %v; listens: %t", d, listens(t, second))
			}
			if got := grants(p); got != 1 {
				t.Errorf("%d token requests", got)
			}
		})
	}
}

// Wrong credentials are an error of the block, not of its first user.
func TestAProxyWithoutATokenIsNotOpened(t *testing.T) {
	all := startSimulator(t)
	t.Setenv("EQUINIX_API_CLIENTSECRET", "wrong")
	s := newSession(t)
	answer := s.open("equinix_api_proxy", nil)
	if len(answer.Diagnostics) != 1 || answer.Diagnostics[0].Summary != "No Equinix API proxy: credentials rejected" || len(answer.Private) != 0 {
		t.Errorf("%v", answer.Diagnostics)
	}
	if got := len(all.Equinix.Requests()); got != 1 {
		t.Errorf("%d requests", got)
	}
	missing := s.open("interxion_api_proxy", nil)
	if len(missing.Diagnostics) != 1 || missing.Diagnostics[0].Summary != "No Interxion API proxy: settings are missing" || !strings.Contains(missing.Diagnostics[0].Detail, "upstream (only in this block)") {
		t.Errorf("%v", missing.Diagnostics)
	}
}

// Without a token, the proxy's answer has the text of the diagnostic, and links to the same section.
func TestAProxyAnswersInTheWordsOfDiagnostics(t *testing.T) {
	all := startSimulator(t)
	all.Equinix.SetLifetime(0, 0)
	s := newSession(t)
	answer := s.open("equinix_api_proxy", nil)
	var object map[string]tftypes.Value
	var proxy string
	value, err := answer.Result.Unmarshal(s.schemas.EphemeralResourceSchemas["equinix_api_proxy"].ValueType())
	if err != nil || value.As(&object) != nil || object["url"].As(&proxy) != nil {
		t.Fatal(err, answer.Diagnostics)
	}
	t.Cleanup(func() { s.close("equinix_api_proxy", answer.Private) })
	all.Equinix.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/oauth2/") {
			w.WriteHeader(http.StatusServiceUnavailable)
		} else {
			w.WriteHeader(http.StatusUnauthorized)
		}
		return true
	})
	status, header, body := get(t, proxy+"/fabric/v4/ports")
	var problem struct{ Type, Title, Detail string }
	if err := json.Unmarshal(body, &problem); err != nil {
		t.Fatal(err)
	}
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") != "60" || problem.Title != "No Equinix access token: platform unavailable" ||
		!strings.HasSuffix(problem.Type, "troubleshooting.md#platform-unavailable") || !strings.Contains(problem.Detail, "answered 503") || strings.Contains(problem.Detail, "More:") {
		t.Errorf("answered %d %v: %+v", status, header, problem)
	}
}

// Close warns about an API that refused fresh tokens, and says how often.
func TestRefusedFreshTokensAreReported(t *testing.T) {
	all := startSimulator(t)
	s := newSession(t)
	proxy, private := s.opened("cloudlx_api_proxy", nil)
	all.CloudLX.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/oauth2/") {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	get(t, proxy+"/api/services") // the proxy sends it twice, with two tokens
	get(t, proxy+"/api/services")
	d := s.close("cloudlx_api_proxy", private)
	if len(d) != 1 || d[0].Severity != tfprotov6.DiagnosticSeverityWarning || d[0].Summary != "The CloudLX API refused fresh tokens" || !strings.Contains(d[0].Detail, "less than a minute old: 3.") {
		t.Errorf("%v", d)
	}
	if got := grants(all.CloudLX); got != 2 {
		t.Errorf("%d token requests", got)
	}
}

// grants counts the token requests that a platform has received.
func grants(p *simulator.Platform) int {
	count := 0
	for _, request := range p.Requests() {
		if request.Grant != "" {
			count++
		}
	}
	return count
}
