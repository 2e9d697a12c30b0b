// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	proxyPassword = "PROXY-S3CRET-44"
	bodyMark      = "B0DY-MARK" // is in everything that a server or a proxy sends in words of its own
)

// server is a server with TLS, for the host names of *.example.com.
type server struct {
	*httptest.Server
	t     *testing.T
	asked atomic.Int32
}

// serves starts a server. change modifies its configuration.
func serves(t *testing.T, change func(*tls.Config)) *server {
	t.Helper()
	s := &server{t: t}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.asked.Add(1) }))
	s.TLS, s.EnableHTTP2 = &tls.Config{}, true
	if change != nil {
		change(s.TLS)
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// roots returns the authorities that the server's certificate needs.
func (s *server) roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}

func (s *server) port() string { return portOf(s.Listener) }

// received fails the test unless so many requests have arrived.
func (s *server) received(want int32) {
	s.t.Helper()
	if got := s.asked.Load(); got != want {
		s.t.Errorf("%d requests have arrived, want %d", got, want)
	}
}

// ask sends a request and reads the answer. It returns why there is none, and fails the test if that shows what the other side
// has sent, or a password.
func ask(t *testing.T, through *http.Transport, address string) *Fault {
	t.Helper()
	return askWith(t, nil, through, address)
}

// askWith asks with a certificate of the client; nil: there is none.
func askWith(t *testing.T, certificate *tls.Certificate, through *http.Transport, address string) *Fault {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	progress := Progress{Certificate: certificate}
	r, err := http.NewRequestWithContext(progress.Watch(ctx), http.MethodPost, address, strings.NewReader("x"))
	must(t, err)
	progress.Proxy, err = through.Proxy(r)
	must(t, err)
	answer, err := through.RoundTrip(r)
	if err == nil {
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
	}
	if err == nil {
		return nil
	}
	through.CloseIdleConnections() // ends dialling, which net/http otherwise continues for later requests
	fault := progress.Explain(err)
	if text := fault.Description; strings.Contains(text, proxyPassword) || strings.Contains(text, bodyMark) || strings.ContainsAny(text, "\r\n") {
		t.Errorf("the fault shows what it must not: %q", text)
	}
	return fault
}

// fails asks, and fails the test unless there is the Fault.
func fails(t *testing.T, through *http.Transport, address string, want Fault) {
	t.Helper()
	if fault := ask(t, through, address); fault == nil || *fault != want {
		t.Errorf("%s: %+v, want %+v", address, fault, want)
	}
}

// answers asks, and fails the test unless there is an answer.
func answers(t *testing.T, through *http.Transport, address string) {
	t.Helper()
	if fault := ask(t, through, address); fault != nil {
		t.Errorf("%s: %+v", address, fault)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
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

// scripted starts a server that sends one answer after each read, and then closes the connection. It returns prefix with the
// server's address.
func scripted(t *testing.T, prefix string, answers ...string) string {
	t.Helper()
	listener := listen(t)
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			go func() {
				defer conn.Close()
				for _, answer := range answers {
					if _, err := conn.Read(make([]byte, 1<<12)); err != nil {
						return
					}
					_, _ = io.WriteString(conn, answer)
				}
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	return prefix + listener.Addr().String()
}
