// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// links rewrites the links in the headers of an answer: links to the upstream become links to the proxy.
type links struct {
	upstream, requested *url.URL
	proxy               clients.Secret
}

func (l *links) rewrite(header http.Header) {
	for _, name := range []string{"Location", "Content-Location"} {
		for i, value := range header[name] {
			header[name][i] = l.throughProxy(value)
		}
	}
	for i, value := range header["Link"] {
		header["Link"][i] = l.linkThroughProxy(value)
	}
}

// throughProxy returns the link through the proxy for a link to the upstream. It returns any other link unchanged.
func (l *links) throughProxy(link string) string {
	reference, err := url.Parse(link)
	if err != nil || reference.RawPath != "" && reference.RawPath != reference.EscapedPath() { // net/url would change the escapes
		return link
	}
	to := l.requested.ResolveReference(reference) // links may be relative
	if to.User != nil || to.Opaque != "" || !sameHost(to, l.upstream) {
		return link
	}
	path, below := strings.CutPrefix(to.EscapedPath(), strings.TrimRight(l.upstream.EscapedPath(), "/"))
	if !below || path != "" && path[0] != '/' || ambiguous(path) || isOwn(plain(path)) {
		return link
	}
	through := l.proxy.Reveal() + path
	if to.RawQuery != "" || to.ForceQuery {
		through += "?" + to.RawQuery
	}
	if to.Fragment != "" {
		through += "#" + to.EscapedFragment()
	}
	return through
}

// linkThroughProxy rewrites each target of a Link header: <target>; parameter="text", <target> (RFC 8288, section 3). It
// leaves quoted strings unchanged.
func (l *links) linkThroughProxy(value string) string {
	var out strings.Builder
	for value != "" {
		i := strings.IndexAny(value, `<"`)
		if i < 0 {
			break
		}
		end := quotedLength(value[i:])
		if value[i] == '<' {
			end = strings.IndexByte(value[i:], '>') + 1
		}
		if end == 0 { // neither > nor a closing quote
			break
		}
		out.WriteString(value[:i])
		if found := value[i : i+end]; value[i] == '<' {
			out.WriteString("<" + l.throughProxy(found[1:end-1]) + ">")
		} else {
			out.WriteString(found)
		}
		value = value[i+end:]
	}
	return out.String() + value
}

// quotedLength returns the length of the quoted string at the start of text; 0: the closing quote is missing.
func quotedLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// sameHost compares scheme, host and port.
func sameHost(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// port returns the URL's port, or the default port of its scheme.
func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case strings.EqualFold(u.Scheme, "http"):
		return "80"
	}
	return "443"
}
