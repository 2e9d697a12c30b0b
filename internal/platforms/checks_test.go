// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// A front end and the engine refuse the same values, in the same words.
func TestGrantsRefuseWhatInputsRefuse(t *testing.T) { // C15, C17
	for _, platform := range All {
		for _, in := range platform.Inputs {
			if in.Name == MinValidity.Name { // no part of a grant
				continue
			}
			refused := 0
			for what, value := range map[string]string{
				"a control character": "CANARY\x00", "no UTF-8": "CANARY\xff", "one byte too many": strings.Repeat("x", 8193),
			} {
				found := Settings{"grant_type": {clients.NewSecret(in.Grant), here}}
				found[in.Name] = Setting{clients.NewSecret(value), here}
				text := in.Check(found.Secret(in.Name))
				if text == "" {
					continue
				}
				refused++
				_, err := clients.New(clients.Options{}).Token(t.Context(), platform.Grant(found), 0)
				if err == nil || !strings.Contains(err.Error(), in.Name+" "+text) || strings.Contains(err.Error(), "CANARY") {
					t.Errorf("%s.%s: %s: the input %s, and the grant says %v", platform.Name, in.Name, what, text, err)
				}
			}
			if refused == 0 {
				t.Errorf("%s.%s accepts anything", platform.Name, in.Name)
			}
		}
	}
}
