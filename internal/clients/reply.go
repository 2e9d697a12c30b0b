// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// reply is what an answer says about an error, in the platform's own words. The zero value: nothing was understood.
type reply struct {
	code        string // looks like a code, and does not repeat the status
	description string // a text for people
}

// The members of an error object, in the order in which they count. Platforms, gateways (Apigee's fault) and frameworks
// (problem details, RFC 9457) use different names.
var (
	codeNames        = []string{"error", "errorCode", "error_code", "ErrorCode", "code"}
	descriptionNames = []string{"error_description", "errorDescription", "errorMessage", "error_message", "message", "faultstring", "detail", "title", "reason", "Error"}
	errorNames       = append(append([]string{"errors", "fault", "errorcode"}, codeNames...), descriptionNames...)
)

// readReply reads an error: an object with the members above. The object may also be in "error", in Apigee's "fault",
// or in the first element of an array. If the JSON is cut short or not valid, readReply uses the part before that.
func readReply(body []byte, status int) reply {
	body = withoutMark(body)
	top, first := errorMembers(body), firstElement(body)
	if first == nil {
		first = firstElement(top["errors"])
	}
	inner, fault, element := errorMembers(top["error"]), errorMembers(top["fault"]), errorMembers(first)
	return reply{
		code:        cmp.Or(top.code(status), inner.code(status), codeOf(errorMembers(fault["detail"])["errorcode"], status), element.code(status)),
		description: cmp.Or(top.description(status), inner.description(status), fault.description(status), element.description(status)),
	}
}

// errorMembers returns the members of an object that describe an error, or none if value is not an object.
func errorMembers(value []byte) jsonMembers {
	found := jsonMembers{}
	eachMember(value, func(name string, value json.RawMessage) bool {
		for _, known := range errorNames {
			if name == known && found[known] == nil {
				found[known] = bytes.Clone(value)
			}
		}
		return true
	})
	return found
}

// firstElement returns the first element of an array, or nil if value is not an array, or is empty.
func firstElement(value []byte) (first json.RawMessage) {
	decoder := json.NewDecoder(bytes.NewReader(value))
	if token, err := decoder.Token(); err == nil && token == json.Delim('[') && decoder.More() && decoder.Decode(&first) == nil {
		return first
	}
	return nil
}

func (m jsonMembers) code(status int) string {
	for _, name := range codeNames {
		if code := codeOf(m[name], status); code != "" {
			return code
		}
	}
	return ""
}

var codePattern = lazily(`^[A-Za-z0-9_.:-]{1,64}$`)

// codeOf returns the code in a member, or "" if there is none. A zero is not a code. The status and its name are not codes
// either: gateways and frameworks only repeat them there.
func codeOf(value json.RawMessage, status int) string {
	text := stringOrNumber(value)
	if !codePattern().MatchString(text) || text == "0" || text == strconv.Itoa(status) || strings.EqualFold(text, http.StatusText(status)) {
		return ""
	}
	return text
}

func stringOrNumber(value json.RawMessage) (text string) {
	switch {
	case value == nil:
	case jsonKind(value) == "a string":
		_ = json.Unmarshal(value, &text) // a string always decodes
	case jsonKind(value) == "a number":
		text = string(value)
	}
	return text
}

// description returns the first text. Without one, it returns a text in the place of a code.
func (m jsonMembers) description(status int) string {
	for _, name := range descriptionNames {
		if text := stringOrNumber(m[name]); strings.ContainsFunc(text, unicode.IsLetter) {
			return text
		}
	}
	for _, name := range codeNames {
		if text := stringOrNumber(m[name]); strings.ContainsFunc(text, unicode.IsLetter) && codeOf(m[name], status) == "" {
			return text
		}
	}
	return ""
}
