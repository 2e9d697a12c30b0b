// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/troubleshooting"
)

// terms are the words of a simple front end: an input has only its name and its variable.
var terms = Terms{
	Input:   func(in Input) string { return in.Name + " (" + in.Environment + ")" },
	Setting: func(in Input) string { return in.Name },
	Places:  func(Platform, Places) string { return "in the environment" },
	Notes:   func(in Input) []string { return []string{in.Environment} },
	Words:   Words{Program: "it", Trim: "Trim it.", Encode: "Encode it."},
}

const here Origin = "this test"

// wantSection fails the test unless the message ends with a link to a section of the guide, and the guide's index leads there too.
func wantSection(t *testing.T, m Message, heading string) {
	t.Helper()
	page, err := troubleshooting.Read()
	if err != nil {
		t.Fatal(err)
	}
	anchor := troubleshooting.Anchor(heading)
	if !strings.HasSuffix(m.Detail, "\n\nMore: "+guide+"#"+anchor) {
		t.Errorf("no link to a section %q: %s", heading, m.Detail)
	}
	if err := page.Check(m.Summary, anchor); err != nil {
		t.Error(err)
	}
}

// For every platform, every kind of error has a message and a section in the guide.
func TestEveryKindOfErrorIsExplained(t *testing.T) {
	for kind := clients.InvalidInput; kind <= clients.Internal; kind++ {
		for _, platform := range All {
			for _, grant := range []string{clients.ClientCredentials, clients.Password, clients.TokenExchange} {
				found := Settings{"grant_type": {clients.NewSecret(grant), here}}
				m := platform.Explain(&clients.Error{Platform: platform.Title, Endpoint: "host/path", Kind: kind}, found, terms)
				if !strings.HasPrefix(m.Summary, "No "+platform.Title+" access token: ") || strings.ContainsAny(m.Summary+m.Detail, "{}") {
					t.Errorf("%d: %s\n%s", kind, m.Summary, m.Detail)
				}
				if !strings.Contains(m.Detail, "host/path") || strings.Contains(m.Detail, " \n") {
					t.Errorf("%d: the endpoint is not named, or there is a blank too many: %q", kind, m.Detail)
				}
				section := remedies[kind].why
				if grant == clients.TokenExchange && exchangeRemedies[kind].why != "" {
					section = exchangeRemedies[kind].why
				}
				wantSection(t, m, section)
				if platform.Input(m.Input).Secret {
					t.Errorf("%d, %s: about the secret %s, whose line Terraform would print", kind, grant, m.Input)
				}
			}
		}
	}
}

// For every platform, every hint has a remedy and a section in the guide.
func TestEveryHintIsExplained(t *testing.T) {
	for hint, want := range map[clients.Hint][2]string{
		clients.AccountLocked:  {"account locked", "ask {platform} to unlock it. Until then, {platform} rejects the right secret too"},
		clients.SecretOrGrant:  {"credentials rejected", "The code has two causes: a wrong secret, or a client that may not use this grant type."},
		clients.ClientWanted:   {"the server asks for a client", "and it sends none in "},
		clients.PerhapsTLS:     {"request rejected", "The port may be one for https"},
		clients.DeniedByServer: {"access forbidden", "the answer comes from {platform} and not from a firewall"},
	} {
		for _, platform := range All {
			for _, grant := range []string{clients.ClientCredentials, clients.Password, clients.TokenExchange} {
				found := Settings{"grant_type": {clients.NewSecret(grant), here}}
				m := platform.Explain(&clients.Error{Endpoint: "host/path", Kind: clients.CredentialsRejected, Hint: hint}, found, terms)
				wantSection(t, m, want[0])
				text := strings.ReplaceAll(want[1], "{platform}", cmp.Or(platform.Server, platform.Title))
				if !strings.Contains(m.Detail, text) || strings.ContainsAny(m.Summary+m.Detail, "{}") || strings.Contains(m.Detail, "  ") {
					t.Errorf("%d: %s\n%s", hint, m.Summary, m.Detail)
				}
				if platform.Input(m.Input).Secret {
					t.Errorf("%d, %s: about the secret %s, whose line Terraform would print", hint, grant, m.Input)
				}
			}
		}
	}
}

// All other messages have a section too.
func TestEveryRemarkHasASection(t *testing.T) {
	ended := clients.Token{Fallback: &clients.Error{Kind: clients.RefreshTokenRejected}, Scope: "read"}
	brief := clients.Token{Expiry: time.Now().Add(time.Minute)}
	asked := Settings{}
	for name, text := range map[string]string{
		"client_secret": "secret\n", "grant_type": clients.Password, "min_validity": "5m", "scopes": "read write",
	} {
		asked[name] = Setting{clients.NewSecret(text), here}
	}
	said := slices.Concat(
		Equinix.RemarksOnSettings(asked, terms), Equinix.RemarksOnToken(asked, ended, terms.Words), Equinix.RemarksOnToken(asked, brief, terms.Words),
		[]Message{Equinix.ExplainMissing(Equinix.Inputs[:1], terms)},
		Equinix.ExplainInvalid([]Invalid{{Equinix.Inputs[0], here, "is odd"}}, terms),
		[]Message{noCache("dir", errors.New("it is odd")), RemarkOnSharing(errors.New("it is odd"))},
		[]Message{Equinix.APIProxy().ExplainNoListener(errors.New("it is odd")), Equinix.ExplainNoAnswer("it is odd", terms)},
		Equinix.RemarksOnRefusals(2, 3), Equinix.RemarksOnHolds(2, time.Second), Equinix.RemarksOnHolds(0, 0),
	)
	headings := []string{
		"may not be the value that you meant", "retired the password grant", "did not come from the refresh token", "names no lifetime for the token",
		"granted fewer scopes than were asked for", "valid for less than min_validity", "settings are missing", "invalid attribute",
		"Tokens are not shared with other processes", "Tokens are not shared with other machines", "no port to listen on", "no answer from the API", "refused fresh tokens", "refused the token of a user", "asked for fewer requests",
	}
	if len(said) != len(headings) {
		t.Fatalf("%d messages, want %d: %v", len(said), len(headings), said)
	}
	for i, m := range said {
		wantSection(t, m, headings[i])
		if m.Warning && !strings.HasSuffix(m.Summary, headings[i]) {
			t.Errorf("%q does not end in the heading of its section", m.Summary)
		}
	}
}

// The messages of the password grant name the user's credentials too. They are not attached to an input.
func TestRejectedCredentialsAreNamed(t *testing.T) {
	rejected := &clients.Error{Platform: "Equinix", Endpoint: "host/path", Kind: clients.CredentialsRejected}
	for grant, want := range map[string]string{
		clients.ClientCredentials: "Check client_id (EQUINIX_API_CLIENTID) and client_secret (EQUINIX_API_CLIENTSECRET), and",
		clients.Password: "Check client_id (EQUINIX_API_CLIENTID), client_secret (EQUINIX_API_CLIENTSECRET), user_name (EQUINIX_USER_NAME)" +
			" and user_password (EQUINIX_USER_PASSWORD), and",
	} {
		m := Equinix.Explain(rejected, Settings{"grant_type": {clients.NewSecret(grant), here}}, terms)
		if !strings.Contains(m.Detail, want) || (m.Input != "") != (grant == clients.ClientCredentials) {
			t.Errorf("%s: about the input %q: %s", grant, m.Input, m.Detail)
		}
	}
	refused := &clients.Error{Platform: "Equinix", Endpoint: "host/path", Kind: clients.ScopeRejected}
	if m := Equinix.Explain(refused, nil, terms); m.Input != "" {
		t.Errorf("it belongs to %s, which Equinix has not", m.Input)
	}
}

// No message is attached to a secret, to what stands in the place of a secret, or to a URL, because Terraform prints the source
// line of the input.
func TestNoMessageIsAboutASecretOrAURL(t *testing.T) {
	for _, platform := range All {
		for _, in := range platform.APIProxy().Inputs {
			for _, m := range platform.ExplainInvalid([]Invalid{{in, here, "is odd"}}, terms) {
				url := in.Name == platform.URL || in.Name == platform.ExchangeURL || in.Name == "upstream" || in.Name == "token_url"
				if hidden := in.Secret || url || in.Replaces != ""; (m.Input == "") != hidden {
					t.Errorf("%s.%s: about the input %q", platform.Name, in.Name, m.Input)
				}
			}
		}
	}
}

func TestASentenceHasOneFullStop(t *testing.T) {
	for text, want := range map[string]string{"a": "a.", "a.": "a.", `it says "a."`: `it says "a."`, `it says "a"`: `it says "a".`} {
		if got := Sentence(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestADirectoryIsQuoted(t *testing.T) {
	m := noCache("/tmp/a\x1b[31mred\nb", errors.New("it is odd"))
	if text, _, _ := strings.Cut(m.Detail, "\n\nMore:"); strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("the name acts on the terminal: %q", text)
	}
}

func TestDurationsReadAsUsersWriteThem(t *testing.T) {
	for duration, want := range map[time.Duration]string{
		5 * time.Minute: "5m", time.Hour: "1h", 90 * time.Second: "1m30s", 30 * time.Second: "30s", 0: "0s",
		10 * time.Minute: "10m", 24 * time.Hour: "24h", 90 * time.Minute: "1h30m",
	} {
		if got := Brief(duration); got != want {
			t.Errorf("%v reads %q, want %q", duration, got, want)
		}
	}
}

// Only a scope that the platform did not grant under any spelling is missing.
func TestGrantedScopesHaveSeveralSpellings(t *testing.T) { // M27
	for _, row := range []struct{ asked, granted, missing string }{
		{"a b", "", ""},
		{"a b", "b", "a"},
		{"a b", "b a", ""},
		{"a b c", "a,b", "c"},
		{"a b", "a, b", ""},
		{"a,b", "a,b", ""},
		{"a,b c", "c a,b", ""},
		{"a,b", "a", "a,b"},
		{"Read", "read", ""},
		{"READ write", "read", "write"},
		{"https://graph.example/.default", "User.Read profile", ""},
		{".default", "x", ""},
		{"api://id/.Default offline_access", "x", "offline_access"},
		{"https://graph.example/default", "x", "https://graph.example/default"},
		{"x.default", "x", "x.default"},
	} {
		if got := strings.Join(missingScopes(row.asked, row.granted), " "); got != row.missing {
			t.Errorf("asked %q, granted %q: %q is missing, want %q", row.asked, row.granted, got, row.missing)
		}
	}
}
