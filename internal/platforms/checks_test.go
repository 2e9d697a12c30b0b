// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"runtime"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// The inputs' checks and the client reject the same values with the same text.
func TestGrantsRefuseWhatInputsRefuse(t *testing.T) { // C15, C17
	for _, platform := range All {
		for _, in := range platform.Inputs {
			if in.Name == MinValidity.Name { // not in a grant
				continue
			}
			refused := 0
			for what, value := range map[string]string{
				"a control character": "CANARY\x00", "no UTF-8": "CANARY\xff", "one byte too many": strings.Repeat("x", 8193),
			} {
				found := Settings{"grant_type": {clients.NewSecret(in.Grant), here}}
				found[in.Name] = Setting{clients.NewSecret(value), here}
				if in.Methods != nil {
					found[authMethod] = Setting{clients.NewSecret(in.Methods[0]), here}
				}
				if in.Map {
					found[in.Name] = Setting{clients.Pairs(map[string]string{"X-Name": value}), here}
				}
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

func TestDirectoriesThatCannotBeMeantAreRefused(t *testing.T) { // F16
	for text, want := range map[string]string{
		"~": `starts with "~"`, "~/cache": `starts with "~"`, "$HOME/.cache/ixtoken": "placeholder", "$home/x": "placeholder", "/tmp/$USER": "placeholder", "${HOME}/x": "placeholder", "/x/${a.b}": "placeholder",
		"$(mktemp -d)": "placeholder", "$(Agent.TempDirectory)/x": "placeholder", "$env:TEMP\\x": "placeholder", "%TEMP%\\x": "placeholder", "/x/%Temp%": "placeholder",
		"${{ runner.temp }}/x": "placeholder", "{{ cache }}/x": "placeholder", "#{cache}#": "placeholder", "file:///x": "is a URL", "file:x": "is a URL", "https://host/x": "is a URL", "s3://bucket/x": "is a URL",
		`"/tmp/x"`: "quotation marks", "'/tmp/x'": "quotation marks", " /tmp/x": "begins with a blank", "/tmp/x ": "ends in a blank", "/tmp/x\r": "ends in a carriage return", "\ufeff/tmp/x": "byte order mark",
		"***": "place of a secret", "null": "no value", "<cache>": "placeholder", "/tmp/a\x00b": "control character",
		"/tmp/x": "", "/tmp/a b": "", "/tmp/it's": "", "/tmp/cash$": "", "/tmp/$": "", "/tmp/5$/x": "", "/tmp/100%/x%": "", "/tmp/a%20b%20c": "", "/a:b": "", "relative": "", "./relative": "", "../relative": "", ".cache/ixtoken": "", "/tmp/#x": "",
		"/tmp/{a}": "", "/tmp/~x": "",
	} {
		if got := checkDirectory(clients.NewSecret(text)); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q %s; want %q", text, got, want)
		}
	}
	for _, text := range []string{`C:\cache`, "C:/cache", `\\server\C$\cache`, `\\?\C:\cache`} {
		if got := checkDirectory(clients.NewSecret(text)); (got == "") != (runtime.GOOS == "windows") {
			t.Errorf("%q %s", text, got)
		}
	}
}
