// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

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
		// Not "h2", for which Go's server makes an exception.
		{"T26 another protocol alone", func(c *tls.Config) { c.NextProtos = []string{"h3"} }, "the server refused the TLS connection: it does not speak HTTP/1.1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serves(t, row.server)
			if fault := ask(t, New(s.roots()), s.URL); fault == nil || fault.Kind != Untrusted || fault.Temporary || !strings.Contains(fault.Description, row.want) {
				t.Errorf("%+v, want %q", fault, row.want)
			}
			s.received(0)
		})
	}
}

func TestClientCertificateIsDemanded(t *testing.T) { // T20; in TLS 1.3, the rejection may arrive after the request was sent
	s := serves(t, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
	if fault := ask(t, New(s.roots()), s.URL); fault == nil || fault.Kind != Untrusted && fault.Kind != Unreachable {
		t.Errorf("%+v", fault)
	}
	s.received(0)
}

// A server that asks for a certificate sees that of the request, and no other request shows it. A proxy never sees it.
func TestACertificateIsShownToTheServerAlone(t *testing.T) { // S34
	own := issue(t, "client-1", nil, authorityOfItself)
	shown := &tls.Certificate{Certificate: [][]byte{own.raw}, PrivateKey: own.key}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var names []string
		record := func(from *[]string) func(*tls.Config) {
			return func(c *tls.Config) {
				c.ClientAuth, c.MinVersion, c.MaxVersion = tls.RequestClientCert, version, version
				c.VerifyConnection = func(state tls.ConnectionState) error {
					name := "none"
					if len(state.PeerCertificates) > 0 {
						name = state.PeerCertificates[0].Subject.CommonName
					}
					*from = append(*from, name)
					return nil
				}
			}
		}
		s := serves(t, record(&names))
		through := New(s.roots())
		for _, certificate := range []*tls.Certificate{shown, nil, shown} {
			if fault := askWith(t, certificate, through, s.URL); fault != nil {
				t.Error(fault)
			}
		}
		if want := []string{"client-1", "none", "client-1"}; !slices.Equal(names, want) {
			t.Errorf("TLS %x: the server has seen %q, want %q", version, names, want)
		}
		var seenByProxy []string
		proxy := serves(t, record(&seenByProxy))
		proxy.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tunnel(w, s.Listener.Addr().String()) })
		through = New(both(s, proxy))
		through.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
		names = nil
		if fault := askWith(t, shown, through, s.URL); fault != nil {
			t.Error(fault)
		}
		if len(seenByProxy) != 1 || seenByProxy[0] != "none" || len(names) != 1 || names[0] != "client-1" {
			t.Errorf("TLS %x: the proxy has seen %q, and the server %q", version, seenByProxy, names)
		}
	}
}

// both returns the authorities of two servers.
func both(one, other *server) *x509.CertPool {
	roots := one.roots()
	roots.AddCert(other.Certificate())
	return roots
}

// A certificate that the server does not accept is named. The request has not been read.
func TestARefusedCertificateIsNamed(t *testing.T) {
	own := issue(t, "client-1", nil, authorityOfItself)
	ended := issue(t, "client-1", nil, func(c *x509.Certificate) { authorityOfItself(c); c.NotAfter = time.Now().Add(-time.Minute) })
	roots := x509.NewCertPool()
	for _, each := range []*identity{ended} {
		certificate, err := x509.ParseCertificate(each.raw)
		must(t, err)
		roots.AddCert(certificate)
	}
	for want, shown := range map[string]*identity{"unknown certificate authority": own, "expired certificate": ended} {
		s := serves(t, func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs, c.MaxVersion = tls.RequireAndVerifyClientCert, roots, tls.VersionTLS12
			if shown == own {
				c.ClientCAs = x509.NewCertPool()
			}
		})
		fault := askWith(t, &tls.Certificate{Certificate: [][]byte{shown.raw}, PrivateKey: shown.key}, New(s.roots()), s.URL)
		if fault == nil || fault.Kind != Refused || fault.Temporary || fault.Description != "the server does not accept the client certificate: "+want {
			t.Errorf("%+v; want %q", fault, want)
		}
		s.received(0)
	}
	alert := &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}
	for _, at := range []reached{{peer: peerProxy, shown: true}, {peer: peerServer}} {
		if fault := explain(alert, at); fault.Kind == Refused {
			t.Errorf("%+v: the server has seen no certificate", at)
		}
	}
}

func TestAuthorityMustBeTrusted(t *testing.T) { // T16
	s := serves(t, nil)
	fails(t, New(nil), s.URL, Fault{Untrusted, "the server's certificate is signed by an authority that this machine does not trust", false})
	s.received(0)
	answers(t, New(s.roots()), s.URL)
	s.received(1)
}

func TestServerWithoutTLS(t *testing.T) { // T18
	for answer, want := range map[string]string{
		"HTTP/1.0 400 Bad Request\r\n\r\n" + bodyMark: "the server speaks http on this port, not https",
		"SSH-2.0-" + bodyMark + "\r\n":                "the server does not speak TLS on this port",
	} {
		fails(t, New(nil), scripted(t, "https://", answer), Fault{Untrusted, want, false})
	}
}

// Certificates that are not accepted.

// identity is a certificate with its key.
type identity struct {
	raw []byte
	key *rsa.PrivateKey
}

// rsaKey is one key for all tests, because generating a key takes long.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// issue returns a certificate for 127.0.0.1 that is valid today. change modifies it, and issuer signs it; nil: it is
// self-signed.
func issue(t *testing.T, name string, issuer *identity, change func(*x509.Certificate)) *identity {
	t.Helper()
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x51525354), Subject: pkix.Name{CommonName: name}, SignatureAlgorithm: x509.SHA256WithRSA,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(template)
	parent := template
	if issuer != nil {
		if parent, err = x509.ParseCertificate(issuer.raw); err != nil {
			t.Fatal(err)
		}
		key = issuer.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &identity{raw, key}
}

// authority changes a certificate to that of an authority.
func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.IPAddresses, c.ExtKeyUsage = true, true, nil, nil
}

// forged replaces bytes in a certificate and signs it again, because crypto/x509 cannot create every kind of certificate.
func forged(t *testing.T, from *identity, hash crypto.Hash, old, replacement string) *identity {
	t.Helper()
	var parts struct {
		Body      asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(bytes.ReplaceAll(from.raw, []byte(old), []byte(replacement)), &parts); err != nil {
		t.Fatal(err)
	}
	digest := hash.New()
	digest.Write(parts.Body.FullBytes)
	signature, err := rsa.SignPKCS1v15(rand.Reader, from.key, hash, digest.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	parts.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	raw, err := asn1.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	return &identity{raw, from.key}
}

// sha1Signed returns the certificate with a SHA-1 signature.
func sha1Signed(t *testing.T, from *identity) *identity {
	t.Helper()
	const ofRSA = "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
	return forged(t, from, crypto.SHA1, ofRSA+"\x0b", ofRSA+"\x05")
}

// validity returns the text of an error about the validity of a certificate.
func validity(t *testing.T, of *identity) string {
	t.Helper()
	parsed, err := x509.ParseCertificate(of.raw)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.NotBefore.UTC().Format(time.RFC3339) + " to " + parsed.NotAfter.UTC().Format(time.RFC3339)
}

// clock matches the time at the end of an error.
var clock = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)

func TestCertificateIsNotAccepted(t *testing.T) { // T31
	plain := func(*x509.Certificate) {}
	root := issue(t, "root", nil, authority)
	other := func() *identity { // an authority with the same name and another key
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "root"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true,
		}
		raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return &identity{raw, key}
	}()
	expired := issue(t, "expired", nil, func(c *x509.Certificate) { authority(c); c.NotAfter = time.Now().Add(-time.Minute) })
	leafAsIssuer := issue(t, "no authority", root, plain)
	constrained := issue(t, "constrained", root, func(c *x509.Certificate) {
		authority(c)
		c.PermittedIPRanges = []*net.IPNet{{IP: net.IPv4(10, 0, 0, 0), Mask: net.CIDRMask(8, 32)}}
	})
	clients := issue(t, "for clients", root, func(c *x509.Certificate) {
		authority(c)
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	short := issue(t, "short", root, func(c *x509.Certificate) { authority(c); c.MaxPathLenZero = true })
	below := issue(t, "below", short, authority)
	weak := sha1Signed(t, issue(t, "weak", root, authority))
	unknown := issue(t, "unknown", nil, authority)
	belowUnknown := issue(t, "below", unknown, authority)
	nameless := issue(t, "", root, func(c *x509.Certificate) { authority(c); c.Subject = pkix.Name{Organization: []string{"Example"}} })
	circle := issue(t, "a", issue(t, "b", nil, authority), authority)
	const missing = ", which is not among the certificates that came with it: an intermediate certificate is missing there, or this machine does not trust that authority"
	for _, row := range []struct {
		name  string
		leaf  *identity
		above []*identity // further certificates that the server sends
		want  string      // the error about the certificate, unless it starts with "the server"
	}{
		{"a negative serial number", forged(t, issue(t, "leaf", root, plain), crypto.SHA256, "\x02\x04\x51\x52\x53\x54", "\x02\x04\xd1\x52\x53\x54"), nil, "the server sent a certificate with a negative serial number"},
		{"a negative serial number above", issue(t, "leaf", root, plain), []*identity{forged(t, issue(t, "above", root, authority), crypto.SHA256, "\x02\x04\x51\x52\x53\x54", "\x02\x04\xd1\x52\x53\x54")}, "the server sent a certificate with a negative serial number"},
		{"no certificate", &identity{[]byte("\x30\x03\x02\x01\x01" + bodyMark), root.key}, nil, "the server sent a certificate that this client cannot parse"},
		{"a URI that is none", forged(t, issue(t, "leaf", root, func(c *x509.Certificate) {
			c.URIs = []*url.URL{{Scheme: "https", Host: "b.example", Path: "/" + bodyMark}}
		}), crypto.SHA256, "https://b", "https://\x7f"), nil, "the server sent a certificate that this client cannot parse"},
		{"SHA-1", sha1Signed(t, issue(t, "leaf", root, plain)), nil, hints[0].description},
		{"SHA-1 above", issue(t, "leaf", weak, plain), []*identity{weak}, hints[0].description},
		{"no subject alternative name", issue(t, "127.0.0.1", root, func(c *x509.Certificate) { c.IPAddresses = nil }), nil, "has no subject alternative name; its common name does not count"},
		{"a name that is no host's", issue(t, "leaf", root, func(c *x509.Certificate) { c.IPAddresses, c.EmailAddresses = nil, []string{"a@b.example"} }), nil, "is for no host, not for 127.0.0.1"},
		{"another usage", issue(t, "leaf", root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), nil, invalidCertificates[x509.IncompatibleUsage]},
		{"another usage above", issue(t, "leaf", clients, plain), []*identity{clients}, invalidCertificates[x509.IncompatibleUsage]},
		{"name constraints", issue(t, "leaf", constrained, plain), []*identity{constrained}, invalidCertificates[x509.CANotAuthorizedForThisName]},
		{"signed by no authority", issue(t, "leaf", leafAsIssuer, plain), []*identity{leafAsIssuer}, "is signed with a certificate that is no authority's"},
		{"the path's length", issue(t, "leaf", below, plain), []*identity{below, short}, invalidCertificates[x509.TooManyIntermediates]},
		{"an authority that has expired", issue(t, "leaf", expired, plain), []*identity{expired}, "is signed by an authority whose certificate is valid from " + validity(t, expired) + " only, and this machine's clock says …"},
		{"an authority of the same name", issue(t, "leaf", other, plain), nil, otherKey},
		{"an intermediate certificate that is not sent", issue(t, "leaf", issue(t, "inter\"mediate", root, authority), plain), nil, `is signed by "inter\"mediate"` + missing},
		{"the upper intermediate certificate is not sent", issue(t, "leaf", below, plain), []*identity{below}, `is signed by "short"` + missing},
		{"certificates in another order", issue(t, "leaf", below, plain), []*identity{weak, below}, `is signed by "short"` + missing},
		{"an authority without a common name", issue(t, "leaf", nameless, plain), nil, `is signed by "O=Example"` + missing},
		{"an unknown authority", issue(t, "leaf", unknown, plain), []*identity{unknown}, "is signed by an authority that this machine does not trust"},
		{"an unknown authority above", issue(t, "leaf", belowUnknown, plain), []*identity{belowUnknown, unknown}, "is signed by an authority that this machine does not trust"},
		{"two that sign each other", issue(t, "leaf", circle, plain), []*identity{circle, issue(t, "b", issue(t, "a", nil, authority), authority)}, "is signed by an authority that this machine does not trust"},
		{"itself", issue(t, "leaf", nil, plain), nil, "is signed by an authority that this machine does not trust"},
		{"a critical extension", issue(t, "leaf", root, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte(bodyMark)}}
		}), nil, "has a critical extension that this client does not know, or one above it has"},
	} {
		t.Run(row.name, func(t *testing.T) {
			chain := tls.Certificate{Certificate: [][]byte{row.leaf.raw}, PrivateKey: row.leaf.key}
			for _, above := range row.above {
				chain.Certificate = append(chain.Certificate, above.raw)
			}
			s := serves(t, func(c *tls.Config) { // not as Certificates, which httptest would parse
				c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
					return &tls.Config{Certificates: []tls.Certificate{chain}}, nil
				}
			})
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.raw}))
			roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: expired.raw}))
			fault, want := ask(t, New(roots), s.URL), row.want
			if !strings.HasPrefix(want, "the server") {
				want = "the server's certificate " + want
			}
			if fault == nil || fault.Kind != Untrusted || fault.Temporary || clock.ReplaceAllString(fault.Description, "…") != want {
				t.Errorf("%+v, want %q", fault, want)
			}
			s.received(0)
		})
	}
}

// Windows and macOS report the server's certificate even if the certificate of an authority has expired.
func TestValidityIsThatOfTheCertificateThatHasExpired(t *testing.T) {
	now := time.Now()
	valid := &x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	if got := describeValidity(valid, now); !strings.HasPrefix(got, "is signed by an authority whose certificate has expired or is not yet valid; this machine's clock says ") {
		t.Error(got)
	}
	if got := describeValidity(valid, now.Add(2*time.Hour)); !strings.HasPrefix(got, "is valid from ") {
		t.Error(got)
	}
}

// For an unknown error of crypto/x509, the client names no cause.
func TestAnUnknownCertificateErrorIsNotGuessed(t *testing.T) {
	for _, err := range []error{
		errors.New("x509: “" + bodyMark + "” certificate is not standards compliant"),
		x509.CertificateInvalidError{Reason: x509.NoValidChains, Detail: bodyMark},
		x509.CertificateInvalidError{Reason: 99, Detail: bodyMark},
	} {
		found := explain(&tls.CertificateVerificationError{Err: err}, reached{peer: peerServer})
		if found.Kind != Untrusted || found.Description != "the server's certificate is not accepted" || found.Temporary {
			t.Errorf("%v: %+v", err, found)
		}
	}
	for text, want := range map[string]string{
		"tls: a new text":                        "TLS failed: a new text",
		"tls: it quotes \"" + bodyMark + "\"":    "TLS failed",
		"tls: server selected unsupported group": "TLS failed: server selected unsupported group",
	} {
		found := explain(errors.New(text), reached{stage: handshaking, peer: peerServer})
		if found.Kind != Untrusted || found.Description != want || found.Temporary {
			t.Errorf("%s: %+v, want %q", text, found, want)
		}
	}
}

// TestSystemRoots runs child processes, because crypto/x509 reads the system's authorities only once per process.
func TestSystemRoots(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only here, variables say where the authorities are")
	}
	if want := os.Getenv("IXTOKEN_TEST_ROOTS"); want != "" {
		fails(t, New(nil), serves(t, nil).URL, Fault{Untrusted, want, false})
		return
	}
	dir := t.TempDir()
	for place, want := range map[string]string{
		dir:           fmt.Sprintf("the certificate authorities of this machine cannot be read: %q: is a directory", dir),
		dir + "/none": "the server's certificate is signed by an authority that this machine does not trust; this machine has no certificate authorities",
	} {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSystemRoots$", "-test.v")
		child.Env = append(os.Environ(), "IXTOKEN_TEST_ROOTS="+want, "SSL_CERT_FILE="+place, "SSL_CERT_DIR="+dir+"/none")
		if shown, err := child.CombinedOutput(); err != nil || !bytes.Contains(shown, []byte("PASS: TestSystemRoots")) {
			t.Errorf("%v\n%s", err, shown)
		}
	}
}

// Versions and ciphers.

// serverHello returns the first record of a server that selects a version and a cipher suite, whatever the client offered.
func serverHello(version, suite uint16) string {
	body := binary.BigEndian.AppendUint16(nil, version)
	body = append(body, make([]byte, 32+1)...) // random, no session
	body = binary.BigEndian.AppendUint16(body, suite)
	body = append(body, 0)                                             // no compression
	body = append([]byte{2, 0, 0, byte(len(body))}, body...)           // ServerHello
	record := append([]byte{22, 3, byte(version)}, 0, byte(len(body))) // handshake
	return string(append(record, body...))
}

func TestVersionsAndCiphers(t *testing.T) {
	const nothingInCommon = "the server refused the TLS connection: handshake failure (no TLS version, cipher suite or key exchange in common, or it demands a client certificate)"
	rsaExchange := func(c *tls.Config) {
		leaf := issue(t, "leaf", nil, func(*x509.Certificate) {})
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.raw}, PrivateKey: leaf.key}}
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	}
	s := serves(t, rsaExchange)
	for _, row := range []struct{ name, url, want string }{
		{"RSA key exchange alone", s.URL, nothingInCommon},
		{"RSA key exchange all the same", scripted(t, "https://", serverHello(tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_GCM_SHA256)), "the server chose a cipher suite that this client does not offer"},
		{"TLS 1.0 all the same", scripted(t, "https://", serverHello(tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_GCM_SHA256)), "the server chose a TLS version that this client does not offer; it offers 1.2 and 1.3"},
		{"an alert", scripted(t, "https://", "\x15\x03\x03\x00\x02\x02\x70"), "the server refused the TLS connection: unrecognized name"},
		{"an alert that is none", scripted(t, "https://", "\x15\x03\x03\x00\x02\x02\xee"), "the server refused the TLS connection: alert(238)"},
		{"a record that is too long", scripted(t, "https://", "\x16\x03\x03\xff\xff"+bodyMark), "TLS failed: oversized record received with length 65535"},
		{"another message", scripted(t, "https://", "\x16\x03\x03\x00\x04\x0e\x00\x00\x00"), "TLS failed: received unexpected handshake message of type *tls.serverHelloDoneMsg when waiting for *tls.serverHelloMsg"},
		{"a message that is none", scripted(t, "https://", "\x16\x03\x03\x00\x0d\x02\x00\x00\x09"+bodyMark), "TLS failed: error decoding message"},
	} {
		t.Run(row.name, func(t *testing.T) {
			fails(t, New(s.roots()), row.url, Fault{Untrusted, row.want, false})
		})
	}
	s.received(0)
}

// TestARenegotiationIsNamed tests a server that asks for another handshake. OpenSSL is one that can: it does so for a line that
// begins with R.
func TestARenegotiationIsNamed(t *testing.T) { // T30
	const want = "the server asks for another TLS handshake after the first"
	recorded := &net.OpError{Op: "local error", Err: errors.New("tls: no renegotiation")}
	if found := explain(recorded, reached{stage: arrived, peer: peerServer}); found.Kind != Untrusted || !strings.HasPrefix(found.Description, want) || found.Temporary {
		t.Errorf("%+v", found)
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not here")
	}
	chain, dir := issue(t, "leaf", nil, authorityOfItself), t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(chain.key)
	must(t, err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain.raw})
	must(t, os.WriteFile(dir+"/server.pem", append(certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...), 0o600))
	server := exec.CommandContext(t.Context(), "openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-cert", dir+"/server.pem", "-naccept", "1")
	commands, err := server.StdinPipe()
	must(t, err)
	output, err := server.StdoutPipe()
	must(t, err)
	must(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	lines, port := bufio.NewScanner(output), ""
	for port == "" && lines.Scan() { // ACCEPT 127.0.0.1:PORT
		if _, address, ok := strings.Cut(lines.Text(), "ACCEPT "); ok {
			_, port, err = net.SplitHostPort(strings.TrimSpace(address))
			must(t, err)
		}
	}
	go func() {
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "POST ") { // the request has arrived
				_, _ = io.WriteString(commands, "R\n")
			}
		}
	}()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	if fault := ask(t, New(roots), "https://127.0.0.1:"+port); fault == nil || fault.Kind != Untrusted || fault.Temporary || !strings.HasPrefix(fault.Description, want) {
		t.Errorf("%+v", fault)
	}
}

func authorityOfItself(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }
