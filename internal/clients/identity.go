// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// IdentitySource says where the identity token of a token exchange comes from. It is read for each exchange. Exactly one field
// is set.
type IdentitySource struct {
	// Token is the identity token itself.
	Token Secret
	// Variable is the name of an environment variable that holds the identity token.
	Variable string
	// File is the path of a file that holds the identity token.
	File string
	// Audience is the audience of an identity token that GitHub Actions issues on request ("OpenID Connect reference").
	Audience string
}

// The environment variables in which GitHub Actions tells a job where to ask for an identity token, and with which
// bearer token. A job has them if it has the permission id-token: write.
const (
	gitHubRequestURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	gitHubRequestToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// String names the identity token in a message.
func (i IdentitySource) String() string {
	switch {
	case i.Variable != "":
		return "the identity token in the environment variable " + i.Variable
	case i.File != "":
		return fmt.Sprintf("the identity token in the file %q", i.File)
	case i.Audience != "":
		return "the identity token of GitHub Actions"
	}
	return "the identity token"
}

// key identifies the source, without the identity token itself.
func (i IdentitySource) key() string { return fmt.Sprintf("%q %q %q", i.Variable, i.File, i.Audience) }

// identitySources reads identity tokens.
type identitySources struct {
	getenv func(string) string
	gate   *gate // for GitHub
}

// read returns the identity token, and the secret that stays the same while the job runs: for GitHub the bearer token of
// the request, and otherwise the identity token itself.
func (s identitySources) read(ctx context.Context, i IdentitySource) (token, credential Secret, err *Error) {
	var problem error
	switch {
	case i.Audience != "":
		return s.askGitHub(ctx, i.Audience)
	case i.Variable != "":
		token, problem = asIdentityToken(s.getenv(i.Variable))
	case i.File != "":
		token, problem = readIdentityFile(i.File)
	default:
		token, problem = asIdentityToken(i.Token.Reveal())
	}
	if problem != nil {
		return Secret{}, Secret{}, &Error{Kind: NoIdentityToken, Description: i.String() + " " + problem.Error()}
	}
	return token, token, nil
}

// asIdentityToken returns text without the blanks and line breaks around it, if it can be an identity token.
func asIdentityToken(text string) (Secret, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return Secret{}, errors.New("is empty")
	case len(text) > maxToken:
		return Secret{}, fmt.Errorf("is larger than %d KiB", maxToken>>10)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return Secret{}, errors.New("has a blank, a line break, a control character or a character outside ASCII")
	}
	return NewSecret(text), nil
}

// CheckIdentityToken checks an identity token, but not when it expires.
func CheckIdentityToken(value Secret) string {
	token, err := asIdentityToken(value.Reveal())
	if err == nil {
		_, err = readIdentity(token)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// readIdentityFile reads a file. It follows links: Kubernetes replaces the tokens that it projects by changing a link.
func readIdentityFile(path string) (Secret, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Secret{}, fmt.Errorf("cannot be read (%w)", reason(err))
	case info.IsDir():
		return Secret{}, errors.New("cannot be read (it is a directory)")
	case !info.Mode().IsRegular():
		return Secret{}, errors.New("cannot be read (it is not a regular file, so it cannot be read again)")
	}
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return Secret{}, fmt.Errorf("cannot be read (%w)", reason(err))
	}
	defer func() { _ = file.Close() }() // only reads
	data, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	switch {
	case err != nil:
		return Secret{}, fmt.Errorf("cannot be read (%w)", reason(err))
	case len(data) > maxToken: // with the blanks and line breaks around it
		return Secret{}, fmt.Errorf("is larger than %d KiB", maxToken>>10)
	}
	return asIdentityToken(string(data))
}

// askGitHub asks GitHub Actions for an identity token. The request obeys the limits of all requests.
func (s identitySources) askGitHub(ctx context.Context, audience string) (token, credential Secret, err *Error) {
	r, problem := s.gitHubRequest(audience)
	if problem != nil {
		return Secret{}, Secret{}, &Error{Kind: NoIdentityToken, Description: problem.Error()}
	}
	answer, refused := s.gate.admit(ctx, r)
	if refused != nil {
		failure := *refused // the gate keeps the original
		if failure.Kind != Cancelled {
			failure.Kind = NoIdentityToken
		}
		return Secret{}, Secret{}, &failure
	}
	return answer.AccessToken, r.secrets[0], nil
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
	case err != nil || target.Host == "" || target.User != nil || strings.ContainsFunc(target.Host, notGraphic):
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
		habits:     habits{token: "value"},
		credential: []Secret{bearer},
		secrets:    []Secret{bearer},
	}
	r.accepts("application/json")
	r.addHeader("Authorization", "Bearer "+bearer.Reveal())
	return r, nil
}

// idClaims is what an identity token says about itself (OpenID Connect Core 1.0, section 2). Nothing is verified.
type idClaims struct {
	issuer, subject string
	key             string // the issuer and the subject exactly as they are in the token
	audience        []string
	expires         time.Time // zero: it does not say
}

// readIdentity reads an identity token. Its errors do not contain it.
func readIdentity(token Secret) (idClaims, error) {
	payload := jwtPayload(token)
	if payload == nil {
		return idClaims{}, errors.New("is not a JSON Web Token")
	}
	claims, err := object(payload, "iss", "sub", "aud", "exp")
	if err != nil {
		return idClaims{}, errors.New("is a JSON Web Token whose claims cannot be read")
	}
	found := idClaims{
		issuer: readText(claims["iss"]), subject: readText(claims["sub"]),
		key: string(claims["iss"]) + " " + string(claims["sub"]),
	}
	if found.issuer == "" || found.subject == "" {
		return idClaims{}, errors.New("does not name its issuer (iss) and its subject (sub)")
	}
	if json.Unmarshal(claims["aud"], &found.audience) != nil {
		found.audience = nil
		if one := readText(claims["aud"]); one != "" {
			found.audience = []string{one}
		}
	}
	if moment := readMoment(claims["exp"]); moment != 0 {
		found.expires = time.Unix(int64(moment), 0)
	}
	return found, nil
}

func (i idClaims) expired(now time.Time) bool { return !i.expires.IsZero() && !now.Before(i.expires) }

// describe says when the identity token ends, and names issuer, audience and subject: with these a platform decides
// whether to accept it.
func (i idClaims) describe(now time.Time) string {
	text := "does not say when it expires"
	switch left := i.expires.Sub(now).Truncate(time.Second); {
	case i.expires.IsZero():
	case i.expired(now):
		text = fmt.Sprintf("expired %s ago", -left)
	default:
		text = fmt.Sprintf("is valid for another %s", left)
	}
	claim := func(text string) string { return clip(oneLine(text), maxDescription) }
	return fmt.Sprintf("%s (iss %q, aud %q, sub %q)", text, claim(i.issuer), claim(strings.Join(i.audience, " ")), claim(i.subject))
}
