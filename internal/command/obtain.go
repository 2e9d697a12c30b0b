// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// terms returns the words of messages on the command line. prefix starts the names of the platform's flags.
func terms(prefix string) platforms.Terms {
	name := func(in platforms.Input) string {
		switch {
		case isGeneral(in):
			return "--" + flagName(in)
		case in.Argument:
			return "--" + prefix + dashedName(in) + " or --" + prefix + flagName(in)
		}
		return "--" + prefix + flagName(in)
	}
	return platforms.Terms{
		Input: func(in platforms.Input) string {
			if in.Environment == "" {
				return name(in)
			}
			return name(in) + " (" + in.Environment + ")"
		},
		Setting: name,
		Places: func(_ platforms.Platform, also platforms.Places) string {
			if also.Environment {
				return "with a flag, or in the environment"
			}
			return "with a flag"
		},
		Notes: func(in platforms.Input) []string {
			return slices.DeleteFunc([]string{name(in), in.Environment}, func(s string) bool { return s == "" })
		},
		Once:  true,
		Words: words,
	}
}

// words are the command's words in the texts of the platforms.
var words = platforms.Words{
	Program: "ixtoken",
	Trim:    "A line break at the end is dropped by $(cat FILE), and by the flags that read a file.",
	Encode:  `This command encodes a password: printf %s "$PASSWORD" | openssl md5 -binary | base64`,
	Home:    `use "$HOME/…", which a shell expands`,
	Reused:  "A refresh token works once.",
}

// target is one platform with its settings.
type target struct {
	platforms.Platform
	terms   platforms.Terms
	sources []platforms.Source
	found   platforms.Settings
	missing []platforms.Input
	grant   clients.Grant // nil if the settings are not valid
}

// resolve looks up and checks the settings of the platforms. The error names all mistakes at once. With such an error, it
// returns the settings too, so that check can show them.
func (c *invocation) resolve(ctx context.Context, f *flags, all []platforms.Platform) (targets []target, err error) {
	if err := f.load(ctx, c); err != nil {
		if ctx.Err() != nil {
			return nil, &failure{status: statusInterrupted}
		}
		return nil, err
	}
	var wrong []platforms.Message
	for i, p := range all {
		t := target{Platform: p, terms: terms(f.groups[i].prefix), sources: f.sources(c, i)}
		var bad platforms.Problems
		t.found, bad = p.Resolve(t.sources...)
		t.missing = bad.Missing
		_, invalid, _ := p.Validate(f.flagSource(i))
		invalid = slices.Concat(bad.Invalid, invalid)
		if i == 0 {
			invalid = append(invalid, f.invalidGeneral(t.sources)...)
		}
		invalid = firstPerInput(invalid)
		if len(bad.Missing) > 0 {
			wrong = append(wrong, p.ExplainMissing(bad.Missing, t.terms))
		}
		wrong = append(wrong, p.ExplainInvalid(invalid, t.terms)...)
		if len(bad.Missing)+len(invalid) == 0 {
			t.grant = p.Grant(t.found)
		}
		targets = append(targets, t)
	}
	if len(wrong) > 0 {
		return targets, &failure{statusUsage, wrong}
	}
	return targets, nil
}

// firstPerInput keeps the first fault of each input.
func firstPerInput(faults []platforms.Invalid) []platforms.Invalid {
	seen := map[string]bool{}
	return slices.DeleteFunc(faults, func(fault platforms.Invalid) bool {
		repeated := seen[fault.Input.Name]
		seen[fault.Input.Name] = true
		return repeated
	})
}

// flagSource returns the values of one platform's flags as a source, whether they come from the command line or from files.
// own is the index of the platform's group.
func (f *flags) flagSource(own int) platforms.Source {
	g := f.groups[own]
	return platforms.Source{Origin: fromCommandLine, Value: func(in platforms.Input) platforms.Value {
		return platforms.Value{Secret: g.read[in.Name].Value}
	}}
}

// options returns the client's options for the general settings. When interrupted is closed, the client sends nothing more.
func (c *invocation) options(t target, interrupted <-chan struct{}) clients.Options {
	options := clients.Options{UserAgent: c.UserAgent, Interrupted: interrupted, Getenv: c.getenv, Logger: slog.New(logger{c})}
	_, said := platforms.Configure(&options, words, t.sources...)
	c.printMessages(said...)
	return options
}

// newClient returns a client for the general settings. When ctx ends, it sends nothing more.
func (c *invocation) newClient(ctx context.Context, t target) *clients.Client {
	return clients.New(c.options(t, ctx.Done()))
}

// token obtains one token and prints the warnings about it. With strict, a token that is valid for less than min_validity is
// an error.
func (c *invocation) token(ctx context.Context, client *clients.Client, t target, strict bool) (clients.Token, error) {
	c.printMessages(t.RemarksOnSettings(t.found, t.terms)...)
	token, err := client.Token(ctx, t.grant, t.found.MinValidity())
	if err != nil {
		return clients.Token{}, &failure{statusOf(err), []platforms.Message{t.Explain(err, t.found, t.terms)}}
	}
	c.printMessages(t.RemarksOnToken(t.found, token, words)...)
	if strict && time.Until(token.Expiry) < t.found.MinValidity() {
		return clients.Token{}, newFailure(statusShortLived, sectionStrict, "The "+t.Title+" access token was not handed out", "It may be valid for less than --min-validity, and --strict makes this an error.")
	}
	return token, nil
}
