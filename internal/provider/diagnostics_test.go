// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/troubleshooting"
)

// The diagnostics that only the provider has link to sections of the guide. Package platforms tests all others.
func TestEveryDiagnosticHasASection(t *testing.T) {
	guide, err := troubleshooting.Read()
	if err != nil {
		t.Fatal(err)
	}
	a := &accessToken{Platform: platforms.Equinix, provider: &providerData{
		unknown: platforms.General[:1], blockError: explainSetting("max_retries", "is not a number"),
	}}
	said := append(a.explainProblems(platforms.Problems{Unknown: a.Inputs[:1]}),
		a.explainExpired(time.Now()), explainProtocolDump("TF_LOG_SDK_PROTO_DATA_DIR"), explainPanic([]string{"somewhere"}))
	headings := []string{
		"Invalid provider configuration", "a setting is not known yet", "ended while it was in use", "TF_LOG_SDK_PROTO_DATA_DIR was ignored", "internal fault",
	}
	if len(said) != len(headings) {
		t.Fatalf("%d diagnostics, want %d: %v", len(said), len(headings), said)
	}
	for i, d := range said {
		if !strings.HasSuffix(d.Detail(), platforms.More(headings[i])) {
			t.Errorf("no link to a section %q: %s", headings[i], d.Detail())
		}
		if err := guide.Check(d.Summary(), troubleshooting.Anchor(headings[i])); err != nil {
			t.Error(err)
		}
		if d.Severity() == diag.SeverityWarning && !strings.HasSuffix(d.Summary(), headings[i]) {
			t.Errorf("%q does not end in the heading of its section", d.Summary())
		}
	}
}
