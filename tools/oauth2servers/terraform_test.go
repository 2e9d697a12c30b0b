// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package oauth2servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

const configuration = `
terraform {
  required_providers {
    ixtoken = { source = "ixtoken/ixtoken" }
  }
}
ephemeral "oauth2_access_token" "t" {
  provider                   = ixtoken
  token_endpoint_auth_method = "METHOD"
  scopes                     = ["a"]
}
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = ephemeral.oauth2_access_token.t.authorization }
  }
}
`

// TestApply obtains tokens from each server with the provider's binary and a real Terraform or OpenTofu, one in the plan and one
// in the apply.
func TestApply(t *testing.T) {
	path, plugins := build(t)
	each(t, func(t *testing.T, name, method string, registered client, s *server) {
		if !decodes(name, method, registered) {
			t.Skip("this server does not undo the encoding of HTTP Basic")
		}
		w, err := terraform.Open(t.TempDir(), path, plugins)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write("main.tf", strings.Replace(configuration, "METHOD", method, 1)); err != nil {
			t.Fatal(err)
		}
		w.Env = []string{"TF_DISABLE_PLUGIN_TLS=off", "GOGC=400", "OAUTH2_TOKEN_URL=" + s.URL + "/oauth/token", "OAUTH2_CLIENT_ID=" + registered.id, "OAUTH2_CLIENT_SECRET=" + registered.secret}
		result, err := w.Run(t.Context(), "apply", "-auto-approve", "-no-color")
		if err != nil || result.Status != 0 {
			t.Fatalf("error %v, status %d:\n%s%s", err, result.Status, result.Stdout, result.Stderr)
		}
		s.wantRequests(t, 2)
		w.Env = append(w.Env, "OAUTH2_CLIENT_SECRET=wrong")
		result, err = w.Run(t.Context(), "apply", "-auto-approve", "-no-color")
		if err != nil || result.Status == 0 || !strings.Contains(result.Stderr, "No OAuth2 access token: credentials rejected") {
			t.Errorf("error %v, status %d:\n%s%s", err, result.Status, result.Stdout, result.Stderr)
		}
		s.wantRequests(t, 1)
	})
}

// build finds the CLI as make does, and builds the provider where the acceptance tests do, so that Go links it once.
func build(t *testing.T) (path, plugins string) {
	t.Helper()
	found, err := exec.CommandContext(t.Context(), "../find-cli").Output()
	if err != nil {
		t.Fatal("finding the CLI: ", err)
	}
	plugins, err = filepath.Abs("../../.bin/acceptance/.bin")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", plugins+string(filepath.Separator), ".")
	command.Dir, command.Stderr = "../..", os.Stderr
	if err := command.Run(); err != nil {
		t.Fatal("building the provider: ", err)
	}
	return strings.TrimSpace(string(found)), plugins
}
