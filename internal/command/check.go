// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// checkRun is what one run of check is told.
type checkRun struct {
	flags           *flags
	offline, strict bool
}

func (c *invocation) checkCommand() *cobra.Command {
	cmd := c.perPlatform("check [PLATFORM]", "Shows where the settings come from, and obtains a token to test them",
		"Shows where each setting comes from, obtains a token to test them, and shows the token's lifetime, scope and claims. The token itself is not printed. Without a platform, it tests all platforms that have settings in the environment.",
		c.examples("check", "check equinix", "check equinix --offline"),
		func(p platforms.Platform) *cobra.Command {
			cmd := &cobra.Command{
				Use: p.Name + " [flags]", Short: p.Title, Args: noArguments, DisableFlagsInUseLine: true,
				Example: c.examples("check "+p.Name, "check "+p.Name+" --offline"),
				Long:    "Shows where each setting of " + p.Title + " comes from, obtains a token to test them, and shows the token's lifetime, scope and claims. The token itself is not printed.",
			}
			r := c.addCheckFlags(cmd, p)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.check(cmd.Context(), r, p) }
			return cmd
		})
	if !c.names(cmd.Name()) {
		return cmd
	}
	r := c.addCheckFlags(cmd)
	cmd.DisableFlagsInUseLine = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownName(cmd, "platform")
		}
		return c.checkAll(cmd, r)
	}
	return cmd
}

// addCheckFlags adds the flags of check, and those of the platform; without one, the general ones alone.
func (c *invocation) addCheckFlags(cmd *cobra.Command, only ...platforms.Platform) *checkRun {
	r := &checkRun{}
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.BoolVar(&r.offline, "offline", false, "Check the settings only. Nothing is sent.")
	addStrict(set, &r.strict)
	cmd.Flags().AddFlagSet(set)
	setGroup(cmd, "Check options", set)
	r.flags = settingsFlags(cmd, only...)
	return r
}

// check writes its report to standard output if there is a token, and otherwise to standard error, before the error. A person
// in front of a terminal sees the settings before the answer.
func (c *invocation) check(ctx context.Context, r *checkRun, p platforms.Platform) error {
	var report strings.Builder
	targets, err := c.resolve(ctx, r.flags, []platforms.Platform{p})
	if len(targets) == 1 {
		report.WriteString(targets[0].settingsReport(r.flags, c.width()))
	}
	if c.Terminal.Interactive {
		if err := c.printResult(report.String()); err != nil {
			return err
		}
		report.Reset()
	}
	if err == nil {
		err = c.checkToken(ctx, targets[0], r, &report)
	}
	if err != nil {
		if report.Len() > 0 {
			fmt.Fprintln(c.Stderr, report.String())
		}
		return err
	}
	return c.printResult(report.String())
}

func (c *invocation) checkToken(ctx context.Context, t target, r *checkRun, report *strings.Builder) error {
	client := c.newClient(ctx, t)
	endpoint, err := client.Endpoint(t.grant)
	if err != nil {
		return &failure{statusOf(err), []platforms.Message{t.Explain(err, t.found, t.terms)}}
	}
	report.WriteString(c.bucketReport(ctx, t, client, r.offline))
	if r.offline {
		c.printMessages(t.RemarksOnSettings(t.found, t.terms)...)
		report.WriteString(wrap("\nNo error was found in the settings. Nothing was sent. The token endpoint is "+endpoint+".", c.width()) + "\n")
		return nil
	}
	began := time.Now()
	token, err := c.token(ctx, client, t, r.strict)
	if err != nil {
		return err
	}
	took := time.Since(began)
	rows := [][]string{{"from", endpoint + ", after " + took.Round(time.Millisecond).String()}, {"valid", validity(token)}}
	if token.Obtained().Before(began) {
		rows[0][1] = "the cache, obtained " + inWords(time.Since(token.Obtained())) + " ago from " + endpoint
	}
	for _, claim := range append([]claim{{"scope", token.Scope}}, claimsOf(token)...) {
		if claim.text != "" {
			rows = append(rows, []string{claim.name, shown(claim.text)})
		}
	}
	fmt.Fprintf(report, "\nToken of %s\n%s", t.Title, table(rows, c.width()))
	return nil
}

// validity says how long a token is valid.
func validity(token clients.Token) string {
	if token.Expiry.IsZero() {
		return "for an unknown time: the platform names no lifetime"
	}
	return "for " + inWords(time.Until(token.Expiry)) + ", until " + token.Expiry.UTC().Format(time.RFC3339)
}

// checkAll checks all platforms that have settings in the environment, and reports on each in one line. The exit status is
// that of the first platform that has no token.
func (c *invocation) checkAll(cmd *cobra.Command, r *checkRun) error {
	var rows [][]string
	var failed *failure
	general := r.flags.groups[0]
	for _, p := range platforms.All {
		if !c.hasSettings(p) {
			continue
		}
		own := slices.DeleteFunc(slices.Clone(p.Inputs), isGeneral)
		r.flags.groups = []*group{{title: p.Title, inputs: own}, general}
		row, err := c.checkLine(cmd.Context(), r, p)
		rows = append(rows, append([]string{p.Title}, row...))
		if known := (*failure)(nil); errors.As(err, &known) {
			if known.status == statusInterrupted {
				return err
			}
			failed = joined(failed, known)
		}
	}
	switch report := table(rows, c.width()); {
	case len(rows) == 0:
		return usageError(cmd, "No platform has settings in the environment. Name one, as in: "+c.Name+" check equinix")
	case failed != nil:
		fmt.Fprintln(c.Stderr, report)
		return failed
	default:
		return c.printResult(report)
	}
}

// joined returns a failure with the status of the first one and the messages of both.
func joined(first, second *failure) *failure {
	if first == nil {
		return second
	}
	return &failure{first.status, append(first.messages, second.messages...)}
}

// hasSettings reports whether the environment has a setting that belongs to this platform.
func (c *invocation) hasSettings(p platforms.Platform) bool {
	return slices.ContainsFunc(p.Inputs, func(in platforms.Input) bool {
		return !isGeneral(in) && in.Environment != "" && c.getenv(in.Environment) != ""
	})
}

// checkLine checks one platform and returns what is to say about it.
func (c *invocation) checkLine(ctx context.Context, r *checkRun, p platforms.Platform) (row []string, err error) {
	targets, err := c.resolve(ctx, r.flags, []platforms.Platform{p})
	if err != nil {
		return []string{"wrong settings", "nothing was sent, see below"}, err
	}
	t := targets[0]
	client := c.newClient(ctx, t)
	endpoint, err := client.Endpoint(t.grant)
	switch {
	case err != nil:
		return []string{"wrong settings", "nothing was sent, see below"}, &failure{statusOf(err), []platforms.Message{t.Explain(err, t.found, t.terms)}}
	case r.offline:
		return []string{"settings complete", "nothing was sent"}, nil
	}
	token, err := c.token(ctx, client, t, r.strict)
	if err != nil {
		return []string{"no token", endpoint + ", see below"}, err
	}
	return []string{"token", "valid " + validity(token)}, nil
}

// settingsReport lists all settings that the request uses, and where each comes from. It also lists those of a client that are
// set and not used, such as a client in the environment beside a token exchange. It shows neither secrets nor invalid values.
func (t target) settingsReport(f *flags, width int) string {
	var rows [][]string
	for _, in := range slices.Concat(f.groups[0].inputs, f.groups[1].inputs) {
		set, used := t.found[in.Name]
		if isGeneral(in) {
			set, _ = platforms.LookUp(in, t.sources...)
			used = true
		}
		unused, _ := platforms.LookUp(in, t.sources...)
		switch {
		case !used && (unused.Value.IsZero() || unused.From == platforms.FromDefault || !in.Client && in.Except == ""):
		case !used: // a client, which the user may expect to take part
			rows = append(rows, []string{in.Name, "not used", "from " + t.origin(in, unused)})
		case !set.Value.IsZero():
			rows = append(rows, []string{in.Name, t.displayed(in, set), "from " + t.origin(in, set)})
		case slices.ContainsFunc(t.missing, func(missing platforms.Input) bool { return missing.Name == in.Name }):
			rows = append(rows, []string{in.Name, "MISSING", "set " + t.terms.Input(in)})
		default:
			rows = append(rows, []string{in.Name, "not set", t.terms.Input(in)})
		}
	}
	return "Settings of " + t.Title + "\n" + table(rows, width)
}

// displayed returns what a log may show of a setting. Of a required setting that is not secret, such as a client id, it
// shows only the length.
func (t target) displayed(in platforms.Input, set platforms.Setting) string {
	needed := !in.Optional && in.Default == "" && in.Name != t.URL
	switch {
	case in.Wrong(platforms.Value{Secret: set.Value}) != "":
		return "not accepted"
	case in.Secret || takesFile(in):
		return "set"
	case in.Name == platforms.TokenCacheDir.Name && !isCache(set.Value.Reveal()):
		return "not usable"
	case needed && !isGeneral(in):
		return "set, " + count(int64(utf8.RuneCountInString(set.Value.Reveal())), "character")
	default:
		return shown(set.Value.Reveal())
	}
}

// isCache reports whether a directory can hold the token cache. One that is not there yet is not made for that.
func isCache(dir string) bool {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return true
	}
	directory, err := cache.Open(dir)
	if err != nil {
		return false
	}
	return directory.Close() == nil
}

// origin returns where a setting comes from, with the name of the variable or of the flag.
func (t target) origin(in platforms.Input, set platforms.Setting) string {
	switch set.From {
	case platforms.FromEnvironment:
		return string(set.From) + " (" + in.Environment + ")"
	case platforms.FromDefault, platforms.FromOthers, platforms.FromHCP:
		return string(set.From)
	default:
		return string(set.From) + " (" + t.terms.Setting(in) + ")"
	}
}

// claim is one line of the report about the token.
type claim struct{ name, text string }

// claimsOf returns claims of a JSON Web Token (RFC 7519), for a person to read. The signature is not verified. A token in
// another format has no claims.
func claimsOf(token clients.Token) []claim {
	parts := strings.Split(token.AccessToken.Reveal(), ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var body struct {
		Issuer   string `json:"iss"`
		Audience any    `json:"aud"`
		Subject  string `json:"sub"`
	}
	if err != nil || json.Unmarshal(payload, &body) != nil {
		return nil
	}
	const unverified = " (read from the token, not verified)"
	var audiences []string
	switch audience := body.Audience.(type) {
	case string:
		audiences = []string{audience}
	case []any:
		for _, one := range audience {
			audiences = append(audiences, fmt.Sprint(one))
		}
	}
	var claims []claim
	for _, c := range []claim{{"iss", body.Issuer}, {"aud", strings.Join(audiences, ", ")}, {"sub", body.Subject}} {
		if c.text != "" {
			claims = append(claims, claim{c.name, shown(c.text) + unverified})
		}
	}
	return claims
}

// shown makes a text from outside safe to print: one line, at most 300 characters, no control characters.
func shown(text string) string {
	const most = 300
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
