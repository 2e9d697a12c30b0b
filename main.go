// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-ixtoken is a Terraform provider that obtains OAuth 2.0 access tokens from interconnection
// platforms. Terraform and OpenTofu start it as a plugin; with arguments it is a command for shells and pipelines.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/command"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
)

// Set by the linker.
var (
	version = "dev"
	commit  = "unknown"
)

// cookie is set by Terraform and OpenTofu for the plugins that they start.
const cookie = "TF_PLUGIN_MAGIC_COOKIE"

func main() {
	switch args := os.Args[1:]; {
	case isFlag(args, "version"):
		fmt.Println(build())
	case isFlag(args, "debug"):
		serve(provider.Options{Version: version, Commit: commit}, tf6server.WithManagedDebug())
	case isFlag(args, "help"):
		os.Exit(run([]string{"help"}))
	case len(args) > 0: // a CLI gives its plugins none; a program that a plugin starts has the cookie too
		os.Exit(run(args))
	case os.Getenv(cookie) == "":
		os.Exit(run([]string{"help"}))
	default:
		// A terminal sends Ctrl-C to this process too. In the plan that an apply makes, Terraform before 1.16 and OpenTofu do
		// not cancel a call that hangs.
		interrupted, _ := signal.NotifyContext(context.Background(), os.Interrupt)
		serve(provider.Options{Version: version, Commit: commit, Interrupted: interrupted.Done(), Ignored: protect()})
	}
}

// isFlag reports whether the arguments are this one flag, which the plugin has had before there were commands.
func isFlag(args []string, name string) bool {
	return len(args) == 1 && (args[0] == "-"+name || args[0] == "--"+name)
}

func build() string { return fmt.Sprintf("terraform-provider-ixtoken %s (%s)", version, commit) }

// run runs a command, and returns the exit status.
func run(args []string) int {
	log.SetOutput(io.Discard)
	if slices.Contains([]string{"exec", "proxy"}, args[0]) {
		forbidInspection() // a limit would be the program's too
	} else {
		forbidCoreDumps()
	}
	// A signal that is ignored stays so, for this process and for what it starts: nohup and background jobs rely on it.
	heeded := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM}, signal.Ignored)
	ctx, stop := signal.NotifyContext(context.Background(), heeded...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return command.Run(ctx, command.System{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Environ:   os.Environ(),
		Name:      strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"),
		Version:   build(),
		UserAgent: "terraform-provider-ixtoken/" + version + " (" + commit + ")",
	}, args)
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
