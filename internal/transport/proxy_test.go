// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// proxied sets the proxy variables for a test, as pairs of name and value, and unsets all other proxy variables.
func proxied(t *testing.T, variables ...string) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUEST_METHOD"} {
		t.Setenv(strings.ToLower(name), "")
		t.Setenv(name, "")
	}
	for pair := range slices.Chunk(variables, 2) {
		t.Setenv(pair[0], pair[1])
	}
}

// behindProxy is a URL with a host that only the proxy can reach.
const behindProxy = "https://token.example.com/connect/token"

// failsAtProxy asks through the proxy at address, and fails the test unless the proxy fails as wanted.
func failsAtProxy(t *testing.T, address, want string, temporary bool) {
	t.Helper()
	proxied(t, "HTTPS_PROXY", address)
	fails(t, New(nil), behindProxy, Fault{ProxyFailed, want, temporary})
}

// The address.

// misread are values that net/http ignores or reads as another proxy.
var misread = []struct{ value, want string }{
	{"http://user:50%" + proxyPassword + "@proxy.example:3128", "it has a % that begins no escape; a % is written as %25"},
	{"http://user:" + proxyPassword + "%@proxy.example:3128", "it has a % that begins no escape; a % is written as %25"},
	{" http://user:" + proxyPassword + "@proxy.example:3128", "it has a blank"},
	{"http://user:" + proxyPassword + "@proxy.example:3128 ", "it has a blank"},
	{"http://user:" + proxyPassword + "@proxy.example:3128\r", "it has a line break or another control character"},
	{"proxy.example:3128\n", "it has a line break or another control character"},
	{"http://user:a/" + proxyPassword + "@proxy.example:3128", proxyExample},
	{"http://user:12/" + proxyPassword + "@proxy.example:3128", proxyExample},
	{"http://user:12?" + proxyPassword + "@proxy.example:3128", proxyExample},
	{"http://user:12#" + proxyPassword + "@proxy.example:3128", proxyExample},
	{"http://user:^" + proxyPassword + "@proxy.example:3128", proxyExample},
	{"http:/user:" + proxyPassword + "@proxy.example:3128", proxyExample},
	{"http:user:" + proxyPassword + "@proxy.example:3128:", proxyExample},
	{"//proxy.example:3128", proxyExample},
	{"https//proxy.example:3128", proxyExample},
	{"http://proxy.example:3128/proxy.pac", proxyExample},
	{`"http://proxy.example:3128"`, proxyExample},
	{"${PROXY}", proxyExample},
	{"$PROXY", "its host has a character that does not belong into a name"},
	{`"proxy.example"`, "its host has a character that does not belong into a name"},
	{"http://", "it names no host; one looks like http://proxy.example:3128"},
	{":3128", "it names no host; one looks like http://proxy.example:3128"},
	{"ftp://proxy.example:3128", "it must start with http://, https://, socks5:// or socks5h://"},
	{"htpps://proxy.example:3128", "it must start with http://, https://, socks5:// or socks5h://"},
	{"socks4://proxy.example:1080", "it must start with http://, https://, socks5:// or socks5h://"},
	{"http://proxy.example:99999", "its port is not a number from 1 to 65535"},
	{"proxy.example:0", "its port is not a number from 1 to 65535"},
}

func TestAProxyThatCannotBeMeantIsNotPassedBy(t *testing.T) {
	names := []string{"HTTPS_PROXY", "https_proxy"}
	if runtime.GOOS == "windows" { // there, both names are one variable, which the documentation calls by the first
		names = names[:1]
	}
	for _, name := range names {
		for _, row := range misread {
			proxied(t, name, row.value)
			through := New(nil)
			through.DialContext = func(_ context.Context, _, address string) (net.Conn, error) {
				t.Errorf("%q: %s was dialled", row.value, address)
				return nil, io.EOF
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, behindProxy, http.NoBody)
			must(t, err)
			answer, err := through.RoundTrip(r)
			if err == nil {
				answer.Body.Close()
				t.Fatalf("%q: there is an answer", row.value)
			}
			_, setting := through.Proxy(r)
			if want := name + " is not accepted: " + row.want; Describe(err) != want || setting == nil || setting.Error() != want {
				t.Errorf("%q: %s, %v; want %q", row.value, Describe(err), setting, want)
			}
		}
	}
}

// The client must read an accepted address as net/http does. It must not accept an address that net/http ignores, or one with
// an invalid host.
func TestAProxysAddressIsReadAsNetHTTPReadsIt(t *testing.T) {
	request := &url.URL{Scheme: "https", Host: "token.example.com"}
	accepted := 0
	check := func(value string) {
		ours, err := parseProxy(value)
		if err != nil {
			if strings.Contains(err.Error(), "S3CRET") {
				t.Errorf("%q is shown: %v", value, err)
			}
			return
		}
		accepted++
		theirs, _ := (&httpproxy.Config{HTTPSProxy: value}).ProxyFunc()(request)
		if theirs == nil || ours.String() != theirs.String() {
			t.Errorf("%q is %v here, and %v for net/http", value, ours, theirs)
		}
	}
	for _, value := range []string{
		"http://user:S3CRET%25@proxy.example:3128", "https://user@proxy.example", "socks5://user:S3CRET@[::1]:1080/", "user:S3CRET@proxy.example:3128",
		"proxy", "127.0.0.1:3128", "HTTP://Proxy.Example:3128", "http://bücher.example:3128", "http://proxy_1.example:", "socks5h://[fe80::1%25eth0]:1080",
	} {
		if _, err := parseProxy(value); err != nil {
			t.Errorf("%q: %v", value, err)
		}
		for at := range len(value) + 1 {
			for _, odd := range "%/?#@:[]{}<>|\\^\"'`$&;,=+!*() \t\r\n\x00\u00a0\ufeff" {
				check(value[:at] + string(odd) + value[at:])
			}
			check(value[at:])
			check(value[:at])
		}
	}
	if accepted < 100 {
		t.Errorf("only %d addresses were accepted", accepted)
	}
}

func TestWhichProxyApplies(t *testing.T) { // T22
	const odd = "http://user:" + proxyPassword + "%@proxy.example"
	for name, row := range map[string]struct {
		variables []string
		url, want string // the proxy; "": none
		fails     bool
	}{
		"none":                                     {nil, "https://token.example.com", "", false},
		"for https":                                {[]string{"HTTPS_PROXY", "proxy.example:1"}, "https://token.example.com", "http://proxy.example:1", false},
		"lower case goes before upper case":        {[]string{"HTTPS_PROXY", odd, "https_proxy", "proxy.example:1"}, "https://token.example.com", "http://proxy.example:1", false},
		"an empty value is none":                   {[]string{"HTTPS_PROXY", "proxy.example:1", "https_proxy", ""}, "https://token.example.com", "http://proxy.example:1", false},
		"an odd value":                             {[]string{"HTTPS_PROXY", odd}, "https://token.example.com", "", true},
		"an odd value, not for this host":          {[]string{"HTTPS_PROXY", odd, "NO_PROXY", "example.com"}, "https://token.example.com", "", false},
		"an odd value, for no host":                {[]string{"HTTPS_PROXY", odd, "no_proxy", "*"}, "https://token.example.com", "", false},
		"an odd value, for another host":           {[]string{"HTTPS_PROXY", odd, "NO_PROXY", "example.org"}, "https://token.example.com", "", true},
		"an odd value, not for loopback":           {[]string{"HTTPS_PROXY", odd}, "https://127.0.0.1:8443", "", false},
		"HTTP_PROXY has no effect":                 {[]string{"HTTP_PROXY", "proxy.example:1", "REQUEST_METHOD", "GET"}, "http://LOCALHOST", "", false},
		"HTTP_PROXY has no effect on https either": {[]string{"HTTP_PROXY", odd, "ALL_PROXY", odd}, "https://token.example.com", "", false},
		"CGI is about HTTP_PROXY alone":            {[]string{"HTTPS_PROXY", "proxy.example:1", "REQUEST_METHOD", "GET"}, "https://token.example.com", "http://proxy.example:1", false},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && slices.Contains(row.variables, "https_proxy") {
				t.Skip("on Windows, both names are one variable")
			}
			proxied(t, row.variables...)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, row.url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			proxy, err := proxyFromEnvironment()(request)
			got := ""
			if proxy != nil {
				got = proxy.String()
			}
			if got != row.want || (err != nil) != row.fails {
				t.Errorf("%q, %v; want %q", got, err, row.want)
			}
		})
	}
}

// Answers of proxies.

func TestProxyOfTheEnvironment(t *testing.T) { // T21, T22
	s := serves(t, nil)
	var asked, answer atomic.Int32
	var challenges atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth(); user != "user" || password != proxyPassword {
			t.Errorf("the proxy was told user %q", user)
		}
		status := int(answer.Load())
		if r.Method != http.MethodConnect || r.Host != "token.example.com:443" || status != 200 {
			w.Header()["Proxy-Authenticate"], _ = challenges.Load().([]string)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>"+bodyMark+"</html>")
			return
		}
		tunnel(w, "127.0.0.1:"+s.port())
	}))
	t.Cleanup(proxy.Close)
	proxied(t, "HTTPS_PROXY", "http://user:"+proxyPassword+"@"+strings.TrimPrefix(proxy.URL, "http://"), "NO_PROXY", "direct.example.com")
	const wanted = "407 Proxy Authentication Required; it offers "
	for _, row := range []struct {
		name       string
		status     int
		challenges []string
		want       string
		temporary  bool
	}{
		{"T21 works", 200, nil, "", false},
		{"T21 wants another password", 407, []string{`Basic realm="` + bodyMark + `"`}, wanted + "Basic, and did not accept the user name and password", false},
		{"T21 wants NTLM", 407, []string{"NTLM"}, wanted + "NTLM, and this client can log in with Basic alone", false},
		{"T21 wants Negotiate or NTLM", 407, []string{"Negotiate", "ntlm " + bodyMark + "=="}, wanted + "Negotiate, NTLM, and this client can log in with Basic alone", false},
		{"T21 a list", 407, []string{`Digest realm="a, Basic \", NTLM", nonce = "` + bodyMark + `", qop=auth, Negotiate`}, wanted + "Digest, Negotiate, and this client can log in with Basic alone", false},
		{"T21 its own words", 407, []string{bodyMark, bodyMark + " x, " + proxyPassword}, wanted + "a scheme that is not known here, and this client can log in with Basic alone", false},
		{"T21 offers nothing", 407, nil, wanted + "no way to log in", false},
		{"T21 refuses", 403, []string{"Basic"}, "403 Forbidden", false},
		{"T21 cannot connect", 502, nil, "502 Bad Gateway", true},
		{"T21 does not know CONNECT", 501, nil, "501 Not Implemented", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			asked.Store(0)
			answer.Store(int32(row.status))
			challenges.Store(row.challenges)
			if through := New(s.roots()); row.want == "" {
				answers(t, through, behindProxy)
			} else {
				fails(t, through, behindProxy, Fault{ProxyFailed, "the proxy answered " + row.want, row.temporary})
			}
			if asked.Load() != 1 {
				t.Errorf("the proxy was asked %d times", asked.Load())
			}
		})
	}
	t.Run("T22 not for this host", func(t *testing.T) {
		asked.Store(0)
		answers(t, resolves(s.roots(), map[string][]string{"direct.example.com": {"127.0.0.1"}}), "https://direct.example.com:"+s.port())
		if asked.Load() != 0 {
			t.Errorf("the proxy was asked %d times", asked.Load())
		}
	})
}

func TestProxyWantsAPasswordThatIsNotThere(t *testing.T) { // T21
	proxy := scripted(t, "", "HTTP/1.1 407 "+bodyMark+"\r\nProxy-Authenticate: Basic realm=x\r\n\r\n")
	failsAtProxy(t, proxy, "the proxy answered 407 Proxy Authentication Required; it offers Basic, and the proxy's address has no user name and password", false)
}

// tunnel connects a proxy's connection with a new one to address.
func tunnel(w http.ResponseWriter, address string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	target, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer target.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(target, conn)
		_ = target.Close()
	}()
	_, _ = io.Copy(conn, target)
}

func TestProxyThatCannotBeReached(t *testing.T) { // T21
	listener := listen(t)
	_ = listener.Close()
	failsAtProxy(t, "http://user:"+proxyPassword+"@"+listener.Addr().String(), "the proxy cannot be reached: connection refused", true)

	synctest.Test(t, func(t *testing.T) {
		proxied(t, "HTTPS_PROXY", "http://user:"+proxyPassword+"@proxy.invalid:3128")
		fails(t, resolves(nil, nil), behindProxy, Fault{ProxyFailed, "the proxy cannot be reached: there is no such host", false})
	})
}

func TestProxyThatSpeaksAnotherProtocol(t *testing.T) {
	const badRequest = "HTTP/1.1 400 Bad Request\r\n\r\n" + bodyMark
	failsAtProxy(t, scripted(t, "https://user:"+proxyPassword+"@", badRequest), "the proxy speaks http on this port, not https", false)
	failsAtProxy(t, scripted(t, "https://", "SSH-2.0-"+bodyMark+"\r\n"), "the proxy does not speak TLS on this port", false)
	failsAtProxy(t, scripted(t, "https://", "\x15\x03\x03\x00\x02\x02\x70"), "the proxy refused the TLS connection: unrecognized name", false)
	failsAtProxy(t, scripted(t, "http://", "SSH-2.0-"+bodyMark+"\r\n"), "the proxy failed: the answer is not HTTP/1.1", false)
	failsAtProxy(t, scripted(t, "http://", "\x15\x03\x01\x00\x02\x02\x16"), "the proxy failed: the answer is not HTTP/1.1", false) // TLS
	failsAtProxy(t, scripted(t, "http://", ""), "the proxy failed: the connection was closed before the whole answer had come", true)
	failsAtProxy(t, scripted(t, "http://", "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<17)), "the proxy failed: the connection was closed before the whole answer had come", true)
	failsAtProxy(t, scripted(t, "socks5://", badRequest), "the proxy does not speak SOCKS 5", false)
}

func TestProxyThatSpeaksTLS(t *testing.T) {
	s := serves(t, nil)
	connects := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tunnel(w, "127.0.0.1:"+s.port()) })
	for _, row := range []struct {
		name string
		own  *tls.Certificate // nil: a certificate that the transport trusts
		want string
	}{
		{"trusted", nil, ""},
		{"an authority that is not trusted", new(certificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))), "the proxy's certificate is signed by an authority that this machine does not trust"},
		{"expired", new(certificate(t, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))), "the proxy's certificate is valid from "},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(connects)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			if row.own != nil {
				server.TLS = &tls.Config{Certificates: []tls.Certificate{*row.own}}
			}
			server.StartTLS()
			t.Cleanup(server.Close)
			proxied(t, "HTTPS_PROXY", server.URL)
			if row.want == "" {
				answers(t, New(s.roots()), behindProxy)
			} else if fault := ask(t, New(s.roots()), behindProxy); fault == nil || fault.Kind != ProxyFailed || fault.Temporary || !strings.HasPrefix(fault.Description, row.want) {
				t.Errorf("%+v, want %q", fault, row.want)
			}
		})
	}
	s.received(1)
}

// TestServerBehindAProxy tests faults of the server behind a proxy.
func TestServerBehindAProxy(t *testing.T) {
	for answer, want := range map[string]string{
		"HTTP/1.0 400 Bad Request\r\n\r\n": "the server speaks http on this port, not https",
		"\x15\x03\x01\x00\x02\x02\x28":     "the server refused the TLS connection: handshake failure",
	} {
		proxied(t, "HTTPS_PROXY", scripted(t, "http://", "HTTP/1.1 200 OK\r\n\r\n", answer))
		if fault := ask(t, New(nil), behindProxy); fault == nil || fault.Kind != Untrusted || fault.Temporary || !strings.HasPrefix(fault.Description, want) {
			t.Errorf("%+v, want %q", fault, want)
		}
	}
}

// TestSilentProxy tests that the fault names the step without an answer: the proxy, TLS with the proxy, or TLS with the server.
func TestSilentProxy(t *testing.T) {
	for _, row := range []struct {
		name, address, answer string
		kind                  Kind
		want                  string
	}{
		{"CONNECT", "http://127.0.0.1", "", ProxyFailed, "the proxy failed: connected, but no answer in 30s"},
		{"SOCKS", "socks5://127.0.0.1", "", ProxyFailed, "the proxy failed: connected, but no answer in 30s"},
		{"TLS with the proxy", "https://127.0.0.1", "", ProxyFailed, "the proxy failed: connected, but the TLS handshake got no answer in 10s"},
		{"TLS with the server", "http://127.0.0.1", "HTTP/1.1 200 OK\r\n\r\n", TimedOut, "connected, but the TLS handshake got no answer in 10s"},
	} {
		t.Run(row.name, func(t *testing.T) {
			proxied(t, "HTTPS_PROXY", row.address)
			synctest.Test(t, func(t *testing.T) {
				through := New(nil)
				through.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					ours, theirs := net.Pipe()
					go func() {
						defer theirs.Close()
						reader := bufio.NewReader(theirs)
						if row.answer != "" {
							_, _ = http.ReadRequest(reader)
							_, _ = io.WriteString(theirs, row.answer)
						}
						_, _ = io.Copy(io.Discard, reader)
					}()
					httptrace.ContextClientTrace(ctx).ConnectDone(network, address, nil) // as a net.Dialer does
					return ours, nil
				}
				fails(t, through, behindProxy, Fault{row.kind, row.want, true})
			})
		})
	}
}

func TestSOCKSProxy(t *testing.T) {
	const login, chosen, none = "\x05\x02", "\x05\x00", "\x05\xff"
	replies := func(code string) []string {
		return []string{chosen, "\x05" + code + "\x00\x01\x00\x00\x00\x00\x00\x00"}
	}
	for _, row := range []struct {
		name      string
		answers   []string
		want      string
		temporary bool
	}{
		{"no way to log in", []string{none}, "the proxy wants another way to log in than the proxy's address gives", false},
		{"another way to log in", []string{"\x05\x01"}, "the proxy wants a way to log in that this client does not have", false},
		{"a wrong password", []string{login, "\x01\x01"}, "the proxy did not accept the user name and password", false},
		{"not allowed", replies("\x02"), "the proxy does not allow this connection", false},
		{"host unreachable", replies("\x04"), "the proxy found the host unreachable", true},
		{"refused", replies("\x05"), "the proxy found the connection refused", true},
		{"no CONNECT", replies("\x07"), "the proxy does not support the connection", false},
		{"a failure", replies("\x01"), "the proxy could not connect", true},
		{"a code of its own", replies("\x63"), "the proxy could not connect", true},
		{"closed", []string{chosen}, "the proxy failed: the connection was closed before the whole answer had come", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			failsAtProxy(t, scripted(t, "socks5://user:"+proxyPassword+"@", row.answers...), row.want, row.temporary)
		})
	}
	long := "socks5://user:" + strings.Repeat(proxyPassword, 20) + "@"
	failsAtProxy(t, scripted(t, long, login), "the user name or the password for the proxy is empty or longer than 255 bytes", false)
}
