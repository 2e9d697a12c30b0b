// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"net/http"
	"time"
)

// health is the answer to a program that waits for the proxy.
type health struct {
	// Status is "ready".
	Status string `json:"status"`
	// ValidUntil is when the token ends (RFC 3339, UTC); nil: the platform named no lifetime. Later requests get later tokens.
	ValidUntil *time.Time `json:"token_valid_until"`
}

// answerHealth says whether a request would get a token now. Without one, the answer is the one that the request would get. It
// asks as a request does, so a program that asks each second causes no more token requests than one that uses the API.
func (p *Proxy) answerHealth(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		newProblem(http.StatusMethodNotAllowed, "Ask for the health of the API proxy with GET or HEAD.").write(w)
		return
	}
	token, err := p.tokens.current(r.Context())
	if err != nil {
		p.answerError(w, r, err)
		return
	}
	answer := health{Status: "ready"}
	if !token.Expiry.IsZero() {
		until := token.Expiry.UTC().Truncate(time.Second)
		answer.ValidUntil = &until
	}
	writeJSON(w, "application/json", http.StatusOK, answer)
}
