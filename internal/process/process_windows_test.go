// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/process/processtest"
)

func init() {
	processtest.Play(map[string]func(){
		"cli":    func() { processtest.Start("plugin"); select {} },
		"plugin": func() { EndWithParent(); processtest.Serve() },
	})
}

// X05: a plugin ends when its CLI is killed.
func TestAPluginEndsWithItsParent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "address")
	cli := exec.CommandContext(t.Context(), processtest.Self())
	cli.Stderr = os.Stderr
	cli.Env = append(os.Environ(), processtest.As("cli", file)...)
	if err := cli.Start(); err != nil {
		t.Fatal(err)
	}
	address := processtest.Address(t, file)
	if err := cli.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cli.Wait()
	processtest.WantEnd(t, address)
}
