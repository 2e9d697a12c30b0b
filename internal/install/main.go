// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command install copies the provider in .bin to the directory in which "init" looks before it asks a registry. It does so
// for the CLIs in its arguments, and for each Terraform and OpenTofu on the PATH. "install command" copies the same binary
// to the directory for programs, as ixtoken.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

func main() {
	do := run
	if slices.Equal(os.Args[1:], []string{"command"}) {
		do = func(ctx context.Context, _ []string) error { return installCommand(ctx) }
	}
	if err := do(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, clis []string) error {
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil && !slices.Contains(clis, path) {
			clis = append(clis, path)
		}
	}
	dir, err := pluginDir()
	if err != nil {
		return err
	}
	for _, path := range clis {
		if err := install(ctx, path, dir); err != nil {
			return fmt.Errorf("for %s: %w", path, err)
		}
	}
	fmt.Print(`"init" takes it from there, and looks for no release until you remove the directory. After another
"make install", remove the provider's block from .terraform.lock.hcl and run "init" again.
`)
	if where := installationConfig(); where != "" {
		fmt.Printf(`
But %s has a block "provider_installation", which hides that directory. Add to the block:

  filesystem_mirror {
    path    = %q
    include = ["ixtoken/ixtoken"]
  }

and "ixtoken/ixtoken" to "exclude" in its other methods.
`, where, filepath.ToSlash(dir))
	}
	return nil
}

func install(ctx context.Context, path, dir string) error {
	temporary, err := os.MkdirTemp("", "ixtoken-install-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	workspace, err := terraform.Open(temporary, path, ".bin")
	if err != nil {
		return err
	}
	places, err := workspace.Mirror(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Printf("Installed for %s in\n  %s\n", path, places[0])
	return nil
}

// pluginDir returns a directory of the user's in which both CLIs look by default ("Implied Local Mirror Directories"). It is
// not the one beside Terraform's configuration: if OpenTofu's own directory exists, OpenTofu ignores that one.
func pluginDir() (string, error) {
	home, err := os.UserHomeDir()
	switch runtime.GOOS {
	case "windows":
		return filepath.Join(os.Getenv("APPDATA"), "HashiCorp", "Terraform", "plugins"), nil
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "io.terraform", "plugins"), err
	}
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "terraform", "plugins"), nil
	}
	return filepath.Join(home, ".local", "share", "terraform", "plugins"), err
}

// installationConfig returns the path of the user's CLI configuration if it has a block provider_installation; empty: it has
// none.
func installationConfig() string {
	home, _ := os.UserHomeDir()
	files := []string{
		os.Getenv("TF_CLI_CONFIG_FILE"),
		filepath.Join(home, ".terraformrc"), filepath.Join(home, ".tofurc"),
		filepath.Join(cmp.Or(os.Getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config")), "opentofu", "tofurc"),
	}
	if runtime.GOOS == "windows" {
		files = append(files, filepath.Join(os.Getenv("APPDATA"), "terraform.rc"), filepath.Join(os.Getenv("APPDATA"), "tofu.rc"))
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "provider_installation") {
			return file
		}
	}
	return ""
}
