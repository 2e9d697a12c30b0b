// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

func (c *invocation) tokenCommand() *cobra.Command {
	return c.perPlatform("token PLATFORM", "Prints an access token", "Prints an access token, in one of several formats.", func(p platforms.Platform) *cobra.Command {
		cmd := &cobra.Command{
			Use: p.Name + " [flags]", Short: p.Title, Args: noArguments,
			Long: "Prints an access token for " + p.About + ".",
		}
		var format, variable string
		var strict bool
		set := pflag.NewFlagSet("", pflag.ContinueOnError)
		set.StringVar(&format, "format", "token", "The output format: `FORMAT` is one of "+strings.Join(formatNames(), ", ")+".")
		addVariable(set, &variable, p)
		addStrict(set, &strict)
		cmd.Flags().AddFlagSet(set)
		setGroup(cmd, "Output options", set)
		f := settingsFlags(cmd, p)
		_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp))
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			deliver, err := c.outputFunc(cmd, format, variableName(variable, p))
			if err != nil {
				return err
			}
			targets, err := c.resolve(ctx, f, []platforms.Platform{p})
			if err != nil {
				return err
			}
			token, err := c.token(ctx, c.newClient(ctx, targets[0]), targets[0], strict)
			if err != nil {
				return err
			}
			return deliver(p, token)
		}
		return cmd
	})
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
