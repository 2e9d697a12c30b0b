// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package command is the command line: tokens for shells and pipelines, without Terraform. It uses the same settings,
// checks, messages and client as the provider. It initializes nothing before Run, because the plugin starts without it.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// System is what a command needs from its process.
type System struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal is the screen that shows both.
	Terminal Terminal
	// Environ is the environment, as "NAME=value".
	Environ []string
	// HandOver undoes what the process has set up for itself, before a program takes its place: signals and limits. If a
	// signal to end has arrived before, the context of Run is cancelled then.
	HandOver func()
	// Name is the name under which the program was started.
	Name string
	// Plugin says that Terraform and OpenTofu start the same program.
	Plugin bool
	// Version names the build.
	Version string
	// UserAgent is the value of the User-Agent header in token requests.
	UserAgent string
}

// invocation is one run of the program.
type invocation struct {
	System
	args []string // as they were given
	// settled says that the first token is there. Then nobody waits in front of the screen any more.
	settled atomic.Bool
	// readStdin returns what standard input holds. It reads it once, because check needs it for each platform.
	readStdin func() ([]byte, error)
}

// Run runs one command and returns its exit status. When ctx ends, nothing more is sent. A panic becomes a message without
// the panic value, which may hold a secret.
func Run(ctx context.Context, system System, args []string) (status int) {
	c := &invocation{System: system, args: args, readStdin: sync.OnceValues(func() ([]byte, error) {
		return io.ReadAll(io.LimitReader(system.Stdin, maxFile+1))
	})}
	defer func() {
		if recover() != nil {
			status = c.finish(newFailure(statusFailed, sectionInternal, "Internal fault of "+c.Name, "Please report this at "+platforms.Issues+
				" with the following lines, which contain none of your values:\n  "+strings.Join(clients.PanicOrigin(), "\n  ")))
		}
	}()
	root := c.root(args)
	root.SetArgs(args)
	root.SetIn(system.Stdin)
	root.SetOut(system.Stdout)
	root.SetErr(system.Stderr)
	return c.finish(root.ExecuteContext(ctx))
}

// finish prints the error, if there is one, and returns the exit status.
func (c *invocation) finish(err error) int {
	if err == nil {
		return statusOK
	}
	why := (*failure)(nil)
	if !errors.As(err, &why) { // cobra's messages repeat arguments, which may be secrets
		err = newFailure(statusUsage, sectionUsage, "The command is not understood", "Nothing was sent. See: "+c.Name+" --help")
		errors.As(err, &why)
	}
	c.printMessages(why.messages...)
	return why.status
}

// printMessages prints messages to standard error. Standard output is reserved for results.
func (c *invocation) printMessages(messages ...platforms.Message) {
	for _, m := range messages {
		kind, colour := "Error:", red
		if m.Warning {
			kind, colour = "Warning:", yellow
		}
		text := kind + " " + m.Summary
		if m.Detail != "" {
			text += "\n" + m.Detail
		}
		text = wrap(text, c.width())
		fmt.Fprintln(c.Stderr, c.Terminal.label(kind, colour)+strings.TrimPrefix(text, kind))
	}
}

// note prints a line for a person to standard error. It is neither an error nor a warning.
func (c *invocation) note(line string) { fmt.Fprintln(c.Stderr, wrap(line, c.width())) }

// width returns the number of characters in a line of the screen.
func (c *invocation) width() int { return c.Terminal.width() }

// printResult writes the whole result to standard output.
func (c *invocation) printResult(text string) error {
	if _, err := io.WriteString(c.Stdout, text); err != nil {
		return notWritten(err)
	}
	return nil
}

// printToken is printResult for a token. A closed standard output would lose it without an error.
func (c *invocation) printToken(text string) error {
	if file, ok := c.Stdout.(*os.File); ok && isClosed(file) {
		return notWritten(os.ErrClosed)
	}
	return c.printResult(text)
}

func notWritten(err error) error {
	return newFailure(statusFailed, sectionResult, "The result could not be written", "Standard output: "+cause(err)+".")
}

// getenv returns the value of an environment variable; empty: it is not set. If a name occurs twice, the last one counts.
func (c *invocation) getenv(name string) string {
	for i := len(c.Environ) - 1; i >= 0; i-- {
		if found, value, _ := strings.Cut(c.Environ[i], "="); sameVariable(found, name) {
			return value
		}
	}
	return ""
}

// logger prints the client's warnings, and whom it waits for. It drops all other log records.
type logger struct{ call *invocation }

// Enabled reports whether records of the level are printed.
func (l logger) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || level == slog.LevelInfo && !l.call.settled.Load()
}

// Handle prints one record: as a line that says what is waited for, or as a warning.
func (l logger) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	if r.Level == slog.LevelInfo {
		l.call.note(strings.ToUpper(text[:1]) + text[1:] + ".")
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			text += " (" + a.Value.String() + ")"
		}
		return true
	})
	section := "Tokens are not shared with other processes"
	if r.Message == clients.NotShared {
		section = "Tokens are not shared with other machines"
	}
	l.call.printMessages(platforms.Message{
		Warning: true, Summary: strings.ToUpper(text[:1]) + text[1:], Detail: strings.TrimSpace(platforms.More(section)),
	})
	return nil
}

// WithAttrs returns the handler unchanged: the client does not use it.
func (l logger) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup returns the handler unchanged: the client does not use it.
func (l logger) WithGroup(string) slog.Handler { return l }

// root returns the tree of commands. args are needed because a list of platforms for exec becomes a subcommand.
func (c *invocation) root(args []string) *cobra.Command {
	cobra.EnableCommandSorting = false
	long := "Obtains OAuth 2.0 access tokens of " + titles() + " for shells and pipelines."
	if c.Plugin {
		long += "\nTerraform and OpenTofu start the same program as the provider ixtoken/ixtoken."
	}
	root := &cobra.Command{
		Use:           c.Name,
		Short:         "Access tokens of interconnection platforms, for shells and pipelines",
		Long:          long,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		Example:       c.examples("token equinix", "exec equinix -- ./deploy.sh", "proxy equinix -- terraform apply", "check equinix"),
		RunE:          func(cmd *cobra.Command, args []string) error { return c.unknownCommand(cmd, args) },
	}
	root.CompletionOptions.DisableDefaultCmd = true // it has its own words
	root.SetFlagErrorFunc(c.flagError)
	root.SetUsageFunc(c.usage)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { c.help(cmd) })
	root.SetHelpCommand(c.helpCommand(root))
	root.AddCommand(c.tokenCommand(), c.execCommand(args), c.proxyCommand(), c.checkCommand(), c.cacheCommand(), c.versionCommand(), c.completionCommand())
	root.AddCommand(c.systemCommands()...)
	return root
}

func titles() string {
	var all []string
	for _, p := range platforms.All {
		all = append(all, p.Title)
	}
	return platforms.Enumerate(all)
}

// perPlatform returns a command with one subcommand for each platform. A subcommand that the command line does not name has
// no flags: the flags of all platforms would take longer than everything else that the process does.
func (c *invocation) perPlatform(use, short, long, example string, below func(platforms.Platform) *cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return unknownName(cmd, "platform") },
	}
	for _, p := range platforms.All {
		if c.names(cmd.Name()) && c.names(p.Name) {
			cmd.AddCommand(below(p))
		} else {
			cmd.AddCommand(&cobra.Command{Use: p.Name, Short: p.Title, Run: func(*cobra.Command, []string) {}})
		}
	}
	return cmd
}

// names reports whether an argument is the name of a command. Then the command may be the one that runs.
func (c *invocation) names(command string) bool { return slices.Contains(c.args, command) }

// unknownName returns the error for a missing or unknown command or platform. It does not repeat the argument, which may
// be a secret.
func unknownName(cmd *cobra.Command, what string) error {
	var known []string
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() {
			known = append(known, below.Name())
		}
	}
	text := "The " + what + " is missing"
	if cmd.Flags().NArg() > 0 {
		text = "Unknown " + what
		cmd.SuggestionsMinimumDistance = 2 // letters
		if close := cmd.SuggestionsFor(cmd.Flags().Arg(0)); len(close) > 0 {
			text += ". Did you mean " + close[0] + "?"
			return usageError(cmd, text)
		}
	}
	return usageError(cmd, text+". Choose one of: "+strings.Join(known, ", "))
}

// unknownCommand returns the error for a command line that begins with no command. Many begin it with a platform.
func (c *invocation) unknownCommand(root *cobra.Command, args []string) error {
	if len(args) > 0 && slices.ContainsFunc(platforms.All, func(p platforms.Platform) bool { return p.Name == args[0] }) {
		return newFailure(statusUsage, sectionUsage, "The command is missing before the platform",
			"Nothing was sent. Type one of:\n"+c.examples("token "+args[0], "check "+args[0], "exec "+args[0]+" -- COMMAND", "proxy "+args[0]+" -- COMMAND"))
	}
	return unknownName(root, "command")
}

func (c *invocation) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND…]", Short: "Explains a command", Example: c.examples("help token equinix"),
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usageError(root, "Unknown command")
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

func (c *invocation) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Prints the version", Args: noArguments, Example: c.examples("version"),
		RunE: func(*cobra.Command, []string) error { return c.printResult(c.Version + "\n") },
	}
}

// noArguments rejects arguments. The error does not repeat them, because they may be secrets.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(cmd, "This command takes no further arguments. A value must directly follow its flag")
	}
	return nil
}

// usageError returns the error for a command line with a mistake.
func usageError(cmd *cobra.Command, text string) error {
	return newFailure(statusUsage, sectionUsage, text, "Nothing was sent. See: "+cmd.CommandPath()+" --help")
}
