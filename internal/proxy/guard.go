// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// tokenPath is the part of a path, behind the secret, that the proxy answers itself.
const tokenPath = "/.ixtoken/token"

// admit returns the path behind the secret, as it was escaped, or why the request is not forwarded.
func (p *Proxy) admit(r *http.Request) (path string, refused *Problem) {
	raw, _, _ := strings.Cut(r.RequestURI, "?") // r.URL is of no use here: it decodes %2F beside a character that needs an escape
	path, secret := p.cutSecret(raw)
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return "", newProblem(http.StatusMethodNotAllowed, "The API proxy does not take the methods CONNECT and TRACE.")
	case !strings.HasPrefix(r.RequestURI, "/"):
		return "", newProblem(http.StatusBadRequest, "The API proxy takes paths, and no whole URLs, in the request line.")
	case !secret:
		return "", newProblem(http.StatusNotFound, "The path does not begin with the secret of this API proxy.")
	case r.Host != p.host:
		return "", newProblem(http.StatusForbidden, "The Host header does not name this API proxy.")
	case fromBrowser(r.Header):
		return "", newProblem(http.StatusForbidden, "The API proxy takes no requests from browsers (Origin, Sec-Fetch-…).")
	case len(r.Header.Values("Upgrade")) > 0:
		return "", newProblem(http.StatusBadRequest, "The API proxy does not take Upgrade.")
	case ambiguous(path):
		return "", newProblem(http.StatusBadRequest, "The path has dot segments, backslashes or encoded slashes.")
	}
	return escapePath(path), nil
}

// escapePath escapes what may not stand in a path. It leaves escapes as they are.
func escapePath(path string) string {
	var out strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@/%", c) >= 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// cutSecret returns what comes behind the secret. The comparison takes the same time wherever the two differ.
func (p *Proxy) cutSecret(path string) (rest string, ok bool) {
	first, rest, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if more {
		rest = "/" + rest
	}
	return rest, subtle.ConstantTimeCompare([]byte(first), []byte(p.secret)) == 1
}

// fromBrowser reports whether a browser has sent the request for a page. No program on its own sends these headers.
func fromBrowser(header http.Header) bool {
	for name := range header {
		if name == "Origin" || strings.HasPrefix(name, "Sec-Fetch-") {
			return true
		}
	}
	return false
}

// ambiguous reports whether a server may take an escaped path for one that is not below the upstream's: it has a dot
// segment, also with parameters ("..;a"), or a slash that is encoded or written as a backslash.
func ambiguous(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || strings.ContainsAny(plain, `/\`) {
			return true
		}
		if name, _, _ := strings.Cut(plain, ";"); name == "." || name == ".." {
			return true
		}
	}
	return false
}

// knownMethod keeps out of the log what a caller may have made up.
func knownMethod(method string) string {
	if slices.Contains([]string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace,
	}, method) {
		return method
	}
	return "another"
}
