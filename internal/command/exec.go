// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

func (c *call) execCommand(args []string) *cobra.Command {
	cmd := c.parent("exec PLATFORM[,PLATFORM…] [flags] -- COMMAND…", "Runs a command with tokens in its environment",
		"Runs a command with access tokens in its environment, and ends with its exit status.",
		func(p platforms.Platform) *cobra.Command { return c.execOn(p.Name, p.Title, p) })
	if several := combination(args); several != nil {
		cmd.AddCommand(c.execOn(args[1], "Several", several...))
	}
	return cmd
}

// combination returns the platforms that the second argument names, if those are several.
func combination(args []string) []platforms.Platform {
	if len(args) < 2 || args[0] != "exec" || !strings.Contains(args[1], ",") {
		return nil
	}
	var found []platforms.Platform
	for name := range strings.SplitSeq(args[1], ",") {
		i := slices.IndexFunc(platforms.All, func(p platforms.Platform) bool { return p.Name == name })
		if i < 0 || slices.ContainsFunc(found, func(p platforms.Platform) bool { return p.Name == name }) {
			return nil
		}
		found = append(found, platforms.All[i])
	}
	return found
}

func (c *call) execOn(name, title string, all ...platforms.Platform) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " [flags] -- COMMAND…", Short: title, DisableFlagsInUseLine: true,
		Long: "Runs a command with an access token in its environment, and ends with its exit status.\n\nThe command finds " + variablesOf(all) + ". The secrets with which the token was obtained are taken out of its environment.",
	}
	var variable string
	var strict, keep bool
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	if len(all) == 1 {
		addVariable(set, &variable, all[0])
	}
	addStrict(set, &strict)
	addKeep(set, &keep)
	cmd.Flags().AddFlagSet(set)
	grouped(cmd, "The command", set)
	f := settingsFlags(cmd, all...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		path, err := commandBehind(cmd, args)
		if err != nil {
			return err
		}
		if err := checkVariable(cmd, variableName(variable, all[0])); err != nil {
			return err
		}
		settled, err := c.settle(ctx, f, all)
		if err != nil {
			return err
		}
		client := c.engine(ctx, settled[0])
		var set []string
		for _, a := range settled {
			token, err := c.token(ctx, client, a, strict)
			if err != nil {
				return err
			}
			set = append(set, variables(a.Platform, variable, token)...)
		}
		return c.replace(ctx, path, args, c.environment(all, keep, set))
	}
	return cmd
}

func addKeep(set *pflag.FlagSet, keep *bool) {
	set.BoolVar(keep, "keep-credentials", false, "Leave the platform's secrets in the command's environment.")
}

// commandBehind finds the program behind "--", before anything is sent.
func commandBehind(cmd *cobra.Command, args []string) (path string, err error) {
	switch dash := cmd.ArgsLenAtDash(); {
	case dash > 0 || dash < 0 && len(args) > 0:
		return "", misused(cmd, "The command and its arguments must follow \"--\"")
	case len(args) == 0:
		return "", misused(cmd, "There is no command: it follows \"--\"")
	}
	if path, err = exec.LookPath(args[0]); err != nil {
		return "", misused(cmd, "The command cannot be found, or is not executable")
	}
	return path, nil
}

// variables are those in which a command finds the token.
func variables(p platforms.Platform, name string, token clients.Token) []string {
	set := []string{
		variableName(name, p) + "=" + token.AccessToken.Reveal(),
		authorizationName(p) + "=" + token.Authorization().Reveal(),
	}
	for _, tools := range p.TokenVariables {
		set = append(set, tools+"="+token.AccessToken.Reveal())
	}
	return set
}

func authorizationName(p platforms.Platform) string {
	return strings.ToUpper(p.Name) + "_AUTHORIZATION"
}

// variablesOf lists the variables for the help.
func variablesOf(all []platforms.Platform) string {
	var names []string
	for _, p := range all {
		names = append(append(names, variableName("", p), authorizationName(p)), p.TokenVariables...)
	}
	return platforms.Enumerate(names)
}

// environment is that of a command: the one of this process with what is set, and without the secrets of the platforms.
func (c *call) environment(all []platforms.Platform, keep bool, set []string) []string {
	without := func(name string) bool {
		if slices.ContainsFunc(set, func(s string) bool { return sameVariable(nameOf(s), name) }) {
			return true
		}
		return !keep && slices.ContainsFunc(all, func(p platforms.Platform) bool {
			return slices.ContainsFunc(p.Inputs, func(in platforms.Input) bool {
				return in.Secret && in.Environment != "" && sameVariable(in.Environment, name)
			})
		})
	}
	kept := slices.DeleteFunc(slices.Clone(c.Environ), func(s string) bool { return without(nameOf(s)) })
	return append(kept, set...)
}

// nameOf is the name in "NAME=value". On Windows, some begin with "=".
func nameOf(variable string) string {
	if variable == "" {
		return ""
	}
	name, _, _ := strings.Cut(variable[1:], "=")
	return variable[:1] + name
}
