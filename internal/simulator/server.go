// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// certificateLifetime is how long the certificates are valid, by the machine's clock, which clients use.
const certificateLifetime = 7 * 24 * time.Hour

// server is an HTTP server on a loopback port.
type server struct {
	url         string
	listener    net.Listener
	http        *http.Server
	accepting   sync.WaitGroup
	connections sync.WaitGroup
}

// listen opens a free port, for TLS if certificate is not nil. With TLS, it asks for a certificate of the client, and leaves
// it to the handler what that is worth.
func listen(certificate *tls.Certificate) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s := &server{url: "http://" + listener.Addr().String(), listener: listener}
	if certificate != nil {
		s.url = "https://" + listener.Addr().String()
		s.listener = tls.NewListener(listener, &tls.Config{
			Certificates: []tls.Certificate{*certificate},
			MinVersion:   tls.VersionTLS12,
			ClientAuth:   tls.RequestClientCert,
		})
	}
	s.http = &http.Server{
		ReadHeaderTimeout: time.Minute,
		ConnState:         s.count,
		ErrorLog:          log.New(io.Discard, "", 0), // a stack trace may contain a secret
	}
	return s, nil
}

func (s *server) serve(handler http.Handler) {
	s.http.Handler = handler
	s.accepting.Go(func() { _ = s.http.Serve(s.listener) })
}

// count counts the open connections, so that close can wait for their goroutines.
func (s *server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.connections.Done()
	}
}

// close stops the server and waits for its goroutines. A nil server needs no close.
func (s *server) close() error {
	if s == nil {
		return nil
	}
	err := s.http.Close()
	s.accepting.Wait()
	s.connections.Wait()
	return err
}

// authority is a certificate authority and the server certificate that it has signed.
type authority struct {
	certificatePEM string
	server         *tls.Certificate
	root           *x509.Certificate
	rootKey        *ecdsa.PrivateKey
}

func newAuthority() (authority, error) {
	root := template("Simulator CA")
	root.IsCA = true
	root.BasicConstraintsValid = true
	root.KeyUsage = x509.KeyUsageCertSign
	rootKey, rootDER, err := sign(root, root, nil)
	if err != nil {
		return authority{}, err
	}

	leaf := template("127.0.0.1")
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	leaf.DNSNames = []string{"localhost"}
	leafKey, leafDER, err := sign(leaf, root, rootKey)
	if err != nil {
		return authority{}, err
	}
	return authority{
		certificatePEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})),
		server:         &tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey},
		root:           root,
		rootKey:        rootKey,
	}, nil
}

// client returns an HTTP client that trusts the authority.
func (a authority) client() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(a.certificatePEM))
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
	}}
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(certificateLifetime),
	}
}

// sign generates a key and its certificate. Without parentKey, the certificate is self-signed.
func sign(certificate, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("simulator: %w", err)
	}
	if parentKey == nil {
		parentKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, fmt.Errorf("simulator: %w", err)
	}
	return key, der, nil
}
