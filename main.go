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
	"runtime/debug"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/build"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/command"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/process"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/provider"
)

// cookie is an environment variable that Terraform and OpenTofu set for their plugins.
const cookie = "TF_PLUGIN_MAGIC_COOKIE"

func main() {
	program := command.Program{Name: "terraform-provider-ixtoken", Plugin: true}
	this := build.Read()
	options := provider.Options{Version: this.Version, UserAgent: this.UserAgent(program.Name)}
	switch args := os.Args[1:]; {
	case isFlag(args, "debug"): // a debugger must be able to inspect the process
		options.Ignored = forbidDumps()
		serve(options, tf6server.WithManagedDebug())
	case len(args) > 0, os.Getenv(cookie) == "": // a program that a plugin starts inherits the cookie
		os.Exit(command.Main(program, os.Args))
	default:
		// A terminal sends Ctrl-C to the plugin too. The plugin must react itself: Terraform before 1.16 and OpenTofu do not
		// cancel a hanging call during the plan that an apply starts with.
		interrupted, _ := signal.NotifyContext(context.Background(), os.Interrupt)
		options.Interrupted, options.Ignored = interrupted.Done(), protect()
		serve(options)
	}
}

// isFlag reports whether args is the single flag name, with one dash or two.
func isFlag(args []string, name string) bool {
	return len(args) == 1 && (args[0] == "-"+name || args[0] == "--"+name)
}

func serve(options provider.Options, more ...tf6server.ServeOpt) {
	collectLess()
	options.Record = new(provider.Record)
	err := tf6server.Serve("ixtoken/ixtoken", func() tfprotov6.ProviderServer { return provider.NewServer(options) }, more...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "terraform-provider-ixtoken:", err)
		os.Exit(1)
	}
	options.Record.Log()
}

// collectLess lets the garbage collector run at five times the memory in use, instead of twice, unless GOGC says something
// else. A plugin uses a few megabytes and lives for a run, in which the framework leaves 0.2 MB of garbage for each block.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// protocolDump is an environment variable. If it is set, the plugin library writes every request and response to disk,
// unencrypted and readable by every user.
const protocolDump = "TF_LOG_SDK_PROTO_DATA_DIR"

// protect keeps secrets in this process: it turns off logs, protocol dumps and core dumps. It returns the name of the
// environment variable that it ignored; empty: none was set.
func protect() string {
	disablePluginLog()
	process.ForbidCoreDumps()
	process.EndWithParent()
	return forbidDumps()
}

// forbidDumps keeps the plugin library and the HTTP/2 transport from writing the messages of the plugin protocol. It returns
// the name of the environment variable that it ignored; empty: none was set.
func forbidDumps() string {
	log.SetOutput(io.Discard) // with GODEBUG=http2debug=2, the HTTP/2 transport logs all messages here
	if os.Getenv(protocolDump) == "" {
		return ""
	}
	if err := os.Unsetenv(protocolDump); err != nil {
		fmt.Fprintln(os.Stderr, "terraform-provider-ixtoken: cannot switch off", protocolDump)
		os.Exit(1)
	}
	return protocolDump
}

// disablePluginLog turns off the plugin log unless TF_LOG or TF_LOG_PROVIDER is set. The plugin library logs every step of
// every call as JSON, and without these variables the CLI drops it. The log takes a third of the time of a block.
func disablePluginLog() {
	if os.Getenv("TF_LOG") != "" || os.Getenv("TF_LOG_PROVIDER") != "" {
		return
	}
	for _, name := range []string{"TF_LOG_SDK", "TF_LOG_SDK_PROTO", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_PROVIDER_IXTOKEN"} {
		_ = os.Setenv(name, "OFF") // a failure costs time only
	}
}
