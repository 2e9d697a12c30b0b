// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// onTLS starts a platform with TLS, for the host names of *.example.com. The options trust its certificate.
func onTLS(t *testing.T, script ...http.HandlerFunc) (p *fakePlatform, options Options, port string) {
	t.Helper()
	p = &fakePlatform{t: t, script: script}
	server := httptest.NewUnstartedServer(p)
	server.EnableHTTP2, server.Config.ErrorLog = true, log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Cleanup(func() { nothingLeft(t) })
	p.url = server.URL
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return p, Options{RootCAs: roots}, portOf(server.Listener)
}

// anywhere returns a grant with a host that only the test knows.
func anywhere(host, port string) Interxion {
	return Interxion{LoginURL: "https://" + net.JoinHostPort(host, port), ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}
}

func TestConnectionRefused(t *testing.T) { // T01
	listener := listen(t)
	address := listener.Addr().String()
	_ = listener.Close()
	synctest.Test(t, func(t *testing.T) {
		dialled := 0
		c := New(Options{})
		dial := c.sender().transport.DialContext
		c.sender().transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled++
			return dial(ctx, network, address)
		}
		_, err := c.Token(t.Context(), Interxion{LoginURL: "http://" + address, ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}, 0)
		if fault := failed(t, err); fault.Kind != Unreachable || dialled != 4 || err.Error() != address+"/connect/token gave no answer, after 4 attempts: connection refused" {
			t.Errorf("%d dials: %v", dialled, err)
		}
	})
}

func TestAnUntrustedServerIsAskedOnce(t *testing.T) { // T16
	p, options, port := onTLS(t, grantsToken("t-1"))
	_, err := p.client(Options{}).Token(t.Context(), p.interxion(""), 0)
	const want = "/connect/token gave no answer: the server's certificate is signed by an authority that this machine does not trust"
	if fault := failed(t, err); fault.Kind != Untrusted || fault.Attempts != 1 || err.Error() != "127.0.0.1:"+port+want {
		t.Error(err)
	}
	p.sent(0, "")
	gets(t, p.client(options), p.interxion(""), "t-1")
}

func TestAProxyThatCannotBeReachedIsTriedAgain(t *testing.T) { // T21
	listener := listen(t)
	_ = listener.Close()
	proxied(t, "http://user:"+proxyPassword+"@"+listener.Addr().String())
	_, err := New(Options{MaxAttempts: 2}).Token(t.Context(), anywhere("token.example.com", "443"), 0)
	const want = "token.example.com:443/connect/token gave no answer, after 2 attempts: the proxy cannot be reached: connection refused"
	if fault := failed(t, err); fault.Kind != ProxyFailed || fault.Attempts != 2 || err.Error() != want {
		t.Error(err)
	}
}

// proxied sets the only proxy variable for a test.
func proxied(t *testing.T, proxy string) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "NO_PROXY", "HTTPS_PROXY"} {
		t.Setenv(strings.ToLower(name), "")
		t.Setenv(name, "")
	}
	t.Setenv("HTTPS_PROXY", proxy)
}

func TestAnOddProxyCostsNoRefreshToken(t *testing.T) {
	p, options, port := onTLS(t, grantsToken("t-1"))
	options.Cache = opened(t, t.TempDir())
	grant := CloudLX{
		BaseURL: "https://token.example.com:" + port, GrantType: RefreshToken, ClientID: "client-1", ClientSecret: NewSecret(clientSecret),
		RefreshToken: NewSecret(refreshToken),
	}
	proxied(t, "http://user:"+proxyPassword+"%@proxy.example")
	_, err := New(options).Token(t.Context(), grant, 0)
	const want = "CloudLX: nothing was sent: HTTPS_PROXY is not accepted: it has a % that begins no escape; a % is written as %25"
	if fault := failed(t, err); fault.Kind != InvalidInput || fault.Attempts != 1 || err.Error() != want {
		t.Error(err)
	}
	proxied(t, "")
	corrected := New(options)
	dial := corrected.sender().transport.DialContext
	corrected.sender().transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, "127.0.0.1:"+port) // where a resolver leads to
	}
	token, err := corrected.Token(t.Context(), grant, 0)
	if err != nil || token.Fallback != nil {
		t.Errorf("the refresh token was not used: %v, %v", token.Fallback, err)
	}
	p.sent(1, "")
}

// Silence.

// silence accepts connections on the network and does not answer.
func silence(network *pipes) {
	for conn, err := network.Accept(); err == nil; conn, err = network.Accept() {
		go func() { _, _ = io.Copy(io.Discard, conn) }()
	}
}

func TestSilentHandshake(t *testing.T) { // T19
	for _, row := range []struct {
		limit, want time.Duration // request_timeout, and the duration of an attempt
	}{{0, 10 * time.Second}, {4 * time.Second, 4 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			start, network := time.Now(), newPipes()
			go silence(network)
			defer network.Close()
			c := New(Options{RequestTimeout: row.limit})
			c.sender().transport.DialContext = network.dial
			_, err := c.Token(t.Context(), anywhere("127.0.0.1", "443"), 0)
			took := time.Since(start)
			if fault := failed(t, err); fault.Kind != TimedOut || fault.Attempts != 4 || took < 4*row.want || took > 4*row.want+4*time.Second {
				t.Errorf("%v after %s, want 4 times %s", err, took, row.want)
			}
			if want := "after 4 attempts: connected, but the TLS handshake got no answer in " + row.want.String(); !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
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
		c := New(Options{})
		c.sender().transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			ended = time.Since(start)
			return nil, ctx.Err()
		}
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

// TestNoise tests servers that do not speak HTTP. Some wait for the request, and others send first.
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
	log.SetOutput(io.Discard) // net/http logs unexpected data on a connection
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	for _, banner := range []string{"", "220 " + bodyMark + "\r\n"} {
		listener := listen(t)
		go func() {
			for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
				_, _ = io.WriteString(conn, banner)
				_ = conn.Close()
			}
		}()
		for range 20 { // the scheduler decides which side is first
			_, err := New(Options{MaxAttempts: 1}).Token(t.Context(), Interxion{LoginURL: "http://" + listener.Addr().String(), ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}, 0)
			if fault := failed(t, err); fault.Kind != Unreachable && (banner == "" || fault.Kind != BadAnswer) {
				t.Errorf("after %q: %v", banner, err)
			}
		}
	}
	nothingLeft(t)
}

// deaf is a connection that the other side has closed already.
type deaf struct{ net.Conn }

func (deaf) Read([]byte) (int, error)    { return 0, io.EOF }
func (deaf) Write(p []byte) (int, error) { return len(p), nil }

// TestServerThatClosesAtOnce tests a connection that is closed before the request is written. net/http has its own error for
// this.
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

// TestLargeAnswers tests endless answers: they take little memory and little time.
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
