// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"strings"
	"testing"
)

// C06: editors and PowerShell put marks into files, which are no part of the value.
func TestAFileIsReadWithoutItsMarks(t *testing.T) {
	t.Parallel()
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
		got, err := fileText([]byte(content))
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%q is %q, want %q", content, got, want)
		}
	}
}

// A secret file from PowerShell costs no failed login.
func TestASecretFileWithAByteOrderMarkIsRead(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	secret := s.Equinix.Credentials().ClientSecret
	s.setenv("EQUINIX_API_CLIENTSECRET", "")
	if r := s.runWith("\ufeff"+secret+"\r\n", "token", "equinix", "--client-secret-file", "-"); r.status != 0 {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	wide := "\xff\xfe"
	for _, b := range []byte(secret) {
		wide += string([]byte{b, 0})
	}
	r := s.runWith(wide, "token", "equinix", "--client-secret-file", "-")
	if r.status != statusUsage || !strings.Contains(r.stderr, "UTF-16") || !strings.Contains(r.stderr, "Set-Content") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	if s.sent() != 1 {
		t.Errorf("%d requests", s.sent())
	}
}
