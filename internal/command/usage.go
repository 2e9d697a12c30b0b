// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// groupAnnotation is the key of the annotation that holds the title of a flag's group in the help.
const groupAnnotation = "title"

// setGroup lists the flags of set under title in the help.
func setGroup(cmd *cobra.Command, title string, set *pflag.FlagSet) {
	set.VisitAll(func(flag *pflag.Flag) { _ = cmd.Flags().SetAnnotation(flag.Name, groupAnnotation, []string{title}) })
}

// examples returns lines for a help. Each begins with the name of the program.
func (c *invocation) examples(lines ...string) string {
	return "  " + c.Name + " " + strings.Join(lines, "\n  "+c.Name+" ")
}

// help writes what a command is for, and its usage.
func (c *invocation) help(cmd *cobra.Command) {
	fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n", wrap(strings.TrimSpace(cmp.Or(cmd.Long, cmd.Short)), c.width()))
	_ = c.usage(cmd) // prints, and returns nil
}

// usage writes the usage of a command: its usage line, examples, subcommands, and flags by group.
func (c *invocation) usage(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Usage:\n  %s\n", wrap(cmd.UseLine(), c.width()-2))
	if cmd.Example != "" {
		fmt.Fprintf(out, "\nExamples:\n%s\n", cmd.Example)
	}
	fmt.Fprint(out, c.subcommands(cmd))
	var titles []string
	groups := map[string]*pflag.FlagSet{}
	cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		title := strings.Join(flag.Annotations[groupAnnotation], "")
		if groups[title] == nil {
			groups[title] = pflag.NewFlagSet(title, pflag.ContinueOnError)
			groups[title].SortFlags = false
			titles = append(titles, title)
		}
		groups[title].AddFlag(flag)
	})
	for _, title := range titles {
		if !groups[title].HasAvailableFlags() || title == "" && cmd.HasAvailableSubCommands() {
			continue
		}
		fmt.Fprintf(out, "\n%s:\n", cmp.Or(title, "Help"))
		groups[title].VisitAll(func(flag *pflag.Flag) { fmt.Fprint(out, c.flagHelp(flag)) })
	}
	return nil
}

// subcommands lists the commands below a command, and says how to read about one; "": there are none.
func (c *invocation) subcommands(cmd *cobra.Command) string {
	if !cmd.HasAvailableSubCommands() {
		return ""
	}
	title := "Platforms"
	if !cmd.HasParent() || cmd.Annotations["below"] != "" {
		title = "Commands"
	}
	var rows [][]string
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() {
			rows = append(rows, []string{below.Name(), below.Short})
		}
	}
	return fmt.Sprintf("\n%s:\n%s\nMore: %s --help\n", title, table(rows, c.width()),
		strings.TrimSpace(cmd.CommandPath()+" "+strings.ToUpper(strings.TrimSuffix(title, "s"))))
}

// flagHelp describes a flag: its name on a line, and the description below.
func (c *invocation) flagHelp(flag *pflag.Flag) string {
	if flag.Hidden {
		return ""
	}
	value, text := pflag.UnquoteUsage(flag)
	name := "--" + flag.Name
	if flag.Shorthand != "" {
		name = "-" + flag.Shorthand + ", " + name
	}
	if value != "" {
		name += " " + value
	}
	return "  " + name + "\n" + wrap("      "+text, c.width()) + "\n"
}
