// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// linkCommand makes the provider's binary available in dir under its name as a command.
func linkCommand(dir string) error {
	binary, err := filepath.Abs(filepath.Join(".bin", "terraform-provider-ixtoken"+terraform.Suffix))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	link := filepath.Join(dir, "ixtoken"+terraform.Suffix)
	if os.Symlink(binary, link) == nil {
		return nil
	}
	return terraform.ReplaceProgram(binary, link) // Windows lets only some users make links
}

// demonstrateCommand runs the binary as a command: check, and a token for curl, which reads it from standard input.
func demonstrateCommand(ctx context.Context, dir string, platforms *simulator.Simulator) error {
	if err := linkCommand(dir); err != nil {
		return err
	}
	fmt.Println("\n2. The same binary is a command for shells and pipelines, called ixtoken.")
	environment := append(os.Environ(), platforms.Environment()...)
	environment = append(environment, "IXTOKEN_CACHE_DIR=", "IXTOKEN_CACHE_URL=", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	show := func(line string, input io.Reader, program string, args ...string) (string, error) {
		fmt.Printf("\n$ %s\n", line)
		command := exec.CommandContext(ctx, program, args...)
		var output strings.Builder
		command.Env, command.Stdin, command.Stdout, command.Stderr = environment, input, &output, os.Stderr
		if err := command.Run(); err != nil {
			return "", fmt.Errorf("%s: %w", line, err)
		}
		return output.String(), nil
	}
	ixtoken := filepath.Join(dir, "ixtoken")
	said, err := show("ixtoken check equinix", nil, ixtoken, "check", "equinix")
	if err != nil {
		return err
	}
	fmt.Print(said)

	line := "ixtoken token equinix --format curl |\n    curl --config - " + platforms.Equinix.APIURL()
	curl, err := exec.LookPath("curl")
	if errors.Is(err, exec.ErrNotFound) {
		fmt.Printf("\nThere is no curl here, so this was not run:\n  %s\n", line)
		return nil
	}
	issue := exec.CommandContext(ctx, ixtoken, "token", "equinix", "--format", "curl")
	issue.Env, issue.Stderr = environment, os.Stderr
	header, err := issue.Output()
	if err != nil {
		return fmt.Errorf("ixtoken token: %w", err)
	}
	said, err = show(line, strings.NewReader(string(header)), curl, "--fail", "--silent", "--show-error", "--config", "-", platforms.Equinix.APIURL())
	if err != nil {
		return err
	}
	fmt.Printf("%.76s…\n", strings.TrimSpace(said))
	return nil
}
