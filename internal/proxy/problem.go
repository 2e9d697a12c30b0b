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

// Problem is an error that the proxy itself answers with (RFC 9457). It contains no secret.
type Problem struct {
	// Type is the URL of a page about the error; empty: there is none.
	Type string `json:"type,omitempty"`
	// Title says what failed.
	Title string `json:"title"`
	// Status is the status of the answer. The proxy sets it.
	Status int `json:"status"`
	// Detail says why, and what to do.
	Detail string `json:"detail,omitempty"`
}

// NoAnswer is the error if the API does not answer.
type NoAnswer struct {
	// Host is the API's host, with the port if the URL has one.
	Host string
	// Cause says why, without anything that the API sent.
	Cause string
}

// Error returns host and cause in one line.
func (e *NoAnswer) Error() string { return e.Host + " gave no answer: " + e.Cause }

// failureSharedFor is how long the client repeats a failure from memory. An earlier retry would get the same failure.
const failureSharedFor = time.Minute

// pauseAfter returns how long an earlier retry would be in vain. Where an identity token is missing, its source is read again
// for each request.
func pauseAfter(failure *clients.Error) time.Duration {
	if failure.Kind == clients.NoIdentityToken && failure.Endpoint == "" {
		return time.Second
	}
	return max(failureSharedFor, failure.RetryAfter)
}

// newProblem returns the error for a request that is not forwarded.
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
	_ = json.NewEncoder(w).Encode(content) // fails only if the caller has closed the connection
}

// answerError answers a request for which there is no token, or no answer of the API.
func (p *Proxy) answerError(w http.ResponseWriter, r *http.Request, err error) {
	var failure *clients.Error
	switch {
	case errors.Is(err, errClosing):
		newProblem(http.StatusServiceUnavailable, "The API proxy is closing.").write(w)
		return
	case r.Context().Err() != nil: // see outlast
		newProblem(http.StatusGatewayTimeout, "The caller closed the connection, and the API has not answered in time.").write(w)
		return
	case errors.As(err, &failure) || errors.As(err, new(*NoAnswer)):
	default: // the only error that ReverseProxy itself can cause here
		err = &NoAnswer{Host: p.options.Upstream.Host, Cause: "it switched to another protocol"}
	}
	problem := p.options.Explain(err)
	problem.Status = http.StatusBadGateway
	if failure != nil && failure.Temporary() {
		problem.Status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", strconv.Itoa(int(pauseAfter(failure)/time.Second)))
	}
	problem.write(w)
}

// placeholder is the token that answerTokenRequest issues to a program whose URL has the secret. The proxy replaces it on every
// request, so its text does not matter.
const placeholder = "replaced-by-the-api-proxy"

// answerTokenRequest answers the token request of a program that cannot work without one. It sends nothing itself. A program
// that uses the address has shown the secret, and gets it as its token.
func (p *Proxy) answerTokenRequest(w http.ResponseWriter, r *http.Request, base clients.Secret) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		newProblem(http.StatusMethodNotAllowed, "A token request must use POST (RFC 6749, section 3.2).").write(w)
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxHeader))
	token := placeholder
	if base.Reveal() == p.Address() {
		token = p.secret
	}
	const year = 365 * 24 * time.Hour
	writeJSON(w, "application/json", http.StatusOK, map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": int(year / time.Second),
	})
}
