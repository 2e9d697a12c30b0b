// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

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
