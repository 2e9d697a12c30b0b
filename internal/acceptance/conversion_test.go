// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// schemas are the provider's schemas as the CLI prints them.
type schemas struct {
	Provider   blockSchema            `json:"provider"`
	Ephemerals map[string]blockSchema `json:"ephemeral_resource_schemas"`
	Data       map[string]blockSchema `json:"data_source_schemas"`
}

type blockSchema struct {
	Block struct {
		Attributes map[string]attributeSchema `json:"attributes"`
	} `json:"block"`
}

type attributeSchema struct {
	Type       any  `json:"type"`
	Optional   bool `json:"optional"`
	NestedType *struct {
		Attributes map[string]attributeSchema `json:"attributes"`
	} `json:"nested_type"`
}

// oddValues are values of each type that the CLI accepts and a conversion might reject.
var oddValues = map[string][]string{
	`"number"`:          {"1.5", "1e30", "-1e30", "1e400", "0.1", "3.00000000000000000000000000001", `"1.5"`, "log(0, 10)", "null", "9223372036854775808"},
	`"bool"`:            {"null", "true", "false", `"true"`, `"false"`},
	`"string"`:          {"null", "1e30", "true", `""`, `"\u0000"`, `"\ufeff"`},
	`["list","string"]`: {"null", "[]", "[null]", `["a", null]`, `[""]`, `["\u0000"]`, "[1e30, true]"},
	`["map","string"]`:  {"null", "{}", "{ a = null }", `{ a = "" }`, `{ "" = "x" }`, "{ a = 1e30, b = true }", `{ a = "\u0000" }`},
	"null":              nil, // a nested object
}

// Every value that the CLI accepts reaches the provider's checks. No conversion of the framework rejects it first.
func TestNoConversionStandsBeforeTheChecks(t *testing.T) { // C09, C11
	t.Parallel()
	s := newFixture(t)
	s.configure("")
	var all struct {
		Providers map[string]schemas `json:"provider_schemas"`
	}
	if err := json.Unmarshal([]byte(s.must("providers", "schema", "-json").Stdout), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Providers) != 1 {
		t.Fatalf("%d providers", len(all.Providers))
	}
	tried := map[string]bool{}
	for _, found := range all.Providers {
		for round := range 10 {
			blocks := ""
			for kind, named := range map[string]map[string]blockSchema{"ephemeral": found.Ephemerals, "data": found.Data} {
				for name, block := range named {
					blocks += kind + " \"" + name + "\" \"t\" {\n  provider = ixtoken\n" + setOdd(t, tried, round, block.Block.Attributes) + "}\n"
				}
			}
			provider := "provider \"ixtoken\" {\n" + setOdd(t, tried, round, found.Provider.Block.Attributes) + "}\n"
			for _, config := range []string{provider + interxionBlock, blocks} { // separately: an error in the provider block hides those in blocks
				s.configure(config)
				r := s.report("plan")
				for i, d := range append(r.errors, r.warnings...) {
					if !fromProvider(d.Summary) {
						t.Errorf("not one of the provider's diagnostics: %s\nof %s", d.text(), config)
					}
					if i < len(r.errors) && slices.ContainsFunc(r.errors[:i], func(other diagnostic) bool { return other.text() == d.text() && other.Address == d.Address }) {
						t.Errorf("said twice: %s\nof %s", d.text(), config)
					}
				}
			}
		}
	}
	if len(tried) != len(oddValues) {
		t.Errorf("of the types %v, only %v were tried", oddValues, tried)
	}
}

// setOdd sets each attribute to the odd value of its type for this round.
func setOdd(t *testing.T, tried map[string]bool, round int, attributes map[string]attributeSchema) string {
	t.Helper()
	lines := ""
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		attribute := attributes[name]
		kind, err := json.Marshal(attribute.Type)
		if err != nil {
			t.Fatal(err)
		}
		values := oddValues[string(kind)]
		if attribute.NestedType != nil {
			values = []string{"null", "{}", "{\n" + setOdd(t, tried, round, attribute.NestedType.Attributes) + "}"}
		}
		if !attribute.Optional {
			continue
		}
		if values == nil {
			t.Fatalf("no odd values for %s, of type %s", name, kind)
		}
		tried[string(kind)] = true
		lines += name + " = " + values[min(round, len(values)-1)] + "\n"
	}
	return lines
}

// An invalid number causes one error, with the provider's text.
func TestAnOddNumberIsOneErrorOfTheProvider(t *testing.T) { // C09
	t.Parallel()
	var refusals []refusal
	for _, number := range []string{"1.5", "1e30", "-1", "11", "3.00000000000000000000000000001", "log(0, 10)", `"0.5"`} {
		refusals = append(refusals, refusal{
			name: number, want: []string{"Invalid provider configuration: max_retries\n", "whole number from 0 to 10"},
			config: "provider \"ixtoken\" {\n  max_retries = " + number + "\n}\n" + interxionBlock,
		})
	}
	newFixture(t).wantRefused("", refusals)
}
