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

// width is the width of the help text, in characters.
const width = 110

// groupAnnotation is the key of the annotation that holds the title of a flag's group in the help.
const groupAnnotation = "title"

// setGroup lists the flags of set under title in the help.
func setGroup(cmd *cobra.Command, title string, set *pflag.FlagSet) {
	set.VisitAll(func(flag *pflag.Flag) { _ = cmd.Flags().SetAnnotation(flag.Name, groupAnnotation, []string{title}) })
}

// usage writes the usage of a command: its usage line, subcommands, and flags by group.
func usage(cmd *cobra.Command) error {
	out := cmd.OutOrStderr()
	fmt.Fprintf(out, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		longest := 0
		for _, below := range cmd.Commands() {
			longest = max(longest, len(below.Name()))
		}
		title := "Platforms"
		if !cmd.HasParent() || cmd.Annotations["below"] != "" {
			title = "Commands"
		}
		fmt.Fprintf(out, "\n%s:\n", title)
		for _, below := range cmd.Commands() {
			if below.IsAvailableCommand() {
				fmt.Fprintf(out, "  %-*s  %s\n", longest, below.Name(), below.Short)
			}
		}
		fmt.Fprintf(out, "\nMore: %s --help\n", strings.TrimSpace(cmd.CommandPath()+" "+strings.ToUpper(strings.TrimSuffix(title, "s"))))
		return nil
	}
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
		if groups[title].HasAvailableFlags() {
			fmt.Fprintf(out, "\n%s:\n%s", cmp.Or(title, "Help"), groups[title].FlagUsagesWrapped(width))
		}
	}
	return nil
}
