// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-ixtoken is a Terraform provider that obtains OAuth 2.0 access tokens from interconnection
// platforms. Terraform and OpenTofu start it; by hand it only says what it is.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
)

// Set by the linker.
var (
	version = "dev"
	commit  = "unknown"
)

const usage = `terraform-provider-ixtoken obtains OAuth 2.0 access tokens of Interxion, Equinix, CloudLX and any
OAuth 2.0 server for Terraform and OpenTofu, which start it themselves. Name it in a configuration:

  terraform {
    required_providers {
      ixtoken = {
        source = "ixtoken/ixtoken"
      }
    }
  }

  ephemeral "equinix_access_token" "example" {
    provider = ixtoken
  }

Flags:
  -version  print the version
  -debug    wait for a CLI that is told to use this process; for debuggers
`

// cookie is set by Terraform and OpenTofu for the plugins that they start.
const cookie = "TF_PLUGIN_MAGIC_COOKIE"

func main() {
	debug := flag.Bool("debug", false, "")
	printVersion := flag.Bool("version", false, "")
	flag.Usage = func() { fmt.Fprint(flag.CommandLine.Output(), usage) }
	flag.Parse()
	switch {
	case *printVersion:
		fmt.Printf("terraform-provider-ixtoken %s (%s)\n", version, commit)
	case *debug:
		serve(provider.Options{Version: version, Commit: commit}, tf6server.WithManagedDebug())
	case os.Getenv(cookie) == "":
		fmt.Print(usage)
	default:
		// A terminal sends Ctrl-C to this process too. In the plan that an apply makes, Terraform before 1.16 and OpenTofu do
		// not cancel a call that hangs.
		interrupted, _ := signal.NotifyContext(context.Background(), os.Interrupt)
		serve(provider.Options{Version: version, Commit: commit, Interrupted: interrupted.Done(), Ignored: protect()})
	}
}

func serve(options provider.Options, more ...tf6server.ServeOpt) {
	err := tf6server.Serve("ixtoken/ixtoken", func() tfprotov6.ProviderServer { return provider.NewServer(options) }, more...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "terraform-provider-ixtoken:", err)
		os.Exit(1)
	}
}

// protocolDump makes the plugin library write every request and answer to disk, in clear and readable by all.
const protocolDump = "TF_LOG_SDK_PROTO_DATA_DIR"

// protect keeps what is in this process's memory from leaving it by other ways than the protocol. It returns the
// environment variable that it has switched off; "": none.
func protect() string {
	// With GODEBUG=http2debug=2 the transport below the protocol logs what it carries. Nothing else writes to this log.
	log.SetOutput(io.Discard)
	quieten()
	forbidCoreDumps()
	endWithParent()
	if os.Getenv(protocolDump) == "" {
		return ""
	}
	if err := os.Unsetenv(protocolDump); err != nil {
		fmt.Fprintln(os.Stderr, "terraform-provider-ixtoken: cannot switch off", protocolDump)
		os.Exit(1)
	}
	return protocolDump
}

// quieten spares the log that nobody reads. The plugin library writes every step of every call as JSON to the CLI, which
// throws it away unless one of the first two variables is set: a third of what a block costs.
func quieten() {
	if os.Getenv("TF_LOG") != "" || os.Getenv("TF_LOG_PROVIDER") != "" {
		return
	}
	for _, name := range []string{"TF_LOG_SDK", "TF_LOG_SDK_PROTO", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_PROVIDER_IXTOKEN"} {
		_ = os.Setenv(name, "OFF") // without it, the log is only in vain
	}
}
