// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"strings"
	"testing"
)

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
