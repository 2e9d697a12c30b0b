// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"bytes"

	"github.com/spf13/cobra"
)

// completionCommand prints the completions of four shells. cobra's own command has other words, and no width.
func (c *invocation) completionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "completion SHELL", Short: "Prints the completion for a shell", Args: cobra.ArbitraryArgs,
		Long:        "Prints the completion for a shell. The completion asks " + c.Name + " itself, so it knows all its commands and flags.",
		Example:     c.examples("completion bash", "completion powershell"),
		Annotations: map[string]string{"below": "commands"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return unknownName(cmd, "shell") },
	}
	for _, shell := range []struct {
		name, title, use string
		write            func(root *cobra.Command, to *bytes.Buffer) error
	}{
		{
			"bash", "Bash, with the package bash-completion", "source <(" + c.Name + " completion bash)",
			func(root *cobra.Command, to *bytes.Buffer) error { return root.GenBashCompletionV2(to, true) },
		},
		{
			"zsh", "Zsh", "source <(" + c.Name + " completion zsh)",
			func(root *cobra.Command, to *bytes.Buffer) error { return root.GenZshCompletion(to) },
		},
		{
			"fish", "fish", c.Name + " completion fish | source",
			func(root *cobra.Command, to *bytes.Buffer) error { return root.GenFishCompletion(to, true) },
		},
		{
			"powershell", "PowerShell", c.Name + " completion powershell | Out-String | Invoke-Expression",
			func(root *cobra.Command, to *bytes.Buffer) error { return root.GenPowerShellCompletionWithDesc(to) },
		},
	} {
		cmd.AddCommand(&cobra.Command{
			Use: shell.name, Short: shell.title, Args: noArguments,
			Long:    "Prints the completion for " + shell.title + ". The line in the example loads it into the running shell. Add the line to the file that the shell reads when it starts.",
			Example: "  " + shell.use,
			RunE: func(cmd *cobra.Command, _ []string) error {
				var text bytes.Buffer
				if err := shell.write(cmd.Root(), &text); err != nil {
					return notWritten(err)
				}
				return c.printResult(text.String())
			},
		})
	}
	return cmd
}
