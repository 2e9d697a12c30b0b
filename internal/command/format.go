// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// writer returns a token in one of the formats.
type writer func(p platforms.Platform, variable string, token clients.Token) string

// formats write a token for standard output. Tokens are printable ASCII, but the formats escape all other characters too.
var formats = []struct {
	name  string
	write writer
}{
	{"token", func(_ platforms.Platform, _ string, t clients.Token) string { return t.AccessToken.Reveal() + "\n" }},
	{"header", func(_ platforms.Platform, _ string, t clients.Token) string { return header(t) + "\n" }},
	{"json", func(p platforms.Platform, _ string, t clients.Token) string { return jsonOutputs(p, t) }},
	{"env", func(_ platforms.Platform, variable string, t clients.Token) string {
		return "export " + variable + "=" + shellQuoted(t.AccessToken.Reveal()) + "\n"
	}},
	{"powershell", func(_ platforms.Platform, variable string, t clients.Token) string {
		return "$env:" + variable + " = " + powershellQuoted(t.AccessToken.Reveal()) + "\n"
	}},
	{"curl", func(_ platforms.Platform, _ string, t clients.Token) string {
		return "header = " + curlQuoted(header(t)) + "\n"
	}},
	{"github", func(_ platforms.Platform, _ string, t clients.Token) string {
		return "::add-mask::" + githubEscaped(t.AccessToken.Reveal()) + "\n"
	}},
	{"azure-devops", func(_ platforms.Platform, variable string, t clients.Token) string {
		return "##vso[task.setvariable variable=" + variable + ";issecret=true]" + azureEscaped(t.AccessToken.Reveal()) + "\n"
	}},
}

func formatNames() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// formatNamed returns the format with the name; nil: there is none.
func formatNamed(name string) writer {
	if i := slices.Index(formatNames(), name); i >= 0 {
		return formats[i].write
	}
	return nil
}

func unknownFormat(cmd *cobra.Command) error {
	return usageError(cmd, "Unknown --format. Choose one of: "+strings.Join(formatNames(), ", "))
}

// outputFunc returns the function that writes a token in the format. It checks the format, the variable's name and the
// environment, so that a mistake is found before anything is sent.
func (c *invocation) outputFunc(cmd *cobra.Command, name, variable string) (func(platforms.Platform, clients.Token) error, error) {
	write := formatNamed(name)
	if write == nil {
		return nil, unknownFormat(cmd)
	}
	if err := checkVariable(cmd, variable); err != nil {
		return nil, err
	}
	deliver := func(p platforms.Platform, t clients.Token) error {
		return c.printToken(write(p, variable, t))
	}
	switch name {
	case "github":
		if c.isLost() {
			return nil, usageError(cmd, "--format github: standard output must be the job's log. GitHub masks the token only if it reads it there")
		}
		return c.githubOutput(cmd, variable, deliver)
	case "azure-devops":
		if c.isLost() {
			return nil, usageError(cmd, "--format azure-devops: standard output must be the job's log. The agent sets the variable only if it reads it there")
		}
		if !strings.EqualFold(c.getenv("TF_BUILD"), "true") {
			return nil, usageError(cmd, "--format azure-devops works only in jobs of Azure DevOps, where TF_BUILD is True. Elsewhere it would print the token to a log")
		}
	}
	return deliver, nil
}

// isLost reports whether standard output is the null device or a file, so that a runner does not read it.
func (c *invocation) isLost() bool {
	file, ok := c.Stdout.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && (info.Mode().IsRegular() || isNull(file))
}

var possibleVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func checkVariable(cmd *cobra.Command, name string) error {
	if !possibleVariable.MatchString(name) {
		return usageError(cmd, "--variable must consist of letters, digits and _, and must not start with a digit")
	}
	return nil
}

// githubOutput returns the function that masks the token in the job's log and appends it to the file in GITHUB_ENV. The
// runner sets the variables in that file for the later steps.
func (c *invocation) githubOutput(cmd *cobra.Command, variable string, mask func(platforms.Platform, clients.Token) error) (func(platforms.Platform, clients.Token) error, error) {
	path := c.getenv("GITHUB_ENV")
	if !strings.EqualFold(c.getenv("GITHUB_ACTIONS"), "true") || path == "" {
		return nil, usageError(cmd, "--format github works only in jobs of GitHub Actions, where GITHUB_ACTIONS is true and GITHUB_ENV names a file")
	}
	if upper := strings.ToUpper(variable); strings.HasPrefix(upper, "GITHUB_") || strings.HasPrefix(upper, "RUNNER_") || upper == "NODE_OPTIONS" {
		return nil, usageError(cmd, "--variable: in GitHub Actions, a step cannot set a variable with this name")
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_RDWR, 0) //nolint:gosec // the runner's own choice
	if err != nil {
		return nil, newFailure(statusUsage, sectionFiles, "The file in GITHUB_ENV cannot be opened", cause(err)+". Nothing was sent.")
	}
	return func(p platforms.Platform, t clients.Token) error {
		if err := mask(p, t); err != nil {
			return err
		}
		if err := errors.Join(appendVariable(file, variable, t.AccessToken.Reveal()), file.Close()); err != nil {
			return newFailure(statusFailed, sectionResult, "The variable could not be set", "The file in GITHUB_ENV: "+cause(err)+".")
		}
		return nil
	}, nil
}

// appendVariable appends a variable in the multi-line format of GitHub's runner, with a delimiter that the value does not
// contain.
func appendVariable(file *os.File, variable, value string) error {
	delimiter := "ixtoken_" + rand.Text()
	for strings.Contains(value, delimiter) {
		delimiter = "ixtoken_" + rand.Text()
	}
	text := variable + "<<" + delimiter + "\n" + value + "\n" + delimiter + "\n"
	if lacksNewline(file) {
		text = "\n" + text
	}
	_, err := file.WriteString(text)
	return err
}

// lacksNewline reports whether the file's last line has no line break.
func lacksNewline(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = file.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

func header(t clients.Token) string { return "Authorization: " + t.Authorization().Reveal() }

// jsonOutputs returns the outputs as one JSON object, with the names and in the order of the provider's attributes. The last
// member says how many token requests this process has sent, and how many other processes have saved it.
func jsonOutputs(p platforms.Platform, t clients.Token) string {
	var text bytes.Buffer
	text.WriteString("{")
	add := func(name string, value any) {
		if text.Len() > 1 {
			text.WriteString(",")
		}
		fmt.Fprintf(&text, "\n  %q: ", name)
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(value) // a text, a number, null or a tally
		text.Truncate(text.Len() - 1)
	}
	for _, out := range p.AllOutputs() {
		add(out.Name, out.Value(t))
	}
	for _, in := range p.Inputs {
		if in.Output != nil {
			add(in.Name, in.Output(t))
		}
	}
	add("token_requests", t.Tally)
	text.WriteString("\n}\n")
	return text.String()
}

// shellQuoted quotes text for shells of the Bourne family. Between single quotes, only the single quote is special.
func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// powershellQuoted quotes text for PowerShell, which treats four typographic quotes like the single quote. Doubling escapes
// each of them.
func powershellQuoted(text string) string {
	return "'" + regexp.MustCompile(`['‘’‚‛]`).ReplaceAllString(text, "$0$0") + "'"
}

// curlQuoted quotes text for curl's configuration files ("man curl", --config).
func curlQuoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`).Replace(text) + `"`
}

// githubEscaped escapes the message of a command to GitHub's runner.
func githubEscaped(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// azureEscaped escapes the message of a command to the agent of Azure DevOps.
func azureEscaped(text string) string {
	return strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A").Replace(text)
}
