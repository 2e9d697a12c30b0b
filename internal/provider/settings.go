// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// settings are the values of a platform's inputs for one block.
type settings map[string]setting

// setting is a value and where it comes from. All values are kept as secrets: what cannot be printed need not be told
// apart.
type setting struct {
	value clients.Secret
	from  origin
}

// origin is a place from which a value comes, in the words of a diagnostic.
type origin string

const (
	inBlock         origin = "this block"
	inProviderBlock origin = "the provider block"
	inEnvironment   origin = "the environment"
	byDefault       origin = "the default"
)

func (s settings) secret(name string) clients.Secret { return s[name].value }

func (s settings) text(name string) string { return s[name].value.Reveal() }

func (s settings) has(name string) bool { return !s[name].value.IsZero() }

// grantType is the one in the block, or the one that follows from what is set. The password grant never follows.
func (s settings) grantType() string {
	switch {
	case s.has("grant_type"):
		return s.text("grant_type")
	case s.has("previous_refresh_token"):
		return clients.RefreshToken
	default:
		return clients.ClientCredentials
	}
}

// values are the attributes of a block or of an object in it, by name.
type values map[string]attr.Value

// read returns an attribute's value as the wire has it; known is false where it is decided in the apply only. An
// attribute that is null, "" or [] is the zero Secret: all of them count as unset.
func (v values) read(in input) (value clients.Secret, known bool) {
	switch value := v[in.name].(type) {
	case types.String:
		return clients.NewSecret(value.ValueString()), !value.IsUnknown()
	case types.List:
		var items []string
		for _, item := range value.Elements() {
			text, ok := item.(types.String)
			if !ok || text.IsUnknown() {
				return clients.Secret{}, false
			}
			if text.ValueString() != "" {
				items = append(items, text.ValueString())
			}
		}
		return clients.NewSecret(strings.Join(items, " ")), !value.IsUnknown()
	}
	return clients.Secret{}, true
}

// problems are what keeps a block from being resolved. Each list becomes one diagnostic.
type problems struct {
	missing []input // required, and set nowhere
	unknown []input // set in the provider block to a value that is known in the apply only
	invalid []fault
}

// fault is what is wrong with one input's value.
type fault struct {
	in   input
	from origin
	text string
}

// resolve looks up every input: the block, the provider block, the environment, the default.
func (p platform) resolve(block, general values) (settings, problems) {
	found := settings{}
	var bad problems
	for _, in := range p.inputs {
		value, known := lookUp(in, place{inBlock, block}, place{inProviderBlock, general})
		if !known {
			bad.unknown = append(bad.unknown, in)
		}
		found[in.name] = value
	}
	grantType := found.grantType()
	for _, in := range p.inputs {
		switch used := in.grant == "" || in.grant == grantType; {
		case !used:
			delete(found, in.name)
		case found.has(in.name):
			if text := in.check(found.secret(in.name)); text != "" {
				bad.invalid = append(bad.invalid, fault{in, found[in.name].from, text})
			}
		case !in.optional && !slices.ContainsFunc(bad.unknown, in.is):
			bad.missing = append(bad.missing, in)
		}
	}
	bad.unknown = slices.DeleteFunc(bad.unknown, func(in input) bool { return in.grant != "" && in.grant != grantType })
	return found, bad
}

func (in input) is(other input) bool { return in.name == other.name }

// place is a block in which a value may be set.
type place struct {
	origin
	values
}

// lookUp returns the first value that is set: in the places, in their order, in the environment, or the default.
func lookUp(in input, places ...place) (found setting, known bool) {
	for _, place := range places {
		if value, known := place.read(in); !known || !value.IsZero() {
			return setting{value, place.origin}, known
		}
	}
	if in.environment != "" {
		if text := os.Getenv(in.environment); text != "" {
			return setting{clients.NewSecret(text), inEnvironment}, true
		}
	}
	return setting{clients.NewSecret(in.fallback), byDefault}, true
}

// validate finds what is wrong with the values of one block alone, as far as they are known. stored tells a data source.
func (p platform) validate(block values, stored bool) []fault {
	var faults []fault
	set := settings{}
	decided := true
	for _, in := range p.inputs {
		value, known := block.read(in)
		if !known {
			decided = decided && in.name != "grant_type" && in.name != "previous_refresh_token"
			continue
		}
		set[in.name] = setting{value, inBlock}
		if !value.IsZero() {
			if text := in.check(value); text != "" {
				faults = append(faults, fault{in, inBlock, text})
			}
		}
	}
	if !decided || len(faults) > 0 {
		return faults
	}
	grantType := set.grantType()
	for _, in := range p.inputs {
		switch {
		case in.grant == "":
		case in.grant == grantType:
			if stored && in.secret && in.blockOnly {
				faults = append(faults, fault{input{name: "grant_type"}, inBlock, fmt.Sprintf("cannot be %q in a data source, which must not hold %s: use the ephemeral resource of the same name", grantType, in.name)})
			}
		case set.has(in.name):
			faults = append(faults, fault{in, inBlock, fmt.Sprintf("is for grant_type = %q alone, and the grant type here is %q", in.grant, grantType)})
		}
	}
	return faults
}

// leastValidity is min_validity, which has been checked.
func (s settings) leastValidity() time.Duration {
	least, _ := time.ParseDuration(s.text(minValidity.name))
	return least
}

// minValidity is an input of every platform. In the provider block it stands beside the platforms' objects.
var minValidity = input{
	name:        "min_validity",
	description: "The least time that the token must still be valid when it is handed out, such as `5m` or `1h30m`; at most `24h`. A platform may grant less: then there is a warning that says how much is left.",
	fallback:    "5m",
	blockOnly:   true,
	optional:    true,
	check:       checkDuration(0, 24*time.Hour, "5m"),
}

func checkText(value clients.Secret) string {
	text := value.Reveal()
	switch {
	case len(text) > 4096:
		return "is longer than 4096 bytes"
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has a line break or another control character"
	}
	return ""
}

func checkSecret(value clients.Secret) string {
	if len(value.Reveal()) > 8192 {
		return "is longer than 8192 bytes"
	}
	return ""
}

func checkURL(value clients.Secret) string {
	if _, err := clients.ParseURL(value.Reveal()); err != nil {
		return "is not accepted: " + err.Error()
	}
	return ""
}

func checkDirectory(value clients.Secret) string {
	if strings.HasPrefix(value.Reveal(), "~") {
		return `starts with "~", which nothing expands: use pathexpand("~/…"), or $HOME in a shell`
	}
	return checkText(value)
}

func checkAPIVersion(value clients.Secret) string {
	return strings.TrimPrefix(clients.CheckAPIVersion(value.Reveal()), "api_version ")
}

func checkOneOf(allowed ...string) func(clients.Secret) string {
	return func(value clients.Secret) string {
		if slices.Contains(allowed, value.Reveal()) {
			return ""
		}
		return `must be "` + strings.Join(allowed, `" or "`) + `"`
	}
}

func checkDuration(least, most time.Duration, example string) func(clients.Secret) string {
	return func(value clients.Secret) string {
		duration, err := time.ParseDuration(value.Reveal())
		if err != nil || duration < least || duration > most {
			return fmt.Sprintf("must be a duration from %s to %s with its unit, such as %q", brief(least), brief(most), example)
		}
		return ""
	}
}
