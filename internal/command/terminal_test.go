// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// inProcess runs a command in this process, without any setting.
func inProcess(terminal Terminal, args ...string) (stdout, stderr string, status int) {
	var out, said bytes.Buffer
	status = Run(context.Background(), System{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &said, Terminal: terminal, Name: "ixtoken", Version: "ixtoken 1.2.3"}, args)
	return out.String(), said.String(), status
}

// wantWidth fails the test if a line is wider than width, unless it is one word, such as a URL, with what stands before it.
func wantWidth(t *testing.T, what, text string, width int) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(line)
		if width < 80 && strings.Contains(line, "  ixtoken ") {
			continue // an example, which is typed as it stands
		}
		if utf8.RuneCountInString(line) > width && (len(words) == 0 || utf8.RuneCountInString(words[len(words)-1]) < width-20) {
			t.Errorf("%s: a line has more than %d characters: %s", what, width, line)
		}
	}
}

// everyCommand calls do with the words of each command that a person can see.
func everyCommand(do func(words []string)) {
	c := &invocation{System: System{Name: "ixtoken"}}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		do(strings.Fields(cmd.CommandPath())[1:])
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(c.root(nil))
}

// Every help has an example, a description of each flag, and lines that fit. An example on the page can be typed.
func TestEveryHelpFitsAndHasExamples(t *testing.T) {
	t.Parallel()
	example := regexp.MustCompile(`(?m)^  (?:source <\()?ixtoken ([a-z]+)`)
	commands := 0
	everyCommand(func(words []string) {
		commands++
		for _, width := range []int{0, 70, 140} {
			help, said, status := inProcess(Terminal{Width: width}, append(words[:len(words):len(words)], "--help")...)
			name := fmt.Sprintf("%q at %d columns", words, width)
			if status != 0 || said != "" {
				t.Errorf("%s: status %d, %s", name, status, said)
			}
			if width == 0 {
				width = 80
			}
			wantWidth(t, name, help, width)
			_, examples, found := strings.Cut(help, "\nExamples:\n")
			if !found || !example.MatchString(examples) {
				t.Errorf("%s has no example: %s", name, help)
			}
			for _, line := range regexp.MustCompile(`(?m)^  (?:-., )?--\S.*\n.*`).FindAllString(help, -1) {
				if _, text, _ := strings.Cut(line, "\n"); !strings.HasPrefix(text, "      ") {
					t.Errorf("%s: a flag without a description below: %s", name, line)
				}
			}
		}
	})
	if commands < 40 {
		t.Errorf("only %d commands", commands)
	}
}

// Messages fit, at 80 columns where the width is unknown. The link stays whole on its line.
func TestMessagesFit(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]int{0: 80, 70: 70, 200: 200, 3: leastWidth} {
		_, said, _ := inProcess(Terminal{Width: width}, "token", "oauth2", "--format", "none")
		_, missing, _ := inProcess(Terminal{Width: width}, "check", "oauth2")
		for _, text := range []string{said, missing} {
			wantWidth(t, fmt.Sprintf("width %d", width), text, want)
			if !regexp.MustCompile(`(?m)^More: https://\S+#\S+$`).MatchString(text) {
				t.Errorf("the link is not whole: %s", text)
			}
		}
		if !strings.Contains(said, "\n") || width == 200 && !strings.Contains(said, "Unknown --format. Choose one of: token, header, json, env, powershell, curl, github, azure-devops\n") {
			t.Errorf("width %d: %s", width, said)
		}
	}
}

func TestOnlyTheFirstWordIsInColour(t *testing.T) {
	t.Parallel()
	_, plain, _ := inProcess(Terminal{}, "token")
	_, coloured, _ := inProcess(Terminal{Colour: true}, "token")
	if strings.Contains(plain, "\x1b") || coloured != strings.Replace(plain, "Error:", "\x1b[1;31mError:\x1b[0m", 1) {
		t.Errorf("%q and %q", plain, coloured)
	}
}

// A platform before the command, or a command with a slip, leads to what can be typed. An argument is not repeated.
func TestWhatWasMeantIsSaid(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"equinix":                    "\n  ixtoken token equinix\n  ixtoken check equinix\n",
		"equinix --base-url https:x": "\n  ixtoken token equinix\n  ixtoken check equinix\n",
		"oauth2 token":               "\n  ixtoken token oauth2\n",
		"tokn":                       "Did you mean token?",
		"token equinx":               "Did you mean equinix?",
		"cache lst":                  "Did you mean list?",
		"completion bsh":             "Did you mean bash?",
		"S3cr3t":                     "Unknown command. Choose one of: token, ",
	} {
		_, said, status := inProcess(Terminal{Width: 200}, strings.Fields(args)...)
		if status != statusUsage || !strings.Contains(said, want) || strings.Contains(said, "S3cr3t") {
			t.Errorf("%q, status %d: %s", args, status, said)
		}
	}
}

func TestTimesAreInWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                                     "less than a second",
		time.Second:                           "1 second",
		59*time.Second + 900*time.Millisecond: "59 seconds",
		time.Minute:                           "1 minute",
		61 * time.Second:                      "1 minute 1 second",
		time.Hour + time.Second:               "1 hour",
		2*time.Hour + 5*time.Minute:           "2 hours 5 minutes",
		49*time.Hour + 5*time.Minute:          "2 days 1 hour",
	} {
		if got := inWords(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
