// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base64"
	"net/http"
	"testing"
)

// Megaport's credentials are in a header. Two keys, or two secrets of one key, share no token and no cache entry, in this
// process or in others. The rejection of one pair does not stop the other.
func TestTwoKeysInAHeaderShareNothing(t *testing.T) {
	dir, sent := t.TempDir(), 0
	handler := func(w http.ResponseWriter, r *http.Request) {
		sent++
		key, secret, _ := r.BasicAuth()
		if key == "rejected" || secret == "rejected" {
			rejects("invalid_client")(w, r)
			return
		}
		grantsToken(base64.RawURLEncoding.EncodeToString([]byte(key+" "+secret)))(w, r)
	}
	pairs := [][2]string{
		{"rejected", "secret"},
		{"key", "rejected"},
		{"key", "secret"},
		{"key-2", "secret"},
		{"key", "secret-2"},
		{"key", "secret "},
		{"key", ":secret"},
		{"k", "eysecret"},
		{"k%65y", "secret"},
	}
	p := &fakePlatform{t: t, url: "http://127.0.0.1"}
	first, second := p.another(dir), p.another(dir)
	handled(first, handler)
	handled(second, handler)
	accounts := map[digest]bool{}
	for i, pair := range pairs {
		grant := Megaport{TokenURL: p.url + "/oauth2/token", AccessKey: pair[0], SecretKey: NewSecret(pair[1])}
		accounts[requestFor(t, grant).accounts()[0]] = true
		for _, c := range []*Client{first, second} {
			token, err := c.Token(t.Context(), grant, 0)
			want := base64.RawURLEncoding.EncodeToString([]byte(pair[0] + " " + pair[1]))
			if i < 2 {
				want = ""
			}
			if got := token.AccessToken.Reveal(); got != want || (err != nil) != (i < 2) {
				t.Errorf("pair %d has the token %q: %v", i, got, err)
			}
		}
	}
	tokens, rejections := len(filesIn(t, dir, entrySuffix)), len(filesIn(t, dir, rejectionSuffix))
	if sent != len(pairs) || len(accounts) != len(pairs) || tokens != len(pairs)-2 || rejections != 2 {
		t.Errorf("%d requests, %d accounts, %d tokens and %d rejections of %d pairs", sent, len(accounts), tokens, rejections, len(pairs))
	}
	// Only with a colon in the key could two pairs have the same header.
	if _, err := (Megaport{TokenURL: p.url, AccessKey: "key:", SecretKey: NewSecret("secret")}).request(); err == nil {
		t.Error("a key with a colon is accepted")
	}
}
