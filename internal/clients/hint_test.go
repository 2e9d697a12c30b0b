// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"net/http"
	"testing"
	"testing/synctest"
)

func TestWhatSaysThatAnAccountIsLocked(t *testing.T) { // S29
	for text, want := range map[string]bool{
		"account_locked": true, "ACCOUNT_LOCKED": true, "AccountLocked": true, "user.locked": true, "USER_LOCKED_OUT": true,
		"user_disabled": true, "too_many_failed_attempts": true, "accountDisabled": true,
		"Account locked": true, "The account is locked, too many logins": true, "Your account has been temporarily locked": true,
		"Account disabled": true, "User account is locked out": true, "The user is disabled": true, "Client is disabled": true,
		"This is a locked account": true, "Application was suspended": true, "Login failed. Your account has been locked.": true,
		"Bad name or password; account is locked": true, "Your account has been blocked": true,
		"Too many failed login attempts": true, "too many incorrect password attempts": true, "The account is locked or disabled": true,

		"": false, "Login Failure": false, "invalid_client": false, "Invalid user name or password": false,
		"Your account will be locked after 3 more attempts": false, "The account may be locked": false, "Your account is not locked": false,
		"Stop, to avoid your account being locked": false, "one attempt before the account is locked": false,
		"If the account is locked, ask us": false, "Invalid password or account is locked": false, "A wrong password or a locked account": false, "wrong password or locked account": false,
		"Client authentication is disabled": false, "The grant type is disabled for this client": false, "Your IP is blocked": false,
		"too many requests": false, "Too many login attempts": false, "The database is locked": false, "unlocked account": false,
	} {
		if got := saysLocked(text); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}

// The hint of an answer does not change what the client does. The cache keeps it for other processes.
func TestHints(t *testing.T) {
	for _, row := range []struct {
		name   string
		grant  func(*fakePlatform) Grant
		answer http.HandlerFunc
		kind   Kind
		want   Hint
	}{
		{"a locked account", equinix, says(500, `{"errorCode":"S1009","errorMessage":"Account is locked"}`), CredentialsRejected, AccountLocked},
		{"a locked user", password, says(400, `{"error":"invalid_grant","error_description":"User account is locked out"}`), CredentialsRejected, AccountLocked},
		{"a locked client", oauth2, says(403, `{"error":"account_locked"}`), Forbidden, AccountLocked},
		{"an outage", oauth2, says(503, `{"error":"maintenance","error_description":"The account is locked"}`), Unavailable, NoHint},
		{"a wrong secret", oauth2, rejects("invalid_client"), CredentialsRejected, NoHint},
		{"Keycloak", oauth2, keycloak, CredentialsRejected, SecretOrGrant},
		{"Keycloak, a refresh", refreshAtOAuth2, keycloak, CredentialsRejected, SecretOrGrant},
		{"a grant type", oauth2, rejects("unauthorized_client"), GrantRejected, NoHint},
		{"an exchange that wants a client", exchangeAtOAuth2, rejects("invalid_client"), CredentialsRejected, ClientWanted},
		{"an exchange at Keycloak", exchangeAtOAuth2, keycloak, CredentialsRejected, ClientWanted},
		{"an exchange", exchangeAtOAuth2, rejects("invalid_grant"), CredentialsRejected, NoHint},
		{"an exchange for a disabled account", exchangeAtOAuth2, says(400, `{"error":"invalid_grant","error_description":"Account is disabled"}`), CredentialsRejected, NoHint},
		{"another status with a code of OAuth", oauth2, says(400, `{"error":"access_denied"}`), RequestRejected, NoHint},
		{"403 of OAuth", oauth2, says(403, `{"error":"access_denied"}`), Forbidden, DeniedByServer},
		{"http at a port for https", oauth2, says(400, "Client sent an HTTP request to an HTTPS server.\n"), RequestRejected, PerhapsTLS},
		{"403 of a firewall", oauth2, says(403, "<html></html>"), Forbidden, NoHint},
		{"403 in a firewall's JSON", oauth2, says(403, `{"code":"blocked_by_policy"}`), Forbidden, NoHint},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, dir := inMemory(t, row.answer), t.TempDir()
				for range 2 { // the second process has a rejection from the cache
					_, err := ask(t, p.another(dir), row.grant(p))
					if e := failed(t, err); e.Kind != row.kind || e.Hint != row.want {
						t.Errorf("kind %d, hint %d, want %d and %d: %v", e.Kind, e.Hint, row.kind, row.want, err)
					}
				}
			})
		})
	}
}
