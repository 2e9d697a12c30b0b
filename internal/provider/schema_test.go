// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// A value is not known yet if it is unknown itself, or a part of it.
func TestAValueWithAnUnknownPartIsUnknown(t *testing.T) {
	known, unknown := tftypes.NewValue(tftypes.String, "a"), tftypes.NewValue(tftypes.String, tftypes.UnknownValue)
	texts, list := tftypes.Map{ElementType: tftypes.String}, tftypes.List{ElementType: tftypes.String}
	for name, row := range map[string]struct {
		in    platforms.Input
		value tftypes.Value
		want  bool
	}{
		"a text":                      {platforms.Input{}, known, false},
		"an unknown text":             {platforms.Input{}, unknown, true},
		"a number":                    {platforms.Input{Number: true}, tftypes.NewValue(tftypes.Number, 1), false},
		"an unknown number":           {platforms.Input{Number: true}, tftypes.NewValue(tftypes.Number, tftypes.UnknownValue), true},
		"a map":                       {platforms.Input{Map: true}, tftypes.NewValue(texts, map[string]tftypes.Value{"x": known}), false},
		"an unknown map":              {platforms.Input{Map: true}, tftypes.NewValue(texts, tftypes.UnknownValue), true},
		"a map with an unknown item":  {platforms.Input{Map: true}, tftypes.NewValue(texts, map[string]tftypes.Value{"x": known, "y": unknown}), true},
		"a list":                      {platforms.Input{List: true}, tftypes.NewValue(list, []tftypes.Value{known}), false},
		"an unknown list":             {platforms.Input{List: true}, tftypes.NewValue(list, tftypes.UnknownValue), true},
		"a list with an unknown item": {platforms.Input{List: true}, tftypes.NewValue(list, []tftypes.Value{known, unknown}), true},
	} {
		row.in.Name = "input"
		if got := (values{"input": row.value}).read(row.in); got.Unknown != row.want {
			t.Errorf("%s: unknown is %t", name, got.Unknown)
		}
	}
	if got := (values{}).read(platforms.Input{Name: "input"}); got.Unknown || !got.Secret.IsZero() {
		t.Error("an input that the block does not have is not unset")
	}
}
