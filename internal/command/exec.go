// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

func (c *invocation) execCommand(args []string) *cobra.Command {
	cmd := c.perPlatform("exec PLATFORM[,PLATFORM…] [flags] -- COMMAND…", "Runs a command with tokens in its environment",
		"Runs a command with access tokens in its environment, and ends with its exit status.",
		c.examples("exec equinix -- ./deploy.sh", "exec equinix,cloudlx -- ./deploy.sh"),
		func(p platforms.Platform) *cobra.Command { return c.execSubcommand(p.Name, p.Title, p) })
	if several := severalPlatforms(args); several != nil {
		cmd.AddCommand(c.execSubcommand(args[1], "Several", several...))
	}
	return cmd
}

// severalPlatforms returns the platforms of "exec equinix,cloudlx"; nil: the arguments do not name several different ones.
func severalPlatforms(args []string) []platforms.Platform {
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

func (c *invocation) execSubcommand(name, title string, all ...platforms.Platform) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " [flags] -- COMMAND…", Short: title, DisableFlagsInUseLine: true,
		Example: c.examples("exec " + name + " -- ./deploy.sh"),
		Long:    "Runs a command with an access token in its environment, and ends with its exit status.\n\nSets " + variableNames(all) + ", and removes the variables that hold the platform's secrets or an identity token.",
	}
	var variable string
	var strict, keep bool
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	if len(all) == 1 {
		addVariable(set, &variable, all[0])
	}
	addStrict(set, &strict)
	addKeepCredentials(set, &keep)
	cmd.Flags().AddFlagSet(set)
	setGroup(cmd, "Command options", set)
	f := settingsFlags(cmd, all...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		path, err := commandAfterDash(cmd, args)
		if err != nil {
			return err
		}
		if err := checkVariable(cmd, variableName(variable, all[0])); err != nil {
			return err
		}
		targets, err := c.resolve(ctx, f, all)
		if err != nil {
			return err
		}
		client := c.newClient(ctx, targets[0])
		var set, secrets []string
		for _, t := range targets {
			token, err := c.token(ctx, client, t, strict)
			if err != nil {
				return err
			}
			set = append(set, tokenVariables(t.Platform, variable, token)...)
			if !keep {
				secrets = append(secrets, t.SecretVariables(t.sources...)...)
			}
		}
		return c.replaceProcess(ctx, path, args, c.childEnvironment(secrets, set))
	}
	return cmd
}

func addKeepCredentials(set *pflag.FlagSet, keep *bool) {
	set.BoolVar(keep, "keep-credentials", false, "Keep the platform's secrets and the identity token in the command's environment.")
}

// commandAfterDash returns the path of the program after "--", so that a mistake is found before anything is sent.
func commandAfterDash(cmd *cobra.Command, args []string) (path string, err error) {
	switch dash := cmd.ArgsLenAtDash(); {
	case dash > 0 || dash < 0 && len(args) > 0:
		return "", usageError(cmd, "The command and its arguments must follow \"--\"")
	case len(args) == 0:
		return "", usageError(cmd, "The command is missing. Write it after \"--\"")
	}
	path, err = lookPath(args)
	if wrong := unsuitable(""); errors.As(err, &wrong) {
		return "", usageError(cmd, wrong.Error())
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", usageError(cmd, "The command after \"--\" is not executable. Make it so with chmod +x")
	case err != nil && strings.ContainsAny(args[0], `/\`):
		return "", usageError(cmd, "The command after \"--\" cannot be found")
	case err != nil:
		return "", usageError(cmd, "The command after \"--\" cannot be found. A file of this directory needs ./ before its name")
	}
	return path, nil
}

// unsuitable says why the system cannot run a program, and what to type instead.
type unsuitable string

func (u unsuitable) Error() string { return string(u) }

// tokenVariables returns the variables that hold the token for a command, as "NAME=value".
func tokenVariables(p platforms.Platform, name string, token clients.Token) []string {
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

// variableNames enumerates the names of the variables for the help.
func variableNames(all []platforms.Platform) string {
	var names []string
	for _, p := range all {
		names = append(append(names, variableName("", p), authorizationName(p)), p.TokenVariables...)
	}
	return platforms.Enumerate(names)
}

// childEnvironment returns the environment of a command: that of this process, plus the variables in set, minus those whose
// names are in without.
func (c *invocation) childEnvironment(without, set []string) []string {
	for _, variable := range set {
		without = append(without, nameOf(variable))
	}
	kept := slices.DeleteFunc(slices.Clone(c.Environ), func(variable string) bool {
		return slices.ContainsFunc(without, func(name string) bool { return sameVariable(name, nameOf(variable)) })
	})
	return append(kept, set...)
}

// nameOf returns the name in "NAME=value". On Windows, some names begin with "=".
func nameOf(variable string) string {
	if variable == "" {
		return ""
	}
	name, _, _ := strings.Cut(variable[1:], "=")
	return variable[:1] + name
}
