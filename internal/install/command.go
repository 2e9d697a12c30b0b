// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// installCommand copies the command in .bin to the directory in which Go installs programs.
func installCommand(ctx context.Context) error {
	dir, err := programDir(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "ixtoken"+terraform.Suffix)
	if err := terraform.ReplaceProgram(filepath.Join(".bin", "ixtoken"+terraform.Suffix), path); err != nil {
		return err
	}
	fmt.Printf("Installed %s\n", path)
	switch found, _ := exec.LookPath("ixtoken"); {
	case !onPath(dir):
		fmt.Printf("%s is not on the PATH. For this shell: export PATH=\"%s:$PATH\"\n", dir, dir)
	case !sameFile(found, path):
		fmt.Printf("But %s comes first on the PATH.\n", found)
	default:
		fmt.Println("It is on the PATH. Try: ixtoken help")
	}
	return nil
}

// programDir returns $GOBIN or, if it is not set, $HOME/go/bin.
func programDir(ctx context.Context) (string, error) {
	set, err := exec.CommandContext(ctx, "go", "env", "GOBIN").Output()
	if dir := strings.TrimSpace(string(set)); err == nil && dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, "go", "bin"), err
}

func onPath(dir string) bool {
	return slices.ContainsFunc(filepath.SplitList(os.Getenv("PATH")), func(on string) bool { return sameFile(on, dir) })
}

// sameFile reports whether two names denote the same file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
