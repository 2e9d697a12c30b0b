// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind is the kind of a failure. Each kind has its own remedy.
type Kind int

// The kinds.
const (
	InvalidInput           Kind = iota // nothing was sent: a setting is missing or not valid
	CredentialsRejected                // the platform did not accept the client id, the client secret, the user's password or the identity token
	RejectionNotUnderstood             // the platform may have rejected the login: it uses the status of an outage for that
	GrantRejected                      // the client may not use this grant type (unauthorized_client, unsupported_grant_type)
	ScopeRejected                      // the client may not have a scope that was asked for (invalid_scope)
	RefreshTokenRejected               // the refresh token is spent, has expired or belongs to another client
	RequestRejected                    // the platform did not accept the request for another reason
	Forbidden                          // something in front of the platform blocked the request (403)
	NotFound                           // there is no token endpoint at this URL (404, 410)
	NotAcceptable                      // the platform does not take the method or the media types (405, 406, 415, 421)
	Redirected                         // the answer is a redirect, which is not followed
	BadAnswer                          // the answer is not a token answer
	Throttled                          // the platform asks for fewer requests (429, an error code, or 403 with Retry-After)
	Unavailable                        // the platform failed (5xx)
	Unreachable                        // there was no connection, or it broke
	Untrusted                          // TLS failed: a certificate, a version, a protocol
	ProxyFailed                        // the proxy did not connect
	TimedOut                           // no answer within the time allowed
	Cancelled                          // the caller left, or the process was interrupted
	NoIdentityToken                    // there is no identity token for a token exchange, or it has expired; the exchange was not sent
	NoAssertion                        // there is no client assertion, or it has expired; the request was not sent
	NoClientKey                        // the client's key or certificate cannot be read, or they do not fit; the request was not sent
	AssertionUsed                      // the platform has not accepted a client assertion that was sent before
	Internal                           // a fault of this program
)

// blame says whose credentials a code of the platform rejects.
type blame int

const (
	nobody        blame = iota // the code does not say
	wholeClient                // the client, whichever grant type it uses (invalid_client)
	clientInGrant              // the client in this grant type: Keycloak's unauthorized_client
	theUser                    // the user (invalid_grant)
)

// Error says why there is no token. It holds no secret and no body of an answer.
type Error struct {
	// Platform is the platform's name, as in "Equinix".
	Platform string
	// Endpoint is the host and path that were asked. It is empty if nothing was sent.
	Endpoint string
	// Kind is the kind of failure.
	Kind Kind
	// Status is the HTTP status. It is zero if there was no answer.
	Status int
	// Code is the platform's own error code. It is empty if the platform named none.
	Code string
	// Description is the platform's text, scrubbed and in quotation marks, or another description of the failure; it
	// may be empty.
	Description string
	// Identity says when the identity token of a token exchange and the client assertion expire, and names their iss, aud and
	// sub. It is empty if the request has neither.
	Identity string
	// Client says how a rejected client has authenticated. It is empty if the platform has only one way, or it is not the
	// client that was rejected.
	Client string
	// Hint is what Code or Description says about the remedy.
	Hint Hint
	// Attempts is how often the request was sent, or a connection for it was tried.
	Attempts int
	// RetryAfter is the pause that the platform asked for, or zero if it asked for none.
	RetryAfter time.Duration
	// CachedUntil is when the request may be sent again, if the Error comes from the Cache. It is zero if the Error does not
	// come from there.
	CachedUntil time.Time `json:"-"`

	// temporary: the same request may succeed later. notActedOn: the platform has certainly not acted on the request.
	temporary, notActedOn bool
	// blames: whose credentials the platform's code rejects.
	blames blame
	// keptForLater: the platform has hardly acted on the request, but that is not certain. This process does not send a
	// request again that may be sent once. A later process may.
	keptForLater bool
	// given: the identity token stays the same, because the settings hold it.
	given bool
}

// Error returns, in one line, which endpoint was asked and what it answered.
func (e *Error) Error() string {
	var text strings.Builder
	if e.Endpoint != "" {
		text.WriteString(e.Endpoint + " ")
	}
	switch {
	case e.Status != 0:
		fmt.Fprintf(&text, "answered %d", e.Status)
		if name := http.StatusText(e.Status); name != "" {
			text.WriteString(" " + name)
		}
	case e.Endpoint != "":
		text.WriteString("gave no answer")
	default:
		text.WriteString(e.Platform + ": nothing was sent")
	}
	if e.Code != "" {
		text.WriteString(", code " + e.Code)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&text, ", asked for a pause of %s", e.RetryAfter.Round(time.Second))
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&text, ", after %d attempts", e.Attempts)
	}
	if e.Description != "" {
		text.WriteString(": " + e.Description)
	}
	for _, more := range []string{e.Client, e.Identity} {
		if more != "" {
			text.WriteString("; " + more)
		}
	}
	if !e.CachedUntil.IsZero() {
		text.WriteString(" (to another process; asked again after " + e.CachedUntil.UTC().Format("15:04:05 UTC") + ")")
	}
	return text.String()
}

// Temporary reports whether asking again later may help. If there was no identity token or assertion to send, its source may
// have one then, unless the settings hold it themselves.
func (e *Error) Temporary() bool {
	return e.temporary || (e.Kind == NoIdentityToken || e.Kind == NoAssertion) && e.Endpoint == "" && !e.given
}

// Unsent reports whether nothing was sent because of the settings, or of the files and variables that they name.
func (e *Error) Unsent() bool {
	switch e.Kind {
	case InvalidInput, NoClientKey:
		return true
	case NoIdentityToken, NoAssertion:
		return e.Endpoint == ""
	default:
		return false
	}
}

// rejectsCredentials reports whether the credentials must not be sent again.
func (k Kind) rejectsCredentials() bool {
	return k == CredentialsRejected || k == RejectionNotUnderstood
}

// refreshLost reports whether a refresh that failed with e cannot succeed any more. Either the refresh token was
// rejected, or the platform may have spent it and the answer was lost. It is false for rejected credentials, which are
// not sent again in any grant.
func (e *Error) refreshLost() bool {
	switch e.Kind {
	case CredentialsRejected, Cancelled, Internal, InvalidInput, NoAssertion, NoClientKey, AssertionUsed:
		return false
	case RefreshTokenRejected:
		return true
	default:
		return !e.notActedOn && !e.keptForLater
	}
}

// refreshDeclined reports whether the client may ask for a new token after e, the failure of a refresh that no caller
// has asked for. It is true if the refresh is lost, or if the platform does not accept the refresh request. Any other
// failure would affect a request for a new token too.
func (e *Error) refreshDeclined() bool {
	switch e.Kind {
	case Forbidden, NotFound, NotAcceptable, Redirected, BadAnswer:
		return true
	default:
		return e.refreshLost()
	}
}

// waitError returns the error of a wait that was ended by ctx or an interrupt.
func waitError(ctx context.Context, r *request) *Error {
	err := &Error{Platform: r.platform, Endpoint: r.address(), Kind: Cancelled, Description: "cancelled"}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err.Kind, err.Description, err.temporary = TimedOut, "no token within the time allowed", true
	}
	return err
}

// unsentError returns the error of a request that ended before it was sent.
func unsentError(ctx context.Context, r *request) *Error {
	err := waitError(ctx, r)
	err.notActedOn = true
	return err
}

// mustStop reports whether no request is to be sent any more.
func mustStop(ctx context.Context, interrupted <-chan struct{}) bool {
	select {
	case <-interrupted:
		return true
	default:
		return ctx.Err() != nil
	}
}
