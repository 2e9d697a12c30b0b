// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// An internet exchange names no lifetime, so the exp claim of its JSON Web Tokens counts. After five minutes, each refresh uses
// the refresh token of the previous answer. When the exp of the last refresh token has passed, there is a login.
func TestIXAPIRefreshesWithTheTokenOfTheLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		p := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			n := len(asked)
			asked = append(asked, r.URL.Path)
			token := func(life time.Duration) string {
				now := time.Now().Unix()
				payload := fmt.Sprintf(`{"iat":%d,"exp":%d,"jti":"%d"}`, now, now+int64(life/time.Second), n)
				return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
			}
			says(http.StatusOK, fmt.Sprintf(`{"access_token":%q,"refresh_token":%q}`, token(5*time.Minute), token(time.Hour)))(w, r)
		})
		c := p.client(Options{})
		var last Token
		for _, wait := range []time.Duration{0, time.Second, 6 * time.Minute, 6 * time.Minute, 2 * time.Hour} {
			pass(wait)
			token, err := c.Token(t.Context(), ixAPI(p), 5*time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(token.Expiry); left <= 4*time.Minute || left > 5*time.Minute {
				t.Errorf("a token with %s left", left)
			}
			last = token
		}
		if want := "/auth/token /auth/refresh /auth/refresh /auth/token"; strings.Join(asked, " ") != want {
			t.Errorf("asked %s, want %s", asked, want)
		}
		sent := p.seen("/refresh")
		if len(sent) == 2 && sent[0].fields["refresh_token"] == sent[1].fields["refresh_token"] {
			t.Error("a refresh token was used twice")
		}
		if left := time.Until(last.RefreshTokenExpiry); left <= 59*time.Minute || left > time.Hour {
			t.Errorf("the refresh token has %s left", left)
		}
	})
}

// The exchange rejects a refresh token with problem details. This does not count as a rejection of the key, so the login
// follows.
func TestIXAPIFallsBackToTheKey(t *testing.T) {
	p := onLoopback(t, says(http.StatusUnauthorized, `{"type":"x","title":"Authentication Error","status":401,"detail":"expired"}`, "Content-Type: application/problem+json"), grantsToken("t-1"))
	token, err := p.client(Options{}).Token(t.Context(), refreshAtIXAPI(p), 0)
	must(t, err)
	if lost := failedOf(token.Fallback, nil); lost == nil || lost.Kind != RefreshTokenRejected || !strings.Contains(lost.Error(), `"expired"`) {
		t.Errorf("fallback %v", token.Fallback)
	}
	p.sent(1, "/auth/refresh")
	p.sent(1, "/auth/token")
}
