// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// The paths, after the secret, that the proxy answers itself: everything below ownPath, as plain spells it.
const (
	ownPath    = "/.ixtoken"
	tokenPath  = ownPath + "/token"  // the token endpoint
	healthPath = ownPath + "/health" // whether there is a token
)

// admit returns the path at the API, with its escapes unchanged, and the URL of the proxy to which that path was appended. If the
// request must not be forwarded, it returns the reason.
func (p *Proxy) admit(r *http.Request) (path string, base clients.Secret, refused *Problem) {
	raw, _, _ := strings.Cut(r.RequestURI, "?") // not r.URL: net/url decodes %2F if another character needs an escape
	path, secret := p.cutSecret(raw)
	base = p.URL()
	if !secret && p.presentsSecret(r.Header["Authorization"]) {
		path, base, secret = raw, clients.NewSecret(p.Address()), true
	}
	if secret {
		p.strangers.recognise(r.Context())
	}
	path, refused = p.guard(r, path, secret)
	return path, base, refused
}

// guard returns the path to forward, or why the request must not be forwarded. secret reports whether the request has shown the
// secret.
func (p *Proxy) guard(r *http.Request, path string, secret bool) (forwarded string, refused *Problem) {
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return "", newProblem(http.StatusMethodNotAllowed, "The API proxy does not accept the methods CONNECT and TRACE.")
	case !strings.HasPrefix(r.RequestURI, "/"):
		return "", newProblem(http.StatusBadRequest, "The request line must contain a path. The API proxy does not accept a whole URL there.")
	case !secret:
		return "", newProblem(http.StatusNotFound, "The path does not start with the secret of this API proxy, and the Authorization header does not have it.")
	case strings.Contains(path, p.secret):
		return "", newProblem(http.StatusBadRequest, "The path contains the secret of this API proxy twice.")
	case r.Host != p.host:
		return "", newProblem(http.StatusForbidden, "The Host header does not name this API proxy.")
	case fromBrowser(r.Header):
		return "", newProblem(http.StatusForbidden, "The API proxy does not accept requests from web pages (headers Origin and Sec-Fetch-Site).")
	case wantsUpgrade(r.Header):
		return "", newProblem(http.StatusBadRequest, "The API proxy does not change to another protocol, such as WebSocket (header Upgrade).")
	case ambiguous(path):
		return "", newProblem(http.StatusBadRequest, "The path contains dot segments, backslashes or encoded slashes.")
	}
	if own := plain(path); isOwn(own) {
		if own != tokenPath && own != healthPath {
			return "", newProblem(http.StatusNotFound, "The API proxy answers paths below "+ownPath+" itself, and knows only "+tokenPath+" and "+healthPath+".")
		}
		return own, nil
	}
	return escapePath(path), nil
}

// escapePath escapes the characters that are not allowed in a path. It leaves existing escapes unchanged.
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

// cutSecret returns the path after the first segment, and whether that segment is the secret. It compares in constant time.
func (p *Proxy) cutSecret(path string) (rest string, ok bool) {
	first, rest, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if more {
		rest = "/" + rest
	}
	return rest, subtle.ConstantTimeCompare([]byte(first), []byte(p.secret)) == 1
}

// presentsSecret reports whether the Authorization header has the secret as a bearer token (RFC 6750, section 2.1), or as the
// password of HTTP Basic (RFC 7617) with any user. It compares in constant time.
func (p *Proxy) presentsSecret(headers []string) bool {
	for _, header := range headers {
		scheme, credentials, _ := strings.Cut(header, " ")
		credentials = strings.TrimSpace(credentials)
		switch strings.ToLower(scheme) {
		case "bearer":
		case "basic":
			decoded, _ := base64.StdEncoding.DecodeString(credentials)
			_, credentials, _ = strings.Cut(string(decoded), ":")
		default:
			continue
		}
		if subtle.ConstantTimeCompare([]byte(credentials), []byte(p.secret)) == 1 {
			return true
		}
	}
	return false
}

// fromBrowser reports whether a web page in a browser has caused the request. The other Sec-Fetch headers are no evidence:
// each program that uses the fetch of Node.js sends Sec-Fetch-Mode. The value none means that a person has typed the URL.
func fromBrowser(header http.Header) bool {
	_, origin := header["Origin"]
	return origin || slices.ContainsFunc(header["Sec-Fetch-Site"], func(site string) bool { return site != "none" })
}

// wantsUpgrade reports whether the caller asks for a protocol that the proxy does not speak. h2c and TLS are offers of
// clients that go on with HTTP/1.1 if the server ignores them (RFC 9110, section 7.8): the proxy does not forward them.
func wantsUpgrade(header http.Header) bool {
	for protocol := range strings.SplitSeq(strings.Join(header["Upgrade"], ","), ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(protocol), "/")
		if name != "" && !strings.EqualFold(name, "h2c") && !strings.EqualFold(name, "TLS") {
			return true
		}
	}
	return false
}

// plain returns the path as the most lenient server may read it: in small letters, without escapes and parameters, and with
// single slashes.
func plain(path string) string {
	var out strings.Builder
	for segment := range strings.SplitSeq(path, "/") {
		text, _ := url.PathUnescape(segment) // ambiguous has checked the escapes
		if name, _, _ := strings.Cut(text, ";"); name != "" {
			out.WriteString("/" + strings.ToLower(name))
		}
	}
	return out.String()
}

// isOwn reports whether the proxy itself answers the plain path.
func isOwn(path string) bool { return path == ownPath || strings.HasPrefix(path, ownPath+"/") }

// ambiguous reports whether a server might resolve an escaped path to one outside of the upstream's path. Such a path
// contains a dot segment, perhaps with parameters ("..;a"), an encoded slash, or a backslash.
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

// knownMethod returns the method for the log; "another" if it is not a standard method, because its text may be anything.
func knownMethod(method string) string {
	if slices.Contains([]string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace,
	}, method) {
		return method
	}
	return "another"
}
