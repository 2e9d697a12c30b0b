// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// Problem is what the proxy answers in the API's place (RFC 9457). It holds no secret.
type Problem struct {
	// Type is the URL of a page about it; empty: there is none.
	Type string `json:"type,omitempty"`
	// Title says what did not happen.
	Title string `json:"title"`
	// Status is that of the answer; the proxy sets it.
	Status int `json:"status"`
	// Detail says what was found and what to do.
	Detail string `json:"detail,omitempty"`
}

// NoAnswer is why the API has not answered.
type NoAnswer struct {
	// Host is whom the proxy has asked.
	Host string
	// Cause is what is known, without anything that the API has sent.
	Cause string
}

// Error says it in one line.
func (e *NoAnswer) Error() string { return e.Host + " gave no answer: " + e.Cause }

// failureSharedFor is how long the engine answers from memory that there is no token. To ask earlier is of no use.
const failureSharedFor = time.Minute

// newProblem is a request that is not forwarded.
func newProblem(status int, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

func (problem *Problem) write(w http.ResponseWriter) {
	writeJSON(w, "application/problem+json", problem.Status, problem)
}

func writeJSON(w http.ResponseWriter, kind string, status int, content any) {
	header := w.Header()
	header.Set("Content-Type", kind)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(content) // a caller that has left cannot be told
}

// answerError answers where there is no token, or no answer.
func (p *Proxy) answerError(w http.ResponseWriter, r *http.Request, err error) {
	var failure *clients.Error
	switch {
	case errors.As(err, &failure) || errors.As(err, new(*NoAnswer)):
	case r.Context().Err() != nil: // the caller has left
		w.WriteHeader(http.StatusBadGateway)
		return
	default: // the only error of ReverseProxy's own here
		err = &NoAnswer{Host: p.options.Upstream.Host, Cause: "it switched to another protocol"}
	}
	problem := p.options.Explain(err)
	problem.Status = http.StatusBadGateway
	if failure != nil && failure.MayPass() {
		problem.Status = http.StatusServiceUnavailable
		pause := max(failureSharedFor, failure.RetryAfter)
		w.Header().Set("Retry-After", strconv.Itoa(int(pause/time.Second)))
	}
	problem.write(w)
}

// placeholder is what login hands out. Any word would do: the proxy replaces it on every request.
const placeholder = "replaced-by-the-api-proxy"

// answerTokenRequest answers a token request of a program that insists on one. Nobody else is asked.
func answerTokenRequest(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		newProblem(http.StatusMethodNotAllowed, "A token request is a POST (RFC 6749, section 3.2).").write(w)
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxHeader)) // it is not looked at
	const year = 365 * 24 * time.Hour
	writeJSON(w, "application/json", http.StatusOK, map[string]any{
		"access_token": placeholder, "token_type": "Bearer", "expires_in": int(year / time.Second),
	})
}
