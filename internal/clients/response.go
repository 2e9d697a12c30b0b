// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const maxDescription = 300 // bytes of a platform's description that are shown

// grants reports whether an answer with this status may hold a token.
func grants(status int) bool { return status == http.StatusOK || status == http.StatusCreated }

// read turns an answer into a token or into what is wrong with it.
func (r request) read(fault *Error, answer *http.Response, body []byte, start time.Time) (Token, *Error) {
	said := readError(body)
	// Gateways write the status once more, which is no code.
	if strings.EqualFold(said.code, http.StatusText(fault.Status)) || said.code == strconv.Itoa(fault.Status) {
		said = platformError{description: cmp.Or(said.description, said.code)}
	}
	if said.code == "" && !grants(fault.Status) {
		said.code = looseCode(body)
	}
	said = r.scrubbed(said)
	fault.Code, fault.Description = said.code, said.description
	if grants(fault.Status) && said.code == "" {
		token, err := readToken(answer.Header, body, start, r.refreshLifetime)
		if err == nil {
			return token, nil
		}
		fault.Kind, fault.Description = BadAnswer, err.Error()
		return Token{}, fault
	}
	r.judge(fault, answer)
	if fault.Code == "" && fault.Description == "" && fault.Kind != Throttled {
		fault.Description = r.describeBody(answer.Header, body)
	}
	return Token{}, fault
}

var codePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$`)

// scrubbed makes what a platform said fit to be shown.
func (r request) scrubbed(said platformError) platformError {
	if said == (platformError{}) {
		return said
	}
	scrubber := newScrubber(r.secrets...)
	description := ""
	if said.description != "" {
		description = `"` + scrubber.scrub(said.description, maxDescription) + `"` // the platform's words, not ours
	}
	code := scrubber.scrub(said.code, maxDescription)
	if code != "" && !codePattern.MatchString(code) {
		code, description = "unreadable", strings.TrimSpace(description+" (its code: "+code+")")
	}
	return platformError{code: code, description: description}
}

// judge decides what an answer without a token means, and whether to ask again.
func (r request) judge(fault *Error, answer *http.Response) {
	fault.RetryAfter, _ = retryAfter(answer.Header, serverTime(answer.Header, time.Now()))
	code := strings.ToLower(fault.Code)
	switch status := fault.Status; {
	case status == http.StatusTooManyRequests:
		fault.Kind, fault.transient, fault.notActedOn = Throttled, true, true
	case status == http.StatusRequestTimeout:
		fault.Kind, fault.transient, fault.notActedOn = TimedOut, true, true
	case status/100 == 3:
		fault.Kind, fault.Description = Redirected, r.describeRedirect(answer)
	case code == "" && permanent[status]:
		fault.Kind = BadAnswer
	case code == "server_error" || code == "temporarily_unavailable" || code == "" && status/100 == 5:
		fault.Kind, fault.transient, fault.notActedOn = Unavailable, !permanent[status], status == http.StatusServiceUnavailable
	case status == http.StatusNotFound || status == http.StatusGone: // Equinix's gateway has a code for these, too
		fault.Kind = NotFound
	case status == http.StatusMethodNotAllowed || status == http.StatusNotAcceptable || status == http.StatusUnsupportedMediaType:
		fault.Kind = NotAcceptable
		fault.Description = strings.TrimSpace(fault.Description + " (sent: Accept " + r.accept + ", Content-Type " + r.contentType + ")")
	case code != "":
		fault.Kind = r.rejection(code)
	case status == http.StatusForbidden:
		fault.Kind = Forbidden
	case status/100 == 4 && r.fallback != nil:
		fault.Kind = RefreshTokenRejected
	case status == http.StatusUnauthorized:
		fault.Kind = CredentialsRejected
	case status/100 == 4:
		fault.Kind = RequestRejected
	default:
		fault.Kind = BadAnswer
	}
}

// permanent are the 5xx that say something about the request or the network rather than about the moment: not
// implemented, HTTP version, and a captive portal's 511 (RFC 6585, section 6).
var permanent = map[int]bool{501: true, 505: true, 511: true}

// rejection reads the error codes of RFC 6749, section 5.2. Any other code is Equinix's own: it has no public list of
// them, answers a failed login with a 500, and locks the account after five, so each counts as one.
func (r request) rejection(code string) Kind {
	switch code {
	case "invalid_client":
		return CredentialsRejected
	case "unauthorized_client", "unsupported_grant_type":
		return GrantRejected
	case "invalid_scope":
		return ScopeRejected
	}
	switch {
	case r.fallback != nil:
		return RefreshTokenRejected
	case code == "invalid_request":
		return RequestRejected
	}
	return CredentialsRejected
}

func (r request) describeBody(header http.Header, body []byte) string {
	if len(body) == 0 {
		return "empty answer"
	}
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return "the answer names no content type and no error code"
	}
	return "the answer is " + newScrubber(r.secrets...).scrub(mediaType, 100) + " without an error code"
}

func (r request) describeRedirect(answer *http.Response) string {
	target, err := answer.Location()
	if err != nil || target.Host == "" {
		return "the answer is a redirect, which is not followed"
	}
	return "the answer is a redirect to " + newScrubber(r.secrets...).scrub(target.Host, 255) + ", which is not followed"
}
