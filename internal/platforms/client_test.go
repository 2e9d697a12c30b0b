// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"slices"
	"strings"
	"testing"
)

// The first source that says something about a method decides how the client authenticates, and what is used.
func TestHowAClientAuthenticates(t *testing.T) {
	const id, secret, method = "client_id", "client_secret", authMethod
	for name, row := range map[string]struct {
		block, provider, environment []string
		method                       string // empty: there is no client
		used, missing                string
	}{
		"nothing":  {nil, nil, nil, "client_secret_basic", "", "client_id, client_secret"},
		"a secret": {nil, nil, []string{id, "i", secret, "s"}, "client_secret_basic", secret, ""},
		"a secret, and the method of the provider":   {nil, []string{method, "client_secret_post"}, []string{id, "i", secret, "s"}, "client_secret_post", secret, ""},
		"a key before a secret":                      {[]string{clientKeyFile, "k"}, nil, []string{id, "i", secret, "s"}, "private_key_jwt", clientKeyFile, ""},
		"a secret before a key":                      {[]string{secret, "s"}, []string{clientKeyFile, "k"}, []string{id, "i"}, "client_secret_basic", secret, ""},
		"a key before the method of a secret":        {[]string{clientKeyFile, "k"}, []string{method, "client_secret_post"}, []string{id, "i", secret, "s"}, "private_key_jwt", clientKeyFile, ""},
		"an assertion before a key":                  {[]string{clientAssertionFile, "f"}, []string{clientKeyFile, "k"}, []string{id, "i"}, "private_key_jwt", clientAssertionFile, ""},
		"what a key says, and the key elsewhere":     {[]string{clientKeyID, "1"}, []string{clientKeyFile, "k"}, []string{id, "i", secret, "s"}, "private_key_jwt", clientKeyFile + ", " + clientKeyID, ""},
		"a method before a secret":                   {[]string{method, "private_key_jwt"}, nil, []string{id, "i", secret, "s"}, "private_key_jwt", "", clientKeyPEM},
		"a method, and its input behind a secret":    {[]string{method, "private_key_jwt"}, []string{secret, "s"}, []string{id, "i", clientKeyFile, "k"}, "private_key_jwt", clientKeyFile, ""},
		"a certificate before a secret":              {[]string{clientCertificateFile, "c", clientCertificateKeyFile, "k"}, nil, []string{id, "i", secret, "s"}, "tls_client_auth", clientCertificateFile + ", " + clientCertificateKeyFile, ""},
		"a certificate, and a method behind it":      {[]string{clientCertificateFile, "c", clientCertificateKeyFile, "k"}, []string{method, "client_secret_post"}, []string{id, "i", secret, "s"}, "client_secret_post", secret + ", " + clientCertificateFile + ", " + clientCertificateKeyFile, ""},
		"a certificate beside a key":                 {[]string{clientCertificateFile, "c", clientCertificateKeyFile, "k", clientKeyFile, "k"}, nil, []string{id, "i"}, "private_key_jwt", clientKeyFile + ", " + clientCertificateFile + ", " + clientCertificateKeyFile, ""},
		"a certificate without its key":              {[]string{clientCertificateFile, "c"}, nil, []string{id, "i"}, "tls_client_auth", clientCertificateFile, clientCertificateKeyPEM},
		"a key of a certificate alone":               {[]string{clientCertificateKeyFile, "k"}, nil, []string{id, "i"}, "tls_client_auth", clientCertificateKeyFile, clientCertificatePEM},
		"HCP Terraform":                              {[]string{method, "private_key_jwt"}, nil, []string{id, "i", hcpVariable, "x"}, "private_key_jwt", clientAssertionVariable, ""},
		"an exchange, and a client elsewhere":        {[]string{subjectTokenFile, "f"}, []string{id, "i", secret, "s"}, nil, "", "", ""},
		"an exchange, and a client beside it":        {[]string{subjectTokenFile, "f", id, "i"}, nil, nil, "none", "", ""},
		"an exchange, a client and a secret":         {[]string{subjectTokenFile, "f", id, "i"}, nil, []string{secret, "s"}, "client_secret_basic", secret, ""},
		"an exchange, a client and no secret":        {[]string{subjectTokenFile, "f", id, "i", method, "none"}, nil, []string{secret, "s"}, "none", "", ""},
		"an exchange, a client and a key":            {[]string{subjectTokenFile, "f", id, "i"}, []string{clientKeyFile, "k"}, []string{secret, "s"}, "private_key_jwt", clientKeyFile, ""},
		"an exchange of HCP Terraform with a client": {[]string{"grant_type", "token_exchange", id, "i"}, nil, []string{hcpVariable, "x", secret, "s"}, "client_secret_basic", secret, ""},
		"a key hides the exchange of the provider":   {[]string{clientKeyFile, "k"}, []string{subjectTokenFile, "f"}, []string{id, "i"}, "private_key_jwt", clientKeyFile, ""},
	} {
		sources := []Source{of("block", row.block...), of("provider", row.provider...), Environment(func(name string) string {
			for i := 0; i+1 < len(row.environment); i += 2 {
				if OAuth2.Input(row.environment[i]).Environment == name || row.environment[i] == name {
					return row.environment[i+1]
				}
			}
			return ""
		}), of("environment", row.environment...), Defaults()}
		sources[0].Origin, sources[1].Origin = "block", "provider"
		found, bad := OAuth2.Resolve(sources...)
		var used, missing []string
		for _, in := range OAuth2.Inputs {
			if found.has(in.Name) && in.Methods != nil {
				used = append(used, in.Name)
			}
		}
		for _, in := range bad.Missing {
			if in.Name != "token_url" {
				missing = append(missing, in.Name)
			}
		}
		if found.Text(authMethod) != row.method || strings.Join(used, ", ") != row.used || strings.Join(missing, ", ") != row.missing || len(bad.Invalid) != 0 {
			t.Errorf("%s: method %q, used %q, missing %q, invalid %v", name, found.Text(authMethod), used, missing, bad.Invalid)
		}
	}
}

// What one place sets for two methods is refused there, once.
func TestOnePlaceSetsOneMethod(t *testing.T) {
	for name, row := range map[string]struct {
		set  []string
		want []string // the input and what is wrong with it; nil: nothing
	}{
		"a key":                                 {[]string{clientKeyFile, "k"}, nil},
		"what a key says":                       {[]string{clientKeyID, "1"}, nil},
		"a certificate beside a secret":         {[]string{"client_secret", "s", clientCertificateFile, "c"}, nil},
		"a key beside a secret":                 {[]string{"client_secret", "s", clientKeyFile, "k"}, []string{clientKeyFile, "is set beside client_secret"}},
		"a key beside an assertion":             {[]string{clientAssertionVariable, "V", clientKeyFile, "k"}, []string{clientKeyFile, "is set beside " + clientAssertionVariable}},
		"a key for another method":              {[]string{authMethod, "client_secret_post", clientKeyFile, "k"}, []string{clientKeyFile, `is not used by token_endpoint_auth_method = "client_secret_post"`}},
		"a secret for another method":           {[]string{authMethod, "tls_client_auth", "client_secret", "s"}, []string{"client_secret", `is not used by token_endpoint_auth_method = "tls_client_auth"`}},
		"two keys":                              {[]string{clientKeyPEM, "?", clientKeyFile, "k"}, nil}, // Terraform asks again
		"two certificates":                      {[]string{clientCertificateFile, "c", clientCertificatePEM, "?"}, nil},
		"a secret, the method known later":      {[]string{authMethod, "?", "client_secret", "s"}, nil},
		"a method that is none":                 {[]string{authMethod, "client_secret_jwt"}, []string{authMethod, "must be"}},
		"a key for the path of a file":          {[]string{clientKeyFile, "-----BEGIN PRIVATE KEY-----"}, []string{clientKeyFile, "is the content of a file"}},
		"a client and a key beside an exchange": {[]string{subjectTokenFile, "f", "client_id", "i", clientKeyFile, "k"}, nil},
	} {
		_, faults, _ := OAuth2.Validate(of("block", row.set...))
		if len(faults) == 0 && row.want == nil {
			continue
		}
		if len(faults) != 1 || row.want == nil || faults[0].Input.Name != row.want[0] || !strings.Contains(faults[0].Text, row.want[1]) {
			t.Errorf("%s: %v", name, faults)
		}
	}
}

// A value that is right by itself may contradict others, from whichever source they come.
func TestASettingMayContradictOthers(t *testing.T) {
	for name, row := range map[string]struct {
		block, environment []string
		want               string // the input and what is wrong with it; empty: nothing
	}{
		"no client in a token exchange":       {[]string{authMethod, "none", subjectTokenFile, "f", "client_id", "i"}, nil, ""},
		"no client otherwise":                 {[]string{authMethod, "none", "client_id", "i"}, nil, authMethod + ` is "none", which is for a token exchange alone`},
		"what a key says beside it":           {[]string{clientKeyFile, "k", clientKeyID, "1"}, nil, ""},
		"what a key says beside an assertion": {[]string{clientAssertionFile, "a", clientKeyID, "1"}, nil, clientKeyID + " is for a key that signs here, and the client assertion was made elsewhere"},
		"the same from two sources":           {[]string{clientAssertionFile, "a"}, []string{clientSigningAudience, "x"}, clientSigningAudience + " is for a key that signs here, and the client assertion was made elsewhere"},
		"the algorithm beside an assertion":   {[]string{clientAssertionFile, "a", clientSigningAlgorithm, "RS256"}, nil, clientSigningAlgorithm + " is for a key that signs here, and the client assertion was made elsewhere"},
		"the certificate beside an assertion": {[]string{clientAssertionFile, "a", clientKeyCertificateFile, "c"}, nil, clientKeyCertificateFile + " is for a key that signs here, and the client assertion was made elsewhere"},
	} {
		_, bad := OAuth2.Resolve(of("block", row.block...), of("environment", row.environment...))
		var got []string
		for _, fault := range bad.Invalid {
			got = append(got, fault.Input.Name+" "+fault.Text)
		}
		if strings.Join(got, "; ") != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

// A program that gets a token does not get the variable with the client's assertion.
func TestTheVariableOfAnAssertionHoldsASecret(t *testing.T) {
	if got := OAuth2.SecretVariables(of("block", clientAssertionVariable, "CI_ID_TOKEN")); !slices.Contains(got, "CI_ID_TOKEN") {
		t.Error(got)
	}
}
