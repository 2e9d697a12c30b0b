// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Names.

// Package net reads its configuration at the first look-up and keeps it in channels. They must not belong to a bubble of
// testing/synctest.
func init() {
	_, _ = answersNames(func() bool { return true }, nil).LookupHost(context.Background(), "x.invalid")
}

// answersNames returns a resolver with a simulated name server. works reports whether the name server works, and hosts has the
// addresses of the hosts.
func answersNames(works func() bool, hosts map[string][]string) *net.Resolver {
	return nameServer(func(query []byte) []byte { return nameReply(query, works(), hosts) })
}

// nameServer returns a resolver with a simulated name server. reply returns the answer to a query; nil: there is none.
func nameServer(reply func(query []byte) []byte) *net.Resolver {
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
				if text := reply(query); text != nil {
					_, _ = server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...))
				}
			}
		}()
		return client, nil
	}}
}

// nameReply returns the answer to a query with one question (RFC 1035).
func nameReply(query []byte, works bool, hosts map[string][]string) []byte {
	name, end := "", 12
	for query[end] != 0 {
		size := int(query[end])
		name += string(query[end+1:end+1+size]) + "."
		end += 1 + size
	}
	end += 5
	kind := kindOf(query)
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
		if works && (kind == typeA && address.Is4() || kind == typeAAAA && address.Is6()) {
			reply[7]++
			raw := address.AsSlice()
			reply = append(reply, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 60, 0, byte(len(raw)))
			reply = append(reply, raw...)
		}
	}
	return reply
}

// kindOf returns the type of record that a query asks for: typeA or typeAAAA.
func kindOf(query []byte) uint16 {
	end := 12
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	return binary.BigEndian.Uint16(query[end+1:])
}

const typeA, typeAAAA = 1, 28

// dials returns a client with the real dialler, which change modifies.
func dials(options Options, change func(*net.Dialer)) *Client {
	c := New(options)
	dialer := newDialer()
	change(&dialer.Dialer)
	c.sender().transport.DialContext = keepsLoopback(dialer.DialContext)
	return c
}

// anywhere returns a grant with a host that only the test knows.
func anywhere(host, port string) Interxion {
	return Interxion{LoginURL: "https://" + net.JoinHostPort(host, port), ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}
}

// secretsOverHTTP asks for a token, and then the API, at http://localhost and the port. It returns the errors.
func secretsOverHTTP(t *testing.T, port string) (token, api error) {
	t.Helper()
	_, token = New(Options{MaxAttempts: 4}).Token(t.Context(), Interxion{LoginURL: "http://LocalHost:" + port, ClientID: "client-1", ClientSecret: NewSecret(clientSecret)}, 0)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:"+port+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, api := NewAPITransport(nil, 1).RoundTrip(r)
	if api == nil {
		answer.Body.Close()
	}
	return token, api
}

// With http, secrets are sent to this machine only, whatever the system takes localhost for.
func TestLocalhostMustBeThisMachine(t *testing.T) {
	if port := os.Getenv("IXTOKEN_TEST_PORT"); port != "" { // the process below
		token, api := secretsOverHTTP(t, port)
		const want = "this loopback name leads to another machine here, so nothing was sent"
		if token == nil || token.Error() != "localhost:"+port+"/connect/token gave no answer: "+want {
			t.Errorf("the token request: %v", token)
		}
		if api == nil || DescribeFault(api) != want {
			t.Errorf("the API request: %v", api)
		}
		return
	}
	t.Parallel()
	other := ownAddress(t)
	listener, err := net.Listen("tcp", net.JoinHostPort(other, "0"))
	if err != nil {
		t.Skip("no server can listen on another address: ", err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	received := make(chan int, 10)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			n, _ := connection.Read(make([]byte, 1000))
			received <- n
			_ = connection.Close()
		}
	}()
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte(other+" localhost\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	run := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", `mount --bind "$0" /etc/hosts || exit 77; exec "$@"`, hosts, os.Args[0], "-test.run=^TestLocalhostMustBeThisMachine$") //nolint:gosec // this test
	run.Env = append(os.Environ(), "IXTOKEN_TEST_PORT="+port, "GODEBUG=netdns=go")
	out, err := run.CombinedOutput()
	switch exit := (*exec.ExitError)(nil); {
	case errors.Is(err, exec.ErrNotFound), errors.As(err, &exit) && exit.ExitCode() == 77, strings.HasPrefix(string(out), "unshare: "):
		t.Skipf("this system does not let a test change the meaning of localhost: %v: %s", err, out)
	case err != nil:
		t.Errorf("%v: %s", err, out)
	}
	for range 2 {
		select {
		case n := <-received:
			if n != 0 {
				t.Errorf("another machine has received %d bytes", n)
			}
		case <-time.After(5 * time.Second): // it was not even connected
		}
	}
}

// ownAddress returns an address of this machine that is not a loopback address.
func ownAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if network, ok := one.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
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
		recovered := func() bool { return time.Since(start) > 0 } // in virtual time, time passes only between the attempts
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
		first string // the address that does not answer
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
			if took := time.Since(start); err != nil || took > 4*time.Second { // the address without an answer alone would take 5 s
				t.Errorf("%v after %s", err, took)
			}
			p.sent(1, "")
		})
	}
}

// TestANameServerThatAnswersForOneFamily tests name servers that leave out the answer for a family, or say that they failed. The
// other family is used, without a wait for the system's limit, which is ten seconds and more.
func TestANameServerThatAnswersForOneFamily(t *testing.T) { // T29
	for name, row := range map[string]struct {
		silent  uint16
		address string
	}{"IPv4 alone": {typeAAAA, "127.0.0.1"}, "IPv6 alone": {typeA, "::1"}} {
		for how, leaveOut := range map[string]func([]byte) []byte{
			"silent": func([]byte) []byte { return nil },
			"failed": func(query []byte) []byte { return nameReply(query, false, nil) },
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				listener, err := net.Listen("tcp", net.JoinHostPort(row.address, "0"))
				if err != nil {
					t.Skip(err)
				}
				p, options, _ := onTLS(t, nil, grantsToken("t-1"))
				relay(t, listener, p.url)
				want := time.Duration(0)
				if how == "silent" && row.silent == typeAAAA {
					want = ipv6Lead
				}
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					c := dials(options, func(d *net.Dialer) {
						d.Resolver = nameServer(func(query []byte) []byte {
							if kindOf(query) == row.silent {
								return leaveOut(query)
							}
							return nameReply(query, true, map[string][]string{"token.example.com": {row.address}})
						})
					})
					_, err := c.Token(t.Context(), anywhere("token.example.com", portOf(listener)), 0)
					if took := time.Since(start); err != nil || took != want {
						t.Errorf("%v after %s, want %s", err, took, want)
					}
					pass(time.Minute) // package net ends a query when its own time is over
				})
				p.sent(1, "")
			})
		}
	}
}

// TestALookupHasTimeOfItsOwn tests a name server that answers the second query only, as late as the system allows. The connection
// then has all of its time.
func TestALookupHasTimeOfItsOwn(t *testing.T) { // T29
	p, options, port := onTLS(t, nil, grantsToken("t-1"))
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		options.MaxAttempts = 1
		c := dials(options, func(d *net.Dialer) {
			d.Resolver = nameServer(func(query []byte) []byte {
				if time.Since(start) < 5*time.Second {
					return nil
				}
				pass(4900 * time.Millisecond)
				return nameReply(query, true, map[string][]string{"token.example.com": {"127.0.0.1"}})
			})
			d.ControlContext = func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
				pass(9 * time.Second)
				return ctx.Err()
			}
		})
		_, err := c.Token(t.Context(), anywhere("token.example.com", port), 0)
		if took := time.Since(start); err != nil || took < 18*time.Second {
			t.Errorf("%v after %s", err, took)
		}
		pass(time.Minute) // as above
	})
	p.sent(1, "")
}

// A family without an address does not hide why the other one failed.
func TestAFamilyWithoutAnAddressIsNoFault(t *testing.T) { // T29
	listener := listen(t)
	_ = listener.Close()
	synctest.Test(t, func(t *testing.T) {
		c := dials(Options{MaxAttempts: 1}, func(d *net.Dialer) {
			d.Resolver = nameServer(func(query []byte) []byte {
				if kindOf(query) == typeAAAA {
					pass(time.Second)
				}
				return nameReply(query, true, map[string][]string{"token.example.com": {"127.0.0.1"}})
			})
		})
		_, err := c.Token(t.Context(), anywhere("token.example.com", portOf(listener)), 0)
		if fault := failed(t, err); fault.Kind != Unreachable || !strings.HasSuffix(err.Error(), ": connection refused") {
			t.Error(err)
		}
	})
}

// Addresses that are silent leave time for the others, and do not take more than the time of a connection together.
func TestSilentAddressesShareTheTime(t *testing.T) { // T05, T27
	for _, row := range []struct{ silent, alive int }{{1, 1}, {3, 1}, {9, 0}} {
		p, options, port := onTLS(t, nil, grantsToken("t-1"))
		var addresses []string
		for i := range row.silent {
			addresses = append(addresses, fmt.Sprint("127.0.0.", 2+i))
		}
		if row.alive > 0 {
			addresses = append(addresses, "127.0.0.1")
		}
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			options.MaxAttempts = 1
			c := dials(options, func(d *net.Dialer) {
				d.Resolver = answersNames(func() bool { return true }, map[string][]string{"token.example.com": addresses})
				d.ControlContext = func(ctx context.Context, _, address string, _ syscall.RawConn) error {
					if strings.HasPrefix(address, "127.0.0.1:") {
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				}
			})
			_, err := c.Token(t.Context(), anywhere("token.example.com", port), 0)
			want := dialTimeout * time.Duration(row.silent) / time.Duration(row.silent+row.alive)
			if took := time.Since(start); (err == nil) != (row.alive > 0) || took != want {
				t.Errorf("%d silent addresses: %v after %s, want %s", row.silent, err, took, want)
			}
		})
		p.sent(row.alive, "")
	}
}

// relay passes connections of the listener on to the server at the URL.
func relay(t *testing.T, listener net.Listener, to string) {
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			go func() {
				defer conn.Close()
				server, err := net.Dial("tcp", strings.TrimPrefix(to, "https://"))
				if err != nil {
					return
				}
				defer server.Close()
				go func() { _, _ = io.Copy(server, conn) }()
				_, _ = io.Copy(conn, server)
			}()
		}
	}()
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

// A system reports a reset by the other side in more than one way.
func TestAResetIsCalledOne(t *testing.T) { // T11
	for _, number := range []syscall.Errno{reset, aborted, syscall.EPIPE} {
		found := diagnose(&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", number)}, place{peer: peerServer})
		if found.kind != Unreachable || found.description != "the connection was reset" || !found.passes {
			t.Errorf("%d: %+v", number, found)
		}
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
