// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-ixtoken is a Terraform provider that obtains OAuth 2.0 access tokens from interconnection
// platforms.
package main

import (
	"flag"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
)

// Set by the linker.
var (
	version = "dev"
	commit  = ""
)

func main() {
	debug := flag.Bool("debug", false, "run for a debugger such as delve")
	flag.Parse()
	var options []tf6server.ServeOpt
	if *debug {
		options = append(options, tf6server.WithManagedDebug())
	}
	server := providerserver.NewProtocol6(provider.New(provider.Options{Version: version}))
	if err := tf6server.Serve("ixtoken/ixtoken", server, options...); err != nil {
		log.Fatal(err)
	}
}
