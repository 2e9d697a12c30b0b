// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Names.

// Package net reads its configuration at the first look-up and keeps it in channels. Those must not belong to a bubble.
func init() {
	_, _ = answersNames(func() bool { return true }, nil).LookupHost(context.Background(), "x.invalid")
}

// answersNames is a resolver that asks a name server made of two functions: whether the name server works, and at which
// addresses a host is.
func answersNames(works func() bool, hosts map[string][]string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for size := make([]byte, 2); ; {
				if _, err := io.ReadFull(server, size); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(size))
				if _, err := io.ReadFull(server, query); err != nil {
					return
				}
				reply := nameReply(query, works(), hosts)
				_, _ = server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
			}
		}()
		return client, nil
	}}
}

// nameReply answers a query of RFC 1035 with one question.
func nameReply(query []byte, works bool, hosts map[string][]string) []byte {
	name, end := "", 12
	for query[end] != 0 {
		size := int(query[end])
		name += string(query[end+1:end+1+size]) + "."
		end += 1 + size
	}
	end += 5
	kind := binary.BigEndian.Uint16(query[end-4:])
	reply := append([]byte{query[0], query[1], 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	addresses, found := hosts[strings.TrimSuffix(name, ".")]
	switch {
	case !works:
		reply[3] = 2 // SERVFAIL
	case !found:
		reply[3] = 3 // NXDOMAIN
	}
	for _, text := range addresses {
		address := netip.MustParseAddr(text)
		if works && (kind == 1 && address.Is4() || kind == 28 && address.Is6()) {
			reply[7]++
			raw := address.AsSlice()
			reply = append(reply, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 60, 0, byte(len(raw)))
			reply = append(reply, raw...)
		}
	}
	return reply
}

// dials returns a client whose dialler is the real one, but for what the test changes about it.
func dials(options Options, change func(*net.Dialer)) *Client {
	c := New(options)
	dialer := newDialer()
	change(dialer)
	c.sender().transport.DialContext = dialer.DialContext
	return c
}

// anywhere is a grant of a host that is known to the test alone.
func anywhere(host, port string) Interxion {
	return Interxion{LoginURL: "https://" + net.JoinHostPort(host, port), ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}
}

func TestConnectionRefused(t *testing.T) { // T01
	listener := listen(t)
	address := listener.Addr().String()
	_ = listener.Close()
	synctest.Test(t, func(t *testing.T) {
		dialled := 0
		c := dials(Options{}, func(d *net.Dialer) {
			d.ControlContext = func(context.Context, string, string, syscall.RawConn) error { dialled++; return nil }
		})
		_, err := c.Token(t.Context(), Interxion{LoginURL: "http://" + address, ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}, 0)
		if fault := failed(t, err); fault.Kind != Unreachable || dialled != 4 || err.Error() != address+"/connect/token gave no answer, after 4 attempts: connection refused" {
			t.Errorf("%d dials: %v", dialled, err)
		}
	})
}

func TestUnknownHostIsLookedUpOnce(t *testing.T) { // T02
	synctest.Test(t, func(t *testing.T) {
		c := dials(Options{}, func(d *net.Dialer) { d.Resolver = answersNames(func() bool { return true }, nil) })
		_, err := c.Token(t.Context(), anywhere("x.invalid", "443"), 0)
		if fault := failed(t, err); fault.Kind != Unreachable || fault.Attempts != 1 || err.Error() != "x.invalid:443/connect/token gave no answer: there is no such host" {
			t.Error(err)
		}
	})
}

func TestNameServerThatRecovers(t *testing.T) { // T03
	p, options, port := onTLS(t, nil, grantsToken("t-1"))
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		recovered := func() bool { return time.Since(start) > 0 } // time passes between the attempts alone
		c := dials(options, func(d *net.Dialer) {
			d.Resolver = answersNames(recovered, map[string][]string{"token.example.com": {"127.0.0.1"}})
		})
		if _, err := c.Token(t.Context(), anywhere("token.example.com", port), 0); err != nil || !recovered() {
			t.Error(err)
		}
	})
	p.sent(1, "")
}

func TestNameServerThatIsDown(t *testing.T) { // T03
	synctest.Test(t, func(t *testing.T) {
		c := dials(Options{}, func(d *net.Dialer) { d.Resolver = answersNames(func() bool { return false }, nil) })
		_, err := c.Token(t.Context(), anywhere("token.example.com", "443"), 0)
		if fault := failed(t, err); fault.Kind != Unreachable || fault.Attempts != 4 || !strings.HasSuffix(err.Error(), ": the host name cannot be resolved") {
			t.Error(err)
		}
	})
}

func TestSecondAddressIsTried(t *testing.T) { // T27
	for _, row := range []struct {
		name  string
		first string // the address that is dead
		dead  func(context.Context) error
	}{
		{"refused", "127.0.0.2", func(context.Context) error { return syscall.ECONNREFUSED }},
		{"IPv6 refused", "::1", func(context.Context) error { return syscall.ECONNREFUSED }},
		{"IPv6 silent", "::1", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, options, port := onTLS(t, nil, grantsToken("t-1"))
			start := time.Now()
			c := dials(options, func(d *net.Dialer) {
				d.Resolver = answersNames(func() bool { return true }, map[string][]string{"token.example.com": {row.first, "127.0.0.1"}})
				d.ControlContext = func(ctx context.Context, _, address string, _ syscall.RawConn) error {
					if host, _, _ := net.SplitHostPort(address); host == row.first {
						return row.dead(ctx)
					}
					return nil
				}
			})
			_, err := c.Token(t.Context(), anywhere("token.example.com", port), 0)
			if took := time.Since(start); err != nil || took > 4*time.Second { // the dead one alone takes 5 s
				t.Errorf("%v after %s", err, took)
			}
			p.sent(1, "")
		})
	}
}

// Silence.

func TestSilentNetwork(t *testing.T) { // T05
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := dials(Options{}, func(d *net.Dialer) {
			d.ControlContext = func(ctx context.Context, _, _ string, _ syscall.RawConn) error { <-ctx.Done(); return ctx.Err() }
		})
		_, err := c.Token(t.Context(), anywhere("192.0.2.1", "443"), 0)
		took := time.Since(start)
		if fault := failed(t, err); fault.Kind != TimedOut || fault.Attempts != 4 || took < 40*time.Second || took > 44*time.Second {
			t.Errorf("%v after %s, want 4 times 10 s", err, took)
		}
	})
}

func TestSilentHandshake(t *testing.T) { // T19
	synctest.Test(t, func(t *testing.T) {
		start, network := time.Now(), newPipes()
		go func() {
			for {
				conn, err := network.Accept()
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(io.Discard, conn) }()
			}
		}()
		defer network.Close()
		c := New(Options{})
		c.sender().transport.DialContext = network.dial
		_, err := c.Token(t.Context(), anywhere("127.0.0.1", "443"), 0)
		took := time.Since(start)
		if fault := failed(t, err); fault.Kind != TimedOut || fault.Attempts != 4 || took < 40*time.Second || took > 44*time.Second {
			t.Errorf("%v after %s, want 4 times 10 s", err, took)
		}
	})
}

func TestSilentServerInRealTime(t *testing.T) { // T04
	p, start := onLoopback(t, hangs), time.Now()
	_, err := p.client(Options{RequestTimeout: time.Second, MaxAttempts: 1}).Token(t.Context(), p.interxion(""), 0)
	took := time.Since(start)
	if fault := failed(t, err); fault.Kind != TimedOut || took < time.Second || took > 4*time.Second {
		t.Errorf("%v after %s, want 1 s", err, took)
	}
}

func TestDiallingEndsWithTheCaller(t *testing.T) { // X10
	synctest.Test(t, func(t *testing.T) {
		start, ended := time.Now(), time.Duration(-1)
		c := dials(Options{}, func(d *net.Dialer) {
			d.ControlContext = func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
				<-ctx.Done()
				ended = time.Since(start)
				return ctx.Err()
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Token(ctx, anywhere("192.0.2.1", "443"), 0)
		failed(t, err)
		synctest.Wait()
		if ended != time.Second {
			t.Errorf("dialling ended after %s, want 1s", ended)
		}
	})
}

// Noise.

// TestNoise is about servers that do not speak HTTP, whether they wait for the request or speak first.
func TestNoise(t *testing.T) {
	const status = "HTTP/1.1 200 OK\r\n"
	for _, row := range []struct {
		name, text string
		want       string
		attempts   int
	}{
		{"T13 a banner", "SSH-2.0-" + bodyMark + "\r\n", "the answer is not HTTP/1.1", 1},
		{"T13 binary", "\x00\xff\x16\x03" + bodyMark + "\r\n\r\n", "the answer is not HTTP/1.1", 1},
		{"T13 a version", "HTTP/x.y 200 " + bodyMark + "\r\n\r\n", "the answer is not HTTP/1.1", 1},
		{"T13 a status", "HTTP/1.1 abc " + bodyMark + "\r\n\r\n", "the answer is not HTTP/1.1", 1},
		{"T13 a header", status + bodyMark + "\r\n\r\n", "the answer is not HTTP/1.1", 1},
		{"T13 words of ours", status + " tls: net/http: server response headers exceeded " + bodyMark + "\r\n\r\n", "the answer is not HTTP/1.1", 1},
		{"T13 chunks", status + "Transfer-Encoding: chunked\r\n\r\n" + bodyMark + "\r\n", "the answer is not HTTP/1.1", 1},
		{"T25 two lengths", status + "Content-Length: 26\r\nContent-Length: 27\r\n\r\n{\"access_token\":\"" + bodyMark + "\"} ", "the answer is not HTTP/1.1", 1},
		{"T26 HTTP/2", "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64", "the answer is not HTTP/1.1", 1},
		{"nothing at all", "", "the connection was closed before the whole answer had come", 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := onLoopback(t, writes(row.text))
			_, err := p.client(Options{MaxAttempts: 2}).Token(t.Context(), p.interxion(""), 0)
			if fault := failed(t, err); !strings.HasSuffix(err.Error(), ": "+row.want) || fault.Attempts != row.attempts {
				t.Errorf("%v, want %q", err, row.want)
			}
		})
	}
}

func TestChunksCountWhereALengthIsNamedToo(t *testing.T) { // T25: RFC 9112, section 6.3; the connection is not used again
	p := onLoopback(t, writes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n{\"access_token\":\"t-1\"}\r\n0\r\n\r\n"))
	gets(t, p.client(Options{MaxAttempts: 1}), p.interxion(""), "t-1")
}

func TestServerThatSpeaksFirst(t *testing.T) { // T13
	log.SetOutput(io.Discard) // net/http logs what comes unasked
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	for _, banner := range []string{"", "220 " + bodyMark + "\r\n"} {
		listener := listen(t)
		go func() {
			for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
				_, _ = io.WriteString(conn, banner)
				_ = conn.Close()
			}
		}()
		for range 20 { // which of the two is first is up to the scheduler
			_, err := New(Options{MaxAttempts: 1}).Token(t.Context(), Interxion{LoginURL: "http://" + listener.Addr().String(), ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}, 0)
			if fault := failed(t, err); fault.Kind != Unreachable && (banner == "" || fault.Kind != BadAnswer) {
				t.Errorf("after %q: %v", banner, err)
			}
		}
	}
	nothingLeft(t)
}

// deaf is a connection that was closed by the other side already.
type deaf struct{ net.Conn }

func (deaf) Read([]byte) (int, error)    { return 0, io.EOF }
func (deaf) Write(p []byte) (int, error) { return len(p), nil }

// TestServerThatClosesAtOnce is about what net/http says in words of its own: that the connection was closed before the
// request was written.
func TestServerThatClosesAtOnce(t *testing.T) { // T11
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{MaxAttempts: 2})
		c.sender().transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			conn, _ := net.Pipe()
			return deaf{conn}, nil
		}
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { pass(time.Second) },
		})
		_, err := c.Token(ctx, Interxion{LoginURL: "http://127.0.0.1", ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}, 0)
		if fault := failed(t, err); fault.Kind != Unreachable || fault.Attempts != 2 {
			t.Error(err)
		}
	})
}

// TestLargeAnswers is about answers without end: they cost no memory and no time.
func TestLargeAnswers(t *testing.T) {
	for _, row := range []struct{ name, start, repeated, want string }{
		{"S23 100 Continue", "", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000), "the answer's headers are too large: more than 65536 bytes"},
		{"T23 a header", "HTTP/1.1 200 OK\r\nX: ", strings.Repeat("x", 1<<16), "the answer's headers are too large: more than 65536 bytes"},
		{"T23 many headers", "HTTP/1.1 200 OK\r\n", strings.Repeat("X: y\r\n", 1000), "the answer's headers are too large: more than 65536 bytes"},
		{"M22 a body", "HTTP/1.1 200 OK\r\n\r\n", strings.Repeat(" ", 1<<16), "answered 200 OK: the answer is too large: more than 1048576 bytes"},
		{"M22 a chunked body", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "10000\r\n" + strings.Repeat(" ", 1<<16) + "\r\n", "answered 200 OK: the answer is too large: more than 1048576 bytes"},
		{"M22 a status line", "HTTP/1.1 200 ", strings.Repeat("x", 1<<16), "the answer's headers are too large: more than 65536 bytes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := onLoopback(t, func(w http.ResponseWriter, _ *http.Request) {
				conn := hijack(w)
				defer conn.Close()
				_, err := io.WriteString(conn, row.start)
				for sent := 0; err == nil && sent < 64<<20; sent += len(row.repeated) {
					_, err = io.WriteString(conn, row.repeated)
				}
			})
			c, start := p.client(Options{}), time.Now()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.Token(t.Context(), p.interxion(""), 0)
			runtime.ReadMemStats(&after)
			if fault := failed(t, err); fault.Kind != BadAnswer || !strings.HasSuffix(err.Error(), row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
			if grown, took := after.TotalAlloc-before.TotalAlloc, time.Since(start); grown > 16<<20 || took > 20*time.Second { // the attempt's own limit is 30 s
				t.Errorf("%d bytes were allocated in %s", grown, took)
			}
			p.sent(1, "")
		})
	}
}

// TLS.

// onTLS starts a platform that speaks TLS, with what the test changes about it; host names are those of *.example.com. The
// options trust it.
func onTLS(t *testing.T, change func(*tls.Config), script ...http.HandlerFunc) (p *fakePlatform, options Options, port string) {
	t.Helper()
	p = &fakePlatform{t: t, script: script}
	server := httptest.NewUnstartedServer(p)
	server.TLS, server.EnableHTTP2 = &tls.Config{}, true
	if change != nil {
		change(server.TLS)
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Cleanup(func() { nothingLeft(t) })
	p.url = server.URL
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return p, Options{RootCAs: roots}, server.URL[strings.LastIndex(server.URL, ":")+1:]
}

// certificate returns a self-signed certificate.
func certificate(t *testing.T, from, to time.Time, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: from, NotAfter: to, DNSNames: names,
		IsCA: true, BasicConstraintsValid: true,
	}
	if len(names) == 0 {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

func TestConnectionIsNotTrusted(t *testing.T) {
	now := time.Now()
	with := func(c tls.Certificate) func(*tls.Config) {
		return func(config *tls.Config) { config.Certificates = []tls.Certificate{c} }
	}
	for _, row := range []struct {
		name   string
		server func(*tls.Config)
		want   string
	}{
		{"T14 expired", with(certificate(t, now.Add(-48*time.Hour), now.Add(-24*time.Hour))), "to " + now.Add(-24*time.Hour).UTC().Format(time.RFC3339) + " only, and this machine's clock says 20"},
		{"T28 not yet valid", with(certificate(t, now.Add(24*time.Hour), now.Add(48*time.Hour))), "valid from " + now.Add(24*time.Hour).UTC().Format(time.RFC3339) + " to"},
		{"T15 another host", with(certificate(t, now.Add(-time.Hour), now.Add(time.Hour), "a.example", "b.example")), "the server's certificate is for a.example, b.example, not for 127.0.0.1"},
		{"T17 TLS 1.1", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "the server refused the TLS connection: protocol version not supported"},
		{"T20 a client certificate, TLS 1.2", func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 }, "the server refused the TLS connection: "},
		// Not "h2": for that, Go's own server makes an exception.
		{"T26 another protocol alone", func(c *tls.Config) { c.NextProtos = []string{"h3"} }, "the server refused the TLS connection: it does not speak HTTP/1.1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, options, _ := onTLS(t, row.server, grantsToken("t-1"))
			_, err := p.client(options).Token(t.Context(), p.interxion(""), 0)
			if fault := failed(t, err); fault.Kind != Untrusted || fault.Attempts != 1 || !strings.Contains(err.Error(), row.want) || !strings.HasPrefix(err.Error(), "127.0.0.1:") {
				t.Errorf("%v, want %q", err, row.want)
			}
			p.sent(0, "")
		})
	}
}

func TestClientCertificateIsDemanded(t *testing.T) { // T20; in TLS 1.3 the refusal comes late, and races the request
	p, options, _ := onTLS(t, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }, grantsToken("t-1"))
	options.MaxAttempts = 1
	_, err := p.client(options).Token(t.Context(), p.interxion(""), 0)
	if fault := failed(t, err); fault.Kind != Untrusted && fault.Kind != Unreachable {
		t.Error(err)
	}
	p.sent(0, "")
}

func TestAuthorityMustBeTrusted(t *testing.T) { // T16
	p, options, _ := onTLS(t, nil, grantsToken("t-1"))
	_, err := p.client(Options{}).Token(t.Context(), p.interxion(""), 0)
	if fault := failed(t, err); fault.Kind != Untrusted || fault.Attempts != 1 || !strings.HasSuffix(err.Error(), "an authority that this machine does not trust") {
		t.Error(err)
	}
	p.sent(0, "")
	if _, err := p.client(options).Token(t.Context(), p.interxion(""), 0); err != nil {
		t.Error(err)
	}
	p.sent(1, "")
}

func TestServerWithoutTLS(t *testing.T) { // T18
	for answer, want := range map[string]string{
		"HTTP/1.0 400 Bad Request\r\n\r\n" + bodyMark: "the server speaks http on this port, not https",
		"SSH-2.0-" + bodyMark + "\r\n":                "the server does not speak TLS on this port",
	} {
		listener := listen(t)
		go func() {
			for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
				_, _ = conn.Read(make([]byte, 1<<10))
				_, _ = io.WriteString(conn, answer)
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
		}()
		_, err := New(Options{}).Token(t.Context(), anywhere("127.0.0.1", portOf(listener)), 0)
		if fault := failed(t, err); fault.Kind != Untrusted || fault.Attempts != 1 || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	nothingLeft(t)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func portOf(listener net.Listener) string {
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// Proxies.

// TestProxyOfTheEnvironment runs in processes of its own, because net/http reads the environment once.
func TestProxyOfTheEnvironment(t *testing.T) { // T21, T22
	tests := map[string]func(*testing.T){"proxy": withProxy, "unreachable proxy": withUnreachableProxy}
	if run, child := tests[os.Getenv("IXTOKEN_TEST_PROXY")]; child {
		run(t)
		return
	}
	for name := range tests {
		t.Run(name, func(t *testing.T) {
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyOfTheEnvironment$", "-test.v")
			child.Env = append(os.Environ(), "IXTOKEN_TEST_PROXY="+name)
			shown, err := child.CombinedOutput()
			if err != nil || !bytes.Contains(shown, []byte("PASS: TestProxyOfTheEnvironment")) || bytes.Contains(shown, []byte(proxyPassword)) {
				t.Errorf("%v\n%s", err, shown)
			}
		})
	}
}

func withProxy(t *testing.T) {
	p, options, port := onTLS(t, nil, grantsToken("t-1"))
	options.MaxAttempts = 2
	var asked, answer atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth(); user != "user" || password != proxyPassword {
			t.Errorf("the proxy was told user %q", user)
		}
		status := int(answer.Load())
		if r.Method != http.MethodConnect || r.Host != "token.example.com:443" || status != 200 {
			w.Header().Set("Proxy-Authenticate", `Basic realm="`+bodyMark+`"`)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, htmlPage)
			return
		}
		tunnel(hijack(w), "127.0.0.1:"+port)
	}))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTPS_PROXY", "http://user:"+proxyPassword+"@"+strings.TrimPrefix(proxy.URL, "http://"))
	t.Setenv("NO_PROXY", "direct.example.com")
	for _, row := range []struct {
		name     string
		status   int
		want     string
		attempts int
	}{
		{"T21 works", 200, "", 1},
		{"T21 wants a password", 407, "token.example.com/connect/token gave no answer: the proxy answered 407 Proxy Authentication Required", 1},
		{"T21 refuses", 403, "token.example.com/connect/token gave no answer: the proxy answered 403 Forbidden", 1},
		{"T21 cannot connect", 502, "token.example.com/connect/token gave no answer, after 2 attempts: the proxy answered 502 Bad Gateway", 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			asked.Store(0)
			answer.Store(int32(row.status))
			grant := anywhere("token.example.com", "443")
			grant.LoginURL = "https://token.example.com"
			token, err := p.client(options).Token(t.Context(), grant, 0)
			if row.want == "" {
				if err != nil || token.AccessToken.Reveal() != "t-1" {
					t.Error(err)
				}
			} else if fault := failed(t, err); fault.Kind != ProxyFailed || err.Error() != row.want {
				t.Errorf("%v, want %q", err, row.want)
			}
			if int(asked.Load()) != row.attempts {
				t.Errorf("the proxy was asked %d times, want %d", asked.Load(), row.attempts)
			}
		})
	}
	t.Run("T22 not for this host", func(t *testing.T) {
		asked.Store(0)
		c := dials(options, func(d *net.Dialer) {
			d.Resolver = answersNames(func() bool { return true }, map[string][]string{"direct.example.com": {"127.0.0.1"}})
		})
		if _, err := c.Token(t.Context(), anywhere("direct.example.com", port), 0); err != nil || asked.Load() != 0 {
			t.Errorf("the proxy was asked %d times: %v", asked.Load(), err)
		}
	})
}

func withUnreachableProxy(t *testing.T) { // T21
	listener := listen(t)
	_ = listener.Close()
	t.Setenv("HTTPS_PROXY", fmt.Sprintf("http://user:%s@%s", proxyPassword, listener.Addr()))
	_, err := New(Options{MaxAttempts: 1}).Token(t.Context(), anywhere("token.example.com", "443"), 0)
	if fault := failed(t, err); fault.Kind != ProxyFailed || !strings.HasSuffix(err.Error(), ": the proxy cannot be reached") {
		t.Error(err)
	}
}

// tunnel joins a proxy's connection with one to address.
func tunnel(conn net.Conn, address string) {
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
