// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// Where a value may come from besides the environment and the defaults.
const (
	fromLine  platforms.Origin = "the command line"
	fromFile  platforms.Origin = "the file that the flag names"
	fromStdin platforms.Origin = "standard input"
)

// stdin is the name of standard input in the place of a file.
const stdin = "-"

// maxFile is how many bytes of a file are read. No setting is that long.
const maxFile = 1 << 20

// flags are those of one command about settings, and what was given with them.
type flags struct {
	groups []*group
}

// group is the flags about one platform's inputs, or about the general ones.
type group struct {
	title  string
	prefix string // of the flags' names
	set    *pflag.FlagSet
	inputs []platforms.Input
	given  map[string][]string
	pairs  map[string][]string          // of maps, as NAME=VALUE
	read   map[string]platforms.Setting // once the files were read
	// refused is the input whose secret was given as an argument; nil: none was.
	refused *platforms.Input
}

// settingsFlags defines the flags of the platforms on a command. Where there are several, each flag of a platform begins
// with its name: one --client-id cannot be meant for two.
func settingsFlags(cmd *cobra.Command, all ...platforms.Platform) *flags {
	f := &flags{}
	for _, p := range all {
		prefix := ""
		if len(all) > 1 {
			prefix = p.Name + "-"
		}
		own := slices.DeleteFunc(slices.Clone(p.Inputs), general)
		f.add(cmd, "Settings of "+p.Title, prefix, own)
	}
	shared := slices.Clone(platforms.General)
	if len(all) == 1 { // its own min_validity may have another default
		for i, in := range shared {
			if own := all[0].Input(in.Name); own.Name != "" {
				shared[i] = own
			}
		}
	}
	f.add(cmd, "General settings", "", shared)
	return f
}

// general reports whether an input of a platform is a general setting too.
func general(in platforms.Input) bool {
	return slices.ContainsFunc(platforms.General, func(g platforms.Input) bool { return g.Name == in.Name })
}

func (f *flags) add(cmd *cobra.Command, title, prefix string, inputs []platforms.Input) {
	g := &group{title: title, prefix: prefix, inputs: inputs, given: map[string][]string{}, pairs: map[string][]string{}, set: pflag.NewFlagSet(title, pflag.ContinueOnError)}
	for _, in := range inputs {
		if !in.Secret || !hasFileInput(in, inputs) {
			g.set.Var(&setting{g, in, false}, prefix+flagName(in), help(in))
		}
		if in.Secret {
			name := prefix + attribute(in)
			g.set.Var(&setting{g, in, true}, name, helpPairs(in, prefix))
			g.set.Lookup(name).Hidden = !in.Argument
		}
	}
	f.groups = append(f.groups, g)
	cmd.Flags().SortFlags, g.set.SortFlags = false, false
	cmd.Flags().AddFlagSet(g.set)
	grouped(cmd, title, g.set)
}

// hasFileInput reports whether an input of its own names a file with the secret. That file is read again when it is needed.
func hasFileInput(in platforms.Input, inputs []platforms.Input) bool {
	return slices.ContainsFunc(inputs, func(other platforms.Input) bool { return other.Name == in.Name+"_file" })
}

// setting is the flag of an input. Its value is checked later, with all others.
type setting struct {
	group  *group
	in     platforms.Input
	refuse bool // it takes no secret from the command line
}

// Set keeps the value. It never fails: an error would repeat the value.
func (s *setting) Set(text string) error {
	name, _, isPair := strings.Cut(text, "=")
	switch {
	case s.refuse && s.in.Argument && isPair && !secretLike.MatchString(name):
		s.group.pairs[s.in.Name] = append(s.group.pairs[s.in.Name], text)
	case s.refuse:
		s.group.refused = &s.in
	case s.in.List:
		s.group.given[s.in.Name] = append(s.group.given[s.in.Name], text)
	default:
		s.group.given[s.in.Name] = []string{text}
	}
	return nil
}

// String is empty: the help shows the default in its own words.
func (s *setting) String() string { return "" }

// Type is the word for the value in the help: the last one of the input's name.
func (s *setting) Type() string {
	switch {
	case s.refuse:
		return "NAME=VALUE"
	case inFile(s.in):
		return "FILE"
	}
	return strings.ToUpper(s.in.Name[strings.LastIndex(s.in.Name, "_")+1:])
}

// attribute is the input's name as flags write it.
func attribute(in platforms.Input) string { return strings.ReplaceAll(in.Name, "_", "-") }

// inFile reports whether the flag names a file with the value.
func inFile(in platforms.Input) bool { return in.Secret || in.Name == platforms.CACertPEM.Name }

// flagName is the name of the input's flag.
func flagName(in platforms.Input) string {
	switch {
	case in.Name == platforms.CACertPEM.Name:
		return "ca-cert-file"
	case in.Secret:
		return attribute(in) + "-file"
	}
	return attribute(in)
}

// help is the text of the input's flag.
func help(in platforms.Input) string {
	text := strings.ReplaceAll(in.Description+in.RefreshNote, "`", "")
	switch {
	case in.Map:
		text = "A file with a line NAME=VALUE for each. " + text + " \"-\": standard input."
	case inFile(in):
		text = "A file. " + text + " The line break at its end is left out. \"-\": standard input."
	}
	if in.List {
		text += " Several: repeat the flag, or separate them by commas or blanks."
	}
	if in.Environment != "" {
		text += " Environment: " + in.Environment + "."
	}
	if in.Default != "" {
		text += " Default: " + in.Default + "."
	}
	return text
}

// helpPairs is the text of the flag that takes pairs of the input.
func helpPairs(in platforms.Input, prefix string) string {
	return "One of " + in.Name + ", if its value is no secret; otherwise use --" + prefix + flagName(in) + ". Several: repeat the flag."
}

// load reads the files that the flags name. It returns what is wrong.
func (f *flags) load(ctx context.Context, c *call) error {
	if err := f.refuse(); err != nil {
		return err
	}
	if err := f.oneStdin(); err != nil {
		return err
	}
	for _, g := range f.groups {
		g.read = map[string]platforms.Setting{}
		for _, in := range g.inputs {
			texts, given := g.given[in.Name]
			switch {
			case !given:
			case !inFile(in):
				g.read[in.Name] = platforms.Setting{Value: platforms.List(split(in, texts), false).Secret, From: fromLine}
			default:
				value, err := c.readFile(ctx, texts[0])
				if err != nil {
					return failed(statusUsage, aboutFiles, "--"+g.prefix+flagName(in)+" "+err.Error(), "Nothing was sent.")
				}
				from := fromFile
				if texts[0] == stdin {
					from = fromStdin
				}
				g.read[in.Name] = platforms.Setting{Value: value, From: from}
			}
			if in.Map {
				if err := g.join(in); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// join makes a map of the lines of a file and of the pairs on the command line, which come first.
func (g *group) join(in platforms.Input) error {
	read := g.read[in.Name]
	all, line := pairs(strings.Split(read.Value.Reveal(), "\n"))
	if line > 0 {
		return failed(statusUsage, aboutFiles, "--"+g.prefix+flagName(in)+" names what has a line that cannot be used",
			fmt.Sprintf("Each line is NAME=VALUE, and no name comes twice. Line %d is not so. Nothing was sent.", line))
	}
	arguments, pair := pairs(g.pairs[in.Name])
	if pair > 0 {
		return failed(statusUsage, aboutUsage, "--"+g.prefix+attribute(in)+" cannot be used as it is",
			"Write NAME=VALUE, and no name twice. Nothing was sent.")
	}
	maps.Copy(all, arguments)
	if len(all) > 0 {
		g.read[in.Name] = platforms.Setting{Value: platforms.Map(all, false).Secret, From: cmp.Or(read.From, fromLine)}
	}
	return nil
}

// pairs reads lines of NAME=VALUE, and leaves out empty ones. It returns the number of a line that is not so, or whose name
// has come before; 0: there is none.
func pairs(lines []string) (map[string]string, int) {
	all := map[string]string{}
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		name, value, isPair := strings.Cut(line, "=")
		if _, twice := all[name]; twice || !isPair || name == "" {
			return nil, i + 1
		}
		all[name] = value
	}
	return all, 0
}

// oneStdin makes sure that standard input is asked for once. It can be read once.
func (f *flags) oneStdin() error {
	var names []string
	for _, g := range f.groups {
		for _, in := range g.inputs {
			if texts := g.given[in.Name]; inFile(in) && len(texts) > 0 && texts[0] == stdin {
				names = append(names, "--"+g.prefix+flagName(in))
			}
		}
	}
	if len(names) < 2 {
		return nil
	}
	return failed(statusUsage, aboutFiles, "Standard input can be read once", "It is named by "+platforms.Enumerate(names)+". Nothing was sent.")
}

func split(in platforms.Input, texts []string) []string {
	if !in.List {
		return texts
	}
	return strings.FieldsFunc(strings.Join(texts, " "), func(r rune) bool { return r == ' ' || r == ',' })
}

// readFile reads a value from a file, or from standard input. It drops one line break at the end, which editors and echo
// add, and nothing else. It waits for a pipe until ctx ends.
func (c *call) readFile(ctx context.Context, path string) (clients.Secret, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		reader := c.Stdin
		if path != stdin {
			file, err := os.Open(path) //nolint:gosec // the user names it
			if err != nil {
				done <- result{err: err}
				return
			}
			defer func() { _ = file.Close() }() // only reads
			reader = file
		}
		data, err := io.ReadAll(io.LimitReader(reader, maxFile+1))
		done <- result{data, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		return clients.Secret{}, errInterrupted
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(r.data), "\n"), "\r")
	switch {
	case r.err != nil:
		return clients.Secret{}, errors.New("names what cannot be read (" + cause(r.err) + ")")
	case len(r.data) > maxFile:
		return clients.Secret{}, errors.New("names what is longer than a setting can be")
	case text == "":
		return clients.Secret{}, errors.New("names what is empty")
	}
	return clients.NewSecret(text), nil
}

var errInterrupted = errors.New("was not read: interrupted")

// sources are where the platform's settings are looked up: its own flags, the general ones, the environment, the defaults.
func (f *flags) sources(c *call, own int) []platforms.Source {
	var all []platforms.Source
	for _, from := range []platforms.Origin{fromLine, fromFile, fromStdin} {
		all = append(all, platforms.Source{Origin: from, Value: func(in platforms.Input) platforms.Value {
			for _, g := range []*group{f.groups[own], f.groups[len(f.groups)-1]} {
				if read, ok := g.read[in.Name]; ok && read.From == from {
					return platforms.Value{Secret: read.Value}
				}
			}
			return platforms.Value{}
		}})
	}
	return append(all, platforms.Environment(c.getenv), platforms.Defaults())
}

// wrong finds what is wrong with general settings on the command line. Elsewhere nothing would check them.
func (f *flags) wrong() []platforms.Invalid {
	g := f.groups[len(f.groups)-1]
	var found []platforms.Invalid
	for _, in := range g.inputs {
		value := g.read[in.Name]
		text := in.Wrong(platforms.Value{Secret: value.Value})
		if text != "" && in.Name == platforms.CACertPEM.Name {
			text = "holds no certificate in PEM"
		}
		if text != "" {
			found = append(found, platforms.Invalid{Input: in, From: value.From, Text: text})
		}
	}
	return found
}

// refuse is about a secret on the command line.
func (f *flags) refuse() error {
	for _, g := range f.groups {
		if g.refused != nil {
			return failed(statusUsage, aboutSecrets, "--"+g.prefix+attribute(*g.refused)+" is not accepted", noSecrets+
				" Put it into "+places(*g.refused, g.prefix)+". If it was a real one, replace it.")
		}
	}
	return nil
}

const noSecrets = "Nothing was sent. Every user of this machine can see the arguments of a command, so no secret is taken from them."

// places are where a secret can be put.
func places(in platforms.Input, prefix string) string {
	file := "a file and name that with --" + prefix + flagName(in) + " (\"-\": standard input)"
	if in.Environment == "" {
		return file
	}
	return in.Environment + ", or into " + file
}

// secretLike matches the names of flags that other programs have for secrets.
var secretLike = regexp.MustCompile(`(?i)secret|pass|token|cred|key|auth|bearer`)

// flagError words what the flag library has found. The library's own words repeat values, which may be secrets.
func flagError(cmd *cobra.Command, err error) error {
	missing, valueless, wrong := (*pflag.NotExistError)(nil), (*pflag.ValueRequiredError)(nil), (*pflag.InvalidValueError)(nil)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &missing) && secretLike.MatchString(missing.GetSpecifiedName()):
		return failed(statusUsage, aboutSecrets, "There is no flag --"+missing.GetSpecifiedName(), noSecrets+
			" Put them into the environment, or into files that flags name: "+cmd.CommandPath()+" --help lists them.")
	case errors.As(err, &missing) && missing.GetSpecifiedShortnames() == "":
		return misused(cmd, "There is no flag --"+missing.GetSpecifiedName())
	case errors.As(err, &valueless):
		return misused(cmd, "--"+valueless.GetSpecifiedName()+" lacks its value")
	case errors.As(err, &wrong):
		return misused(cmd, "The value of --"+wrong.GetFlag().Name+" is not possible")
	default:
		return misused(cmd, "There is no such flag")
	}
}
