// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxInput  = 8 << 10  // bytes of one setting; the platforms' ids and secrets have at most some hundred
	maxBody   = 1 << 20  // bytes of an answer
	maxToken  = 64 << 10 // bytes of a token; Terraform would carry more, HTTP servers refuse such headers
	maxDigits = 1 << 10  // bytes of a lifetime that are looked at

	// maxLifetime is what an absurd lifetime is taken for. No platform grants a year.
	maxLifetime = 10 * 365 * 24 * time.Hour
)

// form encodes fields as RFC 6749, appendix B, prescribes.
func form(fields map[string]string) (contentType string, body Secret) {
	values := url.Values{}
	for name, value := range fields {
		values.Set(name, value)
	}
	return "application/x-www-form-urlencoded", NewSecret(values.Encode())
}

// jsonObject encodes fields as one flat JSON object.
func jsonObject(fields map[string]string) (contentType string, body Secret) {
	object, _ := json.Marshal(fields) // strings always encode
	return "application/json", NewSecret(string(object))
}

// ParseURL reads a platform's URL as users configure it: https, or http for loopback addresses; no user information,
// query or fragment. Its errors say what is wrong without repeating the URL, whose user information or query may hold a
// secret.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxInput:
		return nil, fmt.Errorf("it is longer than %d bytes", maxInput)
	case strings.ContainsFunc(text, unicode.IsControl):
		return nil, errors.New("it has a line break or another control character")
	case strings.ContainsFunc(text, unicode.IsSpace):
		return nil, errors.New("it has a blank")
	case err != nil:
		return nil, errors.New("it is not a URL; one looks like https://host.example/path")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("it must start with https://")
	case u.Hostname() == "":
		return nil, errors.New("it names no host; one looks like https://host.example/path")
	case strings.ContainsFunc(u.Host, notGraphic):
		return nil, errors.New("its host has a character that does not belong into a name")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, errors.New("it must start with https://; http:// is accepted for loopback addresses only, because the secret would cross the network in clear")
	case u.User != nil:
		return nil, errors.New("it must not contain a user name or password")
	case strings.ContainsAny(text, "?#"):
		return nil, errors.New("it must not contain a query (?) or a fragment (#)")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("its port is not a number from 1 to 65535")
		}
	}
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), ":")
	return u, nil
}

// notGraphic is true for what cannot be seen: blanks, control and format characters, and bytes that are not UTF-8.
func notGraphic(r rune) bool { return r == utf8.RuneError || r == ' ' || !unicode.IsPrint(r) }

// endpoint returns the URL of path under base. optional is what users may have written at base's end, or not.
func endpoint(base *url.URL, optional, path string) *url.URL {
	root := strings.TrimRight(base.EscapedPath(), "/")
	root = strings.TrimRight(strings.TrimSuffix(root, optional), "/")
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

// members are the wanted members of a JSON object, undecoded. A missing one is nil.
type members map[string]json.RawMessage

// object reads body as exactly one JSON object. It is strict where encoding/json is not: trailing data, invalid UTF-8,
// and wanted members that are there twice or in other letters are errors. Its errors give offsets and kinds, never
// content.
func object(body []byte, wanted ...string) (members, error) {
	body = withoutMark(body)
	if err := checkObject(body); err != nil {
		return nil, err
	}
	found := members{}
	decoder := json.NewDecoder(bytes.NewReader(body))
	_, _ = decoder.Token() // the brace; this and the calls below do not fail, because the body is valid
	var value json.RawMessage
	for decoder.More() {
		token, _ := decoder.Token()
		name, _ := token.(string)
		if err := decoder.Decode(&value); err != nil {
			return nil, errors.New("the answer is not valid JSON") // rather than never to end
		}
		for _, known := range wanted {
			switch {
			case !strings.EqualFold(name, known):
			case name != known:
				return nil, fmt.Errorf("the answer writes %s in other letters", known)
			case found[known] != nil:
				return nil, fmt.Errorf("the answer has %s twice", known)
			default:
				found[known] = bytes.Clone(value) // the next one takes its place
			}
		}
	}
	return found, nil
}

// checkObject returns what is wrong with body as a JSON object; nil: nothing is.
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

// withoutMark leaves off a byte order mark, as RFC 8259, section 8.1, lets readers do.
func withoutMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }

var formField = regexp.MustCompile(`^\w+=`)

// notJSON recognises what servers commonly send instead of JSON; "" is anything else.
func notJSON(body []byte) string {
	text := bytes.TrimSpace(body)
	begins := func(prefix string) bool { return bytes.HasPrefix(body, []byte(prefix)) }
	switch {
	case len(text) == 0:
		return "empty"
	case begins("\xff\xfe"), begins("\xfe\xff"), begins("{\x00"), begins("\x00{"):
		return "UTF-16, not UTF-8"
	case begins("\x1f\x8b"):
		return "compressed"
	case text[0] == '<':
		return "HTML or XML"
	case !utf8.Valid(body):
		return "not valid UTF-8"
	case text[0] != '{' && formField.Match(text):
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

// readToken reads a platform's answer to a token request that was sent at start. refreshLifetime is that of a refresh
// token whose answer names none.
func readToken(header http.Header, body []byte, start time.Time, refreshLifetime time.Duration) (Token, error) {
	answer, err := object(body,
		"access_token", "token_type", "expires_in", "scope", "refresh_token", // RFC 6749, section 5.1
		"token_timeout", "refresh_token_timeout", "user_name", // Equinix
	)
	if err != nil {
		return Token{}, err
	}
	token := Token{obtained: start}
	if token.AccessToken, err = readOpaque("access_token", answer["access_token"]); err != nil {
		return Token{}, err
	}
	if token.AccessToken.IsZero() {
		return Token{}, errors.New("the answer has no access_token")
	}
	if token.TokenType, err = readTokenType(answer["token_type"]); err != nil {
		return Token{}, err
	}
	token.Expiry = expiry(start,
		readLifetime(answer["expires_in"]),
		readLifetime(answer["token_timeout"]),
		jwtLifetime(token.AccessToken, header, start),
	)
	token.Scope = readText(answer["scope"])
	token.UserName = readText(answer["user_name"])
	// A refresh token that makes no sense must not cost the user the access token: CloudLX's page calls its type Integer.
	token.RefreshToken, _ = readOpaque("refresh_token", answer["refresh_token"])
	if !token.RefreshToken.IsZero() {
		lifetime := readLifetime(answer["refresh_token_timeout"])
		if lifetime == nil && refreshLifetime > 0 {
			lifetime = &refreshLifetime
		}
		token.RefreshTokenExpiry = expiry(start, lifetime)
	}
	return token, nil
}

// readOpaque reads a token: a string of the characters that RFC 6749, appendices A.12 and A.17, allow without the
// blank. Anything else could break out of an HTTP header. A missing or null member is the zero Secret.
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

// readTokenType accepts what the platforms call a bearer token: "Bearer" in any case (RFC 6749, section 5.1), Digital
// Realty's "BearerToken", CloudLX's "client_credentials", and nothing. Other types need other headers (RFC 6749,
// section 7.1, forbids to use a type that the client does not understand).
func readTokenType(value json.RawMessage) (string, error) {
	if value == nil || jsonKind(value) == "null" {
		return "Bearer", nil
	}
	var text string
	if !plainText(value, &text) {
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

// plainText decodes a valid JSON value into text; false: it is no string. Nearly all of them have nothing to decode.
func plainText(value json.RawMessage, text *string) bool {
	if n := len(value); n >= 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		*text = string(value[1 : n-1])
		return true
	}
	return json.Unmarshal(value, text) == nil
}

// readText reads a member that only informs: what is not a string of printable characters is left out.
func readText(value json.RawMessage) string {
	var text string
	if value == nil || !plainText(value, &text) {
		return ""
	}
	return oneLine(clip(text, maxInput))
}

// number is a decimal number at the beginning of a text.
var number = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?`)

// readLifetime reads seconds as leniently as platforms write them: a number or a string, with a fraction or an
// exponent, with blanks or words around ("3599 (60 minutes)" is Equinix's own example). nil means that none is named.
func readLifetime(value json.RawMessage) *time.Duration {
	if value == nil {
		return nil
	}
	text := string(value)
	if jsonKind(value) == "a string" {
		_ = plainText(value, &text) // a string always decodes
	}
	seconds, err := strconv.ParseFloat(number.FindString(clip(strings.TrimSpace(text), maxDigits)), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range it is infinite, with the right sign
		return nil
	}
	lifetime := time.Duration(max(0, min(seconds, maxLifetime.Seconds())) * float64(time.Second))
	return &lifetime
}

// jwtLifetime returns how long a token that is a JWT (RFC 7519) lasts from now on, by its exp claim; nil if it is none.
// The signature is not checked: whoever can forge the claim can forge the lifetime beside the token.
func jwtLifetime(token Secret, header http.Header, start time.Time) *time.Duration {
	parts := strings.SplitN(token.Reveal(), ".", 4)
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	claims, err := object(payload, "exp")
	if err != nil {
		return nil
	}
	var exp float64 // seconds since 1970; 1e11 is the year 5138
	if value := claims["exp"]; value == nil || json.Unmarshal(value, &exp) != nil || exp <= 0 || exp > 1e11 {
		return nil
	}
	lifetime := max(0, min(time.Unix(int64(exp), 0).Sub(serverTime(header, start)), maxLifetime))
	return &lifetime
}

// serverTime is the server's own clock (RFC 9110, section 6.6.1), by which it wrote the other times; now without it.
func serverTime(header http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return now
}

// expiry is when the shortest of the lifetimes that are named ends; zero: none is named.
func expiry(start time.Time, lifetimes ...*time.Duration) time.Time {
	var end time.Time
	for _, lifetime := range lifetimes {
		if lifetime != nil && (end.IsZero() || start.Add(*lifetime).Before(end)) {
			end = start.Add(*lifetime)
		}
	}
	return end
}

// platformError is what a body says went wrong. The zero value: nothing that is understood.
type platformError struct {
	code, description string
}

// errorBody is an error in all the platforms' spellings.
type errorBody struct {
	Error            lenientText `json:"error"` // RFC 6749, section 5.2
	ErrorDescription lenientText `json:"error_description"`
	ErrorCode        lenientText `json:"errorCode"` // Equinix, as observed
	ErrorMessage     lenientText `json:"errorMessage"`
	SnakeCode        lenientText `json:"error_code"` // Equinix, as specified
	SnakeMessage     lenientText `json:"error_message"`
	Message          lenientText `json:"message"` // CloudLX, which has no code
}

func (e errorBody) said() platformError {
	return platformError{
		code:        string(cmp.Or(e.Error, e.ErrorCode, e.SnakeCode)),
		description: string(cmp.Or(e.ErrorDescription, e.ErrorMessage, e.SnakeMessage, e.Message)),
	}
}

// lenientText is empty where the JSON value is no string.
type lenientText string

// UnmarshalJSON never fails: one odd member must not hide the others.
func (t *lenientText) UnmarshalJSON(value []byte) error {
	var text string
	if json.Unmarshal(value, &text) == nil {
		*t = lenientText(text)
	}
	return nil
}

// readError reads the error bodies of the platforms: one object, or the first of an array, or of an array named errors.
// Arrays of one element make encoding/json skip the others, however many.
func readError(body []byte) platformError {
	body = withoutMark(body)
	if letters := bytes.ToLower(body); !bytes.Contains(letters, []byte("error")) && !bytes.Contains(letters, []byte("message")) && !bytes.Contains(letters, []byte(`\`)) {
		return platformError{} // as with every token: no member of either name, escaped or not
	}
	var list [1]errorBody
	_ = json.Unmarshal(body, &list) // on errors, here and below, nothing more is understood
	var single struct {
		errorBody
		Errors [1]errorBody `json:"errors"`
	}
	_ = json.Unmarshal(body, &single)
	return cmp.Or(single.Errors[0].said(), single.said(), list[0].said())
}

// equinixCode matches codes such as S1006 and 1006, and neither a status nor what gateways write in small letters.
var equinixCode = regexp.MustCompile(`^\s*[{\[][^<]*"(?:errorCode|error_code)"\s*:\s*"?((?:[A-Z]{1,4}-?)?[0-9]{4,10})\b`)

// looseCode finds Equinix's error code in what is no valid JSON, as the samples on its pages, or has another shape. Taken
// for an answer without a code, a rejected login would be repeated.
func looseCode(body []byte) string {
	if found := equinixCode.FindSubmatch(body); len(found) == 2 {
		return string(found[1])
	}
	return ""
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
	wait := date.Sub(now)
	if err != nil || wait < 0 {
		return 0, false
	}
	return min(wait, maxLifetime), true
}

// readBody reads an answer up to the limit; beyond that it is an error, so that a cut answer never looks whole.
func readBody(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err == nil && len(data) > maxBody {
		return data[:maxBody], errBodyTooLarge
	}
	return data, err
}

var errBodyTooLarge = fmt.Errorf("the answer is too large: more than %d bytes", maxBody)
