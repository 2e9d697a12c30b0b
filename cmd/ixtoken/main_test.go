// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The command starts without anything of Terraform, however many packages stand in between.
func TestTheCommandHasNothingOfTerraform(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(output))
	for _, name := range packages {
		for _, foreign := range []string{"github.com/hashicorp/", "google.golang.org/", "github.com/vmihailenco/", "/internal/provider", "/internal/simulator"} {
			if strings.Contains(name, foreign) {
				t.Errorf("the command contains %s", name)
			}
		}
	}
	if len(packages) < 100 {
		t.Errorf("only %d packages were listed", len(packages))
	}
}
