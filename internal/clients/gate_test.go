// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// This file tests to what a rejection is tied: to a client, to a client and a grant type, or to a user.

// login returns a password grant of a user through an app.
func (p *fakePlatform) login(app, user string) Equinix {
	g := p.equinix(Password)
	g.ClientID, g.UserName = app, user
	return g
}

// A client that the platform rejects is sent once, whichever user asks through it, and with whichever grant type.
func TestAWrongClientSecretIsSentOnceForAllUsers(t *testing.T) { // K23, S30
	for name, answer := range map[string]http.HandlerFunc{
		"the code says that it is the client":  takes(time.Second, says(401, `{"errorCode":"invalid_client"}`)),
		"the client alone was rejected before": takes(time.Second, says(401, "")),
	} {
		synctest.Test(t, func(t *testing.T) {
			p := inMemory(t, answer)
			c := p.client(Options{})
			if name != "the code says that it is the client" {
				_, _ = ask(t, c, p.equinix(ClientCredentials))
			}
			_, errs := together(20, func(i int) (string, error) { return ask(t, c, p.login("client-1", fmt.Sprint("user-", i))) })
			for _, grant := range []Grant{p.equinix(ClientCredentials), p.equinix(RefreshToken)} {
				_, err := ask(t, c, grant)
				errs = append(errs, err)
			}
			for _, err := range errs {
				if e := failed(t, err); e.Kind != CredentialsRejected {
					t.Errorf("%s: kind %d, %v", name, e.Kind, err)
				}
			}
			p.sent(1, "")
		})
	}
}

// The platform may reject an accepted client while a request of it waits for its user. Then the request is not sent.
func TestAClientIsRejectedWhileAUserIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scripts := map[string]http.HandlerFunc{
			"app-1": grantsToken("t-1"),
			"app-2": takes(time.Minute, grantsToken("t-2")),
		}
		p := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			scripts[fields(body)["client_id"]](w, r)
		})
		c := p.client(Options{RequestTimeout: 110 * time.Second})
		gets(t, c, p.login("app-1", "user-1"), "t-1")
		var waiting sync.WaitGroup
		waiting.Go(func() { gets(t, c, p.login("app-2", "user-2"), "t-2") })
		synctest.Wait()
		waiting.Go(func() {
			_, err := ask(t, c, p.login("app-1", "user-2"))
			if e := failed(t, err); e.Kind != CredentialsRejected {
				t.Errorf("kind %d: %v", e.Kind, err)
			}
		})
		synctest.Wait()
		scripts["app-1"] = rejects("invalid_client")
		_, err := ask(t, c, p.login("app-1", "user-3"))
		failed(t, err)
		waiting.Wait()
		p.sent(3, "")
	})
}

// A user whom the platform rejects is sent once, through whichever app. The app is not rejected, and other users may use it.
func TestAWrongPasswordIsSentOnceForAllApps(t *testing.T) { // K23, S30
	for name, answer := range map[string]http.HandlerFunc{
		"Login Failure": says(500, `{"errorCode":"S1006","errorMessage":"Login Failure"}`), "an answer that is not understood": says(500, `{"x":1}`),
		"a status alone": says(401, ""), "the code says that it is the user": rejects("invalid_grant"),
	} {
		synctest.Test(t, func(t *testing.T) {
			p := inMemory(t, takes(time.Second, answer), grantsToken("t-1"))
			c := p.client(Options{})
			_, errs := together(20, func(i int) (string, error) { return ask(t, c, p.login(fmt.Sprint("app-", i), "user-1")) })
			for _, err := range errs {
				if e := failed(t, err); !e.Kind.rejectsCredentials() {
					t.Errorf("%s: kind %d, %v", name, e.Kind, err)
				}
			}
			p.sent(1, "")
			for i := range 20 {
				gets(t, c, p.login(fmt.Sprint("app-", i), "user-2"), "t-1")
			}
		})
	}
}

// A rejection that does not say what was rejected may mean the client. Two such rejections with two users do. Neither two
// passwords of one user nor a client that was accepted before leave that doubt.
func TestTwoRejectedUsersAreTheClient(t *testing.T) {
	unnamed, ofUser := says(500, `{"errorCode":"S1006"}`), rejects("invalid_grant")
	for _, row := range []struct {
		name     string
		accepted bool // the client was accepted before
		answer   http.HandlerFunc
		users    []string
		passes   bool // the client is sent again
	}{
		{"two users", false, unnamed, []string{"user-1", "user-2"}, false},
		{"one user", false, unnamed, []string{"user-1"}, true},
		{"one user with two passwords", false, unnamed, []string{"user-1", "user-1"}, true},
		{"two users, by the code", false, ofUser, []string{"user-1", "user-2"}, true},
		{"one user by the code, and another", false, nil, []string{"user-1", "user-2"}, true},
		{"an accepted client", true, unnamed, []string{"user-1", "user-2"}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answer := grantsToken("t-1")
				p := inMemory(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
				c, sent := p.client(Options{}), len(row.users)
				if row.accepted {
					gets(t, c, p.equinix(ClientCredentials), "t-1")
					sent++
				}
				for i, user := range row.users {
					if answer = row.answer; answer == nil {
						answer = []http.HandlerFunc{ofUser, unnamed}[i]
					}
					grant := p.login("client-1", user)
					grant.UserPassword = NewSecret(fmt.Sprint(userPassword, i))
					_, err := ask(t, c, grant)
					failed(t, err)
				}
				answer = grantsToken("t-2")
				_, err := ask(t, c, p.login("client-1", "user-3"))
				if row.passes {
					must(t, err)
					sent++
				} else if e := failed(t, err); e.Kind != CredentialsRejected {
					t.Errorf("kind %d: %v", e.Kind, err)
				}
				p.sent(sent, "")
			})
		})
	}
}

// After answers that do not say that the client is right, it is still sent by one request at a time.
func TestAnUnprovenClientIsSentOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		counts := func(answer http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				most.Store(max(most.Load(), now.Add(1)))
				takes(time.Second, answer)(w, r)
				now.Add(-1)
			}
		}
		p := inMemory(t, counts(rejects("invalid_grant")))
		c := p.client(Options{})
		together(20, func(i int) (string, error) { return ask(t, c, p.login("client-1", fmt.Sprint("user-", i))) })
		if p.sent(20, ""); most.Load() != 1 {
			t.Errorf("%d requests at a time", most.Load())
		}
	})
}

// A server may check the scope before the client. So a scope that is not allowed neither accepts nor rejects the client.
func TestAScopeSaysNothingAboutTheClient(t *testing.T) { // S31
	for _, wrong := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			next := grantsToken("t-1")
			if wrong {
				next = takes(time.Second, rejects("invalid_client"))
			}
			p := inMemory(t, rejects("invalid_scope"), next)
			c := p.client(Options{})
			_, err := ask(t, c, p.interxion("scope-0"))
			if e := failed(t, err); e.Kind != ScopeRejected {
				t.Error(err)
			}
			_, errs := together(50, func(i int) (string, error) { return ask(t, c, p.interxion(fmt.Sprint("scope-", 1+i))) })
			for _, err := range errs {
				if !wrong {
					must(t, err)
				} else if e := failed(t, err); e.Kind != CredentialsRejected {
					t.Error(err)
				}
			}
			p.sent(map[bool]int{false: 51, true: 2}[wrong], "")
		})
	}
}

// Requests of all apps and all users at the same time do not block each other. In virtual time, a deadlock fails the test.
func TestAppsAndUsersDoNotBlockEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const apps, users = 8, 8
		answers := []http.HandlerFunc{grantsToken("t-1"), rejects("invalid_grant"), says(503, ""), rejects("invalid_scope")}
		var n atomic.Int32
		p := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			takes(time.Millisecond, answers[int(n.Add(1))%len(answers)])(w, r)
		})
		c := p.client(Options{})
		together(apps*users, func(i int) (string, error) {
			return ask(t, c, p.login(fmt.Sprint("app-", i%apps), fmt.Sprint("user-", i/apps)))
		})
		for _, a := range c.gate().accounts {
			if len(a.turn) != 0 {
				t.Error("a turn was not given back")
			}
		}
	})
}

// keycloak is its answer to a wrong client secret, and also to a client that may not use the grant type.
var keycloak = says(401, `{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}`)

// What Keycloak says of a client is tied to the client and the grant type: it is sent once with any scope, and other grant types
// are still sent.
func TestARejectionForOneGrantType(t *testing.T) { // S28
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, takes(time.Second, keycloak), grantsToken("t-1")), t.TempDir()
		c := p.another(dir)
		scoped := func(i int) Grant {
			grant := p.oauth2(ClientCredentials)
			grant.Scope = fmt.Sprint("scope-", i)
			return grant
		}
		_, errs := together(20, func(i int) (string, error) { return ask(t, c, scoped(i)) })
		for _, err := range errs {
			if e := failed(t, err); e.Kind != CredentialsRejected || e.Code != "unauthorized_client" {
				t.Errorf("kind %d: %v", e.Kind, err)
			}
		}
		p.sent(1, "")
		gets(t, c, p.oauth2(RefreshToken), "t-1")
		for i := range 20 { // the refresh has not proved the client for the other grant type
			_, err := ask(t, c, scoped(i))
			failed(t, err)
		}
		p.sent(2, "")
	})
}

// Another process does not send what Keycloak has rejected, for a minute.
func TestARejectionForOneGrantTypeIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, dir := inMemory(t, keycloak, grantsToken("t-1")), t.TempDir()
		for range 10 {
			_, err := ask(t, p.another(dir), p.oauth2(ClientCredentials))
			failed(t, err)
		}
		p.sent(1, "")
		pass(rejectionShared)
		gets(t, p.another(dir), p.oauth2(ClientCredentials), "t-1")
	})
}

// If the platform rejects the client of a refresh, the refresh token is kept, and the same secret is not sent once more with
// another grant type. A later process uses the refresh token.
func TestARejectedClientKeepsItsRefreshToken(t *testing.T) { // S01, S28
	for name, answer := range map[string]http.HandlerFunc{"Keycloak": keycloak, "invalid_client": rejects("invalid_client")} {
		for _, given := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, given by the user: %t", name, given), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p, dir := inMemory(t, answer, grantsToken("t-1")), t.TempDir()
					wanted := p.oauth2(RefreshToken)
					if !given {
						wanted = p.oauth2(ClientCredentials)
						store(t, dir, wanted, tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
					}
					for _, c := range []*Client{p.another(dir), p.another(dir)} {
						for range 2 {
							_, err := ask(t, c, wanted)
							if e := failed(t, err); e.Kind != CredentialsRejected {
								t.Errorf("kind %d: %v", e.Kind, err)
							}
						}
						p.sent(1, "")
					}
					pass(rejectionShared)
					gets(t, p.another(dir), wanted, "t-1")
					p.sent(2, "/refresh")
					p.sent(2, "")
				})
			})
		}
	}
}

// A refresh at IX-API carries neither the key nor the secret. Its answer says nothing about them.
func TestARefreshWithoutTheSecretSaysNothingAboutIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, grantsToken("t-1"), rejects("invalid_client"), grantsToken("t-2"))
		c := p.client(Options{})
		gets(t, c, refreshAtIXAPI(p), "t-1")
		login := requestFor(t, ixAPI(p))
		if c.gate().of(login)[0].accepted {
			t.Error("the refresh has proved the secret")
		}
		other := IXAPI{BaseURL: p.url, APIKey: "client-1", APISecret: NewSecret(clientSecret), RefreshToken: NewSecret("another")}
		_, err := ask(t, c, other)
		failed(t, err)
		gets(t, c, ixAPI(p), "t-2")
	})
}

// A refused request has not been sent, so its refresh token stays good.
func TestARequestThatTheGateRefusesIsNotSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, says(500, `{"x":1}`))
		c := p.client(Options{})
		_, err := ask(t, c, p.equinix(ClientCredentials))
		if e := failed(t, err); e.Kind != RejectionNotUnderstood {
			t.Error(err)
		}
		refresh := p.equinix(RefreshToken)
		_, err = ask(t, c, refresh)
		if e := failed(t, err); e.Kind != RejectionNotUnderstood || c.flights.memory.entry(requestFor(t, refresh).mark()).spent {
			t.Errorf("kind %d, %v", e.Kind, err)
		}
		p.sent(1, "")
	})
}

// A server has one account for a client, however its URL is written.
func TestSpellingsOfOneServer(t *testing.T) { // K28
	for _, row := range []struct {
		one, other string
		same       bool
	}{
		{"https://h.example", "https://h.example:443", true},
		{"https://h.example", "https://h.example:0443", true},
		{"https://h.example", "https://h.example.", true},
		{"https://h.example", "https://h.example.:443", true},
		{"https://h.example", "https://H.EXAMPLE", true},
		{"https://münchen.example", "https://MÜNCHEN.example.", true},
		{"https://münchen.example", "https://xn--mnchen-3ya.example", true},
		{"https://[2001:db8::1]", "https://[2001:DB8:0:0:0:0:0:1]:443", true},
		{"https://192.0.2.1", "https://[::ffff:192.0.2.1]", true},
		{"http://127.0.0.1", "http://127.0.0.1:80", true},
		{"http://127.0.0.1:8443", "https://127.0.0.1:8443", true},
		{"http://127.0.0.1", "https://127.0.0.1", false},
		{"https://h.example", "https://h.example:8443", false},
		{"https://h.example", "https://other.example", false},
		{"https://h.example:80", "http://127.0.0.1", false},
		{"http://localhost", "http://127.0.0.1", false},
		{"https://under_score.example", "https://UNDER_SCORE.example", true},
	} {
		var keys [2]string
		var accounts [2]digest
		for i, text := range []string{row.one, row.other} {
			u, err := ParseURL(text)
			must(t, err)
			keys[i] = hostKey(u)
			accounts[i] = requestFor(t, Equinix{BaseURL: text, GrantType: ClientCredentials, ClientID: "id", ClientSecret: NewSecret("secret")}).accounts()[0]
		}
		if (keys[0] == keys[1]) != row.same || (accounts[0] == accounts[1]) != row.same {
			t.Errorf("%s and %s: keys %q, one account %t; want one: %t", row.one, row.other, keys, accounts[0] == accounts[1], row.same)
		}
	}
	if got := hostKey(&url.URL{Scheme: "https", Host: "h"}); got != "h:443" {
		t.Error(got)
	}
}

// One URL in two spellings shares a token.
func TestSpellingsOfOneServerShareAToken(t *testing.T) {
	key := func(location string) digest {
		return requestFor(t, Interxion{LoginURL: location, ClientID: "id", ClientSecret: NewSecret("secret")}).key()
	}
	if key("https://h.example") != key("https://H.example.:443/connect/token") {
		t.Error("two spellings have two keys")
	}
	if key("http://127.0.0.1:8443") == key("https://127.0.0.1:8443") {
		t.Error("http and https have one key")
	}
}

// Two platforms read two lifetimes in one answer, so they share no token, even if their requests are the same bytes.
func TestTwoPlatformsShareNoToken(t *testing.T) { // K28
	p := onLoopback(t, says(200, `{"access_token":"t-1","token_timeout":"600","expires_in":3600}`))
	ofEquinix, dir := p.equinix(ClientCredentials), t.TempDir()
	general := OAuth2{
		TokenURL: p.url + "/oauth2/v1/token", GrantType: ClientCredentials, ClientID: ofEquinix.ClientID, ClientSecret: ofEquinix.ClientSecret,
		AuthMethod: ClientSecretPost, Format: JSONBody,
	}
	for _, c := range []*Client{p.another(dir), p.another(dir)} {
		for grant, lifetime := range map[Grant]time.Duration{ofEquinix: 10 * time.Minute, general: time.Hour} {
			token, err := c.Token(t.Context(), grant, 0)
			must(t, err)
			if got := token.Expiry.Sub(token.obtained).Round(time.Minute); got != lifetime {
				t.Errorf("%T: %s, want %s", grant, got, lifetime)
			}
		}
	}
	p.sent(2, "")
	if a, b := requestFor(t, ofEquinix), requestFor(t, general); a.body != b.body || a.accounts()[0] != b.accounts()[0] {
		t.Error("the requests differ, so this test proves nothing")
	}
}

// A wrong client secret does not go out with each refresh token, even if the platform says nothing about the client.
func TestAWrongSecretIsNotSentWithEveryRefreshToken(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{"401": says(401, ""), "invalid_grant": rejects("invalid_grant"), "S1006": says(500, `{"errorCode":"S1006"}`)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := inMemory(t, answer)
				c := p.client(Options{})
				together(20, func(i int) (string, error) {
					grant := p.equinix(RefreshToken)
					grant.RefreshToken = NewSecret(fmt.Sprint("refresh-", i))
					return ask(t, c, grant)
				})
				if sent := len(p.seen("")); sent > 3 { // two refreshes and the client credentials
					t.Errorf("%d requests", sent)
				}
			})
		})
	}
}

// After two refresh tokens that were rejected, a client sends the others as soon as it is accepted.
func TestRejectedRefreshTokensSayNothingAboutAnAcceptedClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(time.Second, refreshes(rejects("invalid_grant"), grantsToken("t-1"))))
		c := p.client(Options{})
		refresh := func(i int) (string, error) {
			grant := p.equinix(RefreshToken)
			grant.RefreshToken = NewSecret(fmt.Sprint("refresh-", i))
			return ask(t, c, grant)
		}
		together(5, refresh)
		p.sent(2, "/refresh")
		for i := range 3 {
			if token, err := refresh(10 + i); token != "t-1" {
				t.Error(err)
			}
		}
		p.sent(5, "/refresh")
	})
}

// A client that may not refresh goes on to do what it was accepted for.
func TestARefreshThatIsNotAllowedEndsNoAcceptedClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, refreshes(says(401, `{"error":"unauthorized_client"}`), grantsToken("t-1", `,"refresh_token":"next"`)))
		c := p.client(Options{})
		for range 3 {
			gets(t, c, p.oauth2(ClientCredentials), "t-1")
			pass(2 * time.Hour)
		}
		p.sent(1, "/refresh")
	})
}

func TestInterruptHandsNoTurnOn(t *testing.T) { // X08
	synctest.Test(t, func(t *testing.T) {
		p, interrupted := inMemory(t, hangs), make(chan struct{})
		c := p.client(Options{Interrupted: interrupted})
		go func() {
			synctest.Wait()
			close(interrupted)
		}()
		_, errs := together(100, func(i int) (string, error) { return ask(t, c, p.interxion(fmt.Sprint(i))) })
		for _, err := range errs {
			failed(t, err)
		}
		synctest.Wait()
		p.sent(1, "")
	})
}

func TestWrongSecretIsSentOnce(t *testing.T) { // K03: with however many scopes
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(time.Second, rejects("invalid_client")))
		c := p.client(Options{})
		_, errs := together(100, func(i int) (string, error) { return ask(t, c, p.interxion(fmt.Sprint(i))) })
		for _, err := range errs {
			if fault := failed(t, err); fault.Kind != CredentialsRejected {
				t.Fatal(err)
			}
		}
		pass(time.Hour)
		_, err := ask(t, c, p.interxion("later"))
		failed(t, err)
		p.sent(1, "")
	})
}

func TestProvenCredentialsNeedNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, takes(time.Second, grantsToken("t-1")))
		c, start := p.client(Options{}), time.Now()
		together(100, func(i int) (string, error) { return ask(t, c, p.interxion(fmt.Sprint(i))) })
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("100 requests took %s; want 1 s for the first and 1 s for all others", took)
		}
		p.sent(100, "")
	})
}

func TestSecretThatIsChangedMeanwhile(t *testing.T) {
	p := onLoopback(t, grantsToken("t-1"), rejects("invalid_client"))
	c := p.client(Options{})
	gets(t, c, p.interxion("a"), "t-1")
	for _, scope := range []string{"b", "c", "b"} {
		_, err := ask(t, c, p.interxion(scope))
		failed(t, err)
	}
	gets(t, c, p.interxion("a"), "t-1") // the token in memory is still used
	p.sent(2, "")
}

func TestWaitForTheTurnIsBounded(t *testing.T) { // S14, T04
	synctest.Test(t, func(t *testing.T) {
		var recovered atomic.Bool
		p := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			if recovered.Load() {
				grantsToken("t-1")(w, r)
			} else {
				hangs(w, r)
			}
		})
		c, start := p.client(Options{}), time.Now()
		_, errs := together(10, func(i int) (string, error) { return ask(t, c, p.interxion(fmt.Sprint(i))) })
		for _, err := range errs {
			if fault := failed(t, err); fault.Kind != TimedOut || time.Since(start) > budget+time.Second {
				t.Errorf("%v after %s", err, time.Since(start))
			}
		}
		pass(failureShared)
		recovered.Store(true)
		for i := range 10 { // the waiting requests were not rejected, so they can be sent later
			gets(t, c, p.interxion(fmt.Sprint(i)), "t-1")
		}
	})
}
