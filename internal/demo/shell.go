// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cli"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/playground"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/standin"
)

// shell starts a simulator, and a shell beside a copy of the examples, with all that they need in the environment.
func shell() (err error) {
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
	if err := os.CopyFS(workspace.Dir, os.DirFS("examples")); err != nil {
		return err
	}
	workspace.Env = ground.Environment()
	fmt.Printf(`A simulator of Interxion, Equinix and CloudLX listens on loopback, and a Vault server beside it. In this shell
their credentials are in the environment, and the providers of the examples are ready; "init" is not needed.
The current directory is a copy of the examples. To configure another provider with a token:

  cd with-restapi-provider && %s apply

"exit" ends the shell and the simulator, and removes the directory.

`, filepath.Base(path))
	// The shell deals with Ctrl-C. How its last command ended is nobody's business here.
	command := workspace.Shell(context.Background(), cmp.Or(os.Getenv("SHELL"), "/bin/sh"))
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
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
