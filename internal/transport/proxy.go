// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/http/httpproxy"
)

// proxyFromEnvironment returns the Proxy function of a transport. It reads NO_PROXY as net/http does, but it reads
// HTTPS_PROXY itself. If net/http cannot read the address, it uses no proxy, or takes another part of the address for
// the host. The client secret would then not go through the configured proxy. HTTP_PROXY has no effect, because http://
// is accepted only for loopback addresses.
func proxyFromEnvironment() func(*http.Request) (*url.URL, error) {
	environment := httpproxy.FromEnvironment()
	if environment.HTTPSProxy == "" {
		return func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	name := "HTTPS_PROXY"
	if lower := os.Getenv("https_proxy"); lower != "" && lower != os.Getenv(name) { // on Windows, both names are one variable
		name = "https_proxy"
	}
	proxy, fault := parseProxy(environment.HTTPSProxy)
	if fault != nil {
		fault = errProxySetting(name + " is not accepted: " + fault.Error())
	}
	applies := (&httpproxy.Config{HTTPSProxy: "http://any.invalid", NoProxy: environment.NoProxy}).ProxyFunc()
	return func(r *http.Request) (*url.URL, error) {
		if some, err := applies(r.URL); some == nil || err != nil {
			return nil, err
		}
		return proxy, fault
	}
}

// errProxySetting is the error of a proxy's address in the environment that is not accepted.
type errProxySetting string

func (e errProxySetting) Error() string { return string(e) }

// proxyExample is the error for a proxy's address that cannot be read. The common reason is a character that ends a
// host or a password.
const proxyExample = "it is not an address such as http://user:password@proxy.example:3128; " +
	"in the user name and the password, / is written as %2F, ? as %3F, # as %23, and any other special character likewise"

// parseProxy reads the address of a proxy. The default scheme is http. Its errors do not contain the address.
func parseProxy(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case strings.ContainsFunc(text, unicode.IsControl):
		return nil, errors.New("it has a line break or another control character")
	case strings.ContainsFunc(text, unicode.IsSpace):
		return nil, errors.New("it has a blank")
	case hasBarePercent(text):
		return nil, errors.New("it has a % that begins no escape; a % is written as %25")
	case err != nil:
		return nil, errors.New(proxyExample)
	case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme):
		return nil, errors.New("it must start with http://, https://, socks5:// or socks5h://")
	case strings.Trim(u.Path, "/") != "" || strings.ContainsAny(text, "?#"):
		return nil, errors.New(proxyExample)
	case u.Hostname() == "":
		return nil, errors.New("it names no host; one looks like http://proxy.example:3128")
	case !hostName(u.Hostname()):
		return nil, errors.New("its host has a character that does not belong into a name")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("its port is not a number from 1 to 65535")
		}
	}
	return u, nil
}

// hasBarePercent reports whether text has a percent sign without two hexadecimal digits after it.
func hasBarePercent(text string) bool {
	for _, rest := range strings.Split(text, "%")[1:] {
		if len(rest) < 2 {
			return true
		}
		if _, err := strconv.ParseUint(rest[:2], 16, 8); err != nil {
			return true
		}
	}
	return false
}

// hostName reports whether text is an IP address or may be a host name. Letters of any script are allowed.
func hostName(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.Nd) && r != '-' && r != '.' && r != '_'
	})
}

// errProxy is the answer of a proxy that did not connect.
type errProxy struct {
	status int
	login  bool     // a user name and a password were sent
	offers []string // names of authentication schemes
}

// checkProxy returns an errProxy if the proxy did not connect. It uses only the status and the names of authentication
// schemes. The error of net/http would quote the reason phrase, which is free text.
func checkProxy(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return errProxy{answer.StatusCode, proxy.User != nil, offeredSchemes(answer.Header.Values("Proxy-Authenticate"))}
}

func (e errProxy) Error() string {
	text := strings.TrimSpace(fmt.Sprintf("the proxy answered %d %s", e.status, http.StatusText(e.status)))
	if e.status != http.StatusProxyAuthRequired {
		return text
	}
	offers := "; it offers " + strings.Join(e.offers, ", ")
	switch {
	case len(e.offers) == 0:
		return text + "; it offers no way to log in"
	case !slices.Contains(e.offers, "Basic"):
		return text + offers + ", and this client can log in with Basic alone"
	case e.login:
		return text + offers + ", and did not accept the user name and password"
	}
	return text + offers + ", and the proxy's address has no user name and password"
}

// temporary reports whether the same CONNECT may succeed later.
func (e errProxy) temporary() bool {
	switch e.status {
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired:
		return false
	}
	return e.status/100 == 5
}

// schemes are names of HTTP authentication schemes that proxies offer. Other text from a proxy is not shown.
var schemes = []string{"Basic", "Bearer", "Digest", "Kerberos", "Negotiate", "NTLM"}

// offeredSchemes returns the names of the authentication schemes in challenges (RFC 9110, section 11.6.1), each once.
func offeredSchemes(headers []string) []string {
	var found []string
	quoted := regexp.MustCompile(`"(\\.|[^"\\])*("|$)`)
	for challenge := range strings.SplitSeq(quoted.ReplaceAllString(strings.Join(headers, ","), ""), ",") {
		name, rest, _ := strings.Cut(strings.TrimSpace(challenge), " ")
		if name == "" || strings.Contains(name, "=") || strings.HasPrefix(strings.TrimSpace(rest), "=") {
			continue // a parameter of the previous challenge
		}
		known := slices.IndexFunc(schemes, func(scheme string) bool { return strings.EqualFold(scheme, name) })
		name = "a scheme that is not known here"
		if known >= 0 {
			name = schemes[known]
		}
		if !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}

// socksFaults are the errors of net/http for answers of a SOCKS proxy. Their texts are fixed.
var socksFaults = []struct {
	text, description string
	temporary         bool
}{
	{"unexpected protocol version ", "the proxy does not speak SOCKS 5", false},
	{"no acceptable authentication methods", "the proxy wants another way to log in than the proxy's address gives", false},
	{"unsupported authentication method ", "the proxy wants a way to log in that this client does not have", false},
	{"username/password authentication failed", "the proxy did not accept the user name and password", false},
	{"invalid username/password", "the user name or the password for the proxy is empty or longer than 255 bytes", false},
	{"unknown error connection not allowed by ruleset", "the proxy does not allow this connection", false},
	{"unknown error command not supported", "the proxy does not support the connection", false},
	{"unknown error address type not supported", "the proxy does not support the type of the address", false},
	{"unknown error network unreachable", "the proxy found the network unreachable", true},
	{"unknown error host unreachable", "the proxy found the host unreachable", true},
	{"unknown error connection refused", "the proxy found the connection refused", true},
	{"unknown error ", "the proxy could not connect", true},
}

func proxyCause(err error, _ reached) *Fault {
	var (
		answer    errProxy
		operation *net.OpError
	)
	switch {
	case errors.As(err, &answer):
		return &Fault{ProxyFailed, answer.Error(), answer.temporary()}
	case errors.As(err, &operation) && strings.HasPrefix(operation.Op, "socks"):
		text := operation.Err.Error()
		for _, fault := range socksFaults {
			if strings.HasPrefix(text, fault.text) {
				return &Fault{ProxyFailed, fault.description, fault.temporary}
			}
		}
	}
	return nil
}
