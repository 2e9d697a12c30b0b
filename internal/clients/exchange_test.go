// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
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
	file, environment := filepath.Join(t.TempDir(), "token"), variables{}
	write := func(token Secret) { must(t, os.WriteFile(file, []byte(" "+token.Reveal()+"\r\n"), 0o600)) }
	for name, row := range map[string]struct {
		identity IdentitySource
		set      func(Secret)
	}{
		"variable": {IdentitySource{Variable: "ID_TOKEN"}, func(token Secret) { environment["ID_TOKEN"] = token.Reveal() + "\n" }},
		"file":     {IdentitySource{File: file}, write},
	} {
		t.Run(name, func(t *testing.T) {
			p := onLoopback(t, short)
			c := p.client(Options{Getenv: environment.get})
			for _, token := range []Secret{first, second} {
				row.set(token)
				gets(t, c, p.exchange(row.identity), "t-1")
				if all := p.seen(""); all[len(all)-1].fields["subject_token"] != token.Reveal() {
					t.Error("another identity token was sent than the source has")
				}
			}
			p.sent(2, "/v1/token")
		})
	}
}

// TestAnIdentityTokenThatCannotBeUsedIsNotSent tests wrong sources. The error says what is wrong. Nothing is sent, and nothing
// is kept: the next call reads the source again.
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
	expired := claims(map[string]any{"exp": time.Now().Add(-3 * time.Minute).Unix(), "aud": []string{"a", "b"}})
	at := "https://127.0.0.1:1/request"
	for name, row := range map[string]struct {
		identity IdentitySource
		value    string // of the variable ID_TOKEN
		more     variables
		want     string
	}{
		"no variable":               {identity: IdentitySource{Variable: "ID_TOKEN"}, want: "the identity token in the environment variable ID_TOKEN is empty"},
		"a blank variable":          {identity: IdentitySource{Variable: "ID_TOKEN"}, value: " \n", want: "ID_TOKEN is empty"},
		"two lines":                 {identity: IdentitySource{Variable: "ID_TOKEN"}, value: good + "\n" + good, want: "has a blank, a line break"},
		"not ASCII":                 {identity: IdentitySource{Variable: "ID_TOKEN"}, value: "\ufeff" + good, want: "outside ASCII"},
		"too long":                  {identity: IdentitySource{Variable: "ID_TOKEN"}, value: strings.Repeat("x", maxToken+1), want: "is larger than 64 KiB"},
		"no file":                   {identity: IdentitySource{File: filepath.Join(dir, "missing")}, want: "cannot be read (no such file"},
		"an empty file":             {identity: IdentitySource{File: file("empty", "\n")}, want: "is empty"},
		"a directory":               {identity: IdentitySource{File: dir}, want: "cannot be read (it is a directory)"},
		"a large file":              {identity: IdentitySource{File: file("large", strings.Repeat("\n", maxToken+1))}, want: "is larger than 64 KiB"},
		"opaque":                    {identity: IdentitySource{Variable: "ID_TOKEN"}, value: idSignature, want: "ID_TOKEN is not a JSON Web Token"},
		"an encrypted token":        {identity: IdentitySource{Variable: "ID_TOKEN"}, value: "a.b.c.d." + idSignature, want: "is not a JSON Web Token"},
		"no base64":                 {identity: IdentitySource{Variable: "ID_TOKEN"}, value: head + ".{." + idSignature, want: "is not a JSON Web Token"},
		"no claims":                 {identity: IdentitySource{Variable: "ID_TOKEN"}, value: payload("[]"), want: "whose claims cannot be read"},
		"a claim twice":             {identity: IdentitySource{Variable: "ID_TOKEN"}, value: payload(`{"sub":"a","sub":"b","iss":"x"}`), want: "whose claims cannot be read"},
		"no issuer":                 {identity: IdentitySource{Variable: "ID_TOKEN"}, value: claims(map[string]any{"iss": nil}), want: "does not name its issuer (iss) and its subject (sub)"},
		"a subject of another type": {identity: IdentitySource{Variable: "ID_TOKEN"}, value: claims(map[string]any{"sub": 1}), want: "does not name its issuer"},
		"expired":                   {identity: IdentitySource{Variable: "ID_TOKEN"}, value: expired, want: `ID_TOKEN expired 3m0s ago (iss "https://issuer.example", aud "a b", sub "job-1")`},
		"expired, the value itself": {identity: IdentitySource{Token: NewSecret(expired)}, want: `the identity token expired 3m0s ago (iss`},
		"GitHub, nothing set":       {identity: IdentitySource{Audience: "lab"}, want: "permissions: id-token: write"},
		"GitHub, no bearer token":   {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestURL: at}, want: "permissions: id-token: write"},
		"GitHub, no URL":            {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: "x"}, want: "permissions: id-token: write"},
		"GitHub, http":              {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: "x", gitHubRequestURL: "http://127.0.0.1:1/"}, want: "must start with https://"},
		"GitHub, no URL at all":     {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: "x", gitHubRequestURL: "https:///x"}, want: "is not a URL that can be asked"},
		"GitHub, a user":            {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: "x", gitHubRequestURL: "https://" + idSignature + "@host/"}, want: "is not a URL that can be asked"},
		"GitHub, an odd bearer":     {identity: IdentitySource{Audience: "lab"}, more: variables{gitHubRequestToken: idSignature + "\n", gitHubRequestURL: at}, want: "ACTIONS_ID_TOKEN_REQUEST_TOKEN begins or ends with a blank"},
	} {
		t.Run(name, func(t *testing.T) {
			p := onLoopback(t, grantsToken("t-1"))
			environment := variables{"ID_TOKEN": row.value, gitHubRequestURL: row.more[gitHubRequestURL], gitHubRequestToken: row.more[gitHubRequestToken]}
			c := p.client(Options{Getenv: environment.get})
			_, err := ask(t, c, p.exchange(row.identity))
			if e := failed(t, err); e.Kind != NoIdentityToken || e.MayPass() || !strings.Contains(err.Error(), row.want) || !strings.HasPrefix(err.Error(), "Equinix: nothing was sent: ") {
				t.Errorf("kind %d: %v; want %q", e.Kind, err, row.want)
			}
			p.sent(0, "")
			if environment["ID_TOKEN"] = good; row.identity.Variable != "" {
				gets(t, c, p.exchange(row.identity), "t-1")
			}
		})
	}
}

// An identity token that expires while its request waits is not sent.
func TestAnIdentityTokenExpiresWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, says(429, "", "Retry-After: 40"))
		_, err := ask(t, p.client(Options{}), p.exchange(IdentitySource{Token: idToken(t, map[string]any{"exp": time.Now().Add(time.Minute).Unix()})}))
		if e := failed(t, err); e.Kind != NoIdentityToken || !strings.Contains(err.Error(), "expired ") {
			t.Errorf("kind %d: %v", e.Kind, err)
		}
		p.sent(2, "")
	})
}

// TestTokensOfOneIdentityAreShared tests which exchanges share a token. Endpoint, scope, source, issuer and subject must be
// equal. The identity tokens may differ.
func TestTokensOfOneIdentityAreShared(t *testing.T) {
	value := func(change map[string]any) IdentitySource { return IdentitySource{Token: idToken(t, change)} }
	for name, row := range map[string]struct {
		change   func(*Equinix)
		requests int
	}{
		"another identity token": {func(g *Equinix) { g.Identity = value(map[string]any{"jti": "2", "exp": nil}) }, 1},
		"another audience":       {func(g *Equinix) { g.Identity = value(map[string]any{"aud": "2"}) }, 1},
		"client credentials":     {func(g *Equinix) { g.BaseURL, g.ClientID, g.ClientSecret = "http://[::1]", "x", NewSecret("x") }, 1},
		"another subject":        {func(g *Equinix) { g.Identity = value(map[string]any{"sub": "job-2"}) }, 2},
		"another issuer":         {func(g *Equinix) { g.Identity = value(map[string]any{"iss": "https://other.example"}) }, 2},
		"a moved boundary": {func(g *Equinix) {
			g.Identity = value(map[string]any{"iss": `https://issuer.example" "job`, "sub": "-1"})
		}, 2},
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

// A rejected identity token is sent once, whatever the scope. The error shows its claims.
func TestARejectedIdentityTokenIsSentOnce(t *testing.T) {
	for _, refusal := range []http.HandlerFunc{
		says(400, `{"error":"invalid_request","error_description":"`+idSignature+`"}`), says(400, `{"error":"invalid_grant"}`), says(401, ""),
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
		if got := r.Header.Get("Authorization"); got != "Bearer "+bearer || r.Method != http.MethodGet || r.URL.RequestURI() != "/request?api-version=2.0&audience=https%3A%2F%2Flab.example%2F%3Fa%3D1%26b" || r.ContentLength != 0 {
			t.Errorf("%s %s, length %d", r.Method, r.URL.RequestURI(), r.ContentLength)
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
				if e := failed(t, err); e.Kind != NoIdentityToken || e.Platform != "Equinix" || e.MayPass() != row.passes || !strings.Contains(err.Error(), row.want) {
					t.Errorf("kind %d, %s, may pass %t: %v; want %q", e.Kind, e.Platform, e.MayPass(), err, row.want)
				}
			}
			p.sent(0, "")
			if got := asked.Load(); got != row.asked {
				t.Errorf("GitHub was asked %d times, want %d", got, row.asked)
			}
		})
	}
}
