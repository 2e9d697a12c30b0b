// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// Every failure of the client has words, for every platform, and a section in the guide.
func TestEveryFaultIsExplained(t *testing.T) {
	text, err := os.ReadFile("../../docs/guides/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := strings.ReplaceAll(string(text), "*", "")
	for fault := clients.InvalidInput; fault <= clients.Internal; fault++ {
		for _, platform := range platforms {
			d := (&accessToken{platform: platform}).explain(&clients.Error{Platform: platform.title, Endpoint: "host/path", Fault: fault})
			if !strings.HasPrefix(d.Summary(), "No "+platform.title+" access token: ") || strings.ContainsAny(d.Summary()+d.Detail(), "{}") {
				t.Errorf("%d: %s\n%s", fault, d.Summary(), d.Detail())
			}
			if !strings.Contains(d.Detail(), "host/path") {
				t.Errorf("%d: the endpoint is not named: %s", fault, d.Detail())
			}
		}
		why := remedies[fault].why
		if !strings.Contains(headings, "\n### "+why+"\n") || !strings.HasSuffix(more(why), "#"+strings.ToLower(strings.ReplaceAll(why, " ", "-"))) {
			t.Errorf("the guide has no section %q", why)
		}
	}
	if d := explainSetting("max_retries", "is not a number"); !strings.HasSuffix(d.Detail(), guide+"#invalid-provider-configuration") {
		t.Errorf("an error about the provider block has no link: %s", d.Detail())
	}
	for _, why := range []string{"Invalid provider configuration", "settings are missing", "a setting is not known yet", "invalid attribute"} {
		if !strings.Contains(headings, "\n### "+why+"\n") {
			t.Errorf("the guide has no section %q", why)
		}
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
