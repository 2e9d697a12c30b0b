// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache/s3test"
)

func TestFilesRevealNothing(t *testing.T) { // F20
	p, dir := onLoopback(t, says(200, `{"access_token":"ACCESS-TOKEN-77","token_type":"BearerToken","expires_in":3600,"scope":"scope-77 b",`+
		`"refresh_token":"REFRESH-TOKEN-77","user_name":"user-1"}`)), t.TempDir()
	for i, grant := range []Grant{p.interxion("scope-77 b"), p.equinix(Password), p.equinix(RefreshToken), p.cloudLX(ClientCredentials), p.cloudLX(RefreshToken), p.oauth2(ClientCredentials), p.oauth2(RefreshToken)} {
		gets(t, p.another(dir), withRefreshToken(grant, fmt.Sprint(refreshToken, i)), "ACCESS-TOKEN-77")
	}
	var all []byte
	for _, name := range filesIn(t, dir, "") {
		all = append(append(all, name...), read(t, filepath.Join(dir, name))...)
	}
	if n := len(filesIn(t, dir, entrySuffix)); n != 7 {
		t.Fatalf("%d entries", n)
	}
	for _, part := range []string{
		"ACCESS-TOKEN-77", "REFRESH-TOKEN-77", "scope-77", "user-1", "client-1", clientSecret, userPassword, refreshToken, parameter, headerValue, "127.0.0.1",
		strings.TrimPrefix(p.url, "http://127.0.0.1:"), "Equinix", "equinix", "cloudlx", "oauth2", "connect/token", "access_token", "expiry", "BearerToken",
	} {
		for _, form := range []string{part, hex.EncodeToString([]byte(part)), base64.RawStdEncoding.EncodeToString([]byte(part))[:len(part)*4/3]} {
			if bytes.Contains(all, []byte(form)) {
				t.Errorf("the files have %q", form)
			}
		}
	}
}

// The encryption key depends on each secret, and on a password through argon2.
func TestOnlyTheSecretsMakeTheKey(t *testing.T) { // F20
	p := &fakePlatform{url: "http://127.0.0.1"}
	secret, token, password := p.cloudLX(RefreshToken), p.cloudLX(RefreshToken), p.equinix(Password)
	secret.ClientSecret, token.RefreshToken, password.UserPassword = NewSecret("another"), NewSecret("another"), NewSecret("another")
	fast := requestFor(t, p.equinix(Password))
	fast.user = nil
	parameter, header := p.oauth2(ClientCredentials), p.oauth2(ClientCredentials)
	parameter.Parameters, header.Headers = Pairs(map[string]string{"pin": "another"}), Pairs(map[string]string{"X-Key": "another"})
	for name, row := range map[string][2]*request{
		"parameter":     {requestFor(t, p.oauth2(ClientCredentials)), requestFor(t, parameter)},
		"header":        {requestFor(t, p.oauth2(ClientCredentials)), requestFor(t, header)},
		"client secret": {requestFor(t, p.cloudLX(RefreshToken)), requestFor(t, secret)},
		"refresh token": {requestFor(t, p.cloudLX(RefreshToken)), requestFor(t, token)},
		"password":      {requestFor(t, p.equinix(Password)), requestFor(t, password)},
		"argon2":        {requestFor(t, p.equinix(Password)), fast},
	} {
		if right, wrong := row[0].cacheKey(opened(t, t.TempDir())), row[1].cacheKey(opened(t, t.TempDir())); right.Secret == wrong.Secret && right.Memory == wrong.Memory {
			t.Errorf("%s: the encryption key does not depend on it", name)
		}
	}
}

func TestHostileNamesStayInTheDirectory(t *testing.T) { // F15
	p, dir := onLoopback(t, grantsToken("t-1")), filepath.Join(t.TempDir(), "cache")
	hash := regexp.MustCompile(`^v2-[0-9a-f]{32}\.(token|lock)$`)
	ids := []string{"../../x", "/etc/passwd", `..\..\x`, "CON", "a\u202eb", strings.Repeat("x", 5000), ".", "*?<>|:", "a\x00b"}
	for _, id := range ids {
		gets(t, p.another(dir), Interxion{LoginURL: p.url, ClientID: id, ClientSecret: NewSecret(clientSecret), Scope: id}, "t-1")
	}
	user := p.equinix(Password)
	user.UserName, user.UserPassword = ids[0], NewSecret(ids[0])
	gets(t, p.another(dir), user, "t-1")
	names := filesIn(t, dir, "")
	for _, name := range names {
		if !hash.MatchString(name) {
			t.Errorf("a file is named %q", name)
		}
	}
	if beside := filesIn(t, filepath.Dir(dir), ""); len(names) != 2*len(ids)+2 || len(beside) != 1 {
		t.Errorf("%d files, beside the directory: %q", len(names), beside)
	}
}

// Each name contains eight bits of the secrets: a name helps no guess, and a wrong secret has other files than the right one.
func TestNamesHaveEightBitsOfASecret(t *testing.T) { // F20
	p, names := &fakePlatform{url: "http://127.0.0.1"}, map[string]map[cache.Name]bool{}
	const guesses = 2000
	for i := range guesses {
		guess := NewSecret(fmt.Sprint("guess-", i))
		secret, user, password, token, key, basic := p.interxion(""), p.equinix(Password), p.equinix(Password), p.cloudLX(RefreshToken), megaport(p).(Megaport), p.oauth2(ClientCredentials)
		parameter, header, exchange := p.oauth2(ClientCredentials), p.oauth2(ClientCredentials), p.exchange(IdentitySource{Token: idToken(t, map[string]any{"jti": i})})
		secret.ClientSecret, user.ClientSecret, password.UserPassword, token.RefreshToken, key.SecretKey, basic.ClientSecret = guess, guess, guess, guess, guess, guess
		parameter.Parameters, header.Headers = Pairs(map[string]string{"pin": guess.Reveal()}), Pairs(map[string]string{"X-Key": guess.Reveal()})
		for kind, grant := range map[string]Grant{
			"client secret": secret, "client secret beside a password": user, "password": password, "refresh token": token, "secret key": key,
			"HTTP Basic": basic, "parameter": parameter, "header": header, "exchange": exchange,
		} {
			if names[kind] == nil {
				names[kind] = map[cache.Name]bool{}
			}
			r := requestFor(t, grant)
			if r.identity != nil {
				r.credential = []Secret{exchange.Identity.Token} // as completer.complete does
			}
			names[kind][r.name()] = true
		}
	}
	for kind, found := range names {
		whole := kind == "exchange" || kind == "refresh token" // nobody can guess these
		if whole && len(found) != guesses || !whole && (len(found) > 256 || len(found) < 200) {
			t.Errorf("%s: %d names of %d guesses", kind, len(found), guesses)
		}
	}
}

// However many requests carry a secret beside others, their names together have eight bits of it.
func TestManyNamesHaveEightBitsOfASecret(t *testing.T) { // F20
	p := &fakePlatform{url: "http://127.0.0.1"}
	names := func(secret string) (all string) {
		for _, pin := range []string{"", "1", "2", "3"} {
			grant := p.oauth2(ClientCredentials)
			grant.ClientSecret, grant.Parameters = NewSecret(secret), Pairs(map[string]string{"pin": pin})
			all += string(requestFor(t, grant).name())
		}
		return all
	}
	different := map[string]bool{}
	for i := range 2000 {
		different[names(fmt.Sprint("guess/", i))] = true
	}
	if len(different) > 256 {
		t.Errorf("the names tell %d secrets apart", len(different))
	}
}

// What is no secret is in the name, so that requests do not replace the entries of one another.
func TestNamesTellRequestsApart(t *testing.T) {
	p, names := &fakePlatform{url: "http://127.0.0.1"}, map[cache.Name]int{}
	const each = 600
	for i := range each {
		text := fmt.Sprint("x", i)
		id, key, basic, user, version, resource := p.interxion(""), megaport(p).(Megaport), p.oauth2(ClientCredentials), p.equinix(Password), p.cloudLX(ClientCredentials), p.oauth2(ClientCredentials)
		id.ClientID, key.AccessKey, basic.ClientID, user.UserName, version.APIVersion = text, text, text, text, fmt.Sprint("v", i)
		resource.Parameters = Pairs(map[string]string{"resource": text})
		for _, grant := range []Grant{id, key, basic, user, version, resource, p.interxion(text), p.cloudLX(RefreshToken)} {
			names[requestFor(t, grant).name()]++
		}
	}
	if len(names) != 7*each+1 { // all but the last are different
		t.Errorf("%d names of %d requests", len(names), 7*each+1)
	}
}

func TestAPasswordIsPersonal(t *testing.T) { // F20
	one := (&fakePlatform{url: "http://127.0.0.1"}).equinix(Password)
	if !requestFor(t, one).hasPassword() || requestFor(t, (&fakePlatform{url: "http://127.0.0.1"}).equinix(RefreshToken)).hasPassword() {
		t.Error("a password is not treated as one, or a refresh token is")
	}
}

// Locks and leftovers.

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
