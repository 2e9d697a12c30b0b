// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const maxDescription = 300 // bytes of a platform's description that are shown

// grants reports whether an answer with this status may hold a token.
func grants(status int) bool { return status == http.StatusOK || status == http.StatusCreated }

// answer is what the platform answered.
type answer struct {
	*http.Response           // its Body has been read
	body           []byte    // as much as has arrived
	whole          bool      // the body is complete
	sent           time.Time // when the request was sent
}

// read returns the token in the answer, or the error that the answer means.
func (r *request) read(e *Error, a answer) (Token, *Error) {
	var problem error // why this client can read no token in the answer
	if a.body, problem = decode(a.Header, a.body); problem != nil {
		a.whole = false
	}
	if grants(e.Status) && problem == nil {
		var token Token
		if token, problem = readToken(a, r.deviations); problem == nil {
			return token, nil
		}
	}
	said := readReply(a.body, e.Status)
	e.RetryAfter = pauseOf(e.Status, a.Header, serverTime(a.Header, time.Now()))
	r.judge(e, said.code, r.mayReject(a.body, a.whole))
	r.describe(e, said, a, problem)
	e.Hint = r.hint(e, said)
	if e.blames == wholeClient || e.blames == clientInGrant || e.Kind == CredentialsRejected && r.identity == nil {
		e.Client = r.authentication()
	}
	return Token{}, e
}

// judge decides what an answer without a token means, whether a retry may help, and whether the platform has acted on
// the request. The first case that fits decides. The codes of rejections come first, then the statuses together with
// other codes. Two corrections follow: for refreshes and for token exchanges. The tests state the same table a second
// time, in oracle and verdictOn. A change has to be made in both.
func (r *request) judge(e *Error, code string, mayReject bool) {
	status := familiar(e.Status)
	kind, standard := rejections[strings.ToLower(code)]
	e.blames = blamed(status, code)
	switch {
	case e.blames == clientInGrant:
		e.Kind = CredentialsRejected
	case standard:
		e.Kind = kind
	case r.deviations.rejection != nil && r.deviations.rejection.MatchString(code):
		e.Kind = CredentialsRejected
	case status == http.StatusTooManyRequests || asksToSlowDown(code) || status == http.StatusForbidden && e.RetryAfter > 0:
		e.Kind, e.temporary, e.notActedOn = Throttled, true, true
	case status == http.StatusRequestTimeout:
		e.Kind, e.temporary, e.notActedOn = TimedOut, true, true
	case status == http.StatusTooEarly || status == http.StatusConflict && r.identity != nil: // Equinix's own provider repeats 409
		e.Kind, e.temporary, e.notActedOn = Unavailable, true, true
	case status/100 == 3:
		e.Kind, e.notActedOn = Redirected, true
	case outages[status] || r.asksToTryLater(status, code):
		e.Kind, e.temporary = Unavailable, true
		e.notActedOn = notReached[status] || strings.EqualFold(code, "temporarily_unavailable")
		e.keptForLater = status == http.StatusServiceUnavailable && !e.notActedOn
	case status == http.StatusInternalServerError && mayReject:
		e.Kind = RejectionNotUnderstood
	case status == http.StatusInternalServerError:
		e.Kind, e.temporary = Unavailable, true
	case status/100 == 5: // about the request or the network: a retry does not help
		e.Kind, e.notActedOn = BadAnswer, true
	case status == http.StatusForbidden:
		e.Kind, e.notActedOn = Forbidden, true
	case status == http.StatusUnauthorized:
		e.Kind = CredentialsRejected
	case status == http.StatusNotFound || status == http.StatusGone:
		e.Kind, e.notActedOn = NotFound, true
	case notAcceptable[status]:
		e.Kind, e.notActedOn = NotAcceptable, true
	case status/100 == 4 && code != "" && r.deviations.rejection != nil:
		e.Kind = CredentialsRejected // one of the platform's own codes, for which there is no public list
	case status/100 == 4:
		e.Kind = RequestRejected
	default:
		e.Kind = BadAnswer
	}
	r.judgeRefresh(e)
	if r.identity != nil && strings.EqualFold(code, "invalid_request") { // RFC 8693, section 2.2.2: the identity token is not accepted
		e.Kind = CredentialsRejected
	}
	if r.assertionSent && e.Kind == CredentialsRejected && (e.blames == wholeClient || e.blames == clientInGrant || r.onlyAsserts()) || strings.EqualFold(code, "jti_known") {
		e.Kind = AssertionUsed // fosite has this code; other servers say invalid_client
	}
}

// blamed returns whose credentials a code rejects. Keycloak answers 401 with unauthorized_client if the client secret is
// wrong, and also if the client may not use the grant type. Beside another status, unauthorized_client means the grant
// type alone (RFC 6749, section 5.2).
func blamed(status int, code string) blame {
	switch strings.ToLower(code) {
	case "invalid_client":
		return wholeClient
	case "unauthorized_client":
		if status == http.StatusUnauthorized {
			return clientInGrant
		}
	case "invalid_grant":
		return theUser
	}
	return nobody
}

// judgeRefresh turns the rejection of a refresh into a rejection of the refresh token. The credentials are not the
// cause, unless the platform says so. Then it has not used the refresh token.
func (r *request) judgeRefresh(e *Error) {
	switch {
	case r.refreshToken.IsZero():
		return
	case e.blames == wholeClient || e.blames == clientInGrant:
		e.notActedOn = true
		return
	}
	if e.Kind.rejectsCredentials() || e.Kind == GrantRejected || e.Kind == ScopeRejected || e.Kind == RequestRejected {
		e.Kind = RefreshTokenRejected
	}
}

// rejections are the error codes of RFC 6749, section 5.2.
var rejections = map[string]Kind{
	"invalid_request":        RequestRejected,
	"invalid_client":         CredentialsRejected,
	"invalid_grant":          CredentialsRejected,
	"unauthorized_client":    GrantRejected,
	"unsupported_grant_type": GrantRejected,
	"invalid_scope":          ScopeRejected,
}

// asksToSlowDown reports whether a code of a platform or gateway means too many requests, in any spelling. Apigee's
// codes begin with policies.ratelimit.
func asksToSlowDown(code string) bool {
	code = strings.ToLower(code)
	switch strings.NewReplacer("_", "", "-", "", ".", "", ":", "").Replace(code) {
	case "slowdown", "ratelimitexceeded", "ratelimited", "toomanyrequests", "quotaexceeded", "throttled", "throttling":
		return true
	}
	return strings.HasPrefix(code, "policies.ratelimit.")
}

// asksToTryLater reports whether a code means an outage: a code of RFC 6749, section 4.1.2.1, or one of the platform's
// own. The platform's own codes count only with a 5xx status. Otherwise a rejected login could be repeated, and each
// repetition would cost an attempt.
func (r *request) asksToTryLater(status int, code string) bool {
	switch strings.ToLower(code) {
	case "server_error", "temporarily_unavailable":
		return true
	}
	return status/100 == 5 && r.deviations.outage != nil && r.deviations.outage.MatchString(code)
}

// familiar returns the status, or 500 for a 5xx status that has no meaning of its own here (RFC 9110, section 15).
func familiar(status int) int {
	if status/100 == 5 && !outages[status] && !permanent[status] {
		return http.StatusInternalServerError
	}
	return status
}

var (
	// outages are the statuses of a temporary failure: those that gateways use, and Cloudflare's own.
	outages = map[int]bool{502: true, 503: true, 504: true, 520: true, 521: true, 522: true, 523: true, 524: true, 525: true, 526: true, 527: true, 530: true}
	// notReached are the outages in which the platform has not seen the request. 503 is not among them: a gateway may
	// say it after the platform has worked (Varnish does by default).
	notReached = map[int]bool{521: true, 522: true, 523: true, 525: true, 526: true, 527: true, 530: true}
	// permanent are the 5xx statuses that concern the request or the network: not implemented, HTTP version, and a
	// captive portal's 511 (RFC 6585, section 6).
	permanent = map[int]bool{501: true, 505: true, 511: true}
	// notAcceptable are the statuses that concern the method, the media types or the host.
	notAcceptable = map[int]bool{405: true, 406: true, 415: true, 421: true}
)

// mayReject reports whether an answer with status 500 may be a rejected login. It is an outage if the platform does not
// use 500 for rejected logins, if the whole body is empty, or if it is text or HTML without the code of a rejection.
func (r *request) mayReject(body []byte, whole bool) bool {
	text := bytes.TrimSpace(withoutMark(body))
	switch {
	case !r.deviations.rejectsWith500:
		return false
	case len(text) == 0:
		return !whole
	case strings.ContainsRune(`{["`, rune(text[0])) || json.Valid(text) || !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0:
		return true // JSON, complete or not, or data that cannot be read
	}
	words := bytes.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.ContainsFunc(words, func(word []byte) bool { return len(word) > 4 && r.deviations.rejection.Match(word) })
}

// describe adds the platform's code and description to e. Without them, it adds what is known about the answer.
func (r *request) describe(e *Error, said reply, a answer, problem error) {
	scrubber := newScrubber(append(slices.Clip(r.secrets), r.encoded, r.signature, NewSecret(r.subject.text()), NewSecret(r.assertion.text()))...)
	if said.code != "" {
		e.Code = scrubber.scrub(said.code, maxDescription)
	}
	switch {
	case e.Kind == Redirected:
		e.Description = r.describeRedirect(scrubber, a)
	case said.description != "":
		e.Description = `"` + scrubber.scrub(said.description, maxDescription) + `"` // quotation marks: these are the platform's words
	case problem != nil && e.Code == "":
		e.Description = problem.Error()
	case e.Code == "" && e.Kind != Throttled:
		e.Description = describeBody(scrubber, a)
	}
	if e.Kind == NotAcceptable {
		e.Description = strings.TrimSpace(e.Description + " (sent: Accept " + r.header("Accept").Reveal() + ", Content-Type " + r.header("Content-Type").Reveal() + ")")
	}
}

func describeBody(scrubber scrubber, a answer) string {
	if len(a.body) == 0 {
		return "empty answer"
	}
	mediaType, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		return "the answer names no content type and no error code"
	}
	return "the answer is " + scrubber.scrub(mediaType, 100) + " without an error code"
}

// describeRedirect names the host and path of the target. It leaves out the query, which may hold anything.
func (r *request) describeRedirect(scrubber scrubber, a answer) string {
	target, err := a.Location()
	if err != nil || target.Host == "" {
		return "the answer is a redirect, which is not followed"
	}
	text := "the answer is a redirect to " + scrubber.scrub(target.Host+cmp.Or(target.EscapedPath(), "/"), 300) + ", which is not followed"
	if strings.EqualFold(target.Host, r.endpoint.Host) {
		text += ": this path is not the token endpoint"
	}
	return text
}
