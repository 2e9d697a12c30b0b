// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// The ends of the names of files in the cache.
const (
	entrySuffix     = string(cache.Token)
	rejectionSuffix = string(cache.Rejection)
	markSuffix      = ".mark"
	lockSuffix      = ".lock"
	writeSuffix     = ".new"
)

// opened opens the cache in dir, as a new process does.
func opened(t testing.TB, dir string) *cache.Directory {
	t.Helper()
	d, err := cache.Open(dir)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() }) // Windows removes no directory that is open
	return d
}

// another returns a client like that of another process: with the cache in dir and an empty memory.
func (p *fakePlatform) another(dir string) *Client {
	return p.logging(dir, slog.DiscardHandler)
}

func (p *fakePlatform) logging(dir string, handler slog.Handler) *Client {
	return p.client(Options{Cache: opened(p.t, dir), Logger: slog.New(handler), RequestTimeout: 110 * time.Second})
}

func requestFor(t testing.TB, grant Grant) *request {
	t.Helper()
	request, err := grant.request()
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// entryOf returns the path of a grant's entry.
func entryOf(t testing.TB, dir string, grant Grant) string {
	t.Helper()
	return filepath.Join(dir, string(requestFor(t, grant).name())+entrySuffix)
}

// lockOf returns the path of the lock of a grant's entries.
func lockOf(t testing.TB, dir string, grant Grant) string {
	t.Helper()
	return filepath.Join(dir, string(requestFor(t, grant).name())+lockSuffix)
}

// markOf returns the path of the mark on the refresh token of a grant.
func markOf(t testing.TB, dir string, grant Grant) string {
	t.Helper()
	return filepath.Join(dir, string(requestFor(t, grant).markName())+markSuffix)
}

// store writes a token to the cache.
func store(t testing.TB, dir string, grant Grant, token Token) {
	t.Helper()
	claim := claimFor(t, opened(t, dir), grant)
	must(t, storeToken(claim, token))
	claim.Release()
}

// claimFor claims the entry of a grant.
func claimFor(t testing.TB, d cache.Store, grant Grant) cache.Claim {
	t.Helper()
	return claimKey(t, d, requestFor(t, grant).cacheKey(d))
}

func claimKey(t testing.TB, d cache.Store, key cache.Key) cache.Claim {
	t.Helper()
	claim, err := d.Claim(t.Context(), key, func(cache.Found) bool { return false })
	must(t, err)
	return claim
}

// stored returns what the store holds about a grant.
func stored(t testing.TB, d cache.Store, grant Grant) (found storedResult, why string) {
	t.Helper()
	found, why, _ = storedResultOf(d.Look(t.Context(), requestFor(t, grant).cacheKey(d)))
	return found, why
}

// tokenOf returns a token that was obtained before ago and ends in after.
func tokenOf(text string, before, after time.Duration, refreshToken string) Token {
	now := time.Now().Round(0)
	return Token{
		AccessToken: NewSecret(text), TokenType: "Bearer", obtained: now.Add(-before), Expiry: now.Add(after),
		RefreshToken: NewSecret(refreshToken),
	}
}

// withRefreshToken returns the grant with another refresh token, if it has one. Grants of several platforms with one
// host would spend the same refresh token otherwise.
func withRefreshToken(grant Grant, token string) Grant {
	switch g := grant.(type) {
	case Equinix:
		if !g.RefreshToken.IsZero() {
			g.RefreshToken = NewSecret(token)
		}
		return g
	case CloudLX:
		if !g.RefreshToken.IsZero() {
			g.RefreshToken = NewSecret(token)
		}
		return g
	case IXAPI:
		if !g.RefreshToken.IsZero() {
			g.RefreshToken = NewSecret(token)
		}
		return g
	case OAuth2:
		if !g.RefreshToken.IsZero() {
			g.RefreshToken = NewSecret(token)
		}
		return g
	}
	return grant
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// filesIn returns the names in a directory that end with suffix.
func filesIn(t testing.TB, dir, suffix string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), suffix) {
			names = append(names, file.Name())
		}
	}
	return names
}

// rotating is a platform that rotates refresh tokens, and counts how often one is used a second time.
type rotating struct {
	life   int  // the lifetime of an access token, in seconds
	steady bool // refresh tokens are not rotated

	mu                      sync.Mutex
	issued                  int
	valid                   map[string]bool // false: used
	full, refreshed, reused int
}

func (r *rotating) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.valid == nil {
		r.valid = map[string]bool{refreshToken: true}
	}
	if strings.Contains(request.URL.Path, "/refresh") {
		sent := request.PostFormValue("refresh_token")
		unused, known := r.valid[sent]
		switch {
		case !known:
			rejects("invalid_grant")(w, request)
			return
		case !unused:
			r.reused++
			clear(r.valid) // as real platforms do: a second use revokes all tokens of the family
			rejects("invalid_grant")(w, request)
			return
		}
		r.refreshed++
		r.valid[sent] = r.steady
	} else {
		r.full++
	}
	r.issued++
	next := ""
	if !r.steady {
		next = fmt.Sprintf(`,"refresh_token":"refresh-%d"`, r.issued)
		r.valid[fmt.Sprint("refresh-", r.issued)] = true
	}
	says(200, fmt.Sprintf(`{"access_token":"t-%d","expires_in":%d%s}`, r.issued, r.life, next))(w, request)
}

// count fails the test unless the platform has received these numbers of full grants, refreshes, and reused refresh tokens.
func (r *rotating) count(t *testing.T, full, refreshed, reused int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full != full || r.refreshed != refreshed || r.reused != reused {
		t.Errorf("%d full grants, %d refreshes, %d refresh tokens used again; want %d, %d, %d", r.full, r.refreshed, r.reused, full, refreshed, reused)
	}
}

// notes records log lines.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) handler() slog.Handler {
	return slog.NewTextHandler(n, &slog.HandlerOptions{Level: slog.LevelDebug})
}

func (n *notes) Write(line []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, string(line))
	return len(line), nil
}

// with returns the lines that contain all parts.
func (n *notes) with(parts ...string) (found []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.lines {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			found = append(found, line)
		}
	}
	return found
}

// Sharing.

func TestProcessesShareOneToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, takes(20*time.Second, counted())), t.TempDir()
		clients := make([]*Client, 50)
		for i := range clients {
			clients[i] = p.another(dir)
		}
		tokens, errs := together(50*20, func(i int) (string, error) { return ask(t, clients[i%50], p.cloudLX(ClientCredentials)) })
		for i, token := range tokens {
			if token != "t-1" || errs[i] != nil {
				t.Fatalf("%q, %v", token, errs[i])
			}
		}
		p.sent(1, "")
	})
}

func TestTheCacheStoresTheWholeToken(t *testing.T) {
	p, dir := onLoopback(t, says(200, `{"access_token":"t-1","token_type":"BearerToken","expires_in":3600,"scope":"a b",`+
		`"refresh_token":"next","refresh_token_timeout":"7200","user_name":"user-1"}`)), t.TempDir()
	for i, grant := range []Grant{p.interxion(""), p.equinix(ClientCredentials), p.equinix(Password), p.equinix(RefreshToken), p.cloudLX(ClientCredentials), p.cloudLX(RefreshToken), digitalRealty(p), megaport(p), ixAPI(p), refreshAtIXAPI(p), p.oauth2(ClientCredentials), p.oauth2(RefreshToken)} {
		grant = withRefreshToken(grant, fmt.Sprint(refreshToken, i))
		first, err := p.another(dir).Token(t.Context(), grant, 0)
		if err != nil {
			t.Fatal(err)
		}
		second, err := p.another(dir).Token(t.Context(), grant, 0)
		if err != nil || !second.Expiry.Equal(first.Expiry) || !second.obtained.Equal(first.obtained) || !second.RefreshTokenExpiry.Equal(first.RefreshTokenExpiry) {
			t.Fatalf("%v; %v", err, second)
		}
		if first.Tally.Logins == 0 || second.Tally.Logins != 0 || second.Tally.Hits == 0 {
			t.Errorf("%T: %+v, then %+v", grant, first.Tally, second.Tally)
		}
		second.Tally, second.Expiry, second.obtained, second.RefreshTokenExpiry = first.Tally, first.Expiry, first.obtained, first.RefreshTokenExpiry
		if first != second {
			t.Errorf("%T: what comes from the cache is another token", grant)
		}
	}
	p.sent(12, "")
}

func TestMinValidityDecidesOverProcesses(t *testing.T) { // K14
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, counted()), t.TempDir()
		for _, row := range []struct {
			wait time.Duration
			want string
		}{{0, "t-1"}, {3300 * time.Second, "t-1"}, {time.Second, "t-2"}} {
			pass(row.wait)
			token, err := p.another(dir).Token(t.Context(), p.interxion(""), 300*time.Second)
			if err != nil || token.AccessToken.Reveal() != row.want {
				t.Errorf("%q, %v; want %q", token.AccessToken.Reveal(), err, row.want)
			}
		}
	})
}

func TestWhateverChangesTheRequestHasItsOwnEntry(t *testing.T) { // F10, F20, K12, K13
	p, sandbox, dir := &fakePlatform{url: "http://127.0.0.1:1"}, &fakePlatform{url: "http://127.0.0.1:2"}, t.TempDir()
	otherUser, otherPassword, otherVersion, otherClient, otherSecret := p.equinix(Password), p.equinix(Password), p.cloudLX(ClientCredentials), p.interxion(""), p.interxion("")
	otherUser.UserName, otherPassword.UserPassword, otherVersion.APIVersion = "user-2", NewSecret("another password"), "v2"
	otherClient.ClientID, otherSecret.ClientSecret = "client-2", NewSecret("another secret")
	otherToken := p.cloudLX(RefreshToken)
	otherToken.RefreshToken = NewSecret("another refresh token")
	otherKey, otherSecretKey := megaport(p).(Megaport), megaport(p).(Megaport)
	otherKey.AccessKey, otherSecretKey.SecretKey = "client-2", NewSecret("another secret")
	otherParameter, otherHeader, otherName := p.oauth2(ClientCredentials), p.oauth2(ClientCredentials), p.oauth2(ClientCredentials)
	otherParameter.Parameters, otherHeader.Headers = Pairs(map[string]string{"pin": "another"}), Pairs(map[string]string{"X-Key": "another"})
	otherName.Headers = Pairs(map[string]string{"X-Other-Key": headerValue})
	otherAudience, otherMethod, otherFormat := p.oauth2(ClientCredentials), p.oauth2(ClientCredentials), p.oauth2(ClientCredentials)
	otherAudience.Audience, otherMethod.AuthMethod, otherFormat.Format = "another", ClientSecretPost, JSONBody
	grants := []Grant{
		ixAPI(p), refreshAtIXAPI(p), ixAPI(sandbox), megaport(p), otherKey, otherSecretKey, megaport(sandbox), digitalRealty(p), digitalRealty(sandbox),
		p.interxion(""), p.interxion("a"), p.interxion("a b"), otherClient, otherSecret, p.equinix(ClientCredentials), p.equinix(Password), otherUser, otherPassword,
		p.equinix(RefreshToken), p.cloudLX(ClientCredentials), otherVersion, p.cloudLX(RefreshToken), otherToken,
		p.oauth2(ClientCredentials), p.oauth2(RefreshToken), otherParameter, otherHeader, otherName, otherAudience, otherMethod, otherFormat,
		sandbox.interxion(""), sandbox.equinix(ClientCredentials), sandbox.cloudLX(ClientCredentials),
	}
	d := opened(t, dir)
	for i, owner := range grants {
		store(t, dir, owner, tokenOf("t-1", 0, time.Hour, ""))
		data := read(t, entryOf(t, dir, owner))
		for j, other := range grants {
			write(t, entryOf(t, dir, other), data)
			found, why := stored(t, d, other)
			if (i == j) != (why == "") || (i == j) == found.Token.AccessToken.IsZero() {
				t.Errorf("an entry of grant %d, in the place of that of grant %d: %q", i, j, why)
			}
		}
	}
}

// Rejections.

func TestProcessesShareARejectionForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			answer http.HandlerFunc
			fault  Kind
		}{{rejects("invalid_client"), CredentialsRejected}, {says(401, htmlPage), CredentialsRejected}} {
			p, dir := inMemory(t, row.answer), t.TempDir()
			_, errs := together(50, func(int) (string, error) { return ask(t, p.another(dir), p.interxion("")) })
			asked := 0
			for _, err := range errs {
				fault := failed(t, err)
				// All processes except the one that sent the request say that another process sent it.
				if _, says, _ := strings.Cut(err.Error(), " (to another process; asked again after "); (says != "") == fault.CachedUntil.IsZero() {
					t.Fatal(err)
				}
				if fault.CachedUntil.IsZero() {
					asked++
				}
				if fault.Kind != row.fault || fault.Status == 0 {
					t.Fatal(err)
				}
			}
			if asked != 1 {
				t.Errorf("%d of 50 say that they have asked", asked)
			}
			known, _ := stored(t, opened(t, dir), p.interxion(""))
			pass(time.Until(known.Until) - time.Millisecond)
			_, err := ask(t, p.another(dir), p.interxion(""))
			failed(t, err)
			p.sent(1, "")
			pass(time.Millisecond)
			_, err = ask(t, p.another(dir), p.interxion(""))
			failed(t, err)
			p.sent(2, "")
		}
	})
}

func TestACorrectedSecretPassesAtOnce(t *testing.T) {
	dir := t.TempDir()
	mux := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(bytes.Buffer)
		_, _ = body.ReadFrom(r.Body)
		sent := fields(body.Bytes())
		if sent["client_secret"] == clientSecret && (sent["user_password"] == "" || sent["user_password"] == userPassword) {
			grantsToken("t-1")(w, r)
		} else {
			rejects("invalid_client")(w, r)
		}
	})
	p := onLoopback(t, grantsToken("unused"))
	server := &fakePlatform{t: t, url: serve(t, mux)}
	wrongSecret, wrongPassword := server.interxion(""), server.equinix(Password)
	wrongSecret.ClientSecret, wrongPassword.UserPassword = NewSecret("a stale secret"), NewSecret("a stale password")
	for _, row := range []struct{ wrong, right Grant }{{wrongSecret, server.interxion("")}, {wrongPassword, server.equinix(Password)}} {
		for range 2 {
			_, err := ask(t, p.another(dir), row.wrong)
			failed(t, err)
		}
		gets(t, p.another(dir), row.right, "t-1")
	}
}

func TestPassingFailuresAreNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, says(500, ""), grantsToken("t-1")), t.TempDir()
		c := p.client(Options{Cache: opened(t, dir), MaxAttempts: 1})
		_, err := ask(t, c, p.interxion(""))
		failed(t, err)
		gets(t, p.another(dir), p.interxion(""), "t-1")
	})
}

// Clocks.

func TestEntriesFromTheFutureAreMissed(t *testing.T) { // K15
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, takes(time.Second, grantsToken("t-1"))), t.TempDir()
		store(t, dir, p.cloudLX(ClientCredentials), tokenOf("of the future", -time.Hour, 2*time.Hour, "refresh"))
		tokens, _ := together(20, func(int) (string, error) { return ask(t, p.another(dir), p.cloudLX(ClientCredentials)) })
		for _, token := range tokens {
			if token != "t-1" {
				t.Errorf("%q", token)
			}
		}
		p.sent(1, "") // the wrong entry was replaced, and the new one is used
		p.sent(0, "/refresh")

		p, dir = inMemory(t, grantsToken("t-1")), t.TempDir()
		claim := claimFor(t, opened(t, dir), p.interxion(""))
		must(t, storeRejection(claim, &Error{Kind: CredentialsRejected}, time.Now().Round(0).Add(time.Hour+rejectionShared)))
		claim.Release()
		gets(t, p.another(dir), p.interxion(""), "t-1")
	})
}

func TestEntriesOfThePastAreMissed(t *testing.T) { // K15
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, counted()), t.TempDir()
		gets(t, p.another(dir), p.interxion(""), "t-1")
		pass(2 * time.Hour)
		gets(t, p.another(dir), p.interxion(""), "t-2")
	})
}

// Entries.

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

func lockFor(t testing.TB, d cache.Store, grant Grant) (release func()) {
	t.Helper()
	return claimFor(t, d, grant).Release
}

// nothingOpen fails the test if this process has a file in dir open. Only Linux can tell.
func nothingOpen(t *testing.T, dir string) {
	t.Helper()
	open, _ := os.ReadDir("/proc/self/fd")
	for _, file := range open {
		if path, err := os.Readlink("/proc/self/fd/" + file.Name()); err == nil && strings.HasPrefix(path, dir+"/") {
			t.Errorf("%s is left open", path)
		}
	}
}

func TestWaitForALockIsBounded(t *testing.T) { // K18, K20
	for _, row := range []struct {
		name     string
		grant    func(*fakePlatform) Grant
		held     func(*fakePlatform) Grant
		fallback bool
		within   time.Duration
	}{
		{"the request's", cloudLX, cloudLX, false, lockWait},
		{"that of a refresh", refreshAtCloudLX, refreshAtCloudLX, true, lockWait},
		{"that of a refresh token", refreshAtCloudLX, nil, true, budget},
		{"that of the refresh token at hand", cloudLX, refreshAtCloudLX, false, budget / 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				platform, dir, logged, start := &rotating{life: 3600}, t.TempDir(), new(notes), time.Now()
				p := inMemory(t, platform.ServeHTTP)
				// The stored token has ended, so its refresh token is used.
				store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
				name := requestFor(t, refreshAtCloudLX(p)).markName()
				if row.held != nil {
					name = requestFor(t, row.held(p)).name()
				}
				release := claimKey(t, opened(t, dir), cache.Key{Name: name}).Release
				token, err := p.logging(dir, logged.handler()).Token(t.Context(), row.grant(p), time.Minute)
				if err != nil || token.AccessToken.Reveal() != "t-1" || (token.Fallback != nil) != row.fallback {
					t.Errorf("%v, %v", err, token.Fallback)
				}
				if took := time.Since(start); took != row.within {
					t.Errorf("it took %s, want %s", took, row.within)
				}
				platform.count(t, 1, 0, 0)
				synctest.Wait()
				release()
				if lines := logged.with("level=WARN"); row.within == lockWait && len(lines) != 1 || len(lines) > 1 {
					t.Errorf("warnings: %q", lines)
				}
			})
		})
	}
}

func TestAPlatformSlowerThanAnyIsAskedOnce(t *testing.T) { // K20
	synctest.Test(t, func(t *testing.T) {
		platform, dir := &rotating{life: 3600}, t.TempDir()
		p := inMemory(t, takes(budget/2-time.Second, platform.ServeHTTP))
		store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
		grants := []Grant{p.cloudLX(ClientCredentials), p.cloudLX(RefreshToken)}
		tokens, errs := together(40, func(i int) (string, error) { return ask(t, p.another(dir), grants[i%2]) })
		for i, token := range tokens {
			if token != "t-1" || errs[i] != nil {
				t.Errorf("%q, %v", token, errs[i])
			}
		}
		platform.count(t, 0, 1, 0)
	})
}

func TestWaitForALockEndsAtOnce(t *testing.T) { // X03
	for _, way := range []string{"cancelled", "interrupted"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, dir, start := inMemory(t, grantsToken("t-1")), t.TempDir(), time.Now()
				interrupted := make(chan struct{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := p.client(Options{Cache: opened(t, dir), Interrupted: interrupted})
				release := lockFor(t, opened(t, dir), p.cloudLX(RefreshToken))
				time.AfterFunc(2*time.Second, map[string]func(){"cancelled": cancel, "interrupted": func() { close(interrupted) }}[way])
				_, errs := together(10, func(int) (string, error) {
					_, err := c.Token(ctx, p.cloudLX(RefreshToken), 0)
					return "", err
				})
				for _, err := range errs {
					if fault := failed(t, err); fault.Kind != Cancelled || time.Since(start) != 2*time.Second {
						t.Errorf("%v after %s", err, time.Since(start))
					}
				}
				synctest.Wait()
				nothingUnderWay(t, c)
				p.sent(0, "")
				release()
				token, err := p.another(dir).Token(t.Context(), p.cloudLX(RefreshToken), 0) // the refresh token was not spent
				if err != nil || token.Fallback != nil {
					t.Errorf("%v, %v", err, token.Fallback)
				}
				nothingOpen(t, dir)
			})
		})
	}
}

func nothingUnderWay(t *testing.T, c *Client) {
	t.Helper()
	c.flights.memory.mu.Lock()
	defer c.flights.memory.mu.Unlock()
	for _, known := range c.flights.memory.entries {
		if known.flight != nil {
			t.Error("a flight is still under way")
		}
	}
}

// Refresh tokens.

func TestWhenToRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const least = 5 * time.Minute
		p := inMemory(t, grantsToken("t-1"))
		expired := tokenOf("t-0", time.Hour, -time.Second, refreshToken)
		known, dead, mute := expired, expired, expired
		known.RefreshTokenExpiry, dead.RefreshTokenExpiry = time.Now().Add(time.Second), time.Now().Add(-time.Second)
		mute.Expiry = time.Time{}
		for name, row := range map[string]struct {
			token Token
			want  string
		}{
			"it has ended":                                {expired, "refresh"},
			"its refresh token is known to be good":       {known, "refresh"},
			"its refresh token has ended":                 {dead, "access"},
			"there is no refresh token":                   {tokenOf("t-0", time.Hour, -time.Second, ""), "access"},
			"its end is unknown":                          {mute, "access"},
			"it lasts, though for less than min_validity": {tokenOf("t-0", time.Hour, least-time.Second, refreshToken), "access"},
			"no less than min_validity left":              {tokenOf("t-0", time.Hour, least, refreshToken), ""},
			"it never lasted for min_validity":            {tokenOf("t-0", time.Minute, time.Minute, refreshToken), "access"},
			"it never lasted so long, and has ended":      {tokenOf("t-0", time.Minute, 0, refreshToken), "refresh"},
			"it comes from the future, and lasts for now": {tokenOf("t-0", -time.Hour, 2*time.Hour, refreshToken), "access"},
		} {
			dir, before := t.TempDir(), len(p.seen(""))
			c := p.another(dir) // opened now, because opening later would sweep some entries
			if _, due := requestFor(t, p.cloudLX(ClientCredentials)).successor(row.token); due != (row.want == "refresh") {
				t.Errorf("%s: a refresh is due: %t", name, due)
			}
			store(t, dir, p.cloudLX(ClientCredentials), row.token)
			if _, err := c.Token(t.Context(), p.cloudLX(ClientCredentials), least); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			sent := ""
			for _, r := range p.seen("")[before:] {
				sent += strings.TrimSuffix(strings.TrimPrefix(r.path, "/api/oauth2/"), "-token")
			}
			if sent != row.want {
				t.Errorf("%s: sent %q, want %q", name, sent, row.want)
			}
		}
	})
}

func TestRefreshesFollowOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, steady := range []bool{false, true} { // K10: a refresh token that is not rotated stays valid
			platform, dir := &rotating{life: 3600, steady: steady}, t.TempDir()
			p := inMemory(t, platform.ServeHTTP)
			store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
			for round := range 5 {
				want := fmt.Sprint("t-", round+1)
				for range 3 {
					gets(t, p.another(dir), p.cloudLX(ClientCredentials), want)
				}
				pass(2 * time.Hour)
			}
			platform.count(t, 0, 5, 0)
		}
	})
}

// A refresh token that is not rotated is its own successor. It must not wait for its own lock.
func TestARefreshTokenFollowsItself(t *testing.T) { // K10
	synctest.Test(t, func(t *testing.T) {
		platform, dir := &rotating{life: 3600, steady: true}, t.TempDir()
		p := inMemory(t, platform.ServeHTTP)
		for round := range 3 {
			start := time.Now()
			gets(t, p.another(dir), p.cloudLX(RefreshToken), fmt.Sprint("t-", round+1))
			if took := time.Since(start); took != 0 {
				t.Errorf("it took %s", took)
			}
			pass(2 * time.Hour)
		}
		platform.count(t, 0, 3, 0)
	})
}

func TestALostRefreshCostsOneFullGrant(t *testing.T) { // S04, F11, K09
	for name, lose := range map[string]http.HandlerFunc{"rejected": rejects("invalid_grant"), "broken off": resets, "without answer": hangs, "garbled": says(200, htmlPage)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, dir := inMemory(t, refreshes(lose, grantsToken("t-1", `,"refresh_token":"next"`))), t.TempDir()
				store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
				tokens, errs := together(20, func(int) (string, error) { return ask(t, p.another(dir), p.cloudLX(ClientCredentials)) })
				for i, token := range tokens {
					if token != "t-1" || errs[i] != nil {
						t.Errorf("%q, %v", token, errs[i])
					}
				}
				token, err := p.another(dir).Token(t.Context(), p.cloudLX(RefreshToken), 0) // no other process sends it again
				if err != nil || failed(t, token.Fallback).Kind != RefreshTokenRejected {
					t.Errorf("%v, %v", err, token.Fallback)
				}
				p.sent(1, "/refresh-token")
				p.sent(1, "/access-token")
			})
		})
	}
}

// A mark that is read while its request is in progress may be removed later, because the refresh token was not rotated or not
// used.
func TestASpentMarkCountsWhenTheRequestHasEnded(t *testing.T) {
	for name, first := range map[string]http.HandlerFunc{
		"not rotated":       takes(10*time.Second, says(200, `{"access_token":"t-1","expires_in":1}`)),
		"out of order":      takes(10*time.Second, says(521, "")),
		"throttled for now": takes(10*time.Second, says(429, "")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, dir := inMemory(t, first, grantsToken("t-2")), t.TempDir()
				var others sync.WaitGroup
				others.Go(func() {
					_, _ = ask(t, p.client(Options{Cache: opened(t, dir), MaxAttempts: 1}), p.cloudLX(RefreshToken))
				})
				pass(time.Second)
				token, err := p.another(dir).Token(t.Context(), p.cloudLX(RefreshToken), 0)
				if err != nil || token.Fallback != nil || token.AccessToken.Reveal() != "t-2" {
					t.Errorf("%v, %v", err, token.Fallback)
				}
				others.Wait()
				p.sent(2, "/refresh")
				p.sent(2, "")
			})
		})
	}
}

func TestARefreshTokenKnownInTwoWaysIsSentOnce(t *testing.T) {
	for _, processes := range []int{1, 20} {
		t.Run(fmt.Sprint(processes, " processes"), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			platform, dir := &rotating{life: 3600}, t.TempDir()
			p := onLoopback(t, platform.ServeHTTP)
			const rounds = 5
			for round := range rounds {
				// One entry has it as the successor of its refresh token; the user has given it to some blocks.
				given := p.cloudLX(RefreshToken)
				given.RefreshToken = NewSecret(fmt.Sprint("given-", round))
				platform.mu.Lock()
				if platform.valid == nil {
					platform.valid = map[string]bool{}
				}
				platform.valid[given.RefreshToken.Reveal()] = true
				platform.mu.Unlock()
				store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", -time.Duration(round)*time.Nanosecond, -time.Hour, given.RefreshToken.Reveal()))
				clients := make([]*Client, processes)
				for i := range clients {
					clients[i] = p.another(dir)
				}
				grants := []Grant{given, p.cloudLX(ClientCredentials)}
				tokens, errs := together(200, func(i int) (string, error) {
					token, err := clients[i%processes].Token(ctx, grants[i/processes%2], time.Minute)
					return token.AccessToken.Reveal(), err
				})
				for i, token := range tokens {
					if errs[i] != nil || token != fmt.Sprint("t-", round+1) {
						t.Fatalf("round %d: %q, %v", round, token, errs[i])
					}
				}
			}
			platform.count(t, 0, rounds, 0)
			nothingOpen(t, dir)
		})
	}
}

func TestARefreshAndItsFallbackAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	p, dir := onLoopback(t, refreshes(rejects("invalid_grant"), grantsToken("t-1", `,"refresh_token":"next"`))), t.TempDir()
	clients := []*Client{p.another(dir), p.another(dir), p.another(dir)}
	grants := []Grant{p.cloudLX(RefreshToken), p.cloudLX(ClientCredentials)}
	tokens, errs := together(200, func(i int) (string, error) {
		token, err := clients[i%3].Token(ctx, grants[i%2], time.Minute)
		return token.AccessToken.Reveal(), err
	})
	for i, token := range tokens {
		if errs[i] != nil || token != "t-1" {
			t.Fatalf("%q, %v", token, errs[i])
		}
	}
	p.sent(1, "/refresh")
	p.sent(2, "")
}

// A refresh token is sent only if a mark keeps all other processes from sending it. Otherwise the client credentials are
// used, also in the place of a refresh token from the user.
func TestARefreshTokenThatCannotBeMarkedIsNotSent(t *testing.T) { // F12, K19
	for name, trouble := range map[string]func(t *testing.T, dir string, refresh Grant){
		"the lock of the refresh token cannot be had": func(t *testing.T, dir string, refresh Grant) {
			must(t, os.Mkdir(strings.TrimSuffix(markOf(t, dir, refresh), markSuffix)+lockSuffix, 0o700))
		},
		"the directory was moved away": func(t *testing.T, dir string, _ Grant) {
			if err := os.Rename(dir, dir+".away"); err != nil {
				t.Skip("this system cannot move it: ", err)
			}
		},
		"another directory is in its place": func(t *testing.T, dir string, _ Grant) {
			if err := os.Rename(dir, dir+".away"); err != nil {
				t.Skip("this system cannot move it: ", err)
			}
			must(t, os.Mkdir(dir, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, dir, logged := onLoopback(t, counted()), filepath.Join(t.TempDir(), "cache"), new(notes)
			given := p.cloudLX(RefreshToken)
			given.RefreshToken = NewSecret("given by the user")
			for i, grant := range []Grant{p.cloudLX(ClientCredentials), given} {
				must(t, os.RemoveAll(dir))
				must(t, os.RemoveAll(dir+".away"))
				if i == 0 {
					store(t, dir, grant, tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
				}
				c := p.logging(dir, logged.handler())
				trouble(t, dir, []Grant{p.cloudLX(RefreshToken), given}[i])
				before := len(logged.with("level=WARN"))
				if _, err := ask(t, c, grant); err != nil || len(logged.with("level=WARN")) == before {
					t.Errorf("%T: %v, warnings: %q", grant, err, logged.with("level=WARN"))
				}
			}
			p.sent(0, "/refresh")
			p.sent(2, "")
		})
	}
}

func TestWithoutTheLockNothingIsRefreshed(t *testing.T) { // K19
	p, dir := onLoopback(t, counted()), t.TempDir()
	store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
	lock := lockOf(t, dir, p.cloudLX(ClientCredentials))
	must(t, os.Remove(lock))
	must(t, os.Mkdir(lock, 0o700))
	gets(t, p.another(dir), p.cloudLX(ClientCredentials), "t-1")
	p.sent(0, "/refresh")
}

// A rejected secret in a refresh counts as a rejection of the credentials, for other processes too.
func TestARefreshWithAWrongSecretIsOneLogin(t *testing.T) { // S04
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, rejects("invalid_client")), t.TempDir()
		for range 3 {
			_, err := ask(t, p.another(dir), p.cloudLX(RefreshToken))
			if fault := failed(t, err); fault.Kind != CredentialsRejected {
				t.Errorf("%v, want rejected credentials", err)
			}
		}
		p.sent(1, "")
	})
}

// Without the lock, nothing is written, because another process may be writing the entry.
func TestWithoutTheLockNothingIsWritten(t *testing.T) { // K19
	for name, grantOf := range map[string]func(*fakePlatform) Grant{"request": cloudLX, "refresh": refreshAtCloudLX} {
		t.Run(name, func(t *testing.T) {
			p, dir := onLoopback(t, counted()), t.TempDir()
			must(t, os.Mkdir(lockOf(t, dir, grantOf(p)), 0o700))
			gets(t, p.another(dir), grantOf(p), "t-1") // for the refresh by its fallback
			if _, err := os.Lstat(entryOf(t, dir, grantOf(p))); err == nil {
				t.Error("an entry was written")
			}
		})
	}
}

// Without the refresh's own lock, another process may be sending the same refresh token.
func TestAnAutomaticRefreshNeedsItsOwnLock(t *testing.T) { // K19
	p, dir := onLoopback(t, counted()), t.TempDir()
	store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
	must(t, os.Mkdir(lockOf(t, dir, p.cloudLX(RefreshToken)), 0o700))
	gets(t, p.another(dir), p.cloudLX(ClientCredentials), "t-1")
	p.sent(0, "/refresh")
}

// Logs.

func TestLogsSayWhereTokensComeFrom(t *testing.T) { // H21
	synctest.Test(t, func(t *testing.T) {
		p, dir, logged := inMemory(t, takes(5*time.Second, grantsToken("ACCESS-TOKEN-77", `,"refresh_token":"REFRESH-TOKEN-77"`))), t.TempDir(), new(notes)
		together(2, func(int) (string, error) {
			return ask(t, p.logging(dir, logged.handler()), p.cloudLX(ClientCredentials))
		})
		gets(t, p.logging(dir, logged.handler()), p.cloudLX(ClientCredentials), "ACCESS-TOKEN-77")
		pass(2 * time.Hour)
		gets(t, p.logging(dir, logged.handler()), p.cloudLX(ClientCredentials), "ACCESS-TOKEN-77")
		for _, want := range [][]string{
			{"cache miss", "there is no entry"},
			{"cache wait", "waited="},
			{"cache hit", "expires_at="},
			{"cache miss", "less than min_validity left"},
			{"refreshing the token"},
		} {
			if len(logged.with(want...)) == 0 {
				t.Errorf("no line says %q", want)
			}
		}
		for _, secret := range []string{"ACCESS-TOKEN-77", "REFRESH-TOKEN-77", "CL1ENT", refreshToken, "client-1"} {
			if lines := logged.with(secret); len(lines) != 0 {
				t.Errorf("%q", lines)
			}
		}
	})
}

// The log has one warning per request if an entry was manipulated, and no warning for a normal miss.
func TestAChangedEntryIsAWarning(t *testing.T) { // F01, F02, F18
	for name, row := range map[string]struct {
		grant func(*fakePlatform) Grant
		put   func(whole []byte) []byte // nil: there is no entry
		want  int
	}{
		"missing":         {(*fakePlatform).anInterxion, nil, 0},
		"whole":           {(*fakePlatform).anInterxion, func(whole []byte) []byte { return whole }, 0},
		"cut":             {(*fakePlatform).anInterxion, func(whole []byte) []byte { return whole[:len(whole)-1] }, 1},
		"empty":           {(*fakePlatform).anInterxion, func([]byte) []byte { return nil }, 1},
		"changed":         {(*fakePlatform).anInterxion, func(whole []byte) []byte { whole[len(whole)-1]++; return whole }, 1},
		"another version": {(*fakePlatform).anInterxion, func(whole []byte) []byte { whole[len("ixtoken")]++; return whole }, 0},
		"another file":    {(*fakePlatform).anInterxion, func([]byte) []byte { return []byte("{}") }, 1},
		"of a password":   {(*fakePlatform).aUser, func(whole []byte) []byte { whole[len(whole)-1]++; return whole }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p, dir, logged := onLoopback(t, grantsToken("t-1")), t.TempDir(), new(notes)
			grant := row.grant(p)
			store(t, dir, grant, tokenOf("t-0", 0, time.Hour, ""))
			path := entryOf(t, dir, grant)
			whole := read(t, path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if row.put != nil {
				write(t, path, row.put(whole))
			}
			want := "t-1"
			if name == "whole" {
				want = "t-0"
			}
			gets(t, p.logging(dir, logged.handler()), grant, want)
			gets(t, p.logging(dir, logged.handler()), grant, want) // the entry was replaced
			if lines := logged.with("level=WARN"); len(lines) != row.want {
				t.Errorf("warnings: %q, want %d", lines, row.want)
			}
		})
	}
}

func (p *fakePlatform) anInterxion() Grant { return p.interxion("") }

func (p *fakePlatform) aUser() Grant { return p.equinix(Password) }

// The directory.

func TestADirectoryThatGoesAway(t *testing.T) { // F17
	p, dir := onLoopback(t, counted()), filepath.Join(t.TempDir(), "a", "cache")
	c := p.another(dir)
	gets(t, c, p.interxion("a"), "t-1")
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	gets(t, c, p.interxion("b"), "t-2")
	c = p.client(Options{Cache: opened(t, dir)})
	p.script = []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
		_ = os.RemoveAll(dir) // while the lock is held
		grantsToken("t-3")(w, r)
	}}
	gets(t, c, p.interxion("c"), "t-3")
	gets(t, p.another(dir), p.interxion("c"), "t-3")
}

// BenchmarkHitFromDisk measures the first call of a process for a token that another process has stored.
func BenchmarkHitFromDisk(b *testing.B) {
	p := &fakePlatform{url: "http://127.0.0.1"}
	for name, grant := range map[string]Grant{"client secret": p.interxion(""), "password": p.equinix(Password)} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			store(b, dir, grant, tokenOf("t-1", 0, time.Hour, ""))
			for b.Loop() {
				if _, err := New(Options{Cache: opened(b, dir)}).Token(b.Context(), grant, time.Minute); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// serve starts a server on loopback and returns its URL.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// During a refresh, and after a throttled one, the last token stays in the cache, because it may last long enough for others. A
// token that has ended is kept for its refresh token, which is used instead of the given one.
func TestAThrottledRefreshLosesNothing(t *testing.T) {
	for next, left := range map[string]time.Duration{"": time.Minute, "next": -time.Second} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			var p *fakePlatform
			wantKept := func(when string) {
				found, why := stored(t, opened(t, dir), p.cloudLX(RefreshToken))
				if found.Token.AccessToken.Reveal() != "t-1" || found.Token.RefreshToken.Reveal() != next {
					t.Errorf("%q, %s: access token %t, refresh token %t; %s", next, when, !found.Token.AccessToken.IsZero(), !found.Token.RefreshToken.IsZero(), why)
				}
			}
			throttled := says(429, "")
			p = inMemory(t, func(w http.ResponseWriter, r *http.Request) {
				wantKept("under way")
				throttled(w, r)
			})
			store(t, dir, p.cloudLX(RefreshToken), tokenOf("t-1", time.Hour, left, next))
			if _, err := p.client(Options{Cache: opened(t, dir), MaxAttempts: 1}).Token(t.Context(), p.cloudLX(RefreshToken), 5*time.Minute); err == nil {
				t.Fatal("the platform has granted nothing")
			}
			wantKept("afterwards")
		})
	}
}

// Credentials that were rejected in a refresh are not sent again in a login.
func TestASecretRejectedInARefreshIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, says(401, `{"error":"invalid_client"}`)), t.TempDir()
		store(t, dir, p.equinix(Password), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
		if _, err := ask(t, p.another(dir), p.equinix(Password)); failed(t, err).Kind != CredentialsRejected {
			t.Error(err)
		}
		p.sent(1, "")
	})
}

// A process that read a rejection from the cache sends its own request after the time in the error.
func TestARejectionFromTheCacheHoldsForAsLongAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, rejects("invalid_client"), grantsToken("t-1")), t.TempDir()
		_, _ = ask(t, p.another(dir), p.interxion(""))
		c := p.another(dir)
		_, err := ask(t, c, p.interxion(""))
		pass(time.Until(failed(t, err).CachedUntil) + time.Millisecond)
		gets(t, c, p.interxion(""), "t-1")
	})
}

// A refresh token that is marked as spent is not sent, even if the lock cannot be obtained.
func TestASpentMarkHoldsWithoutTheLock(t *testing.T) {
	platform, dir := &rotating{life: 3600}, t.TempDir()
	p := onLoopback(t, platform.ServeHTTP)
	given := p.cloudLX(RefreshToken)
	gets(t, p.another(dir), given, "t-1")
	store(t, dir, given, tokenOf("t-1", time.Hour, -time.Second, ""))
	lock := lockOf(t, dir, given)
	must(t, os.Remove(lock))
	must(t, os.Mkdir(lock, 0o700)) // so that the lock cannot be opened, as on a read-only disk
	if _, err := ask(t, p.another(dir), given); err != nil {
		t.Error(err)
	}
	platform.count(t, 1, 1, 0)
}

// If the platform does not support refreshes, an automatic refresh fails, and the client obtains a new token instead.
func TestADeclinedRefreshFallsBack(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"unauthorized_client":    rejects("unauthorized_client"),
		"unsupported_grant_type": rejects("unsupported_grant_type"),
		"403":                    says(403, htmlPage),
		"404":                    says(404, htmlPage),
		"302":                    says(302, "", "Location: /login"),
	} {
		synctest.Test(t, func(t *testing.T) {
			p, dir := inMemory(t, refreshes(answer, grantsToken("t-1", `,"refresh_token":"`+refreshToken+`2"`))), t.TempDir()
			store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
			c := p.client(Options{})
			for run := range 3 {
				if token, err := ask(t, p.another(dir), p.cloudLX(ClientCredentials)); token != "t-1" {
					t.Errorf("%s, process %d: %v", name, run, err)
				}
				if token, err := ask(t, c, p.cloudLX(ClientCredentials)); token != "t-1" {
					t.Errorf("%s, in one process, round %d: %v", name, run, err)
				}
				pass(2 * time.Hour)
			}
		})
	}
}

// CloudLX revokes the old access token in a refresh. So a token that is in use and still valid is not refreshed.
func TestARefreshDoesNotEndATokenInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, grantsToken("t-1", `,"refresh_token":"`+refreshToken+`"`))
		c := p.client(Options{})
		for _, least := range []time.Duration{5 * time.Minute, 55 * time.Minute, 30 * time.Minute, 5 * time.Minute} {
			_, err := c.Token(t.Context(), p.cloudLX(ClientCredentials), least)
			must(t, err)
			pass(10 * time.Minute)
		}
		for _, r := range p.seen("") {
			if strings.Contains(r.path, "refresh") {
				t.Error("a token was refreshed while it lasted")
			}
		}
		pass(2 * time.Hour)
		_, err := ask(t, c, p.cloudLX(ClientCredentials))
		if must(t, err); !strings.Contains(p.seen("")[len(p.seen(""))-1].path, "refresh") {
			t.Error("a token that has ended was not refreshed")
		}
	})
}

// stuckLog is a log handler that blocks, as if its reader had stopped.
type stuckLog struct {
	slog.Handler
	until chan struct{}
}

func (stuckLog) Enabled(context.Context, slog.Level) bool { return true }

func (s stuckLog) Handle(context.Context, slog.Record) error {
	<-s.until
	return nil
}

// A caller can leave while its flight waits for something that no context ends: a log that is stuck, or the derivation of a key.
// Nothing is sent for it.
func TestAStuckLogBlocksNoCaller(t *testing.T) { // X03
	for _, way := range []string{"cancelled", "interrupted"} {
		synctest.Test(t, func(t *testing.T) {
			p, dir := inMemory(t, grantsToken("t-1")), t.TempDir()
			interrupted, until := make(chan struct{}), make(chan struct{})
			c := p.client(Options{Cache: opened(t, dir), Interrupted: interrupted, Logger: slog.New(stuckLog{slog.DiscardHandler, until})})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			left := make(chan error, 1)
			go func() {
				_, err := c.Token(ctx, p.interxion(""), 0)
				left <- err
			}()
			synctest.Wait()
			map[string]func(){"cancelled": cancel, "interrupted": func() { close(interrupted) }}[way]()
			synctest.Wait()
			select {
			case err := <-left:
				if failed(t, err).Kind != Cancelled {
					t.Error(err)
				}
			default:
				t.Errorf("%s: the caller waits for the log", way)
			}
			close(until)
			synctest.Wait() // for the flight's remaining work in the directory
			p.sent(0, "")
		})
	}
}
