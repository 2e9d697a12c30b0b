// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package oauth2servers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// keyID is the ID of the registered key.
const keyID = "key-1"

// kindFor has the algorithms that are tested, and the kind of key that each needs.
var kindFor = map[string]string{
	"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
	"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519",
}

// keys are one key of each kind. Generating an RSA key is slow, so each is generated once.
var keys = map[string]func() crypto.Signer{
	"RSA":   sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) }),
	"P-256": sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }),
	"P-384": sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) }),
	"P-521": sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) }),
	"Ed25519": sync.OnceValue(func() crypto.Signer {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	}),
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// inPEM returns a key in PKCS #8.
func inPEM(key crypto.Signer) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))}))
}

// signedBy returns a grant whose assertions the key signs.
func signedBy(s *server, id, algorithm string, key crypto.Signer) clients.OAuth2 {
	return clients.OAuth2{
		TokenURL: s.URL + "/oauth/token", GrantType: clients.ClientCredentials, ClientID: id, AuthMethod: clients.PrivateKeyJWT, Format: clients.FormBody, Scope: "a",
		Key: clients.ClientKey{PEM: clients.NewSecret(inPEM(key)), ID: keyID, Algorithm: algorithm, Audience: s.audience()},
	}
}

// keyServers start a server with a registered key, for the client credentials grant.
var keyServers = map[string]func(t *testing.T, registered client, algorithm string, key crypto.Signer) *server{
	"fosite": oryWithKey, "oidc-provider": oidcProviderWithKey,
}

// tested reports whether a test with the algorithm runs: one for each server, or with IXTOKEN_SOAK, all that the server knows.
func tested(server, algorithm string) bool {
	switch {
	case server == "fosite" && algorithm == "EdDSA", server == "zitadel" && !slices.Contains([]string{"RS256", "PS256", "ES256"}, algorithm):
		return false // the server does not know it
	case os.Getenv("IXTOKEN_SOAK") != "" || server == "fosite":
		return true
	}
	return algorithm == map[string]string{"oidc-provider": "EdDSA", "zitadel": "ES256"}[server]
}

func TestASignedAssertionObtainsAToken(t *testing.T) {
	for name, start := range keyServers {
		for algorithm, kind := range kindFor {
			if !tested(name, algorithm) {
				continue
			}
			t.Run(name+"/"+algorithm, func(t *testing.T) {
				key := keys[kind]()
				s := start(t, plain, algorithm, key)
				c := clients.New(clients.Options{})
				for range 2 { // each assertion has an ID of its own
					token, err := c.Token(t.Context(), signedBy(s, plain.id, algorithm, key), 0)
					if err != nil || token.AccessToken.IsZero() || token.Scope != "a" {
						t.Fatal(err, token.Scope)
					}
					if !c.Discard(signedBy(s, plain.id, algorithm, key), token) {
						t.Error("the token is not replaced")
					}
				}
				s.wantRequests(t, 2)
			})
		}
	}
}

// A key that the server does not know is one request for all scopes, and the next key in its file is another one.
func TestAKeyThatIsNotRegistered(t *testing.T) {
	for name, start := range keyServers {
		t.Run(name, func(t *testing.T) {
			s := start(t, plain, "ES256", keys["P-256"]())
			c, grant := clients.New(clients.Options{}), signedBy(s, plain.id, "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))
			for _, scope := range []string{"a", "b", "a b"} {
				grant.Scope = scope
				_, err := c.Token(t.Context(), grant, 0)
				wantKind(t, err, clients.CredentialsRejected)
			}
			s.wantRequests(t, 1)
			if _, err := c.Token(t.Context(), signedBy(s, plain.id, "ES256", keys["P-256"]()), 0); err != nil {
				t.Error(err)
			}
		})
	}
}

// These servers accept an assertion once. Its second use is named, and rejects nothing.
func TestAnAssertionIsAcceptedOnce(t *testing.T) {
	for name, start := range keyServers {
		t.Run(name, func(t *testing.T) {
			s, file := start(t, plain, "ES256", keys["P-256"]()), filepath.Join(t.TempDir(), "assertion")
			c := clients.New(clients.Options{})
			grant := clients.OAuth2{
				TokenURL: s.URL + "/oauth/token", GrantType: clients.ClientCredentials, ClientID: plain.id, AuthMethod: clients.PrivateKeyJWT,
				Format: clients.FormBody, Assertion: clients.IdentitySource{File: file},
			}
			for round := range 2 {
				if err := os.WriteFile(file, []byte(assertionOf(t, s.audience(), keys["P-256"]())), 0o600); err != nil {
					t.Fatal(err)
				}
				grant.Scope = "a"
				token, err := c.Token(t.Context(), grant, 0)
				if err != nil {
					t.Fatal(round, err)
				}
				c.Discard(grant, token)
				grant.Scope = "b"
				_, err = c.Token(t.Context(), grant, 0)
				wantKind(t, err, clients.AssertionUsed)
			}
			s.wantRequests(t, 4)
		})
	}
}

// assertionOf signs an assertion with another library, as a pipeline does.
func assertionOf(t *testing.T, audience string, key crypto.Signer) string {
	t.Helper()
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, nil))
	now := time.Now().Unix()
	return must(jwt.Signed(signer).Claims(map[string]any{"iss": plain.id, "sub": plain.id, "aud": audience, "jti": rand.Text(), "iat": now, "exp": now + 300}).Serialize())
}

// A certificate authenticates its client: by its subject and an authority, or by itself. Another one is one request.
func TestACertificateObtainsAToken(t *testing.T) {
	for name, selfSigned := range map[string]bool{"by its authority": false, "by itself": true} {
		t.Run(name, func(t *testing.T) {
			key, other := keys["RSA"](), keys["P-256"]()
			s := oidcProviderWithCertificate(t, plain, certificateOf(t, key, "client-1"), selfSigned)
			c := clients.New(clients.Options{RootCAs: s.roots()})
			grant := func(key crypto.Signer, subject string) clients.OAuth2 {
				return clients.OAuth2{
					TokenURL: s.URL + "/oauth/token", GrantType: clients.ClientCredentials, ClientID: plain.id, AuthMethod: clients.TLSClientAuth, Format: clients.FormBody, Scope: "a",
					Certificate: clients.ClientCertificate{PEM: clients.NewSecret(certificatePEM(certificateOf(t, key, subject))), KeyPEM: clients.NewSecret(inPEM(key))},
				}
			}
			wrong := grant(other, "client-2")
			for _, scope := range []string{"a", "b", "a"} {
				wrong.Scope = scope
				_, err := c.Token(t.Context(), wrong, 0)
				wantKind(t, err, clients.CredentialsRejected)
			}
			s.wantRequests(t, 1)
			if _, err := c.Token(t.Context(), grant(key, "client-1"), 0); err != nil {
				t.Error(err)
			}
			s.wantRequests(t, 1)
		})
	}
}

// certificates are those that were made, so that each is the same at each call.
var certificates = map[string]*x509.Certificate{}

func certificateOf(t *testing.T, key crypto.Signer, subject string) *x509.Certificate {
	t.Helper()
	if made := certificates[subject]; made != nil {
		return made
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: subject}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	certificates[subject] = must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))))
	return certificates[subject]
}

func certificatePEM(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

// roots returns the authorities that the server's own certificate needs.
func (s *server) roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}

const keyConfiguration = `
terraform {
  required_providers {
    ixtoken = { source = "ixtoken/ixtoken" }
  }
}
ephemeral "oauth2_access_token" "t" {
  provider                = ixtoken
  scopes                  = ["a"]
  client_key_file         = "${path.module}/../key.pem"
  client_key_id           = "key-1"
  client_signing_audience = "https://issuer.example"
}
resource "terraform_data" "use" {
  provisioner "local-exec" {
    command     = "exit 0"
    environment = { AUTHORIZATION = ephemeral.oauth2_access_token.t.authorization }
  }
}
`

// The provider and the command sign with the key in a file. A key in another place decides, although the environment has a
// client secret.
func TestAKeyInAFileWithTheProgram(t *testing.T) {
	path, plugins := build(t)
	w, err := terraform.Open(filepath.Join(t.TempDir(), "work"), path, plugins)
	if err != nil {
		t.Fatal(err)
	}
	s := oryWithKey(t, plain, "ES256", keys["P-256"]())
	file := filepath.Join(w.Dir, "..", "key.pem")
	if err := errors.Join(w.Write("main.tf", keyConfiguration), os.WriteFile(file, []byte(inPEM(keys["P-256"]())), 0o600)); err != nil {
		t.Fatal(err)
	}
	w.Env = []string{"OAUTH2_TOKEN_URL=" + s.URL + "/oauth/token", "OAUTH2_CLIENT_ID=" + plain.id, "OAUTH2_CLIENT_SECRET=wrong"}
	result, err := w.Run(t.Context(), "apply", "-auto-approve", "-no-color")
	if err != nil || result.Status != 0 {
		t.Fatalf("error %v, status %d:\n%s%s", err, result.Status, result.Stdout, result.Stderr)
	}
	s.wantRequests(t, 2)
	command := exec.CommandContext(t.Context(), filepath.Join(plugins, "terraform-provider-ixtoken"+terraform.Suffix), "token", "oauth2",
		"--client-key-file", file, "--client-key-id", keyID, "--client-signing-audience", issuer, "--scopes", "a")
	command.Env = append(os.Environ(), w.Env...)
	if out, err := command.CombinedOutput(); err != nil || len(out) < 20 {
		t.Errorf("error %v:\n%s", err, out)
	}
	s.wantRequests(t, 1)
}
