// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// nonsense has values that no input accepts. The types are right.
var nonsense = map[string]string{
	"upstream": "ftp://\n", "base_url": "x", "login_url": "x", "token_url": "x", "environment": "x",
	"client_id": "a\x00b", "client_secret": "a\nb", "access_key": "\x01", "secret_key": "\x01", "api_key": "\x01", "api_secret": "\x01",
	"grant_type": "none", "min_validity": "soon",
}

// block returns a block in which the texts of set have their values, and enabled the given one.
func (s *session) block(schema *tfprotov6.Schema, set map[string]string, enabled any) (map[string]tftypes.Value, *tfprotov6.DynamicValue) {
	s.t.Helper()
	kind := schema.ValueType().(tftypes.Object)
	attributes := map[string]tftypes.Value{}
	for name, attribute := range kind.AttributeTypes {
		text, isSet := set[name]
		switch {
		case name == "enabled":
			attributes[name] = tftypes.NewValue(attribute, enabled)
		case isSet && attribute.Is(tftypes.String):
			attributes[name] = tftypes.NewValue(attribute, text)
		default:
			attributes[name] = tftypes.NewValue(attribute, nil)
		}
	}
	value, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, attributes))
	if err != nil {
		s.t.Fatal(err)
	}
	return attributes, &value
}

// validated returns what is wrong with a block before it is opened.
func (s *session) validated(name string, config *tfprotov6.DynamicValue) []*tfprotov6.Diagnostic {
	s.t.Helper()
	answer, err := s.ValidateEphemeralResourceConfig(s.t.Context(), &tfprotov6.ValidateEphemeralResourceConfigRequest{TypeName: name, Config: config})
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.Diagnostics
}

func (s *session) openBlock(name string, config *tfprotov6.DynamicValue) *tfprotov6.OpenEphemeralResourceResponse {
	s.t.Helper()
	answer, err := s.OpenEphemeralResource(s.t.Context(), &tfprotov6.OpenEphemeralResourceRequest{TypeName: name, Config: config})
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// A disabled block of any type accepts any values, sends nothing, and has null for each output. Closing it is no fault.
func TestADisabledBlockIsNotOpened(t *testing.T) {
	all := startSimulator(t)
	s := newSession(t)
	names := slices.Sorted(maps.Keys(s.schemas.EphemeralResourceSchemas))
	if len(names) != 2*len(all.Platforms()) {
		t.Fatalf("the types are %v", names)
	}
	for _, name := range names {
		kind := s.schemas.EphemeralResourceSchemas[name]
		for _, set := range []map[string]string{nil, nonsense} {
			want, config := s.block(kind, set, false)
			opened := s.openBlock(name, config)
			if said := append(s.validated(name, config), opened.Diagnostics...); len(said) > 0 {
				t.Errorf("%s: %s", name, words(said))
				continue
			}
			value, err := opened.Result.Unmarshal(kind.ValueType())
			if err != nil {
				t.Fatal(err)
			}
			if !value.Equal(tftypes.NewValue(kind.ValueType(), want)) {
				t.Errorf("%s: the result is not the configuration: %s", name, value)
			}
			if said := s.close(name, opened.Private); len(said) > 0 {
				t.Errorf("%s: closed with %s", name, words(said))
			}
		}
	}
	wantNothingSent(t, all.Platforms())
}

// The same values are faults of a block that is enabled, or that may be. An enabled that is unknown is an error, and sends
// nothing.
func TestABlockThatMayBeEnabledIsChecked(t *testing.T) {
	all := startSimulator(t)
	s := newSession(t)
	for name, kind := range s.schemas.EphemeralResourceSchemas {
		for _, enabled := range []any{nil, true, tftypes.UnknownValue} {
			if _, config := s.block(kind, nonsense, enabled); len(s.validated(name, config)) == 0 {
				t.Errorf("%s: nonsense is accepted with enabled = %v", name, enabled)
			}
		}
		_, config := s.block(kind, nil, tftypes.UnknownValue)
		if said := s.validated(name, config); len(said) > 0 { // "validate" does not know it yet
			t.Errorf("%s: %s", name, words(said))
		}
		said := s.openBlock(name, config).Diagnostics
		if len(said) != 1 || said[0].Severity != tfprotov6.DiagnosticSeverityError || !strings.HasSuffix(said[0].Summary, ": a setting is not known yet") ||
			!strings.Contains(said[0].Detail, "enabled is known only after apply") || said[0].Attribute.String() != `AttributeName("enabled")` {
			t.Errorf("%s: an unknown enabled: %v", name, said)
		}
	}
	wantNothingSent(t, all.Platforms())
}

// A block that is off does not need a provider that works.
func TestADisabledBlockNeedsNoProviderBlock(t *testing.T) {
	s := &session{ProviderServer: provider.NewServer(provider.Options{Version: "test"}), t: t}
	var err error
	if s.schemas, err = s.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{}); err != nil {
		t.Fatal(err)
	}
	for name, kind := range s.schemas.EphemeralResourceSchemas {
		_, config := s.block(kind, nil, false)
		opened := s.openBlock(name, config)
		if said := words(opened.Diagnostics) + words(s.close(name, opened.Private)); said != "" {
			t.Errorf("%s: %s", name, said)
		}
	}
}

// words returns all diagnostics in one text.
func words(diagnostics []*tfprotov6.Diagnostic) string {
	var all strings.Builder
	for _, d := range diagnostics {
		all.WriteString(d.Summary + ": " + d.Detail + "\n")
	}
	return all.String()
}

func wantNothingSent(t *testing.T, all []*simulator.Platform) {
	t.Helper()
	for _, p := range all {
		if sent := len(p.Requests()); sent != 0 {
			t.Errorf("%s has seen %d requests", p.Name(), sent)
		}
	}
}
