// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cli"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/playground"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/standin"
)

// shell starts a simulator, and a shell in a copy of the examples with all variables that they need.
func shell() (err error) {
	// Ctrl-C is not here: the shell handles it.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGHUP, syscall.SIGTERM)
	defer stop()
	ground, err := playground.Start(simulator.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ground.Close()) }()
	dir, err := os.MkdirTemp("", "ixtoken-shell-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	path := os.Getenv("TF_ACC_TERRAFORM_PATH")
	workspace, err := cli.Open(dir, path, ".bin", standin.Sources...)
	if err != nil {
		return err
	}
	if err := workspace.Install(ctx); err != nil {
		return err
	}
	if err := os.CopyFS(workspace.Dir, os.DirFS("examples")); err != nil {
		return err
	}
	bin := filepath.Join(dir, "bin")
	if err := linkCommand(bin); err != nil {
		return err
	}
	workspace.Env = append(ground.Environment(),
		"PATH="+strings.Join([]string{bin, filepath.Dir(path), os.Getenv("PATH")}, string(filepath.ListSeparator)),
		"IXTOKEN_CACHE_DIR=", // keeps the simulator's tokens out of the user's cache
		"NO_PROXY=127.0.0.1,localhost,"+os.Getenv("NO_PROXY"), "no_proxy=127.0.0.1,localhost,"+os.Getenv("no_proxy"))
	name := filepath.Base(path)
	fmt.Printf(`A simulator of all platforms listens on loopback, and a Vault server beside it. In this shell, which
reads none of your start-up files, their credentials are in the environment, and "init" finds the provider and stand-ins
for the others that the examples use. The current directory is a copy of the examples. To configure another provider with a token:

  cd with-restapi-provider && %s init && %s apply

To call an API without Terraform:

  ixtoken check equinix
  ixtoken token equinix --format curl | curl --config - "$EQUINIX_API_ENDPOINT/fabric/v4/ports"

"exit" ends the shell and the simulator, and removes the directory.

`, name, name)
	command := workspace.Shell(ctx)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	// An exit status other than 0 is that of the user's last command, and no error of the demo.
	if err := command.Run(); !errors.As(err, new(*exec.ExitError)) && err != nil {
		return err
	}
	fmt.Println()
	for _, platform := range ground.Platforms() {
		tokens, calls := 0, 0
		for _, request := range platform.Requests() {
			if request.Grant != "" {
				tokens++
			} else {
				calls++
			}
		}
		fmt.Printf("%s has seen: requests for a token: %d, calls of its API: %d\n", platform.Name(), tokens, calls)
	}
	return nil
}
