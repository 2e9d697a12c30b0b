// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// The environment variables in which GitHub Actions tells a job where to ask for an identity token, and with which
// bearer token. A job has them if it has the permission id-token: write.
const (
	gitHubRequestURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	gitHubRequestToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// askGitHub asks GitHub Actions for an identity token. The request obeys the limits of all requests. The expiry of the
// identity token is measured as that of any token in an answer, so a wrong clock of this machine does not end it.
func (s identitySources) askGitHub(ctx context.Context, i IdentitySource, p purpose) (subjectToken, *Error) {
	r, problem := s.gitHubRequest(i.Audience)
	if problem != nil {
		return subjectToken{}, &Error{Kind: p.missing, Description: problem.Error()}
	}
	answer, refused := s.gate.admit(ctx, r)
	if refused != nil {
		failure := *refused // the gate keeps the original
		if failure.Kind != Cancelled {
			failure.Kind = p.missing
		}
		return subjectToken{}, &failure
	}
	claims, problem := readIdentity(answer.AccessToken)
	if problem != nil {
		return subjectToken{}, &Error{Kind: p.missing, Description: i.named(p) + " " + problem.Error()}
	}
	claims.expires = answer.Expiry
	return subjectToken{claims, answer.AccessToken, r.secrets[0]}, nil
}

// gitHubRequest returns the request for an identity token: GET with a bearer token, and the audience after the query
// that the URL has already. The answer has the identity token as value.
func (s identitySources) gitHubRequest(audience string) (*request, error) {
	location, bearer := s.getenv(gitHubRequestURL), NewSecret(s.getenv(gitHubRequestToken))
	if location == "" || bearer.IsZero() {
		return nil, fmt.Errorf("GitHub Actions has not set %s and %s: the job lacks \"permissions: id-token: write\", or this is not a job of GitHub Actions", gitHubRequestURL, gitHubRequestToken)
	}
	target, err := url.Parse(location)
	switch {
	case err != nil || target.Host == "" || target.User != nil || strings.ContainsFunc(target.Host, printable.NotGraphic):
		return nil, errors.New(gitHubRequestURL + " is not a URL that can be asked")
	case target.Scheme != "https":
		return nil, errors.New(gitHubRequestURL + " must start with https://, because the bearer token would cross the network in clear")
	}
	if fault := checkHeaderValue(bearer); fault != "" {
		return nil, errors.New(gitHubRequestToken + " " + fault)
	}
	if target.RawQuery != "" {
		target.RawQuery += "&"
	}
	target.RawQuery += "audience=" + url.QueryEscape(audience)
	r := &request{
		platform:   "GitHub Actions",
		method:     http.MethodGet,
		endpoint:   target,
		deviations: deviations{token: "value"},
		credential: []Secret{bearer},
		secrets:    []Secret{bearer},
	}
	r.setAccept("application/json")
	r.addHeader("Authorization", "Bearer "+bearer.Reveal())
	return r, nil
}
