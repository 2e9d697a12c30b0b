// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

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

// dials returns a transport with the real dialer, which change modifies.
func dials(roots *x509.CertPool, change func(*net.Dialer)) *http.Transport {
	through, dialer := New(roots), newDialer()
	change(&dialer.Dialer)
	through.DialContext = KeepsLoopback(dialer.DialContext)
	return through
}

// resolves returns a transport for which each host has the addresses.
func resolves(roots *x509.CertPool, hosts map[string][]string) *http.Transport {
	return dials(roots, func(d *net.Dialer) { d.Resolver = answersNames(func() bool { return true }, hosts) })
}

// pass lets time pass in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// With http, secrets are sent to this machine only, whatever the system takes localhost for.
func TestLocalhostMustBeThisMachine(t *testing.T) {
	if port := os.Getenv("IXTOKEN_TEST_PORT"); port != "" { // the process below
		const want = "this loopback name leads to another machine here, so nothing was sent"
		fails(t, New(nil), "http://LocalHost:"+port, Fault{Unreachable, want, false})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:"+port+"/x", nil)
		must(t, err)
		answer, err := NewAPI(nil, 1).RoundTrip(r)
		if err == nil {
			answer.Body.Close()
			t.Error("the API has answered")
		} else if got := Describe(err); got != want {
			t.Errorf("the API request: %s", got)
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
	run := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", `mount --bind "$0" /etc/hosts || exit 77; exec "$@"`, hosts, os.Args[0], "-test.run=^TestLocalhostMustBeThisMachine$")
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

func TestUnknownHost(t *testing.T) { // T02
	synctest.Test(t, func(t *testing.T) {
		fails(t, resolves(nil, nil), "https://x.invalid", Fault{Unreachable, "there is no such host", false})
	})
}

func TestNameServerThatRecovers(t *testing.T) { // T03
	s, works := serves(t, nil), false
	hosts := map[string][]string{"token.example.com": {"127.0.0.1"}}
	through := dials(s.roots(), func(d *net.Dialer) { d.Resolver = answersNames(func() bool { return works }, hosts) })
	fails(t, through, "https://token.example.com:"+s.port(), Fault{Unreachable, "the host name cannot be resolved", true})
	works = true
	answers(t, through, "https://token.example.com:"+s.port())
	s.received(1)
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
			s := serves(t, nil)
			start := time.Now()
			through := dials(s.roots(), func(d *net.Dialer) {
				d.Resolver = answersNames(func() bool { return true }, map[string][]string{"token.example.com": {row.first, "127.0.0.1"}})
				d.ControlContext = func(ctx context.Context, _, address string, _ syscall.RawConn) error {
					if host, _, _ := net.SplitHostPort(address); host == row.first {
						return row.dead(ctx)
					}
					return nil
				}
			})
			fault := ask(t, through, "https://token.example.com:"+s.port())
			if took := time.Since(start); fault != nil || took > 4*time.Second { // the address without an answer alone would take 5 s
				t.Errorf("%+v after %s", fault, took)
			}
			s.received(1)
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
				s := serves(t, nil)
				relay(t, listener, s.URL)
				want := time.Duration(0)
				if how == "silent" && row.silent == typeAAAA {
					want = ipv6Lead
				}
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					through := dials(s.roots(), func(d *net.Dialer) {
						d.Resolver = nameServer(func(query []byte) []byte {
							if kindOf(query) == row.silent {
								return leaveOut(query)
							}
							return nameReply(query, true, map[string][]string{"token.example.com": {row.address}})
						})
					})
					fault := ask(t, through, "https://token.example.com:"+portOf(listener))
					if took := time.Since(start); fault != nil || took != want {
						t.Errorf("%+v after %s, want %s", fault, took, want)
					}
					pass(time.Minute) // package net ends a query when its own time is over
				})
				s.received(1)
			})
		}
	}
}

// TestALookupHasTimeOfItsOwn tests a name server that answers the second query only, as late as the system allows. The connection
// then has all of its time.
func TestALookupHasTimeOfItsOwn(t *testing.T) { // T29
	s := serves(t, nil)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		through := dials(s.roots(), func(d *net.Dialer) {
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
		fault := ask(t, through, "https://token.example.com:"+s.port())
		if took := time.Since(start); fault != nil || took < 18*time.Second {
			t.Errorf("%+v after %s", fault, took)
		}
		pass(time.Minute) // as above
	})
	s.received(1)
}

// A family without an address does not hide why the other one failed.
func TestAFamilyWithoutAnAddressIsNoFault(t *testing.T) { // T29
	listener := listen(t)
	_ = listener.Close()
	synctest.Test(t, func(t *testing.T) {
		through := dials(nil, func(d *net.Dialer) {
			d.Resolver = nameServer(func(query []byte) []byte {
				if kindOf(query) == typeAAAA {
					pass(time.Second)
				}
				return nameReply(query, true, map[string][]string{"token.example.com": {"127.0.0.1"}})
			})
		})
		fails(t, through, "https://token.example.com:"+portOf(listener), Fault{Unreachable, "connection refused", true})
	})
}

// Addresses that are silent leave time for the others, and do not take more than the time of a connection together.
func TestSilentAddressesShareTheTime(t *testing.T) { // T05, T27
	for _, row := range []struct{ silent, alive int }{{1, 1}, {3, 1}, {9, 0}} {
		s := serves(t, nil)
		var addresses []string
		for i := range row.silent {
			addresses = append(addresses, fmt.Sprint("127.0.0.", 2+i))
		}
		if row.alive > 0 {
			addresses = append(addresses, "127.0.0.1")
		}
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			through := dials(s.roots(), func(d *net.Dialer) {
				d.Resolver = answersNames(func() bool { return true }, map[string][]string{"token.example.com": addresses})
				d.ControlContext = func(ctx context.Context, _, address string, _ syscall.RawConn) error {
					if strings.HasPrefix(address, "127.0.0.1:") {
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				}
			})
			fault := ask(t, through, "https://token.example.com:"+s.port())
			want := dialTimeout * time.Duration(row.silent) / time.Duration(row.silent+row.alive)
			if took := time.Since(start); (fault == nil) != (row.alive > 0) || took != want {
				t.Errorf("%d silent addresses: %+v after %s, want %s", row.silent, fault, took, want)
			}
		})
		s.received(int32(row.alive))
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

func TestSilentNetwork(t *testing.T) { // T05
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		through := dials(nil, func(d *net.Dialer) {
			d.ControlContext = func(ctx context.Context, _, _ string, _ syscall.RawConn) error { <-ctx.Done(); return ctx.Err() }
		})
		fails(t, through, "https://192.0.2.1", Fault{TimedOut, "no connection within the time allowed", true})
		if took := time.Since(start); took != dialTimeout {
			t.Errorf("the dialer gave up after %s, want %s", took, dialTimeout)
		}
	})
}
