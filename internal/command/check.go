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

func (c *call) checkCommand() *cobra.Command {
	return c.parent("check PLATFORM", "Says where the settings come from, and whether they bring a token",
		"Says where each setting comes from, obtains a token, and says how long it lives and what it is for. The token is not printed.",
		func(p platforms.Platform) *cobra.Command {
			cmd := &cobra.Command{
				Use: p.Name + " [flags]", Short: p.Title, Args: none, DisableFlagsInUseLine: true,
				Long: "Says where each setting of " + p.Title + " comes from, obtains a token, and says how long it lives and what it is for.\nThe token is not printed.",
			}
			var offline, strict bool
			set := pflag.NewFlagSet("", pflag.ContinueOnError)
			set.BoolVar(&offline, "offline", false, "Check the settings, and send nothing.")
			addStrict(set, &strict)
			cmd.Flags().AddFlagSet(set)
			grouped(cmd, "The check", set)
			f := settingsFlags(cmd, p)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.check(cmd.Context(), f, p, offline, strict) }
			return cmd
		})
}

// check writes its report to standard output if all is well, and to standard error, before the error, if not.
func (c *call) check(ctx context.Context, f *flags, p platforms.Platform, offline, strict bool) error {
	var report strings.Builder
	settled, err := c.settle(ctx, f, []platforms.Platform{p})
	if len(settled) == 1 {
		report.WriteString(settled[0].report(f))
	}
	if err == nil {
		err = c.checkToken(ctx, settled[0], offline, strict, &report)
	}
	if err != nil {
		if report.Len() > 0 {
			fmt.Fprintln(c.Stderr, report.String())
		}
		return err
	}
	return c.print(report.String())
}

func (c *call) checkToken(ctx context.Context, a asked, offline, strict bool, report *strings.Builder) error {
	client := c.engine(ctx, a)
	endpoint, err := client.Endpoint(a.grant)
	if err != nil {
		return &failure{statusOf(err), []platforms.Message{a.Explain(err, a.found, a.terms)}}
	}
	if offline {
		c.say(a.RemarksOnSettings(a.found, a.terms)...)
		fmt.Fprintf(report, "\nNo mistake was found. Nothing was sent. A token would be asked for at %s.\n", endpoint)
		return nil
	}
	began := time.Now()
	token, err := c.token(ctx, client, a, strict)
	if err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintf(report, "\nToken of %s\n", a.Title)
	table := tabwriter.NewWriter(report, 0, 0, 2, ' ', 0)
	if token.Obtained().Before(began) {
		fmt.Fprintf(table, "  from\tthe cache; it was obtained %s ago, from %s\n", platforms.Brief(time.Since(token.Obtained()).Round(time.Second)), endpoint)
	} else {
		fmt.Fprintf(table, "  from\t%s, after %s\n", endpoint, took.Round(time.Millisecond))
	}
	if token.Expiry.IsZero() {
		fmt.Fprintf(table, "  valid\tthe platform does not say for how long\n")
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

// report says where each setting comes from. It shows no secret, and no value that was not accepted.
func (a asked) report(f *flags) string {
	var text strings.Builder
	fmt.Fprintf(&text, "Settings of %s\n", a.Title)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, in := range slices.Concat(f.groups[0].inputs, f.groups[1].inputs) {
		set := a.found[in.Name]
		if general(in) {
			set, _ = platforms.LookUp(in, a.sources...)
		}
		if !set.Value.IsZero() {
			fmt.Fprintf(table, "  %s\t%s\tfrom %s\n", in.Name, a.shown(in, set), a.place(in, set))
		}
	}
	_ = table.Flush()
	return text.String()
}

// shown is a setting as far as a log may have it.
func (a asked) shown(in platforms.Input, set platforms.Setting) string {
	needed := !in.Optional && in.Default == "" && in.Name != a.URL
	switch {
	case in.Wrong(platforms.Value{Secret: set.Value}) != "":
		return "not accepted"
	case in.Secret || inFile(in):
		return "set"
	case needed && !general(in):
		return fmt.Sprintf("set, %d characters", utf8.RuneCountInString(set.Value.Reveal()))
	default:
		return printable(set.Value.Reveal())
	}
}

// place is where a setting comes from, with the name of the variable or of the flag.
func (a asked) place(in platforms.Input, set platforms.Setting) string {
	switch set.From {
	case platforms.FromEnvironment:
		return string(set.From) + " (" + in.Environment + ")"
	case platforms.FromDefault, platforms.FromOthers, platforms.FromHCP:
		return string(set.From)
	default:
		return string(set.From) + " (" + a.terms.Setting(in) + ")"
	}
}

// claim is what a token says about itself.
type claim struct{ name, text string }

// claimsOf reads a JWT (RFC 7519). Nothing in it is verified: it is for a person to look at. Another token has no claims.
func claimsOf(token clients.Token) []claim {
	parts := strings.Split(token.AccessToken.Reveal(), ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var said struct {
		Issuer   string `json:"iss"`
		Audience any    `json:"aud"`
		Subject  string `json:"sub"`
	}
	if err != nil || json.Unmarshal(payload, &said) != nil {
		return nil
	}
	const unverified = " (read from the token, not verified)"
	var audiences []string
	switch audience := said.Audience.(type) {
	case string:
		audiences = []string{audience}
	case []any:
		for _, one := range audience {
			audiences = append(audiences, fmt.Sprint(one))
		}
	}
	var claims []claim
	for _, c := range []claim{{"iss", said.Issuer}, {"aud", strings.Join(audiences, ", ")}, {"sub", said.Subject}} {
		if c.text != "" {
			claims = append(claims, claim{c.name, printable(c.text) + unverified})
		}
	}
	return claims
}

// printable is a text from outside in one line, of bounded length, without what a terminal would act on.
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
