// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

const (
	maxInput = 8 << 10  // bytes of one setting; the platforms' IDs and secrets have a few hundred at most
	maxToken = 64 << 10 // bytes of a token; Terraform would accept more, but HTTP servers refuse such headers
	maxPairs = 64 << 10 // bytes of all further parameters, or of all further headers
)

// form encodes fields as RFC 6749, appendix B, prescribes.
func form(fields map[string]string) (contentType string, body Secret) {
	values := url.Values{}
	for name, value := range fields {
		values[name] = valuesOf(name, value)
	}
	return "application/x-www-form-urlencoded", NewSecret(values.Encode())
}

// jsonObject encodes fields as one flat JSON object. A parameter with several values is an array.
func jsonObject(fields map[string]string) (contentType string, body Secret) {
	all := any(fields)
	if strings.ContainsFunc(fields["resource"]+fields["audience"], isLineBreak) {
		all = withArrays(fields)
	}
	object, _ := json.Marshal(all) // strings always encode
	return "application/json", NewSecret(string(object))
}

// withArrays returns fields with an array for each parameter that has several values.
func withArrays(fields map[string]string) map[string]any {
	all := map[string]any{}
	for name, value := range fields {
		switch several := valuesOf(name, value); len(several) {
		case 0:
		case 1:
			all[name] = several[0]
		default:
			all[name] = several
		}
	}
	return all
}

// MayRepeat reports whether a request may have the parameter several times. RFC 6749, section 3.2, forbids that for all but
// these two, for which RFC 8693, section 2.1, and RFC 8707, section 2, allow it. Their values are on lines of their own in a
// setting.
func MayRepeat(parameter string) bool { return parameter == "resource" || parameter == "audience" }

// valuesOf returns the values of a parameter.
func valuesOf(name, setting string) []string {
	if !MayRepeat(name) {
		return []string{setting}
	}
	return strings.FieldsFunc(setting, isLineBreak)
}

func isLineBreak(r rune) bool { return r == '\n' || r == '\r' }

// jsonMembers are the wanted members of a JSON object, not decoded. A missing member is nil.
type jsonMembers map[string]json.RawMessage

// parseObject reads body as exactly one JSON object. It is stricter than encoding/json: trailing data and invalid UTF-8 are
// errors. It is also an error if a wanted member occurs twice, or with other upper and lower case. Errors contain
// offsets and kinds, never content.
func parseObject(body []byte, wanted ...string) (jsonMembers, error) {
	body = withoutMark(body)
	if err := checkObject(body); err != nil {
		return nil, err
	}
	found := jsonMembers{}
	var problem error
	whole := eachMember(body, func(name string, value json.RawMessage) bool {
		for _, known := range wanted {
			switch {
			case known == "" || !strings.EqualFold(name, known):
			case name != known:
				problem = fmt.Errorf("the answer writes %s in other letters", known)
			case found[known] != nil:
				problem = fmt.Errorf("the answer has %s twice", known)
			default:
				found[known] = bytes.Clone(value)
			}
		}
		return problem == nil
	})
	switch {
	case problem != nil:
		return nil, problem
	case !whole:
		return nil, errors.New("the answer is not valid JSON")
	}
	return found, nil
}

// eachMember calls do for each member of a JSON object until do returns false. value is valid only until do returns.
// whole reports that body is an object, and that it was read to the end of the object.
func eachMember(body []byte, do func(name string, value json.RawMessage) bool) (whole bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if brace, err := decoder.Token(); err != nil || brace != json.Delim('{') {
		return false
	}
	var value json.RawMessage
	for decoder.More() {
		token, err := decoder.Token()
		name, isName := token.(string)
		if err != nil || !isName || decoder.Decode(&value) != nil || !do(name, value) {
			return false
		}
	}
	brace, err := decoder.Token()
	return err == nil && brace == json.Delim('}')
}

// checkObject returns what is wrong with body as a JSON object, or nil if nothing is wrong.
func checkObject(body []byte) error {
	if kind := notJSON(body); kind != "" {
		return fmt.Errorf("the answer is %s, not a JSON object", kind)
	}
	if err := json.Unmarshal(body, new(json.RawMessage)); err != nil {
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			return fmt.Errorf("the answer is not valid JSON (at byte %d of %d)", syntax.Offset, len(body))
		}
		return errors.New("the answer is not valid JSON")
	}
	if kind := jsonKind(body); kind != "an object" {
		return fmt.Errorf("the answer is %s, not a JSON object", kind)
	}
	return nil
}

// withoutMark removes a byte order mark. RFC 8259, section 8.1, allows readers to ignore it.
func withoutMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }

var formField = lazily(`^\w+=`)

// notJSON names what servers commonly send instead of JSON, or "" for anything else.
func notJSON(body []byte) string {
	text := bytes.TrimSpace(body)
	begins := func(prefix string) bool { return bytes.HasPrefix(body, []byte(prefix)) }
	switch {
	case len(text) == 0:
		return "empty"
	case begins("\xff\xfe"), begins("\xfe\xff"), begins("{\x00"), begins("\x00{"):
		return "UTF-16, not UTF-8"
	case text[0] == '<':
		return "HTML or XML"
	case !utf8.Valid(body):
		return "not valid UTF-8"
	case text[0] != '{' && formField().Match(text):
		return "form-encoded"
	}
	return ""
}

// jsonKind names the kind of a valid JSON value.
func jsonKind(value []byte) string {
	switch bytes.TrimSpace(value)[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

// readToken returns the token in the answer to a token request.
func readToken(a answer, deviations deviations) (Token, error) {
	tokenName := cmp.Or(deviations.token, "access_token")
	found, err := parseObject(a.body,
		tokenName, "token_type", "expires_in", "scope", "refresh_token", // RFC 6749, section 5.1
		deviations.lifetime, deviations.refreshLifetime, deviations.userName,
	)
	if err != nil {
		return Token{}, err
	}
	token := Token{obtained: a.sent}
	if token.AccessToken, err = readOpaque(tokenName, found[tokenName]); err != nil {
		return Token{}, err
	}
	if token.AccessToken.IsZero() {
		return Token{}, errors.New("the answer has no " + tokenName)
	}
	if token.TokenType, err = readTokenType(found["token_type"]); err != nil {
		return Token{}, err
	}
	named := []*time.Duration{readLifetime(found["expires_in"]), readLifetime(found[deviations.lifetime])}
	token.Expiry = expiry(a.sent, append(named, jwtLifetime(token.AccessToken, a.Header, a.sent, named...))...)
	token.Scope = readScope(found["scope"])
	token.UserName = readText(found[deviations.userName])
	// A refresh token that cannot be read is left out, so that the access token can still be used. CloudLX's page gives
	// the refresh token the type Integer.
	token.RefreshToken, _ = readOpaque("refresh_token", found["refresh_token"])
	if !token.RefreshToken.IsZero() {
		lifetime := readLifetime(found[deviations.refreshLifetime])
		if lifetime == nil && deviations.refreshLasts > 0 {
			lifetime = &deviations.refreshLasts
		}
		token.RefreshTokenExpiry = expiry(a.sent, lifetime, jwtLifetime(token.RefreshToken, a.Header, a.sent, lifetime))
	}
	return token, nil
}

// readOpaque reads a token: a string of the characters that RFC 6749, appendices A.12 and A.17, allow, except the
// blank. Other characters could break out of an HTTP header. For a missing or null member, it returns the zero Secret.
func readOpaque(name string, value json.RawMessage) (Secret, error) {
	if value == nil || jsonKind(value) == "null" {
		return Secret{}, nil
	}
	var text string
	if !plainText(value, &text) {
		return Secret{}, fmt.Errorf("the answer's %s is %s, not a string", name, jsonKind(value))
	}
	if len(text) > maxToken {
		return Secret{}, fmt.Errorf("the answer's %s is too long: more than %d bytes", name, maxToken)
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return Secret{}, fmt.Errorf("the answer's %s has a blank, a control character or a character outside ASCII", name)
		}
	}
	return NewSecret(text), nil
}

// readTokenType reads the token type. It accepts what the platforms call a bearer token: "Bearer" in any case (RFC
// 6749, section 5.1), Digital Realty's "BearerToken", CloudLX's "client_credentials", and no type. Other types need
// other headers, and RFC 6749, section 7.1, forbids a client to use a type that it does not understand.
func readTokenType(value json.RawMessage) (string, error) {
	if value == nil || jsonKind(value) == "null" {
		return "Bearer", nil
	}
	var text string
	if !plainText(value, &text) {
		return "", fmt.Errorf("the answer's token_type is %s, not a string", jsonKind(value))
	}
	text = strings.TrimSpace(text)
	switch strings.ToLower(text) {
	case "":
		return "Bearer", nil
	case "bearer", "bearertoken", "client_credentials":
		return text, nil
	}
	if problem := otherTokenTypes[strings.ToLower(text)]; problem != "" {
		return "", errors.New("the answer's token_type is " + problem)
	}
	return "", errors.New("the answer's token_type is neither Bearer nor one of the names that platforms use for it")
}

// otherTokenTypes say why a token of another type cannot be used as a bearer token.
var otherTokenTypes = map[string]string{
	"n_a":  "N_A: the server issued a token that is not an access token (RFC 8693, section 2.2.1)",
	"dpop": "DPoP: each use of the token needs a proof that its holder has a key (RFC 9449)",
	"pop":  "PoP: each use of the token needs a proof that its holder has a key",
	"mac":  "MAC: each use of the token needs a signature with a key",
}

// plainText decodes a valid JSON value into text. It returns false if the value is not a string. Most strings have no escapes, so
// there is nothing to decode.
func plainText(value json.RawMessage, text *string) bool {
	if n := len(value); n >= 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		*text = string(value[1 : n-1])
		return true
	}
	return json.Unmarshal(value, text) == nil
}

// readText reads a member that serves only for information. It returns "" if the member is not a string. Characters that
// cannot be printed become blanks.
func readText(value json.RawMessage) string {
	var text string
	if value == nil || !plainText(value, &text) {
		return ""
	}
	return printable.OneLine(printable.Clip(text, maxInput))
}

// readScope reads the granted scopes: a string (RFC 6749, section 3.3), or an array of strings, as some servers send.
func readScope(value json.RawMessage) string {
	var scopes []string
	if value != nil && json.Unmarshal(value, &scopes) == nil {
		return printable.OneLine(printable.Clip(strings.Join(scopes, " "), maxInput))
	}
	return readText(value)
}
