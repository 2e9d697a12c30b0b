// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

func (c *invocation) checkCommand() *cobra.Command {
	return c.perPlatform("check PLATFORM", "Shows where the settings come from, and obtains a token to test them",
		"Shows where each setting comes from, obtains a token to test them, and shows the token's lifetime, scope and claims.\nThe token itself is not printed.",
		func(p platforms.Platform) *cobra.Command {
			cmd := &cobra.Command{
				Use: p.Name + " [flags]", Short: p.Title, Args: noArguments, DisableFlagsInUseLine: true,
				Long: "Shows where each setting of " + p.Title + " comes from, obtains a token to test them, and shows the token's lifetime,\nscope and claims. The token itself is not printed.",
			}
			var offline, strict bool
			set := pflag.NewFlagSet("", pflag.ContinueOnError)
			set.BoolVar(&offline, "offline", false, "Check the settings only. Nothing is sent.")
			addStrict(set, &strict)
			cmd.Flags().AddFlagSet(set)
			setGroup(cmd, "Check options", set)
			f := settingsFlags(cmd, p)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.check(cmd.Context(), f, p, offline, strict) }
			return cmd
		})
}

// check writes its report to standard output if there is a token, and otherwise to standard error, before the error.
func (c *invocation) check(ctx context.Context, f *flags, p platforms.Platform, offline, strict bool) error {
	var report strings.Builder
	targets, err := c.resolve(ctx, f, []platforms.Platform{p})
	if len(targets) == 1 {
		report.WriteString(targets[0].settingsReport(f))
	}
	if err == nil {
		err = c.checkToken(ctx, targets[0], offline, strict, &report)
	}
	if err != nil {
		if report.Len() > 0 {
			fmt.Fprintln(c.Stderr, report.String())
		}
		return err
	}
	return c.printResult(report.String())
}

func (c *invocation) checkToken(ctx context.Context, t target, offline, strict bool, report *strings.Builder) error {
	client := c.newClient(ctx, t)
	endpoint, err := client.Endpoint(t.grant)
	if err != nil {
		return &failure{statusOf(err), []platforms.Message{t.Explain(err, t.found, t.terms)}}
	}
	report.WriteString(bucketReport(ctx, t, client, offline))
	if offline {
		c.printMessages(t.RemarksOnSettings(t.found, t.terms)...)
		fmt.Fprintf(report, "\nNo error was found in the settings. Nothing was sent. The token endpoint is %s.\n", endpoint)
		return nil
	}
	began := time.Now()
	token, err := c.token(ctx, client, t, strict)
	if err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintf(report, "\nToken of %s\n", t.Title)
	table := tabwriter.NewWriter(report, 0, 0, 2, ' ', 0)
	if token.Obtained().Before(began) {
		fmt.Fprintf(table, "  from\tthe cache, obtained %s ago from %s\n", platforms.Brief(time.Since(token.Obtained()).Round(time.Second)), endpoint)
	} else {
		fmt.Fprintf(table, "  from\t%s, after %s\n", endpoint, took.Round(time.Millisecond))
	}
	if token.Expiry.IsZero() {
		fmt.Fprintf(table, "  valid\tfor an unknown time: the platform names no lifetime\n")
	} else {
		fmt.Fprintf(table, "  valid\tfor %s, until %s\n", platforms.Brief(time.Until(token.Expiry).Truncate(time.Second)), token.Expiry.UTC().Format(time.RFC3339))
	}
	for _, claim := range append([]claim{{"scope", token.Scope}}, claimsOf(token)...) {
		if claim.text != "" {
			fmt.Fprintf(table, "  %s\t%s\n", claim.name, printable(claim.text))
		}
	}
	return table.Flush()
}

// settingsReport lists the settings and where each comes from. It shows neither secrets nor invalid values.
func (t target) settingsReport(f *flags) string {
	var text strings.Builder
	fmt.Fprintf(&text, "Settings of %s\n", t.Title)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, in := range slices.Concat(f.groups[0].inputs, f.groups[1].inputs) {
		set := t.found[in.Name]
		if isGeneral(in) {
			set, _ = platforms.LookUp(in, t.sources...)
		}
		if !set.Value.IsZero() {
			fmt.Fprintf(table, "  %s\t%s\tfrom %s\n", in.Name, t.displayed(in, set), t.origin(in, set))
		}
	}
	_ = table.Flush()
	return text.String()
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
	case needed && !isGeneral(in):
		return fmt.Sprintf("set, %d characters", utf8.RuneCountInString(set.Value.Reveal()))
	default:
		return printable(set.Value.Reveal())
	}
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
			claims = append(claims, claim{c.name, printable(c.text) + unverified})
		}
	}
	return claims
}

// printable makes a text from outside safe to print: one line, at most 300 characters, no control characters.
func printable(text string) string {
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
