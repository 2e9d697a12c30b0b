// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/playground"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/standin"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// exitStatus is the exit status of a script, which becomes that of the demo.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprint("exit status ", int(e)) }

// greeting is the text at the start of a shell. It has the name of the CLI twice.
const greeting = `A simulator of all platforms listens on this machine, and a Vault server beside
it. In this shell, their credentials are in the environment, and "init" finds
the provider, and stand-ins for the others that the examples use. The shell
reads none of your start-up files. Its directory is a copy of the examples.

To configure another provider with a token:

  cd with-restapi-provider && %s init && %s apply

To call an API without Terraform:

  ixtoken check equinix
  ixtoken token equinix --format curl |
    curl --config - "$EQUINIX_API_ENDPOINT/fabric/v4/ports"

To authenticate without a client secret, with what the directory "client" has:

  ixtoken check oauth2 --client-key-file client/key.pem

To see the API proxy renew a token within ten seconds, start this shell with
"make shell lifetime=4s", and type:

  sh renewal.sh

To let two machines share one login through a bucket:

  sh fleet.sh

"exit" ends the shell and the simulator, and removes the directory.

`

// shell starts a simulator, and a shell in a copy of the examples with all variables that they need. If the input is a script
// and not a terminal, the shell ends with the first command that fails, and a status other than 0 is the error.
func shell(args []string) (err error) {
	flags := flag.NewFlagSet("demo shell", flag.ExitOnError)
	lifetime := flags.Duration("lifetime", 0, "how long an access token of the simulator lasts; 0: as the platform says, mostly an hour")
	_ = flags.Parse(args) // ends the process if it fails
	// Ctrl-C is not here: the shell handles it.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGHUP, syscall.SIGTERM)
	defer stop()
	ground, err := playground.Start(simulator.Options{Lifetime: *lifetime})
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
	workspace, err := examples(ctx, dir, path, ground)
	if err != nil {
		return err
	}
	name := filepath.Base(path)
	fmt.Printf(greeting, name, name)
	if *lifetime > 0 {
		fmt.Printf("Tokens last %s here, so warnings about min_validity are expected.\n\n", *lifetime)
	}
	typed := isTerminal(os.Stdin)
	command := workspace.Shell(ctx)
	if !typed {
		command = workspace.Script(ctx)
	}
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = command.Run()
	tally(ground.Platforms())
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if typed { // it is the status of the user's last command
			return nil
		}
		return exitStatus(cmp.Or(max(0, exit.ExitCode()), 1))
	}
	return err
}

// examples returns a workspace with a copy of the examples, the environment that they need, and the command.
func examples(ctx context.Context, dir, path string, ground *playground.Playground) (*terraform.Workspace, error) {
	workspace, err := terraform.Open(dir, path, ".bin", standin.Sources...)
	if err != nil {
		return nil, err
	}
	if err := workspace.Install(ctx); err != nil {
		return nil, err
	}
	workspace.Dir = filepath.Join(dir, "examples") // the prompt shows its name
	if err := os.CopyFS(workspace.Dir, os.DirFS("examples")); err != nil {
		return nil, err
	}
	client := filepath.Join(workspace.Dir, "client")
	if err := ground.WriteClient(client); err != nil {
		return nil, err
	}
	bin := filepath.Join(dir, "bin")
	if err := linkCommand(bin); err != nil {
		return nil, err
	}
	workspace.Env = append(ground.Environment(),
		"TF_VAR_key_file="+filepath.Join(client, "key.pem"),
		"PATH="+strings.Join([]string{bin, filepath.Dir(path), os.Getenv("PATH")}, string(filepath.ListSeparator)),
		"IXTOKEN_CACHE_DIR=", "IXTOKEN_CACHE_URL=", // keeps the simulator's tokens out of the user's cache
		"NO_PROXY=127.0.0.1,localhost,"+os.Getenv("NO_PROXY"), "no_proxy=127.0.0.1,localhost,"+os.Getenv("no_proxy"))
	return workspace, nil
}

// tally prints how many requests each platform has seen.
func tally(all []*simulator.Platform) {
	fmt.Println()
	for _, platform := range all {
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
}

// isTerminal reports whether a person types into the file.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
