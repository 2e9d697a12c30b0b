// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"path/filepath"
	"strings"
	"testing"
)

// C06: editors and PowerShell put marks into files, which are no part of the value.
func TestAFileIsReadWithoutItsMarks(t *testing.T) {
	for content, want := range map[string]string{
		"value":                "value",
		"value\n":              "value",
		"value\r\n":            "value",
		"\ufeffvalue\r\n":      "value", // Set-Content -Encoding utf8 of PowerShell 5
		"value\n\n":            "value\n",
		"a value\t":            "a value\t",
		"\ufeff\ufeffvalue":    "\ufeffvalue",
		"a\x00b":               "a\x00b", // which the check of the value refuses
		"v":                    "v",
		"\xff\xfev\x00a\x00":   "UTF-16", // the operator > of PowerShell 5
		"\xfe\xff\x00v\x00a":   "UTF-16",
		"v\x00a\x00l\x00":      "UTF-16",
		"\x00v\x00a\x00l":      "UTF-16",
		"\xff\xfe":             "UTF-16",
		"":                     "is empty",
		"\n":                   "is empty",
		"\ufeff\r\n":           "is empty",
		"\ufeff":               "is empty",
		"-----BEGIN\r\nx\r\n-": "-----BEGIN\r\nx\r\n-",
	} {
		got, err := FileText([]byte(content))
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%q is %q, want %q", content, got, want)
		}
	}
}

// An identity token, a key and a certificate may be in a file from PowerShell. What cannot be read is named, and is not sent.
func TestFilesOfPowerShellAreRead(t *testing.T) {
	token, key := idToken(t, nil), keyOf("P-256", "")
	p, path := onLoopback(t, grantsToken("t-1")), filepath.Join(t.TempDir(), "file")
	for name, row := range map[string]struct {
		content string
		grant   Grant
		what    string
	}{
		"an identity token": {token.Reveal(), p.exchange(IdentitySource{File: path}), "the identity token"},
		"an assertion":      {token.Reveal(), p.asserting(IdentitySource{File: path}), "the client assertion"},
		"a key":             {pkcs8(key).Reveal(), p.proven(func(g *OAuth2) { g.Key.File = path }), "the client key"},
	} {
		write(t, path, []byte("\ufeff"+row.content+"\r\n"))
		gets(t, p.client(Options{}), row.grant, "t-1")
		var wide []byte
		for _, b := range []byte("\xff\xfe" + row.content) {
			if wide = append(wide, b); b < 0x80 {
				wide = append(wide, 0)
			}
		}
		write(t, path, wide)
		_, err := ask(t, p.client(Options{}), row.grant)
		if want := row.what + ` in the file "` + path + `" is UTF-16, which PowerShell 5 writes. Convert it to UTF-8: (Get-Content FILE)`; !strings.Contains(failed(t, err).Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	p.sent(3, "")
}
