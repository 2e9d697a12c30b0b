// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// guideText is the guide without emphasis.
func guideText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/guides/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "*", "")
}

// wantSection fails the test unless the diagnostic ends in a link to a section of the guide.
func wantSection(t *testing.T, d diag.Diagnostic, heading string) {
	t.Helper()
	anchor := strings.ToLower(strings.ReplaceAll(heading, " ", "-"))
	if !strings.HasSuffix(d.Detail(), "\n\nMore: "+guide+"#"+anchor) || !strings.Contains(guideText(t), "\n### "+heading+"\n") {
		t.Errorf("no link to a section %q, or no such section: %s", heading, d.Detail())
	}
}

// Every failure of the client has words, for every platform, and a section in the guide.
func TestEveryFaultIsExplained(t *testing.T) {
	for fault := clients.InvalidInput; fault <= clients.Internal; fault++ {
		for _, platform := range platforms {
			for _, grant := range []string{clients.ClientCredentials, clients.Password} {
				found := settings{"grant_type": {clients.NewSecret(grant), inBlock}}
				d := (&accessToken{platform: platform}).explain(&clients.Error{Platform: platform.title, Endpoint: "host/path", Kind: fault}, found)
				if !strings.HasPrefix(d.Summary(), "No "+platform.title+" access token: ") || strings.ContainsAny(d.Summary()+d.Detail(), "{}") {
					t.Errorf("%d: %s\n%s", fault, d.Summary(), d.Detail())
				}
				if !strings.Contains(d.Detail(), "host/path") || strings.Contains(d.Detail(), " \n") {
					t.Errorf("%d: the endpoint is not named, or there is a blank too many: %q", fault, d.Detail())
				}
				wantSection(t, d, remedies[fault].why)
			}
		}
	}
}

// Everything else that the provider tells has its section too.
func TestEveryRemarkHasASection(t *testing.T) {
	a := &accessToken{platform: equinix}
	ended := clients.Token{Fallback: &clients.Error{Kind: clients.RefreshTokenRejected}, Scope: "read"}
	brief := clients.Token{Expiry: time.Now().Add(time.Minute)}
	asked := settings{}
	for name, text := range map[string]string{
		"client_secret": "secret\n", "grant_type": clients.Password, "min_validity": "5m", "scopes": "read write",
	} {
		asked[name] = setting{clients.NewSecret(text), inBlock}
	}
	problems := problems{missing: equinix.inputs[:1], unknown: equinix.inputs[:1], invalid: []fault{{equinix.inputs[0], inBlock, "is odd"}}}
	said := slices.Concat(
		a.remarksOnSettings(asked), a.remarksOnToken(asked, ended), a.remarksOnToken(asked, brief),
		a.explainProblems(problems, &configured{unknown: general[:1], refused: explainSetting("max_retries", "is not a number")}),
		diag.Diagnostics{
			a.explainExpired(time.Now()), explainNoCache("dir", errors.New("it is odd")), explainDump("TF_LOG_SDK_PROTO_DATA_DIR"),
			explainPanic([]string{"somewhere"}),
		},
	)
	headings := []string{
		"ends in a line break", "retired the password grant", "did not come from the refresh token", "names no lifetime for the token",
		"granted fewer scopes than were asked for", "valid for less than min_validity", "Invalid provider configuration",
		"a setting is not known yet", "settings are missing", "invalid attribute", "ended while it was in use",
		"Tokens are not shared with other processes", "TF_LOG_SDK_PROTO_DATA_DIR was ignored", "internal fault",
	}
	if len(said) != len(headings) {
		t.Fatalf("%d diagnostics, want %d: %v", len(said), len(headings), said)
	}
	for i, d := range said {
		wantSection(t, d, headings[i])
		if d.Severity() == diag.SeverityWarning && !strings.HasSuffix(d.Summary(), headings[i]) {
			t.Errorf("%q does not end in the heading of its section", d.Summary())
		}
	}
}

// The password grant's messages name the user's credentials too, and belong to no one attribute.
func TestRejectedCredentialsAreNamed(t *testing.T) {
	a := &accessToken{platform: equinix}
	rejected := &clients.Error{Platform: "Equinix", Endpoint: "host/path", Kind: clients.CredentialsRejected}
	for grant, want := range map[string]string{
		clients.ClientCredentials: "Check client_id (EQUINIX_API_CLIENTID) and client_secret (EQUINIX_API_CLIENTSECRET), and",
		clients.Password: "Check client_id (EQUINIX_API_CLIENTID), client_secret (EQUINIX_API_CLIENTSECRET), user_name (EQUINIX_USER_NAME)" +
			" and user_password (EQUINIX_USER_PASSWORD), and",
	} {
		d := a.explain(rejected, settings{"grant_type": {clients.NewSecret(grant), inBlock}})
		_, placed := d.(diag.DiagnosticWithPath)
		if !strings.Contains(d.Detail(), want) || placed != (grant == clients.ClientCredentials) {
			t.Errorf("%s: in an attribute %t: %s", grant, placed, d.Detail())
		}
	}
	refused := &clients.Error{Platform: "Equinix", Endpoint: "host/path", Kind: clients.ScopeRejected}
	if d, placed := a.explain(refused, nil).(diag.DiagnosticWithPath); placed {
		t.Errorf("it belongs to %s, which Equinix has not", d.Path())
	}
}

func TestASentenceHasOneFullStop(t *testing.T) {
	for text, want := range map[string]string{"a": "a.", "a.": "a.", `it says "a."`: `it says "a."`, `it says "a"`: `it says "a".`} {
		if got := sentence(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestADirectoryIsQuoted(t *testing.T) {
	d := explainNoCache("/tmp/a\x1b[31mred\nb", errors.New("it is odd"))
	if text, _, _ := strings.Cut(d.Detail(), "\n\nMore:"); strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("the name acts on the terminal: %q", text)
	}
}

func TestDurationsReadAsUsersWriteThem(t *testing.T) {
	for duration, want := range map[time.Duration]string{
		5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Second: "1m30s", 30 * time.Second: "30s", 0: "0s",
		10 * time.Minute: "10m", 24 * time.Hour: "24h", 90 * time.Minute: "1h30m",
	} {
		if got := brief(duration); got != want {
			t.Errorf("%v reads %q, want %q", duration, got, want)
		}
	}
}
