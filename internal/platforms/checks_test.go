// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"runtime"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// Each input refuses what cannot be sent, and the message does not repeat it. The engine relies on that.
func TestEachInputRefusesWhatCannotBeSent(t *testing.T) { // C15, C17
	for _, platform := range All {
		for _, in := range platform.APIProxy().Inputs {
			refused := 0
			for what, text := range map[string]string{
				"a control character": "CANARY\x00", "no UTF-8": "CANARY\xff", "one byte too many": strings.Repeat("CANARY", 8193),
			} {
				value := Text(text, false)
				if in.Map {
					value = Map(map[string]string{"X-Name": text}, false)
				}
				_, bad := platform.APIProxy().Resolve(Source{here, func(other Input) Value {
					switch {
					case other.is(in):
						return value
					case other.Name == "grant_type":
						return Text(in.Grant, false)
					case other.Name == authMethod && in.Methods != nil:
						return Text(in.Methods[0], false)
					}
					return Value{}
				}})
				for _, fault := range bad.Invalid {
					if !fault.Input.is(in) || strings.Contains(fault.Text, "CANARY") {
						t.Errorf("%s.%s: %s: %s %s", platform.Name, in.Name, what, fault.Input.Name, fault.Text)
					}
					refused++
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
