// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package oauth2servers

import (
	"bufio"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// installed reports whether Node.js and the package oidc-provider are installed. "npm ci" in the directory npm installs the
// package.
func installed() bool {
	_, err := exec.LookPath("node")
	if err != nil {
		return false
	}
	_, err = os.Stat("npm/node_modules/oidc-provider")
	return err == nil
}

// oidcProvider starts a server of the npm package oidc-provider in a separate process.
func oidcProvider(t *testing.T, method string, registered client) *server {
	t.Helper()
	return serve(t, forward(node(t, map[string]any{"id": registered.id, "secret": registered.secret, "method": method})))
}

// oidcProviderWithKey starts the same server for a client with a key.
func oidcProviderWithKey(t *testing.T, registered client, algorithm string, key crypto.Signer) *server {
	t.Helper()
	endpoint := node(t, map[string]any{
		"id": registered.id, "method": clients.PrivateKeyJWT, "alg": algorithm, "jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: keyID, Use: "sig", Algorithm: algorithm}}},
	})
	s := serve(t, forward(endpoint))
	s.assertedFor = endpoint.String()
	return s
}

// oidcProviderWithCertificate starts the same server for a client with a certificate, behind a server that ends TLS.
// selfSigned says that the server knows the certificate itself, and not an authority.
func oidcProviderWithCertificate(t *testing.T, registered client, own *x509.Certificate, selfSigned bool) *server {
	t.Helper()
	settings := map[string]any{"id": registered.id, "method": clients.TLSClientAuth, "subject": own.Subject.String()}
	if selfSigned {
		settings["method"] = "self_signed_tls_client_auth"
		settings["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: own.PublicKey, Certificates: []*x509.Certificate{own}, Use: "sig"}}}
		delete(settings, "subject")
	}
	next := forward(node(t, settings))
	return serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shown := r.TLS.PeerCertificates; len(shown) > 0 {
			r.Header.Set("X-Client-Certificate", url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shown[0].Raw}))))
			r.Header.Set("X-Client-Subject", shown[0].Subject.String())
			r.Header.Set("X-Client-Verified", "SUCCESS")
		}
		next.ServeHTTP(w, r)
	}))
}

// forward sends requests to the target.
func forward(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL, r.Out.Host = target, target.Host }}
}

// node starts a server for one client, and returns the URL of its token endpoint.
func node(t *testing.T, registered map[string]any) *url.URL {
	t.Helper()
	if !installed() {
		t.Skip("needs Node.js, and npm ci in tools/oauth2servers/npm")
	}
	command := exec.CommandContext(t.Context(), "node", "server.js")
	command.Dir = "npm"
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // ends the process
		_ = command.Wait()
	})
	if err := json.NewEncoder(in).Encode(registered); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("oidc-provider has not started: ", err)
	}
	target, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// visible removes characters outside ASCII, which oidc-provider does not accept in ids and secrets.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return -1
		}
		return r
	}, text)
}
