// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const benchAnswer = `{"access_token":"qwErtY8zyW1abcdefGHI","token_timeout":"3600","user_name":"john.doe@example.com","token_type":"Bearer"}`

// benchPlatform starts a server that answers every request with a token, and returns a grant for it.
func benchPlatform(b *testing.B) Equinix {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, benchAnswer)
	}))
	b.Cleanup(server.Close)
	return Equinix{BaseURL: server.URL, GrantType: ClientCredentials, ClientID: "ABCDE12345", ClientSecret: NewSecret("FGHIJ67890")}
}

// BenchmarkSharedToken measures a call for a token that is in memory.
func BenchmarkSharedToken(b *testing.B) {
	grant, client := benchPlatform(b), New(Options{})
	for b.Loop() {
		if _, err := client.Token(b.Context(), grant, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExchange measures one request and its answer on loopback.
func BenchmarkExchange(b *testing.B) {
	grant := benchPlatform(b)
	for b.Loop() {
		if _, err := New(Options{}).Token(b.Context(), grant, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCall measures building a request. BenchmarkKey measures computing its key.
func BenchmarkCall(b *testing.B) {
	secret := NewSecret("nykSBHIDynMHrwkGyXWzLFAXYbOVP3EKtk6pprOS")
	for name, grant := range map[string]Grant{
		"form": CloudLX{BaseURL: "https://portal.example/api", GrantType: ClientCredentials, ClientID: "xYrKf2x3qWXm0Zn35l8ki5kRH22IP0RPmLR0TlLB", ClientSecret: secret},
		"JSON": Equinix{BaseURL: "https://api.equinix.com", GrantType: ClientCredentials, ClientID: "ABCDE12345", ClientSecret: secret},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := grant.request(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	request, err := Equinix{BaseURL: "https://api.equinix.com", GrantType: ClientCredentials, ClientID: "ABCDE12345", ClientSecret: NewSecret("FGHIJ67890")}.request()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_ = request.key()
	}
}

func BenchmarkDecoder(b *testing.B) {
	for name, body := range map[string]string{
		"usual":           benchAnswer,
		"100,000 members": "{" + strings.Repeat(`"123456":0,`, 90_000) + benchAnswer[1:],
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := readToken(answer{Response: &http.Response{}, body: []byte(body), sent: time.Now()}, deviations{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScrubber(b *testing.B) {
	const secret = "nykSBHIDynMHrwkGyXWzLFAXYbOVP3EKtk6pprOS"
	for name, text := range map[string]string{
		"usual":   "Login Failure, invalid secret 'nykSBHIDynMHrwkG…'",
		"longest": strings.Repeat("a text without a secret, but with %41 and &amp; ", 100),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				newScrubber(NewSecret(secret)).scrub(text, 300)
			}
		})
	}
}
