// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// IdentitySource says where an identity token comes from: that of a token exchange, or one that a client authenticates with
// (RFC 7523, section 2.2). It is read for each request. Exactly one field is set, or none if there is no identity
// token.
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

// IsZero reports whether there is no identity token.
func (i IdentitySource) IsZero() bool { return i == IdentitySource{} }

// purpose is what an identity token is for.
type purpose struct {
	name    string // in messages
	missing Kind   // there is none to send
	spent   string // why it is not sent again
}

var (
	forExchange = purpose{"the identity token", NoIdentityToken, "an earlier exchange of this identity token got no answer, and the platform may accept an identity token once only"}
	forClient   = purpose{"the client assertion", NoAssertion, "an earlier request with this client assertion got no answer, and the platform may accept an assertion once only"}
)

// named names the identity token in a message.
func (i IdentitySource) named(p purpose) string {
	switch {
	case i.Variable != "":
		return p.name + " in the environment variable " + i.Variable
	case i.File != "":
		return p.name + " in the file " + printable.Path(i.File)
	case i.Audience != "":
		return p.name + " of GitHub Actions"
	}
	return p.name
}

// given reports whether the settings hold the identity token itself, so that it stays the same.
func (i IdentitySource) given() bool { return !i.Token.IsZero() }

// key identifies the source, without the identity token itself.
func (i IdentitySource) key() string { return fmt.Sprintf("%q %q %q", i.Variable, i.File, i.Audience) }

// subjectToken is an identity token that was read, and what it says about itself.
type subjectToken struct {
	idClaims
	token Secret
	// credential is the secret that stays the same while the job runs: for GitHub the bearer token of the request, and
	// otherwise the identity token itself.
	credential Secret
}

// asSubjectToken reads text, which may have blanks and line breaks around the identity token. Its errors do not contain it.
func asSubjectToken(text string) (subjectToken, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return subjectToken{}, errors.New("is empty")
	case len(text) > maxToken:
		return subjectToken{}, fmt.Errorf("is larger than %d KiB", maxToken>>10)
	case strings.ContainsRune("\"'`", rune(text[0])):
		return subjectToken{}, errors.New("is in quotation marks: leave them out")
	case text[0] == '{':
		return subjectToken{}, errors.New("is a JSON object: write only the identity token, which is value in GitHub's answer")
	case strings.Contains(asciiLower(text), "bearer "):
		return subjectToken{}, errors.New(`has the word "Bearer" before the token: leave it out`)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return subjectToken{}, errors.New("has a blank, a line break, a control character or a character outside ASCII")
	}
	claims, err := readIdentity(NewSecret(text))
	return subjectToken{claims, NewSecret(text), NewSecret(text)}, err
}

// CheckIdentityToken checks an identity token, but not when it expires.
func CheckIdentityToken(value Secret) string {
	if _, err := asSubjectToken(value.Reveal()); err != nil {
		return err.Error()
	}
	return ""
}

// idClaims is what an identity token says about itself (OpenID Connect Core 1.0, section 2). Nothing is verified. A claim
// that is missing, or that cannot be read, is empty.
type idClaims struct {
	issuer, subject string
	audience        []string
	expires         time.Time // zero: it does not say
	encrypted       bool      // its claims cannot be read here

	// key says whose token it is: the issuer and the subject exactly as they are in the token. Without both, the token
	// may be anyone's, so it is a digest of the token: each token is then an identity of its own.
	key string
}

// readIdentity reads an identity token: a signed JSON Web Token (RFC 7519), or an encrypted one (RFC 7516). Its errors do
// not contain it.
func readIdentity(token Secret) (idClaims, error) {
	own := fmt.Sprintf("%x", digestOf(token.Reveal()))
	parts, err := jwtParts(token)
	switch {
	case err != nil:
		return idClaims{}, fmt.Errorf("is not a JSON Web Token: %w", err)
	case len(parts) == encryptedParts:
		return idClaims{encrypted: true, key: own}, nil
	}
	claims, err := parseObject(parts[1], "iss", "sub", "aud", "exp")
	if err != nil {
		return idClaims{}, errors.New("is a JSON Web Token whose claims cannot be read")
	}
	found := idClaims{issuer: readText(claims["iss"]), subject: readText(claims["sub"]), key: own}
	if found.issuer != "" && found.subject != "" {
		found.key = string(claims["iss"]) + " " + string(claims["sub"])
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

// The numbers of parts in the compact form of a signed token (RFC 7515, section 3.1), and of an encrypted one (RFC 7516,
// section 3.1).
const (
	signedParts    = 3
	encryptedParts = 5
)

// jwtParts decodes the parts of a JSON Web Token. The first part is a JSON object. An encrypted token may have empty parts.
func jwtParts(token Secret) (parts [][]byte, err error) {
	texts := strings.SplitN(token.Reveal(), ".", encryptedParts+1)
	if len(texts) != signedParts && len(texts) != encryptedParts {
		return nil, errors.New("it does not have three parts, or five, with dots between them")
	}
	for _, text := range texts {
		part, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(part) == 0 && len(texts) == signedParts {
			return nil, errors.New("one of its parts is empty or not base64url")
		}
		parts = append(parts, part)
	}
	if checkObject(parts[0]) != nil {
		return nil, errors.New("its first part is not a JSON object")
	}
	return parts, nil
}

func (i idClaims) expired(now time.Time) bool { return !i.expires.IsZero() && !now.Before(i.expires) }

// describe says when the identity token expires, and names issuer, audience and subject: with these a platform decides
// whether to accept it. The clock is named because exp is a time by another clock.
func (i idClaims) describe(now time.Time) string {
	text := "does not say when it expires"
	switch left := i.expires.Sub(now).Truncate(time.Second); {
	case i.encrypted:
		return "is encrypted, so its claims cannot be read here"
	case i.expires.IsZero():
	case i.expired(now):
		text = fmt.Sprintf("expired %s ago: this machine's clock says %s", -left, now.UTC().Format(time.RFC3339))
	default:
		text = fmt.Sprintf("is valid for another %s", left)
	}
	var named []string
	for _, claim := range [][2]string{{"iss", i.issuer}, {"aud", strings.Join(i.audience, " ")}, {"sub", i.subject}} {
		if claim[1] != "" {
			named = append(named, fmt.Sprintf("%s %q", claim[0], printable.Clip(printable.OneLine(claim[1]), maxDescription)))
		}
	}
	if named == nil {
		return text
	}
	return text + " (" + strings.Join(named, ", ") + ")"
}
