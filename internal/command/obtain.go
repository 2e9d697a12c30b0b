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

// terms are what the command line calls things. prefix is that of the platform's flags.
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
		Places:  func(platforms.Platform) string { return "with a flag, or in the environment" },
		Notes: func(in platforms.Input) []string {
			return slices.DeleteFunc([]string{name(in), in.Environment}, func(s string) bool { return s == "" })
		},
		Trim: "$(cat FILE) leaves it out, and so do the flags that name a file.",
	}
}

// target is what is target of one platform: the settings, which are complete and checked.
type target struct {
	platforms.Platform
	terms   platforms.Terms
	sources []platforms.Source
	found   platforms.Settings
	grant   clients.Grant
}

// resolve looks up and checks the settings of the platforms. All that is wrong is told at once; the settings are returned
// all the same.
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
		_, invalid, _ := p.Validate(f.flagSource(i))
		invalid = slices.Concat(bad.Invalid, invalid)
		if i == 0 {
			invalid = append(invalid, f.invalidGeneral()...)
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

// firstPerInput leaves one fault for each input.
func firstPerInput(faults []platforms.Invalid) []platforms.Invalid {
	seen := map[string]bool{}
	return slices.DeleteFunc(faults, func(fault platforms.Invalid) bool {
		before := seen[fault.Input.Name]
		seen[fault.Input.Name] = true
		return before
	})
}

// flagSource is the source of what the flags of one platform say, wherever that stands.
func (f *flags) flagSource(own int) platforms.Source {
	g := f.groups[own]
	return platforms.Source{Origin: fromCommandLine, Value: func(in platforms.Input) platforms.Value {
		return platforms.Value{Secret: g.read[in.Name].Value}
	}}
}

// options are those of the engine: what the general settings say, and when to send nothing more.
func (c *invocation) options(t target, interrupted <-chan struct{}) clients.Options {
	options := clients.Options{UserAgent: c.UserAgent, Interrupted: interrupted, Logger: slog.New(logger{c})}
	_, said := platforms.Configure(&options, t.sources...)
	c.printMessages(said...)
	return options
}

// newClient makes the client that the general settings describe.
func (c *invocation) newClient(ctx context.Context, t target) *clients.Client {
	return clients.New(c.options(t, ctx.Done()))
}

// token obtains one token. Where strict is set, a token that is valid for less than min_validity is an error.
func (c *invocation) token(ctx context.Context, client *clients.Client, t target, strict bool) (clients.Token, error) {
	c.printMessages(t.RemarksOnSettings(t.found, t.terms)...)
	token, err := client.Token(ctx, t.grant, t.found.MinValidity())
	if err != nil {
		return clients.Token{}, &failure{statusOf(err), []platforms.Message{t.Explain(err, t.found, t.terms)}}
	}
	c.printMessages(t.RemarksOnToken(t.found, token)...)
	if strict && time.Until(token.Expiry) < t.found.MinValidity() {
		return clients.Token{}, newFailure(statusShortLived, sectionStrict, "The "+t.Title+" access token was not handed out", "--strict makes an error of a token that may be valid for less than --min-validity.")
	}
	return token, nil
}
