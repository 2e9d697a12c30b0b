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

// The origins of a value besides the environment and the defaults.
const (
	fromCommandLine platforms.Origin = "the command line"
	fromFile        platforms.Origin = "the file that the flag names"
	fromStdin       platforms.Origin = "standard input"
)

// stdin stands for standard input where a flag takes a file name.
const stdin = "-"

// maxFile is the size limit for a file that a flag names, in bytes.
const maxFile = 1 << 20

// flags holds the settings flags of one command and their values.
type flags struct {
	groups []*group
}

// group holds the flags for the inputs of one platform, or for the general settings.
type group struct {
	title  string
	prefix string // of the flags' names
	set    *pflag.FlagSet
	inputs []platforms.Input
	given  map[string][]string          // by input: the flag's values, unchecked
	pairs  map[string][]string          // by input: pairs for a map, as NAME=VALUE
	read   map[string]platforms.Setting // by input: the values after load has read the files
	// refused is an input whose secret was given as an argument; nil: none was.
	refused *platforms.Input
}

// settingsFlags adds the flags of the platforms to a command. With several platforms, each platform's flags start with its
// name, such as --equinix-client-id.
func settingsFlags(cmd *cobra.Command, all ...platforms.Platform) *flags {
	f := &flags{}
	for _, p := range all {
		prefix := ""
		if len(all) > 1 {
			prefix = p.Name + "-"
		}
		own := slices.DeleteFunc(slices.Clone(p.Inputs), isGeneral)
		f.add(cmd, "Settings of "+p.Title, prefix, own)
	}
	shared := slices.Clone(platforms.General)
	if len(all) == 1 { // min_validity has another default for an API proxy
		for i, in := range shared {
			if own := all[0].Input(in.Name); own.Name != "" {
				shared[i] = own
			}
		}
	}
	f.add(cmd, "General settings", "", shared)
	return f
}

// isGeneral reports whether an input is also a general setting.
func isGeneral(in platforms.Input) bool {
	return slices.ContainsFunc(platforms.General, func(g platforms.Input) bool { return g.Name == in.Name })
}

func (f *flags) add(cmd *cobra.Command, title, prefix string, inputs []platforms.Input) {
	g := &group{title: title, prefix: prefix, inputs: inputs, given: map[string][]string{}, pairs: map[string][]string{}, set: pflag.NewFlagSet(title, pflag.ContinueOnError)}
	for _, in := range inputs {
		if in.InFile == "" { // otherwise the other input has the flag for the file, because the client reads it again
			g.set.Var(&inputFlag{g, in, false}, prefix+flagName(in), helpText(in))
		}
		if in.Secret {
			name := prefix + dashedName(in)
			g.set.Var(&inputFlag{g, in, true}, name, pairsHelpText(in, prefix))
			g.set.Lookup(name).Hidden = !in.Argument
		}
	}
	f.groups = append(f.groups, g)
	cmd.Flags().SortFlags, g.set.SortFlags = false, false
	cmd.Flags().AddFlagSet(g.set)
	setGroup(cmd, title, g.set)
}

// inputFlag is the flag of an input. Its value is checked later, together with all others.
type inputFlag struct {
	group *group
	in    platforms.Input
	// secretArgument marks the flag whose value is the secret itself. It exists so that its error can name the right flag.
	// For a map, it accepts pairs that are not secret.
	secretArgument bool
}

// Set stores the value. It never returns an error, because pflag would print the value with it.
func (s *inputFlag) Set(text string) error {
	name, _, isPair := strings.Cut(text, "=")
	switch {
	case s.secretArgument && s.in.Argument && isPair && !secretLike.MatchString(name):
		s.group.pairs[s.in.Name] = append(s.group.pairs[s.in.Name], text)
	case s.secretArgument:
		s.group.refused = &s.in
	case s.in.List:
		s.group.given[s.in.Name] = append(s.group.given[s.in.Name], text)
	default:
		s.group.given[s.in.Name] = []string{text}
	}
	return nil
}

// String returns "", so that pflag adds no default to the help. The help text names it.
func (s *inputFlag) String() string { return "" }

// Type returns the placeholder for the value in the help: the last word of the input's name, in capitals.
func (s *inputFlag) Type() string {
	switch {
	case s.secretArgument:
		return "NAME=VALUE"
	case takesFile(s.in):
		return "FILE"
	case s.in.Number:
		return "NUMBER"
	}
	return strings.ToUpper(s.in.Name[strings.LastIndex(s.in.Name, "_")+1:])
}

// dashedName returns the input's name with dashes, as in flags.
func dashedName(in platforms.Input) string { return strings.ReplaceAll(in.Name, "_", "-") }

// takesFile reports whether the input's flag names a file that contains the value.
func takesFile(in platforms.Input) bool { return in.Secret || in.Name == platforms.CACertPEM.Name }

// flagName returns the name of the input's flag, without dashes at the front.
func flagName(in platforms.Input) string {
	switch {
	case in.InFile != "":
		return strings.ReplaceAll(in.InFile, "_", "-")
	case in.Name == platforms.CACertPEM.Name:
		return "ca-cert-file"
	case in.Secret:
		return dashedName(in) + "-file"
	}
	return dashedName(in)
}

// helpText returns the help of the input's flag.
func helpText(in platforms.Input) string {
	text := strings.ReplaceAll(words.Fill(in.Description+in.RefreshNote), "`", "")
	switch {
	case in.Map:
		text += " FILE has one NAME=VALUE on each line. \"-\" means standard input."
	case takesFile(in):
		text += " FILE contains it; a line break at the end is dropped. \"-\" means standard input."
	}
	if in.List {
		text += " For several values, repeat the flag, or separate them with commas or spaces. Write \\, for a comma in a value."
	}
	if in.Environment != "" {
		text += " Environment: " + in.Environment + "."
	}
	if in.Default != "" {
		text += " Default: " + in.Default + "."
	}
	return text
}

// pairsHelpText returns the help of the flag that takes single pairs of a map.
func pairsHelpText(in platforms.Input, prefix string) string {
	return "One of " + in.Name + ", if the value is not secret; otherwise use --" + prefix + flagName(in) + ". For several pairs, repeat the flag."
}

// load reads the files that the flags name. It rejects secrets in arguments, files that cannot be used, and invalid pairs.
func (f *flags) load(ctx context.Context, c *invocation) error {
	if err := f.rejectSecrets(); err != nil {
		return err
	}
	if err := f.checkStdin(); err != nil {
		return err
	}
	for _, g := range f.groups {
		g.read = map[string]platforms.Setting{}
		for _, in := range g.inputs {
			texts, given := g.given[in.Name]
			switch {
			case !given:
			case !takesFile(in):
				g.read[in.Name] = platforms.Setting{Value: platforms.List(splitList(in, texts), false).Secret, From: fromCommandLine}
			default:
				value, err := c.readFile(ctx, texts[0])
				if err != nil {
					return newFailure(statusUsage, sectionFiles, "--"+g.prefix+flagName(in)+": "+err.Error(), "Nothing was sent.")
				}
				from := fromFile
				if texts[0] == stdin {
					from = fromStdin
				}
				g.read[in.Name] = platforms.Setting{Value: value, From: from}
			}
			if in.Map {
				if err := g.joinPairs(in); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// joinPairs makes a map of the lines of a file and of the pairs on the command line. If both have a name, the command line
// counts.
func (g *group) joinPairs(in platforms.Input) error {
	read := g.read[in.Name]
	all, line := parsePairs(strings.Split(read.Value.Reveal(), "\n"))
	if line > 0 {
		return newFailure(statusUsage, sectionFiles, fmt.Sprintf("--%s%s: line %d is not valid", g.prefix, flagName(in), line),
			"Write one NAME=VALUE on each line, and each name once, except resource and audience. Nothing was sent.")
	}
	arguments, pair := parsePairs(g.pairs[in.Name])
	if pair > 0 {
		return newFailure(statusUsage, sectionUsage, "--"+g.prefix+dashedName(in)+" is not valid",
			"Write NAME=VALUE, and each name once, except resource and audience. Nothing was sent.")
	}
	maps.Copy(all, arguments)
	if len(all) > 0 {
		g.read[in.Name] = platforms.Setting{Value: platforms.Map(all, false).Secret, From: cmp.Or(read.From, fromCommandLine)}
	}
	return nil
}

// parsePairs reads lines of the form NAME=VALUE, and skips empty lines. It returns the number of the first line that has
// another form or repeats a name; 0: all lines are valid.
func parsePairs(lines []string) (map[string]string, int) {
	all := map[string]string{}
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		name, value, isPair := strings.Cut(line, "=")
		before, twice := all[name]
		switch {
		case !isPair || name == "" || twice && !clients.MayRepeat(name):
			return nil, i + 1
		case twice:
			value = before + "\n" + value // as clients.MayRepeat says
		}
		all[name] = value
	}
	return all, 0
}

// checkStdin returns an error if several flags read standard input.
func (f *flags) checkStdin() error {
	var names []string
	for _, g := range f.groups {
		for _, in := range g.inputs {
			if texts := g.given[in.Name]; takesFile(in) && len(texts) > 0 && texts[0] == stdin {
				names = append(names, "--"+g.prefix+flagName(in))
			}
		}
	}
	if len(names) < 2 {
		return nil
	}
	return newFailure(statusUsage, sectionFiles, "Standard input can be read only once", "Several flags name it: "+platforms.Enumerate(names)+". Nothing was sent.")
}

func splitList(in platforms.Input, texts []string) []string {
	if !in.List {
		return texts
	}
	const comma = "\x00" // no argument has it
	items := strings.FieldsFunc(strings.ReplaceAll(strings.Join(texts, " "), `\,`, comma), func(r rune) bool { return r == ' ' || r == ',' })
	for i := range items {
		items[i] = strings.ReplaceAll(items[i], comma, ",")
	}
	return items
}

// readFile reads a value from a file or from standard input, as clients.FileText says. It reads in a goroutine of its own, so
// that the end of ctx ends the wait for a pipe.
func (c *invocation) readFile(ctx context.Context, path string) (clients.Secret, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		if path == stdin {
			data, err := c.readStdin()
			done <- result{data, err}
			return
		}
		file, err := os.Open(path) //nolint:gosec // the user's own choice
		if err != nil {
			done <- result{err: err}
			return
		}
		defer func() { _ = file.Close() }() // only reads
		data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
		done <- result{data, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		return clients.Secret{}, ctx.Err()
	}
	name := "the file"
	if path == stdin {
		name = "standard input"
	}
	switch {
	case r.err != nil:
		return clients.Secret{}, errors.New(name + " cannot be read (" + cause(r.err) + ")")
	case len(r.data) > maxFile:
		return clients.Secret{}, errors.New(name + " is larger than 1 MiB")
	}
	text, err := clients.FileText(r.data)
	if err != nil {
		return clients.Secret{}, errors.New(name + " " + err.Error())
	}
	return clients.NewSecret(text), nil
}

// sources returns the sources of one platform's settings, in the order of lookup: its flags and the general flags, the
// environment, the defaults. own is the index of the platform's group.
func (f *flags) sources(c *invocation, own int) []platforms.Source {
	var all []platforms.Source
	for _, from := range []platforms.Origin{fromCommandLine, fromFile, fromStdin} {
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

// invalidGeneral checks the general settings on the command line. Platform.Resolve checks only the platform's own inputs.
func (f *flags) invalidGeneral(sources []platforms.Source) []platforms.Invalid {
	g := f.groups[len(f.groups)-1]
	var found []platforms.Invalid
	for _, in := range g.inputs {
		value := g.read[in.Name]
		text := in.Wrong(platforms.Value{Secret: value.Value})
		if text != "" {
			found = append(found, platforms.Invalid{Input: in, From: value.From, Text: text})
		}
	}
	return append(found, platforms.CheckCache(sources...)...)
}

// rejectSecrets returns an error if a secret was given as an argument.
func (f *flags) rejectSecrets() error {
	for _, g := range f.groups {
		if g.refused != nil {
			return newFailure(statusUsage, sectionSecrets, "--"+g.prefix+dashedName(*g.refused)+" is not accepted", noSecrets+
				" Put the secret into "+secretPlaces(*g.refused, g.prefix)+". If you typed a real secret, replace it at the platform.")
		}
	}
	return nil
}

const noSecrets = "Nothing was sent. Every user of this machine can see the arguments of a command, so secrets are not accepted there."

// secretPlaces says where to put a secret instead.
func secretPlaces(in platforms.Input, prefix string) string {
	file := "a file that you name with --" + prefix + flagName(in)
	if in.InFile == "" {
		file += " (\"-\" means standard input)"
	}
	if in.Environment == "" {
		return file
	}
	return in.Environment + ", or into " + file
}

// secretLike matches flag names that other programs use for secrets.
var secretLike = regexp.MustCompile(`(?i)secret|pass|token|cred|key|auth|bearer`)

// flagError replaces the messages of the flag library, which repeat values that may be secrets.
func (c *invocation) flagError(cmd *cobra.Command, err error) error {
	missing, valueless, wrong := (*pflag.NotExistError)(nil), (*pflag.ValueRequiredError)(nil), (*pflag.InvalidValueError)(nil)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case !cmd.HasParent() && len(c.args) > 0 && !strings.HasPrefix(c.args[0], "-"):
		return c.unknownCommand(cmd, c.args)
	case errors.As(err, &missing) && secretLike.MatchString(missing.GetSpecifiedName()):
		return newFailure(statusUsage, sectionSecrets, "Unknown flag --"+missing.GetSpecifiedName(), noSecrets+
			" Put secrets into the environment or into files. "+cmd.CommandPath()+" --help lists the variables and the flags for files.")
	case errors.As(err, &missing) && missing.GetSpecifiedShortnames() == "":
		return usageError(cmd, "Unknown flag --"+missing.GetSpecifiedName())
	case errors.As(err, &valueless):
		return usageError(cmd, "--"+valueless.GetSpecifiedName()+" needs a value")
	case errors.As(err, &wrong):
		return usageError(cmd, "The value of --"+wrong.GetFlag().Name+" is not valid")
	default:
		return usageError(cmd, "Unknown flag")
	}
}
