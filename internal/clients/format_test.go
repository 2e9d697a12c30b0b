// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache/s3test"
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
			got.Tally = Tally{}
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

// testdata/bucket holds the objects of a bucket in its first format, as an earlier build of this program has left them: two
// tokens, a rejection, a mark, a mark that was removed again, and the marker of the storage.
func TestTheFormatOfABucketStays(t *testing.T) {
	memory := passwordMemory
	passwordMemory = 64 << 10
	defer func() { passwordMemory = memory }()
	storage := s3test.New(t)
	synctest.Test(t, func(t *testing.T) {
		p, now := inMemory(t, grantsToken("sent")), time.Now().Round(0)
		files, err := os.ReadDir("testdata/bucket")
		must(t, err)
		for _, file := range files {
			storage.Put("tokens/"+file.Name(), string(read(t, filepath.Join("testdata", "bucket", file.Name()))))
		}
		token, password, rejected, spent, free := inBucket(p)
		want := tokenInBucket(now)
		for _, grant := range []Grant{token, password} {
			got, err := p.machine(storage).Token(t.Context(), grant, 0)
			got.obtained, got.Expiry, got.RefreshTokenExpiry = got.obtained.Local(), got.Expiry.Local(), got.RefreshTokenExpiry.Local()
			got.Tally = Tally{}
			if err != nil || got != want {
				t.Errorf("%T: %v, %v", grant, got, err)
			}
		}
		_, err = ask(t, p.machine(storage), rejected)
		if fault := failed(t, err); fault.Kind != CredentialsRejected || fault.Code != "invalid_client" || !fault.CachedUntil.Equal(now.Add(rejectionShared)) {
			t.Error(err)
		}
		got, err := p.machine(storage).Token(t.Context(), spent, 0)
		if err != nil || got.Fallback == nil {
			t.Errorf("the refresh token was used: %v", err)
		}
		p.sent(0, "")
		if _, err := storage.Bucket(t).Spend(t.Context(), cache.Mark{Name: requestFor(t, free).markName(), Began: now}); err != nil {
			t.Errorf("the mark that was removed: %v", err)
		}
		for name := range storage.Objects(t) {
			if strings.Contains(name, "conditions-") && !slices.ContainsFunc(files, func(f os.DirEntry) bool { return "tokens/"+f.Name() == name }) {
				t.Errorf("another marker: %s", name)
			}
		}
	})
}

// inBucket returns the grants that testdata/bucket is about.
func inBucket(p *fakePlatform) (token CloudLX, password Equinix, rejected Interxion, spent, free CloudLX) {
	token = CloudLX{BaseURL: p.url, GrantType: ClientCredentials, ClientID: "client-1", ClientSecret: NewSecret("secret-1")}
	password = Equinix{
		BaseURL: p.url, GrantType: Password, ClientID: "client-1", ClientSecret: NewSecret("secret-1"),
		UserName: "user-1", UserPassword: NewSecret("password-1"),
	}
	rejected = Interxion{LoginURL: p.url, ClientID: "client-1", ClientSecret: NewSecret("secret-1")}
	spent, free = token, token
	spent.GrantType, spent.RefreshToken = RefreshToken, NewSecret("refresh-1")
	free.GrantType, free.RefreshToken = RefreshToken, NewSecret("refresh-3")
	return token, password, rejected, spent, free
}

// tokenInBucket returns the token that testdata/bucket holds.
func tokenInBucket(now time.Time) Token {
	return Token{
		AccessToken: NewSecret("access-1"), TokenType: "Bearer", obtained: now, Expiry: now.Add(time.Hour), Scope: "a b", UserName: "user-1",
		RefreshToken: NewSecret("refresh-2"), RefreshTokenExpiry: now.Add(24 * time.Hour),
	}
}
