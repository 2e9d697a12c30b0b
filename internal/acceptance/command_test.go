// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// K07: the command and the provider share tokens. Fifty processes and an apply send one request in total.
func TestCommandsAndAnApplyShareOneRequest(t *testing.T) {
	t.Parallel()
	const commands = 50
	s := newFixture(t)
	s.setenv("IXTOKEN_CACHE_DIR", filepath.Join(t.TempDir(), "cache"))
	s.configure(`ephemeral "equinix_access_token" "t" { provider = ixtoken }
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = ephemeral.equinix_access_token.t.authorization }
  }
}
`)
	environment := s.Command(t.Context()).Env
	tokens := make(chan string)
	for range commands {
		go func() {
			command := exec.CommandContext(t.Context(), provider(), "token", "equinix")
			command.Env = environment
			output, err := command.Output()
			if err != nil {
				t.Error(err)
			}
			tokens <- string(output)
		}()
	}
	s.must("apply", "-auto-approve")
	different := map[string]bool{}
	for range commands {
		different[<-tokens] = true
	}
	if len(different) != 1 {
		t.Errorf("%d different tokens", len(different))
	}
	s.wantRequests(0, 1, 0)
}

// A program that a provider starts inherits the plugin cookie. With arguments, the binary is the command all the same.
func TestArgumentsMakeACommand(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), provider(), "version")
	command.Env = append(os.Environ(), "TF_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2")
	if output, err := command.Output(); err != nil || !strings.HasPrefix(string(output), "terraform-provider-ixtoken ") {
		t.Errorf("%q, %v", output, err)
	}
}
