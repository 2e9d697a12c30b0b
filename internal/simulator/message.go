// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// errMalformed is the error for a body that does not match its content type, or that repeats a parameter.
var errMalformed = errors.New("malformed body")

// request is an HTTP request whose body has been read.
type request struct {
	*http.Request
	body []byte
}

// parameters are the parameters of a token request. A parameter without a value counts as omitted (RFC 6749, section 3.2).
type parameters map[string]string

// only reports whether every parameter is one of the names.
func (p parameters) only(names ...string) bool {
	for name := range p {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// has reports whether all names are parameters.
func (p parameters) has(names ...string) bool {
	for _, name := range names {
		if p[name] == "" {
			return false
		}
	}
	return true
}

// parameters reads the body, a form or JSON according to its content type.
func (q request) parameters() (parameters, error) {
	switch q.mediaType() {
	case formType:
		return parseForm(q.body)
	case jsonType:
		return parseJSON(q.body)
	}
	return nil, errMalformed
}

// mediaType returns the content type without its charset; empty: there is not exactly one content type, or its charset is
// not UTF-8.
func (q request) mediaType() string {
	values := q.Header.Values("Content-Type")
	if len(values) != 1 {
		return ""
	}
	mediaType, attributes, err := mime.ParseMediaType(values[0])
	if err != nil {
		return ""
	}
	for name, value := range attributes {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return ""
		}
	}
	return mediaType
}

// authenticates reports whether the request has an Authorization header.
func (q request) authenticates() bool { return q.Header.Values("Authorization") != nil }

// queries reports whether the URL has a query. RFC 6749, section 2.3.1 forbids credentials in it.
func (q request) queries() bool { return q.URL.RawQuery != "" || q.URL.ForceQuery }

// grantType returns the parameter grant_type; empty: the body cannot be parsed.
func (q request) grantType() string {
	sent, err := q.parameters()
	if err != nil {
		return ""
	}
	return sent["grant_type"]
}

func parseForm(body []byte) (parameters, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errMalformed
	}
	sent := parameters{}
	for name, value := range values {
		if len(value) != 1 || !utf8.ValidString(name) || !utf8.ValidString(value[0]) {
			return nil, errMalformed
		}
		if value[0] != "" {
			sent[name] = value[0]
		}
	}
	return sent, nil
}

// parseJSON parses one object of strings. Unlike encoding/json, it does not accept repeated members and invalid UTF-8.
func parseJSON(body []byte) (parameters, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') || !utf8.Valid(body) {
		return nil, errMalformed
	}
	sent, seen := parameters{}, map[string]bool{}
	for decoder.More() {
		name, value, err := member(decoder)
		if err != nil || seen[name] {
			return nil, errMalformed
		}
		seen[name] = true
		if value != "" {
			sent[name] = value
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errMalformed
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errMalformed
	}
	return sent, nil
}

func member(decoder *json.Decoder) (name, value string, err error) {
	if name, err = stringToken(decoder); err != nil {
		return "", "", err
	}
	value, err = stringToken(decoder)
	return name, value, err
}

func stringToken(decoder *json.Decoder) (string, error) {
	token, err := decoder.Token()
	if err != nil {
		return "", errMalformed
	}
	text, ok := token.(string)
	if !ok {
		return "", errMalformed
	}
	return text, nil
}

// answer is a platform's answer. code and rejected are for Requests.
type answer struct {
	status   int
	header   map[string]string
	body     any // written as JSON; nil: no body
	code     string
	rejected bool
}

// with returns the answer with one more header field.
func (a answer) with(name, value string) answer {
	header := map[string]string{}
	maps.Copy(header, a.header)
	header[name] = value
	a.header = header
	return a
}

// route calls next if the request has the method. Otherwise it returns refusal.
func route(q request, method string, next func(request) answer, refusal answer) answer {
	if q.Method != method {
		return refusal.with("Allow", method)
	}
	return next(q)
}

// reject marks the answer as a rejection of credentials or of a token.
func (a answer) reject() answer {
	a.rejected = true
	return a
}

func (a answer) write(w http.ResponseWriter) {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	if a.body != nil {
		_ = json.NewEncoder(w).Encode(a.body) // fails only if the client has closed the connection
	}
}
