// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhateverChangesTheRequestHasItsOwnToken(t *testing.T) {
	p, sandbox := onLoopback(t, counted()), onLoopback(t, counted())
	c := p.client(Options{})
	otherUser, otherVersion, otherClient := p.equinix(Password), p.cloudLX(ClientCredentials), p.interxion("")
	otherUser.UserName, otherVersion.APIVersion, otherClient.ClientID = "user-2", "v2", "client-2"
	grants := []Grant{
		p.interxion(""), p.equinix(ClientCredentials), p.equinix(Password), p.cloudLX(ClientCredentials),
		p.interxion("a"), p.interxion("a b"), otherClient, otherUser, otherVersion, // K13
		p.equinix(RefreshToken), p.cloudLX(RefreshToken), // K13
		sandbox.interxion(""), sandbox.equinix(ClientCredentials), sandbox.cloudLX(ClientCredentials), // K12
	}
	for _, grant := range grants {
		first, err := ask(t, c, grant)
		if err != nil {
			t.Fatal(err)
		}
		gets(t, c, grant, first)
	}
	p.sent(11, "")
	sandbox.sent(3, "")
}

// A token that came from a password or from a refresh token of the user may belong to another principal than the client's
// own. It is not replaced, and nothing is sent.
func TestATokenOfAUserIsNotReplaced(t *testing.T) {
	for name, grantOf := range map[string]func(*fakePlatform) Grant{
		"a password": password, "Equinix": refreshAtEquinix, "CloudLX": refreshAtCloudLX, "IX-API": refreshAtIXAPI, "OAuth 2.0": refreshAtOAuth2,
	} {
		p, dir := onLoopback(t, grantsToken("t-1", `,"refresh_token":"next"`)), t.TempDir()
		c := p.another(dir)
		token, err := c.Token(t.Context(), grantOf(p), 0)
		must(t, err)
		if c.Discard(grantOf(p), token) {
			t.Errorf("%s: the token is replaced", name)
		}
		gets(t, c, grantOf(p), "t-1")
		gets(t, p.another(dir), grantOf(p), "t-1")
		p.sent(1, "")
	}
}

// A token that an API has refused has not ended: other processes may use it. So it is refreshed only after its real end,
// and the new token comes from the same grant.
func TestARefusedTokenIsNotEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform, dir := &rotating{life: 3600}, t.TempDir()
		p := inMemory(t, platform.ServeHTTP)
		grant := p.cloudLX(ClientCredentials)
		holder, proxy := p.another(dir), p.another(dir)
		gets(t, holder, grant, "t-1")
		refused, err := proxy.Token(t.Context(), grant, 0)
		must(t, err)
		for range 10 {
			proxy.Discard(grant, refused)
			gets(t, proxy, grant, "t-2")
		}
		platform.count(t, 2, 0, 0)
		gets(t, holder, grant, "t-1") // nobody else's token
		gets(t, p.another(dir), grant, "t-2")
		pass(2 * time.Hour)
		gets(t, p.another(dir), grant, "t-3")
		platform.count(t, 2, 1, 0)

		dir = t.TempDir()
		gets(t, p.another(dir), grant, "t-4")
		c := p.another(dir)
		refused, err = c.Token(t.Context(), grant, 0)
		must(t, err)
		c.Discard(grant, refused) // and the process ends
		pass(2 * time.Hour)
		gets(t, p.another(dir), grant, "t-5")
		platform.count(t, 3, 2, 0)
	})
}

func TestADiscardedTokenIsNotTakenFromTheCache(t *testing.T) {
	platform, dir := &rotating{life: 3600}, t.TempDir()
	p := onLoopback(t, platform.ServeHTTP)
	c, grant := p.another(dir), p.cloudLX(ClientCredentials)
	refused, err := c.Token(t.Context(), grant, 0)
	must(t, err)
	release := lockFor(t, opened(t, dir), grant)
	c.Discard(grant, refused) // does not wait for the lock
	release()
	gets(t, p.another(dir), grant, "t-1") // the entry was not changed, because another process held the lock
	c.Discard(grant, refused)
	gets(t, p.another(dir), grant, "t-2")
	platform.count(t, 2, 0, 0)
	c.Discard(grant, refused)
	gets(t, p.another(dir), grant, "t-2")
	platform.count(t, 2, 0, 0)
}

// Secrets.

func TestSecretsAreOnlyInBodyAndBasic(t *testing.T) { // H19; the fake platform checks the rest of the request
	for _, grant := range []func(*fakePlatform) Grant{interxion, equinix, password, cloudLX, digitalRealty, megaport, ixAPI, refreshAtEquinix, refreshAtCloudLX, refreshAtIXAPI, oauth2, refreshAtOAuth2} {
		var agent string
		p := onLoopback(t, func(w http.ResponseWriter, r *http.Request) {
			agent = r.UserAgent()
			grantsToken("t-1")(w, r)
		})
		gets(t, p.client(Options{UserAgent: "test/1"}), grant(p), "t-1")
		if agent != "test/1" {
			t.Errorf("User-Agent is %q", agent)
		}
	}
}

func TestEachErrorIsScrubbedOfItsOwnSecrets(t *testing.T) { // H24
	p := onLoopback(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		says(400, fmt.Sprintf(`{"error":"invalid_scope","error_description":%q}`, "you sent "+fields(body)["client_secret"]))(w, r)
	})
	clients := []*Client{p.client(Options{}), p.client(Options{})}
	_, errs := together(100, func(i int) (string, error) {
		return ask(t, clients[i%2], p.interxion(fmt.Sprint(i)))
	})
	for _, err := range errs {
		if failed(t, err); !strings.HasSuffix(err.Error(), "code invalid_scope: \""+redacted+"\"") {
			t.Error(err)
		}
	}
}
