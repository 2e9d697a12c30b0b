// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/transport"
)

// ParseURL reads a platform's URL as users configure it: https, or http for loopback addresses, without user
// information, query or fragment. Its errors do not contain the URL, because its user information or query may hold a
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
		return nil, errors.New("it must start with https://, or for a loopback address with http://")
	case u.Hostname() == "":
		return nil, errors.New("it names no host; one looks like https://host.example/path")
	case strings.ContainsFunc(u.Host, printable.NotGraphic):
		return nil, errors.New("its host has a character that does not belong into a name")
	case u.Scheme == "http" && !transport.Loopback(u.Hostname()):
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

// to sends r to the URL as it is written. It is the last check of where secrets go.
func (r *request) to(text string) (*request, error) {
	u, err := ParseURL(text)
	if err != nil {
		return nil, r.invalid("the URL of the token endpoint is not accepted: " + err.Error())
	}
	r.endpoint = u
	return r, nil
}

// toPath sends r to the path under base; see endpoint.
func (r *request) toPath(base, optional, path string) (*request, error) {
	if _, err := r.to(base); err != nil {
		return nil, err
	}
	r.endpoint = endpoint(r.endpoint, optional, path)
	return r, nil
}

// endpoint returns the URL of path under base. optional is a path that users may already have written at the end of
// base.
func endpoint(base *url.URL, optional, path string) *url.URL {
	root := strings.TrimRight(base.EscapedPath(), "/")
	root = strings.TrimRight(strings.TrimSuffix(root, optional), "/")
	u := *base
	u.RawPath = root + path
	u.Path, _ = url.PathUnescape(u.RawPath) // root is escaped already
	return &u
}

// hostKey returns the host and port of u in one spelling, whichever way they are written: the port is always there, a name
// has no dot at its end and is in the form of DNS, and an address is in its shortest form. Names are not resolved. The
// scheme is not part of it, because a port speaks either http or https.
func hostKey(u *url.URL) string {
	host, port := u.Hostname(), u.Port()
	if ascii, err := idna.Lookup.ToASCII(host); err == nil { // as net/http resolves it; false for an address of IPv6
		host = ascii
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.Unmap().String()
	}
	if port == "" && u.Scheme == "http" {
		port = "80"
	}
	number, _ := strconv.Atoi(cmp.Or(port, "443")) // ParseURL has checked it
	return net.JoinHostPort(host, strconv.Itoa(number))
}
