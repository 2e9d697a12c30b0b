// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

func TestWhatIsLeftAroundAValueOrInItsPlaceIsOdd(t *testing.T) { // C06
	for value, want := range map[string]string{
		"secret\n": "ends in a line break", "secret\r\n": "ends in a line break", "secret\r": "ends in a carriage return", "secret ": "ends in a blank",
		"secret\t": "ends in a tab", "secret\u00a0": "ends in a character that cannot be seen (U+00A0)", "secret\u200b": "ends in a character that cannot be seen (U+200B)",
		"secret\x00": "ends in a character that cannot be seen (U+0000)", " secret": "begins with a blank", "\ufeffsecret": "begins with a byte order mark", "\ufeffsecret\r\n": "begins with a byte order mark and ends in a line break",
		`"secret"`: "is in quotation marks", `'secret'`: "is in quotation marks", "“secret”": "is in quotation marks", `""`: "is in quotation marks", "\"secret\"\n": "ends in a line break and is in quotation marks",
		"${SECRET}": "is a placeholder that nothing has replaced", "$(secret)": "is a placeholder that nothing has replaced", "$(cat secret.txt)": "is a placeholder that nothing has replaced",
		"$SECRET": "is a placeholder that nothing has replaced", "$env:Secret": "is a placeholder that nothing has replaced", "%Secret%": "is a placeholder that nothing has replaced",
		"${{ secrets.SECRET }}": "is a placeholder that nothing has replaced", "{{ secret }}": "is a placeholder that nothing has replaced", "{{secret}}": "is a placeholder that nothing has replaced",
		"$[variables.secret]": "is a placeholder that nothing has replaced", "#{Secret}#": "is a placeholder that nothing has replaced", "__SECRET__": "is a placeholder that nothing has replaced",
		"<your client secret>": "is a placeholder that nothing has replaced", "<no value>": "is a placeholder that nothing has replaced", `'${SECRET}'`: "is in quotation marks and is a placeholder that nothing has replaced",
		"***": "is what is shown in the place of a secret", "****": "is what is shown in the place of a secret", "[MASKED]": "is what is shown in the place of a secret", "••••••••": "is what is shown in the place of a secret",
		"(sensitive value)": "is what is shown in the place of a secret", "…": "is what is shown in the place of a secret",
		"null": "is what a program prints for no value", "undefined": "is what a program prints for no value", "None": "is what a program prints for no value",
	} {
		if got := Enumerate(oddities(clients.NewSecret(value))); got != want {
			t.Errorf("%q %s; want %q", value, got, want)
		}
	}
}

// Secrets that platforms or people choose do not look odd.
func TestOrdinaryValuesAreNotOdd(t *testing.T) {
	ordinary := []string{
		"", "x", `"`, "'", "$", "%", "<", "*", "**", "a b", "it's", `"a`, `a"`, `"a'`, "pa$$word", "$ecret1", "$ecret", "$5", "100%", "%41%42", "%2B%", "%a b%", "${", "$()", "{}", "{{", "<3", "<>", "<a&b>",
		"a${B}", "***a", "nullify", "nobody", "[secret", "__init__", "#{", "pässwört", "密码", "user@example.com", "client-1", "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
		"X03MO1qnZdYdgyfeuILPmQ==", "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.c2ln",
	}
	for range 2000 {
		random := make([]byte, 30)
		_, _ = rand.Read(random)
		ordinary = append(ordinary, base64.StdEncoding.EncodeToString(random), base64.RawURLEncoding.EncodeToString(random), hex.EncodeToString(random))
	}
	for _, value := range ordinary {
		if got := oddities(clients.NewSecret(value)); got != nil {
			t.Errorf("%q %s", value, Enumerate(got))
		}
	}
}

// Of a hundred thousand random secrets of printable characters, only a few look odd: those that happen to be in quotation marks.
func TestRandomSecretsAreHardlyEverOdd(t *testing.T) {
	const printable = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
	const secrets = 100_000
	odd := 0
	random := make([]byte, 20*secrets)
	_, _ = rand.Read(random)
	for ; len(random) > 0; random = random[20:] {
		var value strings.Builder
		for _, b := range random[:20] {
			value.WriteByte(printable[int(b)%len(printable)])
		}
		if oddities(clients.NewSecret(value.String())) != nil {
			odd++
		}
	}
	if odd > secrets/1000 {
		t.Errorf("%d of %d random secrets are called odd", odd, secrets)
	}
	t.Logf("%d of %d", odd, secrets)
}
