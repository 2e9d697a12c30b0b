// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// testdata/cache is a cache of the second format, as an earlier build of this program has left it: two tokens, a rejection and
// a mark. It stays as it is until the format has another version. A virtual clock starts when these files were written.
func TestTheFormatOfTheCacheStays(t *testing.T) {
	memory := passwordMemory
	passwordMemory = 64 << 10 // with which the entry of the password was written
	defer func() { passwordMemory = memory }()
	synctest.Test(t, func(t *testing.T) {
		p, dir, now := inMemory(t, grantsToken("sent")), t.TempDir(), time.Now().Round(0)
		must(t, os.CopyFS(dir, os.DirFS("testdata/cache")))
		token := CloudLX{BaseURL: p.url, GrantType: ClientCredentials, ClientID: "client-1", ClientSecret: NewSecret("secret-1")}
		password := Equinix{
			BaseURL: p.url, GrantType: Password, ClientID: "client-1", ClientSecret: NewSecret("secret-1"),
			UserName: "user-1", UserPassword: NewSecret("password-1"),
		}
		rejected := Interxion{LoginURL: p.url, ClientID: "client-1", ClientSecret: NewSecret("secret-1")}
		spent := token
		spent.GrantType, spent.RefreshToken = RefreshToken, NewSecret("refresh-1")

		want := Token{
			AccessToken: NewSecret("access-1"), TokenType: "Bearer", obtained: now, Expiry: now.Add(time.Hour), Scope: "a b", UserName: "user-1",
			RefreshToken: NewSecret("refresh-2"), RefreshTokenExpiry: now.Add(24 * time.Hour),
		}
		for _, grant := range []Grant{token, password} {
			got, err := p.another(dir).Token(t.Context(), grant, 0)
			got.obtained, got.Expiry, got.RefreshTokenExpiry = got.obtained.Local(), got.Expiry.Local(), got.RefreshTokenExpiry.Local()
			if err != nil || got != want {
				t.Errorf("%T: %v, %v", grant, got, err)
			}
		}
		_, err := ask(t, p.another(dir), rejected)
		if fault := failed(t, err); fault.Kind != CredentialsRejected || fault.Code != "invalid_client" || !fault.CachedUntil.Equal(now.Add(rejectionShared)) {
			t.Error(err)
		}
		got, err := p.another(dir).Token(t.Context(), spent, 0)
		if err != nil || got.Fallback == nil {
			t.Errorf("the refresh token was used: %v", err)
		}
		p.sent(0, "")
	})
}
