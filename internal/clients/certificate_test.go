// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mutual is a platform that asks for a certificate of the client.
type mutual struct {
	*fakePlatform
	roots *x509.CertPool

	mu    sync.Mutex
	chain []int              // the number of certificates in each request
	seen  []crypto.PublicKey // that of the client's certificate in each request; nil: there was none
}

// demanding starts a platform that demands a certificate in the way of demand. trusted are the only certificates that it
// accepts; nil: it accepts all.
func demanding(t *testing.T, demand tls.ClientAuthType, trusted [][]byte, script ...http.HandlerFunc) *mutual {
	t.Helper()
	m := &mutual{fakePlatform: &fakePlatform{t: t, script: script}, roots: x509.NewCertPool()}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var public crypto.PublicKey
		if len(r.TLS.PeerCertificates) > 0 {
			public = r.TLS.PeerCertificates[0].PublicKey
		}
		m.mu.Lock()
		m.seen, m.chain = append(m.seen, public), append(m.chain, len(r.TLS.PeerCertificates))
		m.mu.Unlock()
		m.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{ClientAuth: demand, ClientCAs: x509.NewCertPool(), MaxVersion: tls.VersionTLS12} // whose alerts come before the request
	for _, der := range trusted {
		certificate, err := x509.ParseCertificate(der)
		must(t, err)
		server.TLS.ClientCAs.AddCert(certificate)
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	m.roots.AddCert(server.Certificate())
	m.url = server.URL
	return m
}

func (m *mutual) client(options Options) *Client {
	options.RootCAs = m.roots
	return m.fakePlatform.client(options)
}

// showing returns a grant whose client has a certificate.
func (m *mutual) showing(certificate ClientCertificate) OAuth2 {
	return m.proven(func(g *OAuth2) { g.AuthMethod, g.Certificate = TLSClientAuth, certificate })
}

// A client shows its certificate and those above it. It is read for each connection, so a renewed one counts at once.
func TestACertificateIsShown(t *testing.T) {
	m := demanding(t, tls.RequireAnyClientCert, nil, says(200, `{"access_token":"t-1","expires_in":0}`))
	authority, c := keyOf("P-256", "authority"), m.client(Options{})
	dir := t.TempDir()
	files := ClientCertificate{File: filepath.Join(dir, "client.pem"), KeyFile: filepath.Join(dir, "client.key")}
	one := ClientCertificate{File: filepath.Join(dir, "both.pem"), KeyFile: filepath.Join(dir, "both.pem")}
	for _, kind := range []string{"P-256", "RSA", "Ed25519"} {
		key := keyOf(kind, "")
		chain := pemOf("CERTIFICATE", certificateOf(t, key, authority), "CERTIFICATE", certificateOf(t, authority, authority))
		write(t, files.File, []byte(chain))
		write(t, files.KeyFile, []byte(pkcs8(key).Reveal()))
		write(t, one.File, []byte(pkcs8(key).Reveal()+chain))
		for _, given := range []ClientCertificate{files, one, {PEM: NewSecret(chain), KeyPEM: pkcs8(key)}, {PEM: NewSecret(chain), KeyFile: files.KeyFile}} {
			gets(t, c, m.showing(given), "t-1")
			last := len(m.seen) - 1
			if !cmp.Equal(m.seen[last], key.Public()) || m.chain[last] != 2 {
				t.Errorf("%s: the server has seen another certificate, or %d of 2", kind, m.chain[last])
			}
		}
	}
}

// A certificate may stand beside each other method.
func TestACertificateBesideAnotherMethod(t *testing.T) {
	m := demanding(t, tls.RequireAnyClientCert, nil, grantsToken("t-1"))
	key := keyOf("P-256", "")
	signed := m.signing(key)
	signed.Certificate = pairOf(t, key)
	bySecret := m.oauth2(ClientCredentials)
	bySecret.Certificate = pairOf(t, key)
	for _, grant := range []OAuth2{signed, bySecret} {
		gets(t, m.client(Options{}), grant, "t-1")
		if last := len(m.seen) - 1; !cmp.Equal(m.seen[last], key.Public()) {
			t.Errorf("%s: the server has seen no certificate", grant.AuthMethod)
		}
	}
}

// A grant without a certificate shows none, although another grant of the process has one.
func TestACertificateIsOfItsGrantAlone(t *testing.T) {
	m := demanding(t, tls.RequestClientCert, nil, grantsToken("t-1"))
	c, key := m.client(Options{}), keyOf("P-256", "")
	gets(t, c, m.showing(pairOf(t, key)), "t-1")
	gets(t, c, m.signing(key), "t-1")
	if m.seen[0] == nil || m.seen[1] != nil {
		t.Errorf("certificates: %v, %v", m.seen[0] != nil, m.seen[1] != nil)
	}
}

// A certificate or a key that cannot be used is named, and nothing is sent.
func TestACertificateThatCannotBeUsedIsNamed(t *testing.T) {
	m := demanding(t, tls.RequireAnyClientCert, nil, grantsToken("t-1"))
	key, other := keyOf("P-256", ""), keyOf("P-256", "other")
	own := NewSecret(pemOf("CERTIFICATE", certificateOf(t, key, key)))
	for want, given := range map[string]ClientCertificate{
		"the client certificate is not the certificate of the key":                                    {PEM: own, KeyPEM: pkcs8(other)},
		"the client certificate has the certificate of the key behind another one":                    {PEM: NewSecret(pemOf("CERTIFICATE", certificateOf(t, other, other)) + own.Reveal()), KeyPEM: pkcs8(key)},
		"the client certificate holds no certificate in PEM":                                          {PEM: NewSecret("CANARY"), KeyPEM: pkcs8(key)},
		"the client certificate holds a certificate that cannot be read":                              {PEM: NewSecret(pemOf("CERTIFICATE", []byte("CANARY"))), KeyPEM: pkcs8(key)},
		"the key of the client certificate is a certificate: use its private key":                     {PEM: own, KeyPEM: own},
		`the client certificate in the file "missing" cannot be read`:                                 {File: "missing", KeyPEM: pkcs8(key)},
		`the key of the client certificate in the file "missing" cannot be read`:                      {PEM: own, KeyFile: "missing"},
		`the client certificate in the file "` + t.TempDir() + `" cannot be read (it is a directory)`: {KeyPEM: pkcs8(key)},
	} {
		if strings.Contains(want, "it is a directory") {
			given.File = strings.Split(want, `"`)[1]
		}
		_, err := m.client(Options{}).Token(t.Context(), m.showing(given), 0)
		if fault := failed(t, err); !fault.Unsent() || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%v; want %q", err, want)
		}
	}
	m.sent(0, "")
}

// A certificate that is rejected is shown once for all scopes, whether the server says so in the handshake or in its answer.
// A renewed one is shown again.
func TestARejectedCertificateIsShownOnce(t *testing.T) { // S34
	key := keyOf("P-256", "")
	trusted := certificateOf(t, key, key)
	for name, m := range map[string]*mutual{
		"in the answer":    demanding(t, tls.RequestClientCert, nil, rejects("invalid_client")),
		"in the handshake": demanding(t, tls.RequireAndVerifyClientCert, [][]byte{trusted}, grantsToken("t-1")),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := ClientCertificate{File: filepath.Join(dir, "client.pem"), KeyFile: filepath.Join(dir, "client.key")}
			other := keyOf("P-256", "other")
			write(t, files.File, []byte(pemOf("CERTIFICATE", certificateOf(t, other, other))))
			write(t, files.KeyFile, []byte(pkcs8(other).Reveal()))
			c := m.client(Options{})
			for _, scope := range []string{"a", "b", "a"} {
				grant := m.showing(files)
				grant.Scope = scope
				_, err := c.Token(t.Context(), grant, 0)
				fault := failed(t, err)
				if fault.Kind != CredentialsRejected || !strings.Contains(err.Error(), `sent: tls_client_auth, with the certificate of "CN=client-1", valid until `) {
					t.Errorf("%v", err)
				}
			}
			write(t, files.KeyFile, []byte(pkcs8(key).Reveal()))
			write(t, files.File, []byte(pemOf("CERTIFICATE", trusted)))
			_, err := c.Token(t.Context(), m.showing(files), 0)
			if got := fmt.Sprint(err); name == "in the answer" {
				m.sent(2, "")
			} else if err != nil {
				t.Error(got)
			}
		})
	}
}
