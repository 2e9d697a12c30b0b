// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command ixtoken obtains OAuth 2.0 access tokens from interconnection platforms, for shells and pipelines. It is the command
// of the provider's binary as a program of its own, without anything of Terraform.
package main

import (
	"os"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/command"
)

func main() { os.Exit(command.Main(command.Program{Name: "ixtoken"}, os.Args)) }
