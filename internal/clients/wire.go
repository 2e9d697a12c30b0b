// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxInput = 8 << 10  // bytes of one setting; the platforms' ids and secrets have at most some hundred
	maxBody  = 1 << 20  // bytes of an answer
	maxToken = 64 << 10 // bytes of a token; Terraform would carry more, HTTP servers refuse such headers

	// maxLifetime is what an absurd lifetime is taken for. No platform grants a year.
	maxLifetime = 10 * 365 * 24 * time.Hour
)

// form encodes fields as RFC 6749, appendix B, prescribes.
func form(fields map[string]string) (contentType, body string) {
	values := url.Values{}
	for name, value := range fields {
		values.Set(name, value)
	}
	return "application/x-www-form-urlencoded", values.Encode()
}

// jsonObject encodes fields as one flat JSON object.
func jsonObject(fields map[string]string) (contentType, body string) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(fields) // strings always encode
	return "application/json", strings.TrimSuffix(out.String(), "\n")
}

// ParseURL reads a platform's URL as users configure it: https, or http for loopback addresses; no user information,
// query or fragment. Its errors say what is wrong without repeating the URL, whose user
// information or query may hold a secret.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsAny(text, " \t\r\n"):
		return nil, errors.New("it is not a URL; one looks like https://host.example/path")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("it must start with https://")
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("it names no host; one looks like https://host.example/path")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, errors.New("it must start with https://; http:// is accepted for loopback addresses only, because the secret would cross the network in clear")
	case u.User != nil:
		return nil, errors.New("it must not contain a user name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return nil, errors.New("it must not contain a query (?) or a fragment (#)")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("its port is not a number from 1 to 65535")
		}
	}
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

// endpoint returns the URL of path under base. optional is what users may have written at base's end, or not.
func endpoint(base *url.URL, optional, path string) *url.URL {
	root := strings.TrimSuffix(strings.TrimRight(base.EscapedPath(), "/"), optional)
	u := *base
	u.RawPath = root + path
	u.Path, _ = url.PathUnescape(u.RawPath) // root is escaped already
	return &u
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// member is one member of a JSON object, undecoded.
type member = json.RawMessage

// errNotObject says what a body is instead of a JSON object.
type errNotObject string

func (e errNotObject) Error() string { return "the answer is " + string(e) + ", not a JSON object" }

// object reads body as exactly one JSON object. It is strict where encoding/json is not: duplicate members, trailing
// data and invalid UTF-8 are errors. Its errors give offsets and kinds, never content.
func object(body []byte) (map[string]member, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // RFC 8259, section 8.1, lets readers ignore a byte order mark
	if kind := notJSON(body); kind != "" {
		return nil, errNotObject(kind)
	}
	if err := json.Unmarshal(body, new(member)); err != nil {
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			return nil, fmt.Errorf("the answer is not valid JSON (at byte %d of %d)", syntax.Offset, len(body))
		}
		return nil, errors.New("the answer is not valid JSON")
	}
	if kind := jsonKind(body); kind != "an object" {
		return nil, errNotObject("JSON, but " + kind)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	_, _ = decoder.Token() // the brace: the body is valid JSON and an object, so the tokens below cannot fail
	members := map[string]member{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, errors.New("the answer is not valid JSON")
		}
		var value member
		if err := decoder.Decode(&value); err != nil {
			return nil, errors.New("the answer is not valid JSON")
		}
		key, _ := name.(string)
		if _, twice := members[key]; twice {
			return nil, errors.New("the answer has the same member twice")
		}
		members[key] = value
	}
	return members, nil
}

// notJSON recognises what servers commonly send instead of JSON; "" is anything else.
func notJSON(body []byte) string {
	text := bytes.TrimSpace(body)
	switch {
	case len(text) == 0:
		return "empty"
	case bytes.HasPrefix(body, []byte("\xff\xfe")), bytes.HasPrefix(body, []byte("\xfe\xff")), bytes.HasPrefix(body, []byte("{\x00")), bytes.HasPrefix(body, []byte("\x00{")):
		return "UTF-16, not UTF-8"
	case text[0] == '<':
		return "HTML or XML"
	case !utf8.Valid(body):
		return "not valid UTF-8"
	case bytes.HasPrefix(text, []byte("access_token=")):
		return "form-encoded"
	}
	return ""
}

// jsonKind names the kind of a valid JSON value.
func jsonKind(value []byte) string {
	switch c := bytes.TrimSpace(value); c[0] {
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

// tokenMembers are the members of a token answer that are read: RFC 6749, section 5.1, and Equinix's names.
var tokenMembers = []string{
	"access_token", "token_type", "expires_in", "token_timeout", "scope", "user_name",
	"refresh_token", "refresh_token_timeout",
}

// readToken reads a platform's answer to a token request that was sent at start. refreshLifetime is that of a refresh
// token whose answer names none.
func readToken(header http.Header, body []byte, start time.Time, refreshLifetime time.Duration) (Token, error) {
	members, err := object(body)
	if err != nil {
		return Token{}, err
	}
	for name := range members {
		for _, known := range tokenMembers {
			if name != known && strings.EqualFold(name, known) {
				return Token{}, fmt.Errorf("the answer writes %q in other letters", known)
			}
		}
	}
	token := Token{obtained: start}
	if token.AccessToken, err = readOpaque(members, "access_token"); err != nil {
		return Token{}, err
	}
	if token.AccessToken.IsZero() {
		return Token{}, errors.New("the answer has no access_token")
	}
	if token.TokenType, err = readTokenType(members["token_type"]); err != nil {
		return Token{}, err
	}
	token.Expiry = expiry(start, soonest(
		readLifetime(members["expires_in"]),
		readLifetime(members["token_timeout"]),
		jwtLifetime(token.AccessToken, serverTime(header, start)),
	))
	token.Scope = readText(members["scope"])
	token.UserName = readText(members["user_name"])
	// A refresh token that makes no sense must not cost the user the access token: CloudLX's page calls its type Integer.
	if token.RefreshToken, err = readOpaque(members, "refresh_token"); err == nil && !token.RefreshToken.IsZero() {
		lifetime := readLifetime(members["refresh_token_timeout"])
		if lifetime == nil && refreshLifetime > 0 {
			lifetime = &refreshLifetime
		}
		token.RefreshTokenExpiry = expiry(start, lifetime)
	}
	return token, nil
}

// readOpaque reads a token: a string of the characters that RFC 6749, appendices A.12 and A.17, allow without the
// blank. Anything else could break out of an HTTP header. A missing or null member is the zero Secret.
func readOpaque(members map[string]member, name string) (Secret, error) {
	value, found := members[name]
	if !found || jsonKind(value) == "null" {
		return Secret{}, nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
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

// readTokenType accepts what the platforms call a bearer token: "Bearer" in any case (RFC 6749, section 5.1), Digital
// Realty's "BearerToken", CloudLX's "client_credentials", and nothing. Other types need other headers (RFC 6749,
// section 7.1, forbids to use a type that the client does not understand).
func readTokenType(value member) (string, error) {
	if value == nil || jsonKind(value) == "null" {
		return "Bearer", nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", fmt.Errorf("the answer's token_type is %s, not a string", jsonKind(value))
	}
	switch strings.ToLower(text) {
	case "":
		return "Bearer", nil
	case "bearer", "bearertoken", "client_credentials":
		return text, nil
	}
	return "", errors.New("the answer's token_type is neither Bearer nor one of the names that platforms use for it")
}

// readText reads a member that only informs: what is not a string of printable characters is left out.
func readText(value member) string {
	var text string
	if value == nil || json.Unmarshal(value, &text) != nil {
		return ""
	}
	return clip(oneLine(text), maxInput)
}

// readLifetime reads seconds as leniently as platforms write them: a number or a string, with a fraction or an
// exponent, with blanks or words around ("3599 (60 minutes)" is Equinix's own example). nil means that none is named.
func readLifetime(value member) *time.Duration {
	if value == nil {
		return nil
	}
	text := string(value)
	if jsonKind(value) == "a string" {
		if json.Unmarshal(value, &text) != nil {
			return nil
		}
	}
	text = strings.TrimSpace(text)
	seconds, err := strconv.ParseFloat(leadingNumber(text), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(seconds) {
		return nil
	}
	lifetime := time.Duration(max(0, min(seconds, maxLifetime.Seconds())) * float64(time.Second))
	return &lifetime
}

// leadingNumber returns the longest beginning of text that is a decimal number.
func leadingNumber(text string) string {
	for end := min(len(text), 64); end > 0; end-- {
		if strings.Trim(text[:end], "0123456789+-.eE") != "" {
			continue
		}
		if _, err := strconv.ParseFloat(text[:end], 64); err == nil || errors.Is(err, strconv.ErrRange) {
			return text[:end]
		}
	}
	return ""
}

// jwtLifetime returns how long a token that is a JWT (RFC 7519) lasts from now on, by its exp claim; nil if it is none.
// The signature is not checked: the claim can only shorten what the platform named beside the token.
func jwtLifetime(token Secret, now time.Time) *time.Duration {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	claims, err := object(payload)
	if err != nil {
		return nil
	}
	var exp float64
	if value := claims["exp"]; value == nil || json.Unmarshal(value, &exp) != nil || exp < 0 || exp > 1e11 {
		return nil
	}
	lifetime := max(0, time.Unix(int64(exp), 0).Sub(now))
	return &lifetime
}

// serverTime is the server's own clock (RFC 9110, section 6.6.1), against which it wrote the exp claim; start without.
func serverTime(header http.Header, start time.Time) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return start
}

// soonest returns the smallest lifetime that is named; nil if none is.
func soonest(lifetimes ...*time.Duration) *time.Duration {
	var least *time.Duration
	for _, lifetime := range lifetimes {
		if lifetime != nil && (least == nil || *lifetime < *least) {
			least = lifetime
		}
	}
	return least
}

func expiry(start time.Time, lifetime *time.Duration) time.Time {
	if lifetime == nil {
		return time.Time{}
	}
	return start.Add(*lifetime)
}

// platformError is what a body says went wrong. The zero value: nothing that is understood.
type platformError struct {
	code, description string
}

// readError reads the error bodies of the platforms: RFC 6749, section 5.2 (error, error_description); Equinix's object
// in camelCase or snake_case, alone, in an array or under "errors"; CloudLX's message, which has no code.
func readError(body []byte) platformError {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	var first []map[string]any
	if json.Unmarshal(body, &first) == nil && len(first) > 0 {
		return errorMember(first[0])
	}
	var members map[string]any
	if json.Unmarshal(body, &members) != nil {
		return platformError{}
	}
	if list, ok := members["errors"].([]any); ok && len(list) > 0 {
		if nested, ok := list[0].(map[string]any); ok {
			return errorMember(nested)
		}
	}
	return errorMember(members)
}

func errorMember(members map[string]any) platformError {
	text := func(names ...string) string {
		for _, name := range names {
			if value, ok := members[name].(string); ok && value != "" {
				return value
			}
		}
		return ""
	}
	return platformError{
		code:        text("error", "errorCode", "error_code"),
		description: text("error_description", "errorMessage", "error_message", "message"),
	}
}

// retryAfter reads the Retry-After header (RFC 9110, section 10.2.3) as a time to wait; false if there is none, or more
// than one, or one that makes no sense.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	values := header.Values("Retry-After")
	if len(values) != 1 {
		return 0, false
	}
	if seconds, err := strconv.ParseUint(values[0], 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(maxLifetime/time.Second))) * time.Second, true
	}
	date, err := http.ParseTime(values[0])
	if err != nil || date.Before(now) {
		return 0, false
	}
	return min(date.Sub(now), maxLifetime), true
}

// readBody reads an answer up to the limit; beyond that it is an error, so that a cut answer never looks whole.
func readBody(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err == nil && len(data) > maxBody {
		return nil, errBodyTooLarge
	}
	return data, err
}

var errBodyTooLarge = fmt.Errorf("the answer is too large: more than %d bytes", maxBody)
