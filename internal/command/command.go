// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package command is the command line: tokens for shells and pipelines, without Terraform. Settings, checks, messages and
// the engine are those of the provider. Nothing here is made before Run: the plugin has no use for it.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// System is what a command sees of the machine and of the build.
type System struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Environ is the environment, as "NAME=value".
	Environ []string
	// Name is what the program was called.
	Name string
	// Version says which build it is.
	Version string
	// UserAgent is the value of that header in token requests.
	UserAgent string
}

// invocation is one run of the program.
type invocation struct {
	System
	began time.Time
}

// Run runs one command, and returns the exit status. Once ctx ends, nothing more is sent.
func Run(ctx context.Context, system System, args []string) int {
	c := &invocation{System: system, began: time.Now()}
	root := c.root(args)
	root.SetArgs(args)
	root.SetIn(system.Stdin)
	root.SetOut(system.Stdout)
	root.SetErr(system.Stderr)
	return c.finish(root.ExecuteContext(ctx))
}

// finish says why a command has failed, and returns the exit status.
func (c *invocation) finish(err error) int {
	if err == nil {
		return statusOK
	}
	why := (*failure)(nil)
	if !errors.As(err, &why) { // the library's own words repeat arguments, which may be secrets
		err = newFailure(statusUsage, sectionUsage, "The command is not understood", "Nothing was sent. See: "+c.Name+" --help")
		errors.As(err, &why)
	}
	c.printMessages(why.messages...)
	return why.status
}

// printMessages tells a person. Standard output is for results alone.
func (c *invocation) printMessages(messages ...platforms.Message) {
	for _, m := range messages {
		kind := "Error"
		if m.Warning {
			kind = "Warning"
		}
		text := kind + ": " + m.Summary
		if m.Detail != "" {
			text += "\n" + m.Detail
		}
		fmt.Fprintln(c.Stderr, text)
	}
}

// printResult writes a result to standard output: all of it in one piece, at the end.
func (c *invocation) printResult(text string) error {
	if _, err := io.WriteString(c.Stdout, text); err != nil {
		return newFailure(statusFailed, sectionResult, "The result could not be written", "Standard output: "+cause(err)+".")
	}
	return nil
}

// getenv is the value of an environment variable; "": it is not set.
func (c *invocation) getenv(name string) string {
	for i := len(c.Environ) - 1; i >= 0; i-- {
		if found, value, _ := strings.Cut(c.Environ[i], "="); sameVariable(found, name) {
			return value
		}
	}
	return ""
}

// logger makes a warning of what the engine warns of. Nobody reads the rest.
type logger struct{ call *invocation }

// Enabled reports whether the level is shown.
func (logger) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle shows one record.
func (l logger) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			text += " (" + a.Value.String() + ")"
		}
		return true
	})
	l.call.printMessages(platforms.Message{
		Warning: true, Summary: strings.ToUpper(text[:1]) + text[1:],
		Detail: strings.TrimSpace(platforms.More("Tokens are not shared with other processes")),
	})
	return nil
}

// WithAttrs returns the handler itself: the engine adds none.
func (l logger) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup returns the handler itself.
func (l logger) WithGroup(string) slog.Handler { return l }

// root is the tree of commands.
func (c *invocation) root(args []string) *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{
		Use:           c.Name,
		Short:         "Access tokens of interconnection platforms, for shells and pipelines",
		Long:          "Obtains OAuth 2.0 access tokens of " + titles() + " for shells and pipelines.\nStarted by Terraform or OpenTofu, the same program is the provider ixtoken/ixtoken.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return unknownName(cmd, "command") },
	}
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(usage)
	root.SetHelpCommand(helpCommand(root))
	root.AddCommand(c.tokenCommand(), c.execCommand(args), c.proxyCommand(), c.checkCommand(), c.cacheCommand(), c.versionCommand())
	return root
}

func titles() string {
	var all []string
	for _, p := range platforms.All {
		all = append(all, p.Title)
	}
	return platforms.Enumerate(all)
}

// perPlatform is a command with one command below it for each platform.
func (c *invocation) perPlatform(use, short, long string, below func(platforms.Platform) *cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return unknownName(cmd, "platform") },
	}
	for _, p := range platforms.All {
		cmd.AddCommand(below(p))
	}
	return cmd
}

// unknownName is about a word in the place of a command or a platform. The word is not repeated: it may be a secret.
func unknownName(cmd *cobra.Command, what string) error {
	var known []string
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() {
			known = append(known, below.Name())
		}
	}
	text := "Name a " + what
	if cmd.Flags().NArg() > 0 {
		text = "There is no such " + what
	}
	return usageError(cmd, text+": "+strings.Join(known, ", "))
}

func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND…]", Short: "Explains a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usageError(root, "There is no such command")
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

func (c *invocation) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Prints the version", Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return c.printResult(c.Version + "\n") },
	}
}

// noArguments refuses arguments, and does not repeat them.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(cmd, "This command takes no further arguments; a flag's value must follow the flag")
	}
	return nil
}

// usageError is about a command that cannot be meant.
func usageError(cmd *cobra.Command, text string) error {
	return newFailure(statusUsage, sectionUsage, text, "Nothing was sent. See: "+cmd.CommandPath()+" --help")
}
