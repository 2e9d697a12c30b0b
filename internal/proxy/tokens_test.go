// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

func TestAThousandRequestsCostOneTokenRequest(t *testing.T) {
	t.Parallel()
	unknown := func(n int) string { return fmt.Sprintf(`{"access_token":"token-%d","token_type":"Bearer"}`, n) }
	for name, answer := range map[string]func(int) string{
		"a lifetime of an hour":            nil,
		"no lifetime":                      unknown,
		"a lifetime below min_validity":    func(n int) string { return fmt.Sprintf(`{"access_token":"token-%d","expires_in":30}`, n) },
		"a lifetime hardly more than it":   func(n int) string { return fmt.Sprintf(`{"access_token":"token-%d","expires_in":60}`, n) },
		"a token that has ended by itself": func(n int) string { return fmt.Sprintf(`{"access_token":"token-%d","expires_in":0}`, n) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPlatform(t)
			if answer != nil {
				s.platform.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
					w.Header().Set("Content-Type", "application/json")
					_, _ = fmt.Fprint(w, answer(len(s.platform.Requests())))
					return true
				})
			}
			other := newFixture(t, nil)
			s.api = other.api
			s.open()
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					for range 20 {
						s.get("/x", 200)
					}
				})
			}
			all.Wait()
			s.wantTokenRequests(1)
			if got := len(other.requests()); got != 1000 {
				t.Errorf("the API has seen %d requests", got)
			}
		})
	}
}

// A token of unknown lifetime is used until the API refuses it.
func TestATokenOfUnknownLifetimeIsReplacedWhenRefused(t *testing.T) {
	t.Parallel()
	api := newRefusingAPI()
	s := newFixture(t, api.ServeHTTP)
	s.platform.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d"}`, len(s.platform.Requests()))
		return true
	})
	s.client.Discard(s.grant, s.tokens.held)
	s.open()
	s.get("/x", 200)
	api.mu.Lock()
	api.refused["Bearer token-2"] = true
	api.mu.Unlock()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { s.get("/x", 200) })
	}
	all.Wait()
	s.wantTokenRequests(3)
}

// inVirtualTime runs f in virtual time, with the tokens of a proxy that gets no requests. The platform uses real time.
func inVirtualTime(t *testing.T, lifetime, minValidity time.Duration, f func(t *testing.T, s *fixture, all *tokens)) {
	t.Helper()
	s := newPlatform(t)
	s.platform.SetLifetime(lifetime, 0)
	synctest.Test(t, func(t *testing.T) {
		s.client = clients.New(clients.Options{}) // made here, so that it uses virtual time
		options := s.options("http://127.0.0.1")
		options.MinValidity = minValidity
		f(t, s, newTokens(options))
	})
}

// currentToken returns the token for a request at this moment.
func currentToken(t *testing.T, all *tokens) clients.Token {
	t.Helper()
	token, err := all.current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// elapse waits in virtual time.
func elapse(d time.Duration) { <-time.After(d) }

// Each request looks at the remaining lifetime. There is no timer.
func TestTheRemainingLifetimeDecides(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		lifetime, minValidity, until time.Duration
	}{
		{time.Hour, time.Minute, 59 * time.Minute},
		{time.Hour, 30 * time.Minute, 30 * time.Minute},
		{time.Hour, 0, time.Hour},
		{3 * time.Second, time.Minute, 2700 * time.Millisecond}, // shorter than min_validity: used for nine tenths of its lifetime
		{time.Minute, time.Minute, 54 * time.Second},
		{10 * time.Second, 2 * time.Second, 8 * time.Second},
	} {
		inVirtualTime(t, test.lifetime, test.minValidity, func(t *testing.T, s *fixture, all *tokens) {
			first := currentToken(t, all)
			before := first.Obtained().Add(test.lifetime).Sub(first.Expiry) // the rounding of the token's expiry
			elapse(test.until - 100*time.Millisecond - before)
			if currentToken(t, all).AccessToken != first.AccessToken {
				t.Errorf("%v: a token was replaced early", test)
			}
			elapse(200 * time.Millisecond)
			second := currentToken(t, all)
			if second.AccessToken == first.AccessToken {
				t.Errorf("%v: a token was used for too long", test)
			}
			elapse(24 * time.Hour) // as if the machine were asleep
			if currentToken(t, all).AccessToken == second.AccessToken {
				t.Errorf("%v: a token of yesterday is used", test)
			}
			s.wantTokenRequests(3)
		})
	}
}

// An API that refuses every token causes one token request per minute.
func TestRefusedTokensAreReplacedOnceAMinute(t *testing.T) {
	t.Parallel()
	inVirtualTime(t, time.Hour, time.Minute, func(t *testing.T, s *fixture, all *tokens) {
		for range 600 { // ten minutes
			all.noteRefusal(currentToken(t, all))
			elapse(time.Second)
		}
		s.wantTokenRequests(11)
		if got := all.refused().Fresh; got < 590 {
			t.Errorf("%d refusals are counted", got)
		}
	})
}

// An older token that the API refuses was revoked. It is replaced at once, without a warning.
func TestAnOlderRefusedTokenIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	inVirtualTime(t, time.Hour, time.Minute, func(t *testing.T, s *fixture, all *tokens) {
		first := currentToken(t, all)
		elapse(2 * time.Minute)
		all.noteRefusal(first)
		all.noteRefusal(first) // by another request that was in progress
		second := currentToken(t, all)
		elapse(2 * time.Minute)
		all.noteRefusal(second)
		third := currentToken(t, all)
		if first.AccessToken == second.AccessToken || second.AccessToken == third.AccessToken {
			t.Error("a refused token is used again")
		}
		s.wantTokenRequests(3)
		if got := all.refused(); got != (Refusals{}) {
			t.Errorf("%+v are counted", got)
		}
	})
}

// A platform may issue the refused token again. Requests that are still in progress with it do not discard it once more.
func TestARefusedTokenThatComesAgainIsNotDiscardedTwice(t *testing.T) {
	t.Parallel()
	inVirtualTime(t, time.Hour, time.Minute, func(t *testing.T, s *fixture, all *tokens) {
		s.platform.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, `{"access_token":"the-same","token_type":"Bearer","expires_in":3600}`)
			return true
		})
		first := currentToken(t, all)
		elapse(2 * time.Minute)
		for range 100 {
			all.noteRefusal(first)
			currentToken(t, all)
		}
		s.wantTokenRequests(2)
	})
}

// A late refusal of a token that was replaced already does not discard the new token.
func TestALateRefusalKeepsTheNewToken(t *testing.T) {
	t.Parallel()
	inVirtualTime(t, time.Hour, time.Minute, func(t *testing.T, s *fixture, all *tokens) {
		first := currentToken(t, all)
		elapse(time.Hour)
		second := currentToken(t, all)
		all.noteRefusal(first)
		elapse(time.Second)
		if currentToken(t, all).AccessToken != second.AccessToken {
			t.Error("a good token was replaced")
		}
		s.wantTokenRequests(2)
	})
}

// A token of a user is not replaced by one of the client's own, which may be another principal's. Its holder in another run keeps it.
func TestATokenOfAUserIsNotReplaced(t *testing.T) {
	t.Parallel()
	all, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { all.Close() })
	known := all.CloudLX.Credentials()
	grant := clients.CloudLX{BaseURL: all.CloudLX.URL(), GrantType: clients.ClientCredentials, ClientID: known.ClientID, ClientSecret: clients.NewSecret(known.ClientSecret)}
	first, err := clients.New(clients.Options{}).Token(t.Context(), grant, 0)
	if err != nil {
		t.Fatal(err)
	}
	grant.GrantType, grant.RefreshToken = clients.RefreshToken, first.RefreshToken
	s := &fixture{t: t, platform: all.CloudLX, client: clients.New(clients.Options{}), grant: grant}
	s.api = newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		s.record(r)
		w.WriteHeader(http.StatusUnauthorized)
	})
	s.open()
	sent := len(s.platform.Requests())
	for range 3 {
		answer, err := http.Get(s.url("/x"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("answered %d, want the API's 401", answer.StatusCode)
		}
	}
	used := map[string]bool{}
	for _, r := range s.requests() {
		used[r.Header.Get("Authorization")] = true
	}
	if more := len(s.platform.Requests()) - sent; more != 0 || len(used) != 1 || len(s.requests()) != 3 {
		t.Errorf("%d token requests more, %d tokens on %d requests", more, len(used), len(s.requests()))
	}
	if got := s.Close(); got.Refusals != (Refusals{Kept: 3}) {
		t.Errorf("%+v", got)
	}
}

// So does one whose tokens have no lifetime, which the client does not share.
func TestRefusedTokensWithoutALifetimeAreReplacedOnceAMinute(t *testing.T) {
	t.Parallel()
	inVirtualTime(t, time.Hour, time.Minute, func(t *testing.T, s *fixture, all *tokens) {
		s.platform.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"access_token":"token-%d"}`, len(s.platform.Requests()))
			return true
		})
		for range 600 { // ten minutes
			all.noteRefusal(currentToken(t, all))
			elapse(time.Second)
		}
		s.wantTokenRequests(11)
	})
}
