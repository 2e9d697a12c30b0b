// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

func (c *invocation) tokenCommand() *cobra.Command {
	return c.perPlatform("token PLATFORM", "Prints an access token", "Prints an access token, in one of several formats, or writes it to a file.",
		c.examples("token equinix", "token equinix --format json"), func(p platforms.Platform) *cobra.Command {
			cmd := &cobra.Command{
				Use: p.Name + " [flags]", Short: p.Title, Args: noArguments,
				Long:    "Prints an access token for " + p.About + ".",
				Example: c.examples("token "+p.Name, "token "+p.Name+" --format curl | curl --config - URL", "token "+p.Name+" --output FILE --watch"),
			}
			r := &tokenRun{platform: p}
			set := pflag.NewFlagSet("", pflag.ContinueOnError)
			set.StringVar(&r.format, "format", "token", "The output format: `FORMAT` is one of "+strings.Join(formatNames(), ", ")+".")
			addVariable(set, &r.variable, p)
			addOutput(set, &r.output, &r.mode)
			set.BoolVar(&r.watch, "watch", false, "Stay, and replace the file of --output in time, until SIGTERM or Ctrl-C.")
			addStrict(set, &r.strict)
			cmd.Flags().AddFlagSet(set)
			setGroup(cmd, "Output options", set)
			r.flags = settingsFlags(cmd, p)
			_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp))
			_ = cmd.RegisterFlagCompletionFunc("output-mode", cobra.FixedCompletions(outputModes, cobra.ShellCompDirectiveNoFileComp))
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.runToken(cmd, r) }
			return cmd
		})
}

// tokenRun is what one run of token is told.
type tokenRun struct {
	platform                       platforms.Platform
	flags                          *flags
	format, variable, output, mode string
	watch, strict                  bool
}

// runToken checks everything that can be checked before anything is sent.
func (c *invocation) runToken(cmd *cobra.Command, r *tokenRun) error {
	ctx, p := cmd.Context(), r.platform
	var file *outputFile
	var deliver func(platforms.Platform, clients.Token) error
	var err error
	switch {
	case r.output != "":
		file, deliver, err = r.fileOutput(cmd)
	case r.watch:
		err = usageError(cmd, "--watch needs --output FILE")
	case cmd.Flags().Changed("output-mode"):
		err = usageError(cmd, "--output-mode needs --output FILE")
	default:
		deliver, err = c.outputFunc(cmd, r.format, variableName(r.variable, p))
	}
	if err != nil {
		return err
	}
	targets, err := c.resolve(ctx, r.flags, []platforms.Platform{p})
	if err != nil {
		return err
	}
	if r.watch {
		return c.watchFile(ctx, r.flags, targets[0], file, r.content)
	}
	token, err := c.token(ctx, c.newClient(ctx, targets[0]), targets[0], r.strict)
	if err != nil {
		return err
	}
	return deliver(p, token)
}

// fileOutput returns the file of --output, and the function that writes a token to it.
func (r *tokenRun) fileOutput(cmd *cobra.Command) (*outputFile, func(platforms.Platform, clients.Token) error, error) {
	switch {
	case r.watch && r.strict:
		return nil, nil, usageError(cmd, "--strict and --watch exclude each other: --watch does not end on a token that lasts too short")
	case r.format == "github" || r.format == "azure-devops":
		return nil, nil, usageError(cmd, "--format "+r.format+" has its own place for the token, so it cannot be used with --output")
	case formatNamed(r.format) == nil:
		return nil, nil, unknownFormat(cmd)
	}
	if err := checkVariable(cmd, variableName(r.variable, r.platform)); err != nil {
		return nil, nil, err
	}
	file, err := newOutputFile(cmd, "output", r.output, r.mode)
	if err != nil {
		return nil, nil, err
	}
	return file, func(_ platforms.Platform, token clients.Token) error {
		if err := file.write(r.content(token)); err != nil {
			return file.notWritten(err)
		}
		return nil
	}, nil
}

// content returns what a file with the token holds.
func (r *tokenRun) content(token clients.Token) string {
	return formatNamed(r.format)(r.platform, variableName(r.variable, r.platform), token)
}

func addStrict(set *pflag.FlagSet, strict *bool) {
	set.BoolVar(strict, "strict", false, "End with status 5, instead of a warning, if the token may be valid for less than --min-validity.")
}

func addVariable(set *pflag.FlagSet, variable *string, p platforms.Platform) {
	set.StringVar(variable, "variable", "", "The `NAME` of the variable that holds the token. Default: "+variableName("", p)+".")
}

// variableName returns the name of the variable that holds the token: name, or the default if name is empty.
func variableName(name string, p platforms.Platform) string {
	return cmp.Or(name, strings.ToUpper(p.Name)+"_ACCESS_TOKEN")
}
