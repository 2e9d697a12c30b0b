// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// idSignature ends each identity token. No error may show it.
const idSignature = "c2lnbmF0dXJlLW9mLXRoZS1pZGVudGl0eS10b2tlbg"

// bearer is the token with which a job asks GitHub for an identity token. No error may show it either.
const bearer = "Q7XJ-OF-A-JOB-5KZV"

// idToken returns an identity token with changed claims. nil removes a claim.
func idToken(t testing.TB, change map[string]any) Secret {
	t.Helper()
	claims := map[string]any{"iss": "https://issuer.example", "aud": "lab", "sub": "job-1", "exp": time.Now().Add(5 * time.Minute).Unix()}
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	payload, err := json.Marshal(claims)
	must(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	return NewSecret(encode([]byte(`{"alg":"RS256"}`)) + "." + encode(payload) + "." + idSignature)
}

func (p *fakePlatform) exchange(identity IdentitySource) Equinix {
	return Equinix{STSURL: p.url, GrantType: TokenExchange, Scope: "roleassignments:1", Identity: identity}
}

func exchangeAtEquinix(p *fakePlatform) Grant {
	return p.exchange(IdentitySource{Token: idToken(p.t, nil)})
}

func exchangeAtOAuth2(p *fakePlatform) Grant {
	return OAuth2{TokenURL: p.url + "/token", GrantType: TokenExchange, Format: FormBody, Identity: IdentitySource{Token: idToken(p.t, nil)}}
}

// variables is an environment that a test can change.
type variables map[string]string

func (v variables) get(name string) string { return v[name] }

// TestIdentityTokensOfEachSource tests that each exchange reads its source again, and sends the value without surrounding
// blanks.
func TestIdentityTokensOfEachSource(t *testing.T) {
	short := says(200, `{"access_token":"t-1","expires_in":0}`) // so that each call needs a new token
	first, second := idToken(t, map[string]any{"jti": "1"}), idToken(t, map[string]any{"jti": "2"})
	dir, environment := t.TempDir(), variables{}
	file, link := filepath.Join(dir, "token"), filepath.Join(dir, "link")
	write := func(t *testing.T, token Secret) {
		must(t, os.WriteFile(file, []byte(" "+token.Reveal()+"\r\n"), 0o600))
	}
	target := 0
	change := func(t *testing.T, token Secret) { // as Kubernetes does
		target++
		name := filepath.Join(dir, fmt.Sprint("token-", target))
		must(t, os.WriteFile(name, []byte(token.Reveal()), 0o600))
		_ = os.Remove(link)
		if err := os.Symlink(name, link); err != nil {
			t.Skip(err)
		}
	}
	for name, row := range map[string]struct {
		identity IdentitySource
		set      func(*testing.T, Secret)
	}{
		"variable": {IdentitySource{Variable: "ID_TOKEN"}, func(_ *testing.T, token Secret) { environment["ID_TOKEN"] = token.Reveal() + "\n" }},
		"file":     {IdentitySource{File: file}, write},
		"link":     {IdentitySource{File: link}, change},
	} {
		t.Run(name, func(t *testing.T) {
			p := onLoopback(t, short)
			c := p.client(Options{Getenv: environment.get})
			for _, token := range []Secret{first, second} {
				row.set(t, token)
				gets(t, c, p.exchange(row.identity), "t-1")
				if all := p.seen(""); len(all) == 0 || all[len(all)-1].fields["subject_token"] != token.Reveal() {
					t.Error("another identity token was sent than the source has")
				}
			}
			p.sent(2, "/v1/token")
		})
	}
}

// TestAnIdentityTokenThatCannotBeUsedIsNotSent tests wrong sources. The error says what is wrong. Nothing is sent, and nothing
// is kept: the next call reads the source again, so the failure may pass.
func TestAnIdentityTokenThatCannotBeUsedIsNotSent(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	good := idToken(t, nil).Reveal()
	head, _, _ := strings.Cut(good, ".")
	claims := func(change map[string]any) string { return idToken(t, change).Reveal() }
	payload := func(text string) string {
		return head + "." + base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + idSignature
	}
	expired := claims(map[string]any{"exp": time.Now().Add(-3*time.Minute - 10*time.Second).Unix(), "aud": []string{"a", "b"}})
	at := "https://127.0.0.1:1/request"
	_, err := os.Stat(filepath.Join(dir, "missing"))
	noSuchFile := printable.WithoutPath(err) // in the system's words
	for name, row := range map[string]struct {
		identity IdentitySource
		value    string // of the variable ID_TOKEN
		more     variables
		want     string
	}{
		"no variable":       {identity: IdentitySource{Variable: "ID_TOKEN"}, want: "the identity token in the environment variable ID_TOKEN is empty"},
		"a blank variable":  {identity: IdentitySource{Variable: "ID_TOKEN"}, value: " \n", want: "ID_TOKEN is empty"},
		"two lines":         {identity: IdentitySource{Variable: "ID_TOKEN"}, value: good + "\n" + good, want: "has a blank, a line break"},
		"not ASCII":         {identity: IdentitySource{Variable: "ID_TOKEN"}, value: "\ufeff" + good, want: "outside ASCII"},
		"too long":          {identity: IdentitySource{Variable: "ID_TOKEN"}, value: strings.Repeat("x", maxToken+1), want: "is larger than 64 KiB"},
		"no file":           {identity: IdentitySource{File: filepath.Join(dir, "missing")}, want: "cannot be read (" + noSuchFile.Error() + ")"},
		"an empty file":     {identity: IdentitySource{File: file("empty", "\n")}, want: "is empty"},
		"a directory":       {identity: IdentitySource{File: dir}, want: "cannot be read (it is a directory)"},
		"a device":          {identity: IdentitySource{File: os.DevNull}, want: "cannot be read (it is not a regular file"},
		"a large file":      {identity: IdentitySource{File: file("large", strings.Repeat("\n", maxToken+1))}, want: "is larger than 64 KiB"},
		"a token in a file": {identity: IdentitySource{File: file("quoted", `"`+good+`"`)}, want: `" is in quotation marks`},
		"no claims":         {identity: IdentitySource{Variable: "ID_TOKEN"}, value: payload("[]"), want: "whose claims cannot be read"},
		"a claim twice":     {identity: IdentitySource{Variable: "ID_TOKEN"}, value: payload(`{"sub":"a","sub":"b","iss":"x"}`), want: "whose claims cannot be read"},
		"expired":           {identity: IdentitySource{Variable: "ID_TOKEN"}, value: expired, want: `Z (iss "https://issuer.example", aud "a b", sub "job-1")`},
		"expired, odd claims": {
			identity: IdentitySource{Variable: "ID_TOKEN"}, value: claims(map[string]any{"exp": 1, "iss": strings.Repeat("x", 900), "sub": "a\r\nb", "aud": "\x1b[31m"}),
			want: `xxx", aud "[31m", sub "a b")`,
		},
		"expired, a file":         {identity: IdentitySource{File: file("expired", expired)}, want: `s ago: this machine's clock says 20`},
		"GitHub, nothing set":     {identity: IdentitySource{Audience: "lab"}, want: "permissions: id-token: write"},
		"GitHub, no bearer token": {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestURL: at}, want: "permissions: id-token: write"},
		"GitHub, no URL":          {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: "x"}, want: "permissions: id-token: write"},
		"GitHub, http":            {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: "x", gitHubRequestURL: "http://127.0.0.1:1/"}, want: "must start with https://"},
		"GitHub, no URL at all":   {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: "x", gitHubRequestURL: "https:///x"}, want: "is not a URL that can be asked"},
		"GitHub, an odd host":     {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: "x", gitHubRequestURL: "https://ho\u200bst/"}, want: "is not a URL that can be asked"},
		"GitHub, a user":          {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: "x", gitHubRequestURL: "https://" + idSignature + "@host/"}, want: "is not a URL that can be asked"},
		"GitHub, an odd bearer":   {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: idSignature + "\n", gitHubRequestURL: at}, want: "ACTIONS_ID_TOKEN_REQUEST_TOKEN begins or ends with a blank"},
	} {
		t.Run(name, func(t *testing.T) {
			p := onLoopback(t, grantsToken("t-1"))
			environment := variables{"ID_TOKEN": row.value, gitHubRequestURL: row.more[gitHubRequestURL], gitHubRequestToken: row.more[gitHubRequestToken]}
			c := p.client(Options{Getenv: environment.get})
			_, err := ask(t, c, p.exchange(row.identity))
			if e := failed(t, err); e.Kind != NoIdentityToken || !e.Temporary() || !strings.Contains(err.Error(), row.want) || !strings.HasPrefix(err.Error(), "Equinix: nothing was sent") {
				t.Errorf("kind %d: %v; want %q", e.Kind, err, row.want)
			}
			p.sent(0, "")
			if environment["ID_TOKEN"] = good; row.identity.Variable != "" {
				gets(t, c, p.exchange(row.identity), "t-1")
			}
		})
	}
}

// TestWhatIsNoIdentityTokenIsNamed tests what people and tools write in the place of an identity token. Each source says what is
// wrong, and nothing is sent. The forms of both kinds of JSON Web Token are walked, with each part missing or damaged.
func TestWhatIsNoIdentityTokenIsNamed(t *testing.T) {
	good := idToken(t, nil).Reveal()
	rows := map[string]string{ // the value, and what is said about it
		idSignature: "does not have three parts", good + ".d": "does not have three parts", good + ".a.b.c": "does not have three parts",
		`"` + good + `"`: "is in quotation marks", "'" + good + "'": "is in quotation marks", "`" + good: "is in quotation marks",
		`{"count":1,"value":"` + good + `"}`: "value in GitHub's answer", "{\n  \"value\": \"" + good + "\"\n}": "value in GitHub's answer",
		"Bearer " + good: `the word "Bearer"`, "bearer  " + good: `the word "Bearer"`, "Authorization: Bearer " + good: `the word "Bearer"`,
		idSignature + "." + strings.Join(strings.Split(good, ".")[1:], "."): "first part is not a JSON object",
	}
	encrypted := good + ".aQ.aQ"
	for _, token := range []string{good, encrypted} {
		for i := range strings.Split(token, ".") {
			for _, damage := range []string{"", "a{", "aQ==", "a+/a", "aQ%3D"} {
				parts := strings.Split(token, ".")
				if parts[i] = damage; damage != "" || i == 0 || token == good { // an encrypted token may lack its key, for one
					rows[strings.Join(parts, ".")] = "is not a JSON Web Token: "
				}
			}
		}
	}
	p, path := onLoopback(t, grantsToken("t-1")), filepath.Join(t.TempDir(), "token")
	for value, want := range rows {
		must(t, os.WriteFile(path, []byte(value+"\n"), 0o600))
		for _, source := range []IdentitySource{{Token: NewSecret(value)}, {Variable: "ID_TOKEN"}, {File: path}} {
			_, err := ask(t, p.client(Options{Getenv: variables{"ID_TOKEN": value}.get}), p.exchange(source))
			if e := failed(t, err); e.Kind != NoIdentityToken && e.Kind != InvalidInput || !strings.Contains(err.Error(), want) {
				t.Errorf("kind %d: %v; want %q", e.Kind, err, want)
			}
		}
	}
	p.sent(0, "")
}

// TestATokenWithoutAnIdentityIsItsOwn tests identity tokens that do not say, or do not say here, whose they are: SPIFFE's, which
// name no issuer, and encrypted ones. Each is exchanged, and has the key of no other identity token.
func TestATokenWithoutAnIdentityIsItsOwn(t *testing.T) {
	claims := func(change map[string]any) func(id string) string {
		return func(id string) string {
			all := map[string]any{"jti": id}
			maps.Copy(all, change)
			return idToken(t, all).Reveal()
		}
	}
	for name, row := range map[string]struct {
		token  func(id string) string
		shared bool
	}{
		"both":            {claims(nil), true},
		"no issuer":       {claims(map[string]any{"iss": nil, "sub": "spiffe://example.org/job"}), false},
		"an empty issuer": {claims(map[string]any{"iss": ""}), false},
		"no subject":      {claims(map[string]any{"sub": nil}), false},
		"neither":         {claims(map[string]any{"iss": nil, "sub": nil, "aud": nil}), false},
		"a number":        {claims(map[string]any{"sub": 1}), false},
		"encrypted": {func(id string) string {
			return strings.Split(idToken(t, nil).Reveal(), ".")[0] + "..aQ.aQ" + id + id + "." + idSignature
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, environment := onLoopback(t, grantsToken("t-1")), variables{}
			grant := p.exchange(IdentitySource{Variable: "ID_TOKEN"})
			key := func(id string) digest {
				environment["ID_TOKEN"] = row.token(id)
				c := p.client(Options{Getenv: environment.get})
				gets(t, c, grant, "t-1")
				r, err := c.request(grant)
				must(t, err)
				return c.sharer.memory.lastComplete(r).key()
			}
			if first, again, other := key("1"), key("1"), key("2"); first != again || (first == other) != row.shared {
				t.Errorf("the same identity token has the same key: %t; another one: %t, want %t", first == again, first == other, row.shared)
			}
			p.sent(3, "")
		})
	}
}

// An identity token that expires while its request waits for another attempt is not sent again. The error is about what was
// sent, and says that the identity token has expired.
func TestAnIdentityTokenExpiresBeforeAnotherAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, says(429, "", "Retry-After: 40"))
		_, err := ask(t, p.client(Options{}), p.exchange(IdentitySource{Token: idToken(t, map[string]any{"exp": time.Now().Add(time.Minute).Unix()})}))
		if e := failed(t, err); e.Kind != Throttled || e.Attempts != 2 || !strings.Contains(err.Error(), "after 2 attempts; the identity token expired ") {
			t.Errorf("kind %d, %d attempts: %v", e.Kind, e.Attempts, err)
		}
		p.sent(2, "")
	})
}

// An identity token that expires while its request waits for its turn is not sent at all, and nothing is remembered.
func TestAnIdentityTokenExpiresBeforeItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(20*time.Second, says(503, "")), grantsToken("t-2"))
		expires := func(after time.Duration) string {
			return idToken(t, map[string]any{"exp": time.Now().Add(after).Unix()}).Reveal()
		}
		environment := variables{"ID_TOKEN": expires(20 * time.Second)}
		c, first := p.client(Options{Getenv: environment.get, MaxAttempts: 1}), p.exchange(IdentitySource{Variable: "ID_TOKEN"})
		second := first
		second.Scope = "roleassignments:2"
		go func() { _, _ = c.Token(t.Context(), first, 0) }()
		synctest.Wait()
		_, err := ask(t, c, second)
		want := `Equinix: nothing was sent; the identity token in the environment variable ID_TOKEN expired 0s ago: this machine's clock says 2000-01-01T00:00:20Z (iss "https://issuer.example", aud "lab", sub "job-1")`
		if e := failed(t, err); e.Kind != NoIdentityToken || err.Error() != want {
			t.Errorf("kind %d: %v; want %s", e.Kind, err, want)
		}
		p.sent(1, "")
		environment["ID_TOKEN"] = expires(time.Minute)
		gets(t, c, second, "t-2")
	})
}

// TestTokensOfOneIdentityAreShared tests which exchanges share a token. Endpoint, scope and source must be equal. An identity
// token that is given directly is its own identity.
func TestTokensOfOneIdentityAreShared(t *testing.T) {
	value := func(change map[string]any) IdentitySource { return IdentitySource{Token: idToken(t, change)} }
	for name, row := range map[string]struct {
		change   func(*Equinix)
		requests int
	}{
		"the same":               {func(*Equinix) {}, 1},
		"another identity token": {func(g *Equinix) { g.Identity = value(map[string]any{"jti": "2", "exp": nil}) }, 2},
		"another audience":       {func(g *Equinix) { g.Identity = value(map[string]any{"aud": "2"}) }, 2},
		"client credentials":     {func(g *Equinix) { g.BaseURL, g.ClientID, g.ClientSecret = "http://[::1]", "x", NewSecret("x") }, 1},
		"another subject":        {func(g *Equinix) { g.Identity = value(map[string]any{"sub": "job-2"}) }, 2},
		"another issuer":         {func(g *Equinix) { g.Identity = value(map[string]any{"iss": "https://other.example"}) }, 2},
		"a moved boundary": {func(g *Equinix) {
			g.Identity = value(map[string]any{"iss": `https://issuer.example" "job`, "sub": "-1"})
		}, 2},
		"a blank more":     {func(g *Equinix) { g.Identity = value(map[string]any{"sub": "job-1 "}) }, 2},
		"another scope":    {func(g *Equinix) { g.Scope = "roleassignments:2" }, 2},
		"another endpoint": {func(g *Equinix) { g.STSURL = strings.Replace(g.STSURL, "127.0.0.1", "localhost", 1) }, 2},
		"another source":   {func(g *Equinix) { g.Identity = IdentitySource{Variable: "ID_TOKEN"} }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := onLoopback(t, grantsToken("t-1"))
			c := p.client(Options{Getenv: variables{"ID_TOKEN": idToken(t, nil).Reveal()}.get})
			grant := p.exchange(value(nil))
			gets(t, c, grant, "t-1")
			row.change(&grant)
			gets(t, c, grant, "t-1")
			p.sent(row.requests, "")
		})
	}
}

// An exchange at any server has the scope, the audience, the further parameters and headers, in either format, and nothing else.
// A parameter may name another type of the identity token.
func TestAnExchangeSaysWhatTheServerWants(t *testing.T) {
	token := idToken(t, nil)
	for format, mediaType := range map[string]string{FormBody: "application/x-www-form-urlencoded", JSONBody: "application/json"} {
		for _, kind := range []string{"", "urn:ietf:params:oauth:token-type:jwt"} {
			want := map[string]string{
				"grant_type": exchangeGrantType, "subject_token": token.Reveal(), "subject_token_type": cmp.Or(kind, idTokenType),
				"scope": "a b", "audience": "api", "resource": userPassword,
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if got := fields(body); !maps.Equal(got, want) || r.Header.Get("Content-Type") != mediaType || r.Header.Get("X-Key") != headerValue || r.Header.Get("Authorization") != "" {
					t.Errorf("%s: another request than asked for", format)
				}
				says(400, fmt.Sprintf(`{"error":"invalid_target","error_description":%q}`, userPassword))(w, r)
			}))
			t.Cleanup(server.Close)
			_, err := ask(t, New(Options{}), OAuth2{
				TokenURL: server.URL + "/token", GrantType: TokenExchange, Format: format, Scope: "a b", Audience: "api", Identity: IdentitySource{Token: token},
				Parameters: Pairs(map[string]string{"resource": userPassword, "subject_token_type": kind}), Headers: Pairs(map[string]string{"X-Key": headerValue}),
			})
			if e := failed(t, err); e.Kind != RequestRejected || e.Code != "invalid_target" {
				t.Errorf("kind %d: %v", e.Kind, err)
			}
		}
	}
}

// A refresh token that comes with the access token is not used: the next exchange takes an identity token, and no client secret.
func TestAnExchangeIsNotRefreshed(t *testing.T) {
	p := onLoopback(t, says(200, `{"access_token":"t-1","expires_in":0,"refresh_token":"`+refreshToken+`"}`))
	c, grant := p.client(Options{}), p.exchange(IdentitySource{Token: idToken(t, nil)})
	grant.BaseURL, grant.ClientID, grant.ClientSecret = p.url, "client-1", NewSecret(clientSecret)
	for range 2 {
		gets(t, c, grant, "t-1")
	}
	p.sent(2, "/v1/token")
	p.sent(0, "refresh")
}

// The request for an identity token is bounded as a request for a token is, however many attempts are allowed.
func TestGitHubHasABudget(t *testing.T) {
	template := httptest.NewTLSServer(nil) // for its certificate
	template.Close()
	synctest.Test(t, func(t *testing.T) {
		network := newPipes()
		server := &http.Server{Handler: http.HandlerFunc(hangs), ErrorLog: log.New(io.Discard, "", 0)}
		go func() { _ = server.Serve(tls.NewListener(network, template.TLS)) }()
		defer server.Close()
		p := inMemory(t, grantsToken("t-1"))
		p.dial = network.dial
		roots := x509.NewCertPool()
		roots.AddCert(template.Certificate())
		environment := variables{gitHubRequestURL: "https://example.com/request", gitHubRequestToken: bearer}
		c := p.client(Options{Getenv: environment.get, RootCAs: roots, RequestTimeout: 50 * time.Second, MaxAttempts: 11})
		began := time.Now()
		_, err := ask(t, c, p.exchange(gitHubIdentity))
		if e := failed(t, err); e.Kind != NoIdentityToken || !e.Temporary() || time.Since(began) != budget {
			t.Errorf("kind %d after %s: %v", e.Kind, time.Since(began), err)
		}
		p.sent(0, "")
	})
}

// Each source has a token of its own, even if it holds the same identity token as another one.
func TestSourcesShareNoToken(t *testing.T) {
	t.Chdir(t.TempDir())
	idToken := idToken(t, nil)
	for _, name := range []string{"ID_TOKEN", "ANOTHER"} {
		must(t, os.WriteFile(name, []byte(idToken.Reveal()), 0o600))
	}
	github := httptest.NewTLSServer(says(200, fmt.Sprintf(`{"value":%q}`, idToken.Reveal())))
	t.Cleanup(github.Close)
	roots := x509.NewCertPool()
	roots.AddCert(github.Certificate())
	p := onLoopback(t, grantsToken("t-1"))
	c := p.client(Options{RootCAs: roots, Getenv: variables{
		"ID_TOKEN": idToken.Reveal(), "ANOTHER": idToken.Reveal(), gitHubRequestURL: github.URL, gitHubRequestToken: bearer,
	}.get})
	for i, source := range []IdentitySource{
		{Token: idToken}, {Variable: "ID_TOKEN"}, {Variable: "ANOTHER"}, {File: "ID_TOKEN"}, {File: "ANOTHER"}, {Audience: "ID_TOKEN"}, {Audience: "ANOTHER"},
	} {
		for range 2 {
			gets(t, c, p.exchange(source), "t-1")
		}
		p.sent(i+1, "")
	}
}

// A rejected identity token is sent once, whatever the scope. The error shows its claims.
func TestARejectedIdentityTokenIsSentOnce(t *testing.T) {
	for _, refusal := range []http.HandlerFunc{
		says(400, `{"error":"invalid_request","error_description":"`+idSignature+`"}`), says(400, `{"error":"Invalid_Request"}`), says(400, `{"error":"invalid_grant"}`), says(401, ""),
		says(400, `{"error":{"errorCode":"invalid_grant"},"errorDescription":"x"}`),
	} {
		p := onLoopback(t, refusal)
		c := p.client(Options{})
		grant := p.exchange(IdentitySource{Token: idToken(t, nil)})
		for i := range 3 {
			grant.Scope = fmt.Sprint("roleassignments:", i)
			_, err := ask(t, c, grant)
			e := failed(t, err)
			if want := ` (iss "https://issuer.example", aud "lab", sub "job-1")`; e.Kind != CredentialsRejected || !strings.Contains(err.Error(), "; the identity token is valid for another ") || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("kind %d: %v", e.Kind, err)
			}
		}
		p.sent(1, "")
		grant.Identity.Token = idToken(t, map[string]any{"jti": "another"})
		_, err := ask(t, c, grant)
		failed(t, err)
		p.sent(2, "")
	}
}

// After a rejection, a file is read again. The rejected identity token is not sent again, and another one is. GitHub is not
// asked again: its bearer token stays the same.
func TestAnotherIdentityTokenIsSentAfterARejection(t *testing.T) {
	for name, refusal := range map[string]http.HandlerFunc{
		"invalid_request": rejects("invalid_request"), "401": says(401, ""), "a code of the platform's own": rejects("untrusted_token"),
	} {
		t.Run(name, func(t *testing.T) {
			file, dir := filepath.Join(t.TempDir(), "token"), t.TempDir()
			write := func(id string) {
				must(t, os.WriteFile(file, []byte(idToken(t, map[string]any{"jti": id, "exp": nil}).Reveal()), 0o600))
			}
			p := onLoopback(t, refusal, grantsToken("t-2"))
			grant := p.exchange(IdentitySource{File: file})
			write("1")
			first, other := p.another(dir), p.another(dir)
			for range 3 {
				_, err := ask(t, first, grant)
				failed(t, err)
			}
			p.sent(1, "")
			if name != "a code of the platform's own" { // which other processes do not learn
				_, err := ask(t, other, grant)
				failed(t, err)
				p.sent(1, "")
			}
			write("2")
			gets(t, first, grant, "t-2")
			gets(t, other, grant, "t-2")
			p.sent(2, "")
		})
	}
	environment, roots, asked := gitHub(t, func(asked int64, w http.ResponseWriter, r *http.Request) {
		says(200, fmt.Sprintf(`{"value":%q}`, idToken(t, map[string]any{"jti": asked}).Reveal()))(w, r)
	})
	p := onLoopback(t, rejects("invalid_request"))
	c, grant := p.client(Options{Getenv: environment.get, RootCAs: roots}), p.exchange(gitHubIdentity)
	for i, scope := range []string{"roleassignments:1", "roleassignments:1", "roleassignments:2"} {
		grant.Scope = scope
		_, err := ask(t, c, grant)
		if e := failed(t, err); e.Kind != CredentialsRejected {
			t.Errorf("kind %d: %v", e.Kind, err)
		}
		p.sent(1, "")
		if got, want := asked.Load(), int64(1+i/2); got != want {
			t.Errorf("GitHub was asked %d times, want %d", got, want)
		}
	}
}

// What does not concern the identity token is remembered for each identity token of the source.
func TestAnotherIdentityTokenDoesNotHelp(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"a scope that is not allowed": rejects("invalid_scope"), "an outage": says(503, ""), "no endpoint": says(404, ""),
	} {
		p := onLoopback(t, answer)
		environment := variables{}
		c := p.client(Options{Getenv: environment.get, MaxAttempts: 1})
		for _, id := range []string{"1", "2"} {
			environment["ID_TOKEN"] = idToken(t, map[string]any{"jti": id}).Reveal()
			if _, err := ask(t, c, p.exchange(IdentitySource{Variable: "ID_TOKEN"})); failed(t, err).Kind == CredentialsRejected {
				t.Errorf("%s: %v", name, err)
			}
		}
		p.sent(1, "")
	}
}

// A description under the name that Equinix's clients expect is shown.
func TestADescriptionOfEquinix(t *testing.T) {
	p := onLoopback(t, says(400, `{"error":{"errorCode":"invalid_grant"},"errorDescription":"not trusted"}`))
	_, err := ask(t, p.client(Options{}), p.exchange(IdentitySource{Token: idToken(t, nil)}))
	if e := failed(t, err); e.Code != "invalid_grant" || e.Description != `"not trusted"` {
		t.Error(err)
	}
}

// An exchange of unknown outcome is not repeated with the same identity token. A new identity token is exchanged.
func TestAnExchangeOfUnknownOutcomeIsNotRepeated(t *testing.T) {
	for name, unknown := range map[string]http.HandlerFunc{"no answer": resets, "500": says(500, ""), "502": says(502, ""), "cut short": writes("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, unknown, grantsToken("t-2"))
				environment := variables{"ID_TOKEN": idToken(t, map[string]any{"exp": nil}).Reveal()}
				c, grant := p.client(Options{Getenv: environment.get}), p.exchange(IdentitySource{Variable: "ID_TOKEN"})
				for range 2 {
					_, err := ask(t, c, grant)
					failed(t, err)
					pass(failureShared + time.Second)
				}
				p.sent(1, "")
				environment["ID_TOKEN"] = idToken(t, map[string]any{"exp": nil, "jti": "2"}).Reveal()
				pass(failureShared + time.Second)
				gets(t, c, grant, "t-2")
				p.sent(2, "")
			})
		})
	}
}

// Two blocks that name the same identity token in two ways send it one after the other. While the first is on its way, its
// outcome is not unknown.
func TestOneIdentityTokenUnderTwoNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(time.Second, grantsToken("t-1")))
		token := idToken(t, map[string]any{"exp": nil}).Reveal()
		environment := variables{"A": token, "B": token}
		c := p.client(Options{Getenv: environment.get})
		var callers sync.WaitGroup
		for _, name := range []string{"A", "B"} {
			callers.Go(func() { gets(t, c, p.exchange(IdentitySource{Variable: name}), "t-1") })
		}
		callers.Wait()
		p.sent(2, "")
	})
}

// Equinix's own provider repeats 409.
func TestAConflictIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, says(409, `{"error":"conflict"}`), says(409, ""), grantsToken("t-1"))
		gets(t, p.client(Options{}), p.exchange(IdentitySource{Token: idToken(t, nil)}), "t-1")
		p.sent(3, "")
	})
}

// TestExchangesInTheCache tests that processes with the same identity token share the access token or the rejection. The entry
// cannot be read with another identity token of the same identity, which is a normal miss.
func TestExchangesInTheCache(t *testing.T) {
	dir := t.TempDir()
	p := onLoopback(t, grantsToken("t-1"), grantsToken("t-2"), rejects("invalid_grant"), grantsToken("t-4"))
	logged := &notes{}
	grant := p.exchange(IdentitySource{Token: idToken(t, nil)})
	for range 2 {
		gets(t, p.logging(dir, logged.handler()), grant, "t-1")
	}
	grant.Identity.Token = idToken(t, map[string]any{"jti": "2"})
	for range 2 {
		gets(t, p.logging(dir, logged.handler()), grant, "t-2")
	}
	p.sent(2, "")
	grant.Scope = "roleassignments:2"
	for range 2 {
		_, err := ask(t, p.logging(dir, logged.handler()), grant)
		failed(t, err)
	}
	p.sent(3, "")
	if lines := logged.with("level=WARN"); len(lines) != 0 {
		t.Error("an entry of another identity token is reported as a fault")
	}
	for _, name := range filesIn(t, dir, entrySuffix) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if strings.Contains(string(data), "t-2") || strings.Contains(string(data), idSignature) {
			t.Error("the cache has a token in clear")
		}
	}
}

// A refused token is discarded in this process and in the cache.
func TestATokenOfAnExchangeIsDiscarded(t *testing.T) {
	dir := t.TempDir()
	p := onLoopback(t, grantsToken("t-1"), grantsToken("t-2"))
	grant := p.exchange(IdentitySource{Token: idToken(t, nil)})
	c := p.another(dir)
	token, err := c.Token(t.Context(), grant, 0)
	must(t, err)
	c.Discard(grant, token)
	gets(t, p.another(dir), grant, "t-2")
	gets(t, c, grant, "t-2")
	p.sent(2, "")
}

// gitHub starts a server like GitHub's, which issues identity tokens to the jobs of GitHub Actions.
func gitHub(t *testing.T, answer func(asked int64, w http.ResponseWriter, r *http.Request)) (environment variables, roots *x509.CertPool, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+bearer || r.Method != http.MethodGet || r.URL.RequestURI() != "/request?api-version=2.0&audience=https%3A%2F%2Flab.example%2F%3Fa%3D1%26b" || r.Header.Get("Accept") != "application/json" || r.ContentLength != 0 {
			t.Errorf("%s %s, accepts %s, length %d", r.Method, r.URL.RequestURI(), r.Header.Get("Accept"), r.ContentLength)
		}
		answer(asked.Add(1), w, r)
	}))
	t.Cleanup(server.Close)
	roots = x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return variables{gitHubRequestURL: server.URL + "/request?api-version=2.0", gitHubRequestToken: bearer}, roots, asked
}

var gitHubIdentity = IdentitySource{Audience: "https://lab.example/?a=1&b"}

// TestIdentityTokensOfGitHub tests that each exchange asks GitHub for a new identity token, and that blocks that share a token
// do not.
func TestIdentityTokensOfGitHub(t *testing.T) {
	short, p := says(200, `{"access_token":"t-1","expires_in":0}`), (*fakePlatform)(nil)
	environment, roots, asked := gitHub(t, func(asked int64, w http.ResponseWriter, r *http.Request) {
		if asked == 1 {
			w.WriteHeader(http.StatusServiceUnavailable) // a temporary failure
			return
		}
		says(200, fmt.Sprintf(`{"count":1,"value":%q}`, idToken(t, map[string]any{"jti": asked}).Reveal()))(w, r)
	})
	p = onLoopback(t, short, short, grantsToken("t-1"))
	c := p.client(Options{Getenv: environment.get, RootCAs: roots})
	for range 5 {
		gets(t, c, p.exchange(gitHubIdentity), "t-1")
	}
	p.sent(3, "")
	if got := asked.Load(); got != 4 {
		t.Errorf("GitHub was asked %d times, want 4", got)
	}
	all := p.seen("")
	if all[0].fields["subject_token"] == all[1].fields["subject_token"] {
		t.Error("an identity token was exchanged twice")
	}
}

// TestAClockThatIsAheadEndsNoTokenOfGitHub tests an identity token that GitHub has just issued, by a clock an hour behind this
// machine's. Its life is measured by what comes with it. Of the same token in a variable or a file, exp counts.
func TestAClockThatIsAheadEndsNoTokenOfGitHub(t *testing.T) {
	issued := time.Now().Add(-time.Hour)
	ends := issued.Add(5 * time.Minute).Unix()
	date := "Date: " + issued.UTC().Format(http.TimeFormat)
	for name, row := range map[string]struct {
		claims map[string]any
		header string
		ended  bool
	}{
		"iat":                {map[string]any{"exp": ends, "iat": issued.Unix()}, "", false},
		"iat, another Date":  {map[string]any{"exp": ends, "iat": issued.Unix()}, "Date: " + time.Now().UTC().Format(http.TimeFormat), false},
		"Date":               {map[string]any{"exp": ends}, date, false},
		"no exp":             {map[string]any{"exp": nil}, date, false},
		"ended by its clock": {map[string]any{"exp": issued.Unix() - 1}, date, true},
		"ended by this one":  {map[string]any{"exp": ends}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			token := idToken(t, row.claims)
			environment, roots, _ := gitHub(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
				says(200, fmt.Sprintf(`{"value":%q}`, token.Reveal()), cmp.Or(row.header, "X: y"))(w, r)
			})
			p, path := onLoopback(t, grantsToken("t-1")), filepath.Join(t.TempDir(), "token")
			must(t, os.WriteFile(path, []byte(token.Reveal()), 0o600))
			environment["ID_TOKEN"] = token.Reveal()
			c := p.client(Options{Getenv: environment.get, RootCAs: roots})
			for _, source := range []IdentitySource{gitHubIdentity, {Variable: "ID_TOKEN"}, {File: path}, {Token: token}} {
				_, err := ask(t, c, p.exchange(source))
				if row.claims["exp"] == nil || source.Audience != "" && !row.ended {
					must(t, err)
					continue
				}
				e := failed(t, err)
				if e.Kind != NoIdentityToken || e.Temporary() == source.given() || !strings.HasPrefix(err.Error(), "Equinix: nothing was sent; "+source.named(forExchange)+" expired ") || !strings.Contains(err.Error(), "this machine's clock says 20") {
					t.Errorf("kind %d, may pass %t: %v", e.Kind, e.Temporary(), err)
				}
			}
		})
	}
}

// Processes of one job share a token, although GitHub issues a new identity token to each.
func TestAJobOfGitHubSharesItsToken(t *testing.T) {
	environment, roots, asked := gitHub(t, func(asked int64, w http.ResponseWriter, r *http.Request) {
		says(200, fmt.Sprintf(`{"value":%q}`, idToken(t, map[string]any{"jti": asked}).Reveal()))(w, r)
	})
	p, dir := onLoopback(t, grantsToken("t-1")), t.TempDir()
	for range 3 {
		gets(t, p.client(Options{Getenv: environment.get, RootCAs: roots, Cache: opened(t, dir)}), p.exchange(gitHubIdentity), "t-1")
	}
	p.sent(1, "")
	if got := asked.Load(); got != 3 {
		t.Errorf("GitHub was asked %d times, want 3", got)
	}
}

// The audience follows the query that the URL has already; a fragment is not sent (RFC 9110, section 7.1).
func TestTheAudienceIsAppended(t *testing.T) {
	for location, want := range map[string]string{
		"https://host/a":              "/a?audience=x+%26%3D%23",
		"https://host/a?":             "/a?audience=x+%26%3D%23",
		"https://host/a?b=1&c=%2F":    "/a?b=1&c=%2F&audience=x+%26%3D%23",
		"https://host/a%2Fb?c=1#d?e=": "/a%2Fb?c=1&audience=x+%26%3D%23",
	} {
		r, err := identitySources{getenv: variables{gitHubRequestURL: location, gitHubRequestToken: bearer}.get}.gitHubRequest("x &=#")
		must(t, err)
		sent, err := r.http(t.Context(), "")
		must(t, err)
		if got := sent.URL.RequestURI(); got != want || sent.Method != http.MethodGet || sent.Header.Get("Authorization") != "Bearer "+bearer {
			t.Errorf("%s: %s %s, want %s", location, sent.Method, got, want)
		}
	}
}

// A bearer token that GitHub rejects is sent once, however many blocks ask for other scopes. An outage is not held against it.
func TestARejectedBearerTokenIsSentOnce(t *testing.T) {
	status := 401
	environment, roots, asked := gitHub(t, func(_ int64, w http.ResponseWriter, r *http.Request) { says(status, "")(w, r) })
	p := onLoopback(t, grantsToken("t-1"))
	grants := func() (all []Equinix) {
		for i := range 5 {
			grant := p.exchange(gitHubIdentity)
			grant.Scope = fmt.Sprint("roleassignments:", i)
			all = append(all, grant)
		}
		return all
	}
	for _, row := range []struct {
		status int
		asked  int64
	}{{401, 1}, {503, 5}} {
		status = row.status
		asked.Store(0)
		c := p.client(Options{Getenv: environment.get, RootCAs: roots, MaxAttempts: 1})
		for _, grant := range grants() {
			_, err := ask(t, c, grant)
			if e := failed(t, err); e.Kind != NoIdentityToken || e.Status != row.status || e.Platform != "Equinix" {
				t.Errorf("kind %d, %s: %v", e.Kind, e.Platform, err)
			}
		}
		if got := asked.Load(); got != row.asked {
			t.Errorf("%d: GitHub was asked %d times, want %d", row.status, got, row.asked)
		}
	}
	p.sent(0, "")
}

// A platform that repeats GitHub's identity token is not quoted. Only the bearer token stays the same in a job.
func TestGitHubsIdentityTokenIsNotShown(t *testing.T) {
	environment, roots, _ := gitHub(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		says(200, fmt.Sprintf(`{"value":%q}`, idToken(t, nil).Reveal()))(w, r)
	})
	p := onLoopback(t, says(400, `{"error":"invalid_request","error_description":"`+idSignature+` is not trusted"}`))
	_, err := ask(t, p.client(Options{Getenv: environment.get, RootCAs: roots}), p.exchange(gitHubIdentity))
	if e := failed(t, err); e.Kind != CredentialsRejected || !strings.Contains(e.Description, redacted) {
		t.Errorf("kind %d: %v", e.Kind, err)
	}
}

// A caller that leaves while GitHub is asked leaves nothing behind: the next one asks again.
func TestACallerLeavesWhileGitHubIsAsked(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	environment, roots, asked := gitHub(t, func(asked int64, w http.ResponseWriter, r *http.Request) {
		if asked == 1 {
			leave()
			hangs(w, r)
			return
		}
		says(200, fmt.Sprintf(`{"value":%q}`, idToken(t, nil).Reveal()))(w, r)
	})
	p := onLoopback(t, grantsToken("t-1"))
	c := p.client(Options{Getenv: environment.get, RootCAs: roots})
	_, err := c.Token(ctx, p.exchange(gitHubIdentity), 0)
	if e := failed(t, err); e.Kind != Cancelled {
		t.Errorf("kind %d: %v", e.Kind, err)
	}
	nothingLeft(t) // the request has ended too
	gets(t, c, p.exchange(gitHubIdentity), "t-1")
	p.sent(1, "")
	if got := asked.Load(); got != 2 {
		t.Errorf("GitHub was asked %d times, want twice", got)
	}
}

// TestGitHubGivesNoIdentityToken tests GitHub's error answers. Each causes one error that names the endpoint. Nothing is sent to
// the platform.
func TestGitHubGivesNoIdentityToken(t *testing.T) {
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		asked  int64
		passes bool
		want   string
	}{
		"401":                {says(401, `{"message":"`+bearer+`"}`), 1, false, "/request answered 401 Unauthorized"},
		"403":                {says(403, ""), 1, false, "/request answered 403 Forbidden"},
		"500":                {says(500, ""), 2, true, "/request answered 500 Internal Server Error, after 2 attempts"},
		"a redirect":         {says(302, "", "Location: https://other.example/"), 1, false, "redirect to other.example/"},
		"no value":           {says(200, `{"count":1}`), 1, false, "the answer has no value"},
		"a value of no text": {says(200, `{"value":1}`), 1, false, "the answer's value is a number, not a string"},
		"too large":          {says(200, strings.Repeat(" ", maxBody+1)), 1, false, "the answer is too large"},
		"no answer":          {resets, 2, true, "/request gave no answer, after 2 attempts"},
	} {
		t.Run(name, func(t *testing.T) {
			environment, roots, asked := gitHub(t, func(_ int64, w http.ResponseWriter, r *http.Request) { row.answer(w, r) })
			p := onLoopback(t, grantsToken("t-1"))
			c := p.client(Options{Getenv: environment.get, RootCAs: roots, MaxAttempts: 2})
			for range 2 { // the second error comes from memory
				_, err := ask(t, c, p.exchange(gitHubIdentity))
				if e := failed(t, err); e.Kind != NoIdentityToken || e.Platform != "Equinix" || e.Temporary() != row.passes || !strings.Contains(err.Error(), row.want) {
					t.Errorf("kind %d, %s, may pass %t: %v; want %q", e.Kind, e.Platform, e.Temporary(), err, row.want)
				}
			}
			p.sent(0, "")
			if got := asked.Load(); got != row.asked {
				t.Errorf("GitHub was asked %d times, want %d", got, row.asked)
			}
		})
	}
}
