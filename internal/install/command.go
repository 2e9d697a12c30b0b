// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// installCommand copies the binary in .bin to where Go installs programs, under the name of the command.
func installCommand(ctx context.Context) error {
	dir, err := programs(ctx)
	if err != nil {
		return err
	}
	suffix := map[string]string{"windows": ".exe"}[runtime.GOOS]
	binary, err := os.ReadFile(filepath.Join(".bin", "terraform-provider-ixtoken"+suffix))
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "ixtoken"+suffix)
	if err := replaceProgram(path, binary); err != nil {
		return err
	}
	fmt.Printf("Installed %s\n", path)
	switch found, _ := exec.LookPath("ixtoken"); {
	case !onPath(dir):
		fmt.Printf("%s is not on the PATH. For this shell: export PATH=\"%s:$PATH\"\n", dir, dir)
	case !same(found, path):
		fmt.Printf("But %s comes first on the PATH.\n", found)
	default:
		fmt.Println("It is on the PATH. Try: ixtoken help")
	}
	return nil
}

// programs is $GOBIN, or $HOME/go/bin.
func programs(ctx context.Context) (string, error) {
	set, err := exec.CommandContext(ctx, "go", "env", "GOBIN").Output()
	if dir := strings.TrimSpace(string(set)); err == nil && dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, "go", "bin"), err
}

// replaceProgram puts a program into its place in one step: another one may be running.
func replaceProgram(path string, binary []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	written := path + ".new"
	if err := os.WriteFile(written, binary, 0o755); err != nil {
		return err
	}
	return os.Rename(written, path)
}

func onPath(dir string) bool {
	return slices.ContainsFunc(filepath.SplitList(os.Getenv("PATH")), func(on string) bool { return same(on, dir) })
}

// same reports whether two names are those of one file.
func same(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
