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
		case general(in):
			return "--" + flagName(in)
		case in.Argument:
			return "--" + prefix + attribute(in) + " or --" + prefix + flagName(in)
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

// asked is what is asked of one platform: the settings, which are complete and checked.
type asked struct {
	platforms.Platform
	terms   platforms.Terms
	sources []platforms.Source
	found   platforms.Settings
	grant   clients.Grant
}

// settle looks up and checks the settings of the platforms. All that is wrong is told at once; the settings are returned
// all the same.
func (c *call) settle(ctx context.Context, f *flags, all []platforms.Platform) (settled []asked, err error) {
	if err := f.load(ctx, c); err != nil {
		if ctx.Err() != nil {
			return nil, &failure{status: statusInterrupted}
		}
		return nil, err
	}
	var wrong []platforms.Message
	for i, p := range all {
		a := asked{Platform: p, terms: terms(f.groups[i].prefix), sources: f.sources(c, i)}
		var bad platforms.Problems
		a.found, bad = p.Resolve(a.sources...)
		_, invalid, _ := p.Validate(f.given(i))
		invalid = slices.Concat(bad.Invalid, invalid)
		if i == 0 {
			invalid = append(invalid, f.wrong()...)
		}
		invalid = once(invalid)
		if len(bad.Missing) > 0 {
			wrong = append(wrong, p.ExplainMissing(bad.Missing, a.terms))
		}
		wrong = append(wrong, p.ExplainInvalid(invalid, a.terms)...)
		if len(bad.Missing)+len(invalid) == 0 {
			a.grant = p.Grant(a.found)
		}
		settled = append(settled, a)
	}
	if len(wrong) > 0 {
		return settled, &failure{statusUsage, wrong}
	}
	return settled, nil
}

// once leaves one fault for each input.
func once(faults []platforms.Invalid) []platforms.Invalid {
	seen := map[string]bool{}
	return slices.DeleteFunc(faults, func(fault platforms.Invalid) bool {
		before := seen[fault.Input.Name]
		seen[fault.Input.Name] = true
		return before
	})
}

// given is the source of what the flags of one platform say, wherever that stands.
func (f *flags) given(own int) platforms.Source {
	g := f.groups[own]
	return platforms.Source{Origin: fromLine, Value: func(in platforms.Input) platforms.Value {
		return platforms.Value{Secret: g.read[in.Name].Value}
	}}
}

// options are those of the engine: what the general settings say, and when to send nothing more.
func (c *call) options(a asked, interrupted <-chan struct{}) clients.Options {
	options := clients.Options{UserAgent: c.UserAgent, Interrupted: interrupted, Getenv: c.getenv, Logger: slog.New(logger{c})}
	_, said := platforms.Configure(&options, a.sources...)
	c.say(said...)
	return options
}

// engine makes the client that the general settings describe.
func (c *call) engine(ctx context.Context, a asked) *clients.Client {
	return clients.New(c.options(a, ctx.Done()))
}

// token obtains one token. Where strict is set, a token that is valid for less than min_validity is an error.
func (c *call) token(ctx context.Context, client *clients.Client, a asked, strict bool) (clients.Token, error) {
	c.say(a.RemarksOnSettings(a.found, a.terms)...)
	token, err := client.Token(ctx, a.grant, a.found.MinValidity())
	if err != nil {
		return clients.Token{}, &failure{statusOf(err), []platforms.Message{a.Explain(err, a.found, a.terms)}}
	}
	c.say(a.RemarksOnToken(a.found, token)...)
	if strict && time.Until(token.Expiry) < a.found.MinValidity() {
		return clients.Token{}, failed(statusShort, aboutStrict, "The "+a.Title+" access token was not handed out", "--strict makes an error of a token that may be valid for less than --min-validity.")
	}
	return token, nil
}
