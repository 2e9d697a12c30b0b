// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache/s3test"
)

// keyOf returns a private key of a kind, the same one for the same name. An RSA key takes long to generate.
func keyOf(kind, name string) crypto.Signer {
	keysMade.Lock()
	defer keysMade.Unlock()
	made, ok := keysMade.all[kind+name]
	if !ok {
		var err error
		switch kind {
		case "RSA":
			made, err = rsa.GenerateKey(rand.Reader, 2048)
		case "Ed25519":
			_, made, err = ed25519.GenerateKey(rand.Reader)
		default:
			made, err = ecdsa.GenerateKey(map[string]elliptic.Curve{"P-224": elliptic.P224(), "P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[kind], rand.Reader)
		}
		if err != nil {
			panic(err)
		}
		keysMade.all[kind+name] = made
	}
	return made
}

var keysMade = struct {
	sync.Mutex
	all map[string]crypto.Signer
}{all: map[string]crypto.Signer{}}

// pemOf returns blocks in PEM: a type, its content, and so on.
func pemOf(blocks ...any) string {
	var text strings.Builder
	for i := 0; i < len(blocks); i += 2 {
		_ = pem.Encode(&text, &pem.Block{Type: blocks[i].(string), Bytes: blocks[i+1].([]byte)})
	}
	return text.String()
}

func pkcs8(key crypto.Signer) Secret {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return NewSecret(pemOf("PRIVATE KEY", der))
}

// certificateOf returns a certificate of a key in DER, signed with that of an authority.
func certificateOf(t testing.TB, key, authority crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client-1"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), authority)
	must(t, err)
	return der
}

// proven returns a grant whose client has no secret. change adds what it authenticates with.
func (p *fakePlatform) proven(change func(*OAuth2)) OAuth2 {
	g := OAuth2{TokenURL: p.url + provenPath, GrantType: ClientCredentials, ClientID: "client-1", AuthMethod: PrivateKeyJWT, Format: FormBody}
	change(&g)
	return g
}

func (p *fakePlatform) signing(key crypto.Signer) OAuth2 {
	return p.proven(func(g *OAuth2) { g.Key.PEM = pkcs8(key) })
}

func (p *fakePlatform) asserting(source IdentitySource) OAuth2 {
	return p.proven(func(g *OAuth2) { g.Assertion = source })
}

// claimsSent verifies the assertion in the last request, and returns its header and its claims.
func (p *fakePlatform) claimsSent(key crypto.Signer) (header, claims map[string]any) {
	p.t.Helper()
	all := p.seen("")
	token, err := jwt.Parse(all[len(all)-1].fields["client_assertion"], func(*jwt.Token) (any, error) { return key.Public(), nil })
	if err != nil {
		p.t.Fatal(err)
	}
	claims, _ = token.Claims.(jwt.MapClaims)
	return token.Header, claims
}

// An assertion is signed as RFC 7523 and OpenID Connect say, with each kind of key, in each form.
func TestWhatIsSigned(t *testing.T) {
	pkcs1 := func(key crypto.Signer) Secret {
		return NewSecret(pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey))))
	}
	sec1 := func(key crypto.Signer) Secret {
		der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
		must(t, err)
		return NewSecret("any text before\n" + pemOf("EC PARAMETERS", []byte{6, 8}, "EC PRIVATE KEY", der))
	}
	for kind, algorithms := range map[string][]string{
		"RSA":   {"", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
		"P-256": {"", "ES256"}, "P-384": {"", "ES384"}, "P-521": {"", "ES512"}, "Ed25519": {"", "EdDSA"},
	} {
		key := keyOf(kind, "")
		forms := []Secret{pkcs8(key)}
		switch kind {
		case "RSA":
			forms = append(forms, pkcs1(key))
		case "Ed25519":
		default:
			forms = append(forms, sec1(key))
		}
		for _, algorithm := range algorithms {
			for _, form := range forms {
				p := onLoopback(t, grantsToken("t-1"))
				grant := p.proven(func(g *OAuth2) { g.Key = ClientKey{PEM: form, Algorithm: algorithm} })
				gets(t, p.client(Options{}), grant, "t-1")
				header, claims := p.claimsSent(key)
				want := algorithm
				if want == "" {
					want = algorithmOf(key)
				}
				id, _ := claims["jti"].(string)
				issued, _ := claims["iat"].(float64)
				expires, _ := claims["exp"].(float64)
				if header["alg"] != want || len(header) != 2 || claims["iss"] != "client-1" || claims["sub"] != "client-1" || claims["aud"] != p.url+provenPath ||
					len(id) < 22 || expires-issued != 60 || time.Since(time.Unix(int64(issued), 0)).Abs() > time.Minute || len(claims) != 6 {
					t.Errorf("%s, %q: header %v, claims %v", kind, algorithm, header, claims)
				}
			}
		}
	}
}

// The header names the key and its certificate, and the settings name the audience.
func TestWhatTheHeaderNames(t *testing.T) {
	p, key := onLoopback(t, grantsToken("t-1")), keyOf("RSA", "")
	der := certificateOf(t, key, key)
	file := filepath.Join(t.TempDir(), "certificate.pem")
	write(t, file, []byte(pemOf("PRIVATE KEY", []byte("of the same file"), "CERTIFICATE", der)))
	for _, settings := range []ClientKey{{CertificatePEM: NewSecret(pemOf("CERTIFICATE", der))}, {CertificateFile: file}} {
		settings.PEM, settings.ID, settings.Audience = pkcs8(key), "key 1", "https://login.example/"
		gets(t, p.client(Options{}), p.proven(func(g *OAuth2) { g.Key = settings }), "t-1")
		header, claims := p.claimsSent(key)
		short, long := sha1.Sum(der), sha256.Sum256(der)
		encode := base64.RawURLEncoding.EncodeToString
		if header["kid"] != "key 1" || header["x5t"] != encode(short[:]) || header["x5t#S256"] != encode(long[:]) || claims["aud"] != "https://login.example/" {
			t.Errorf("header %v, claims %v", header, claims)
		}
	}
}

// Each attempt has an assertion of its own.
func TestEachAttemptSignsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, rejectsWith(503), rejectsWith(503), grantsToken("t-1"))
		gets(t, p.client(Options{}), p.signing(keyOf("P-256", "")), "t-1")
		seen := map[any]bool{}
		for _, r := range p.seen("") {
			claims := jwt.MapClaims{}
			_, _, err := jwt.NewParser().ParseUnverified(r.fields["client_assertion"], claims)
			must(t, err)
			seen[claims["jti"]] = true
		}
		if len(seen) != 3 {
			t.Errorf("3 requests had assertions with %d IDs", len(seen))
		}
	})
}

func rejectsWith(status int) http.HandlerFunc { return says(status, "") }

// What cannot be used is an error that names it. Nothing is sent, and the error is not kept: the file may be mended.
func TestAKeyThatCannotBeUsedIsNamed(t *testing.T) {
	key, other := keyOf("P-256", ""), keyOf("P-256", "other")
	der := func(kind string) []byte {
		block, _ := pem.Decode([]byte(pkcs8(keyOf(kind, "")).Reveal()))
		return block.Bytes
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	agreement, err := ecdh.X25519().GenerateKey(rand.Reader)
	must(t, err)
	exchangeKey, err := x509.MarshalPKCS8PrivateKey(agreement)
	must(t, err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	must(t, err)
	certificate := certificateOf(t, key, key)
	good := pkcs8(key).Reveal()
	for name, row := range map[string]struct{ content, want string }{
		"empty":                    {" \n", "is empty"},
		"text":                     {"hunter2-CANARY", `holds no private key in PEM, which begins with "-----BEGIN"`},
		"JSON":                     {` {"kty":"EC","d":"CANARY"}`, "is JSON, such as a JSON Web Key"},
		"no line breaks":           {strings.ReplaceAll(good, "\n", " "), "has no line breaks"},
		"line breaks as text":      {strings.ReplaceAll(good, "\n", `\n`), "has no line breaks"},
		"cut":                      {good[:len(good)-30], "is damaged"},
		"public":                   {pemOf("PUBLIC KEY", public), "is a public key: use the private key"},
		"a certificate":            {pemOf("CERTIFICATE", certificate), "is a certificate: use its private key"},
		"encrypted":                {pemOf("ENCRYPTED PRIVATE KEY", []byte("x")), "is encrypted with a password"},
		"encrypted in the old way": {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "is encrypted with a password"},
		"OpenSSH":                  {pemOf("OPENSSH PRIVATE KEY", []byte("x")), "ssh-keygen -p -m PKCS8"},
		"damaged":                  {pemOf("PRIVATE KEY", []byte("CANARY")), "holds a PRIVATE KEY that cannot be read"},
		"two":                      {good + good, "holds more than one private key"},
		"a small RSA key":          {pkcs8(small).Reveal(), "is an RSA key of 1024 bits"},
		"another curve":            {pemOf("PRIVATE KEY", der("P-224")), "is a key on the curve P-224"},
		"a key that cannot sign":   {pemOf("PRIVATE KEY", exchangeKey), "is a key that cannot sign"},
	} {
		t.Run(name, func(t *testing.T) {
			p := onLoopback(t, grantsToken("t-1"))
			file := filepath.Join(t.TempDir(), "key.pem")
			write(t, file, []byte(row.content))
			c := p.client(Options{})
			for _, settings := range []ClientKey{{File: file}, {PEM: NewSecret(row.content)}} {
				_, err := c.Token(t.Context(), p.proven(func(g *OAuth2) { g.Key = settings }), 0)
				if fault := failed(t, err); fault.Kind != NoClientKey && fault.Kind != InvalidInput || !fault.Unsent() || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "CANARY") {
					t.Errorf("%v; want %q", err, row.want)
				}
			}
			p.sent(0, "")
			write(t, file, []byte(good))
			gets(t, c, p.proven(func(g *OAuth2) { g.Key.File = file }), "t-1")
		})
	}
	p := onLoopback(t, grantsToken("t-1"))
	for want, settings := range map[string]ClientKey{
		"client_signing_alg RS256 does not fit the client key, which signs with ES256":        {PEM: pkcs8(key), Algorithm: "RS256"},
		"the certificate of the client key is not the certificate of the key":                 {PEM: pkcs8(key), CertificatePEM: NewSecret(pemOf("CERTIFICATE", certificateOf(t, other, other)))},
		"the certificate of the client key has the certificate of the key behind another one": {PEM: pkcs8(key), CertificatePEM: NewSecret(pemOf("CERTIFICATE", certificateOf(t, other, other), "CERTIFICATE", certificate))},
		`the certificate of the client key in the file "missing" cannot be read`:              {PEM: pkcs8(key), CertificateFile: "missing"},
	} {
		_, err := p.client(Options{}).Token(t.Context(), p.proven(func(g *OAuth2) { g.Key = settings }), 0)
		if fault := failed(t, err); !fault.Unsent() || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	p.sent(0, "")
}

// A rejected key is sent once for all scopes, whether it comes from a file or not. A key that replaces it is another one.
func TestARejectedKeyIsSentOnce(t *testing.T) {
	p := onLoopback(t, rejects("invalid_client"))
	file, c := filepath.Join(t.TempDir(), "key.pem"), p.client(Options{})
	for want, name := range []string{"", "other"} {
		write(t, file, []byte(pkcs8(keyOf("P-256", name)).Reveal()))
		for _, scope := range []string{"a", "b", "a", "c"} {
			for _, settings := range []ClientKey{{File: file}, {File: file, Algorithm: "ES256"}, {PEM: pkcs8(keyOf("P-256", name))}} {
				_, err := c.Token(t.Context(), p.proven(func(g *OAuth2) { g.Scope, g.Key = scope, settings }), 0)
				fault := failed(t, err)
				if fault.Kind != CredentialsRejected || !strings.Contains(err.Error(), "sent: private_key_jwt, signed here with ES256, aud ") {
					t.Error(err)
				}
			}
		}
		p.sent(want+1, "")
	}
}

// A key that is replaced in its file signs the next request, and needs no new settings.
func TestAReplacedKeySigns(t *testing.T) {
	p := onLoopback(t, says(200, `{"access_token":"t-1","expires_in":0}`))
	file, c := filepath.Join(t.TempDir(), "key.pem"), p.client(Options{})
	for _, kind := range []string{"P-256", "Ed25519", "RSA"} {
		write(t, file, []byte(pkcs8(keyOf(kind, "")).Reveal()))
		gets(t, c, p.proven(func(g *OAuth2) { g.Key.File = file }), "t-1")
		p.claimsSent(keyOf(kind, ""))
	}
}

// What tells keys apart tells tokens apart, and nothing else does. So all assertions of a client share one token.
func TestTokensOfAKeyAreShared(t *testing.T) {
	key, dir := keyOf("P-256", ""), t.TempDir()
	file := filepath.Join(dir, "key.pem")
	write(t, file, []byte(pkcs8(key).Reveal()))
	cacheDir := filepath.Join(dir, "cache")
	p := onLoopback(t, grantsToken("t-1"))
	for range 3 {
		gets(t, p.another(cacheDir), p.proven(func(g *OAuth2) { g.Key.File = file }), "t-1")
	}
	p.sent(1, "")
	first := completed(t, p.proven(func(g *OAuth2) { g.Key.File = file }))
	for _, same := range []ClientKey{{File: file, Algorithm: "ES256"}, {File: file, Audience: p.url + provenPath}, {PEM: pkcs8(key)}} {
		if completed(t, p.proven(func(g *OAuth2) { g.Key = same })).key() != first.key() {
			t.Errorf("%v has another key", same)
		}
	}
	for name, other := range map[string]OAuth2{
		"another kid":      p.proven(func(g *OAuth2) { g.Key = ClientKey{File: file, ID: "1"} }),
		"another audience": p.proven(func(g *OAuth2) { g.Key = ClientKey{File: file, Audience: "x"} }),
		"another client":   p.proven(func(g *OAuth2) { g.Key, g.ClientID = ClientKey{File: file}, "client-2" }),
		"another key":      p.signing(keyOf("P-256", "other")),
		"a certificate":    p.proven(func(g *OAuth2) { g.Key, g.Certificate = ClientKey{File: file}, pairOf(t, key) }),
	} {
		if r := completed(t, other); r.key() == first.key() || r.name() == first.name() && r.secretsDigest() == first.secretsDigest() {
			t.Errorf("%s shares the token", name)
		}
	}
}

// completed returns the request for a grant with what it needs from outside.
func completed(t testing.TB, grant Grant) *request {
	t.Helper()
	c := New(Options{})
	r, err := c.request(grant)
	must(t, err)
	complete, fault := c.flights.next.complete(t.Context(), r)
	if fault != nil {
		t.Fatal(fault)
	}
	return complete
}

func pairOf(t testing.TB, key crypto.Signer) ClientCertificate {
	t.Helper()
	return ClientCertificate{PEM: NewSecret(pemOf("CERTIFICATE", certificateOf(t, key, key))), KeyPEM: pkcs8(key)}
}

// No entry of the cache can be read without the private key, and none has it in its name.
func TestEntriesOfAKeyNeedTheKey(t *testing.T) {
	p, dir := onLoopback(t, grantsToken("t-1")), t.TempDir()
	key := keyOf("P-256", "")
	gets(t, p.another(dir), p.signing(key), "t-1")
	gets(t, p.another(dir), p.signing(key), "t-1")
	p.sent(1, "")
	r := completed(t, p.signing(key))
	store := opened(t, dir)
	if _, why, _ := storedResultOf(store.Look(t.Context(), r.cacheKey(store))); why != "" {
		t.Fatal(why)
	}
	for i, secret := range r.secrets {
		without := *r
		without.secrets = slices.Clone(r.secrets)
		without.secrets[i] = NewSecret(secret.Reveal() + "x")
		if _, why, _ := storedResultOf(store.Look(t.Context(), without.cacheKey(store))); why == "" {
			t.Errorf("the entry can be read without secret %d", i)
		}
	}
}

// An assertion that was made elsewhere.

// Each source is read again for each request, and the value is sent without surrounding blanks.
func TestAssertionsOfEachSource(t *testing.T) {
	short := says(200, `{"access_token":"t-1","expires_in":0}`)
	file, environment := filepath.Join(t.TempDir(), "assertion"), variables{}
	for name, row := range map[string]struct {
		source IdentitySource
		set    func(Secret)
	}{
		"variable": {IdentitySource{Variable: "ASSERTION"}, func(s Secret) { environment["ASSERTION"] = s.Reveal() + "\n" }},
		"file":     {IdentitySource{File: file}, func(s Secret) { write(t, file, []byte(s.Reveal()+"\r\n")) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := onLoopback(t, short)
			c := p.client(Options{Getenv: environment.get})
			for _, id := range []string{"1", "2"} {
				assertion := idToken(t, map[string]any{"jti": id})
				row.set(assertion)
				gets(t, c, p.asserting(row.source), "t-1")
				if all := p.seen(""); all[len(all)-1].fields["client_assertion"] != assertion.Reveal() {
					t.Error("another assertion was sent than the source has")
				}
			}
			p.sent(2, "")
		})
	}
}

// An assertion that has ended, or that is none, is not sent. The error names its claims, and may pass if its source may have
// another one.
func TestAnAssertionThatHasEndedIsNotSent(t *testing.T) {
	p, environment := onLoopback(t, grantsToken("t-1")), variables{}
	ended := idToken(t, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()})
	environment["ASSERTION"] = ended.Reveal()
	for _, source := range []IdentitySource{{Token: ended}, {Variable: "ASSERTION"}, {Variable: "MISSING"}, {File: "missing"}, {Token: NewSecret("opaque")}} {
		_, err := p.client(Options{Getenv: environment.get}).Token(t.Context(), p.asserting(source), 0)
		fault := failed(t, err)
		if !fault.Unsent() || fault.Temporary() != source.Token.IsZero() {
			t.Errorf("%v: may pass: %t", err, fault.Temporary())
		}
		if fault.Identity != "" && !strings.Contains(err.Error(), `(iss "https://issuer.example", aud "lab", sub "job-1")`) {
			t.Error(err)
		}
	}
	p.sent(0, "")
}

// If the outcome of a request is unknown, nothing else that carries its assertion is sent: not for another scope, not in a
// refresh, and not by another process. Another assertion is.
func TestAnAssertionOfUnknownOutcomeIsNotRepeated(t *testing.T) { // S33
	for name, lost := range map[string]http.HandlerFunc{"reset": resets, "502": rejectsWith(502), "cut": writes("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")} {
		t.Run(name, func(t *testing.T) {
			p, dir := onLoopback(t, lost, grantsToken("t-2")), t.TempDir()
			file := filepath.Join(dir, "assertion")
			write(t, file, []byte(idToken(t, map[string]any{"jti": "1"}).Reveal()))
			grant := p.asserting(IdentitySource{File: file})
			scoped, refresh := grant, grant
			scoped.Scope = "a"
			refresh.GrantType, refresh.RefreshToken = RefreshToken, NewSecret(refreshToken)
			same, caches := p.another(filepath.Join(dir, "cache")), filepath.Join(dir, "cache")
			_, err := same.Token(t.Context(), grant, 0)
			if fault := failed(t, err); fault.Unsent() || fault.Kind.rejectsCredentials() {
				t.Error(err)
			}
			for _, c := range []*Client{same, p.another(caches)} {
				for _, other := range []Grant{scoped, refresh} {
					_, err := c.Token(t.Context(), other, 0)
					if fault := failed(t, err); fault.Kind != NoAssertion || !strings.Contains(err.Error(), "an earlier request with this client assertion got no answer") {
						t.Error(err)
					}
				}
			}
			p.sent(1, "")
			write(t, file, []byte(idToken(t, map[string]any{"jti": "2"}).Reveal()))
			gets(t, same, scoped, "t-2")
			p.sent(2, "")
		})
	}
}

// An answer that did not act on a request leaves its assertion as it was.
func TestAnAssertionThatWasNotActedOnIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, rejectsWith(429), grantsToken("t-1"))
		gets(t, p.client(Options{}), p.asserting(IdentitySource{Token: idToken(t, nil)}), "t-1")
		p.sent(2, "")
	})
}

// A server that accepts an assertion once says invalid_client to its second use. That rejects nothing: the words say what
// happened, and the next assertion is sent.
func TestAnAssertionThatWasUsedRejectsNothing(t *testing.T) { // S33
	for name, refusal := range map[string]http.HandlerFunc{
		"invalid_client": rejects("invalid_client"), "401": rejectsWith(401), "Keycloak": says(401, `{"error":"unauthorized_client"}`), "fosite": rejects("jti_known"),
	} {
		t.Run(name, func(t *testing.T) {
			p := onLoopback(t, grantsToken("t-1"), refusal, grantsToken("t-3"))
			file := filepath.Join(t.TempDir(), "assertion")
			write(t, file, []byte(idToken(t, map[string]any{"jti": "1"}).Reveal()))
			c, grant := p.client(Options{}), p.asserting(IdentitySource{File: file})
			gets(t, c, grant, "t-1")
			scoped := grant
			scoped.Scope = "a"
			for range 3 {
				_, err := c.Token(t.Context(), scoped, 0)
				if fault := failed(t, err); fault.Kind != AssertionUsed || fault.Unsent() || fault.Temporary() {
					t.Error(fault.Kind, err)
				}
			}
			p.sent(2, "")
			write(t, file, []byte(idToken(t, map[string]any{"jti": "2"}).Reveal()))
			gets(t, c, scoped, "t-3")
		})
	}
}

// A rejected assertion is sent once for all scopes, also by another process. Another one in its place is sent.
func TestARejectedAssertionIsSentOnce(t *testing.T) {
	p, dir := onLoopback(t, rejects("invalid_client")), t.TempDir()
	file, caches := filepath.Join(dir, "assertion"), filepath.Join(dir, "cache")
	for round := range 2 {
		write(t, file, []byte(idToken(t, map[string]any{"jti": fmt.Sprint(round)}).Reveal()))
		for _, c := range []*Client{p.another(caches), p.another(caches)} {
			_, err := c.Token(t.Context(), p.asserting(IdentitySource{File: file}), 0)
			if fault := failed(t, err); fault.Kind != CredentialsRejected || !strings.Contains(err.Error(), "sent: private_key_jwt; ") && !strings.Contains(err.Error(), "to another process") {
				t.Error(err)
			}
		}
		p.sent(round+1, "")
	}
	given, c := p.asserting(IdentitySource{Token: idToken(t, nil)}), p.client(Options{})
	for _, scope := range []string{"a", "b", "a"} {
		given.Scope = scope
		_, err := c.Token(t.Context(), given, 0)
		if fault := failed(t, err); fault.Kind != CredentialsRejected {
			t.Error(err)
		}
	}
	p.sent(3, "")
}

// All assertions of one identity share a token in a process, and those of two do not.
func TestTokensOfAnAssertionAreShared(t *testing.T) {
	file := filepath.Join(t.TempDir(), "assertion")
	keyWith := func(change map[string]any) digest {
		write(t, file, []byte(idToken(t, change).Reveal()))
		return completed(t, (&fakePlatform{url: "http://127.0.0.1:1"}).asserting(IdentitySource{File: file})).key()
	}
	first := keyWith(map[string]any{"jti": "1"})
	if keyWith(map[string]any{"jti": "2"}) != first {
		t.Error("each assertion has a token of its own")
	}
	if keyWith(map[string]any{"sub": "job-2"}) == first || keyWith(map[string]any{"iss": "https://other.example"}) == first {
		t.Error("two identities share a token")
	}
}

// No error repeats an assertion or a key, whatever the server echoes.
func TestNoErrorRepeatsAnAssertion(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		text, _ := json.Marshal(map[string]string{"error": "invalid_client", "error_description": "no: " + r.FormValue("client_assertion")})
		says(400, string(text))(w, r)
	}
	p := onLoopback(t, echo)
	for _, grant := range []OAuth2{p.signing(keyOf("P-256", "")), p.asserting(IdentitySource{Token: idToken(t, nil)})} {
		_, err := p.client(Options{}).Token(t.Context(), grant, 0)
		failed(t, err)
		all := p.seen("")
		for part := range strings.SplitSeq(all[len(all)-1].fields["client_assertion"], ".") {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%v", err)
			}
		}
	}
}

// In a token exchange.

func (p *fakePlatform) exchanging(change func(*OAuth2)) OAuth2 {
	return p.proven(func(g *OAuth2) {
		g.GrantType, g.Identity = TokenExchange, IdentitySource{Token: idToken(p.t, map[string]any{"sub": "subject"})}
		change(g)
	})
}

// A token exchange authenticates its client in each way.
func TestATokenExchangeAuthenticatesItsClient(t *testing.T) {
	key := keyOf("P-256", "")
	for name, change := range map[string]func(*OAuth2){
		"the ID alone":  func(g *OAuth2) { g.AuthMethod = NoAuthentication },
		"a key":         func(g *OAuth2) { g.Key.PEM = pkcs8(key) },
		"an assertion":  func(g *OAuth2) { g.Assertion.Token = idToken(t, nil) },
		"a certificate": func(g *OAuth2) { g.AuthMethod, g.Certificate = TLSClientAuth, pairOf(t, key) },
	} {
		t.Run(name, func(t *testing.T) {
			p := onLoopback(t, grantsToken("t-1"))
			gets(t, p.client(Options{}), p.exchanging(change), "t-1")
			sent := p.seen("")[0].fields
			if sent["grant_type"] != exchangeGrantType || !strings.HasSuffix(sent["subject_token"], "."+idSignature) {
				t.Errorf("no token exchange was sent")
			}
			_, asserts := sent["client_assertion"]
			if asserts != (name == "a key" || name == "an assertion") {
				t.Errorf("an assertion was sent: %t", asserts)
			}
		})
	}
}

// invalid_client rejects the client for all identity tokens, and says how it has authenticated. invalid_grant rejects the
// identity token alone.
func TestWhoIsRejectedInATokenExchange(t *testing.T) {
	key := keyOf("P-256", "")
	other := IdentitySource{Token: idToken(t, map[string]any{"sub": "another"})}
	for code, want := range map[string]int{"invalid_client": 1, "invalid_grant": 2, "invalid_request": 2} {
		p := onLoopback(t, rejects(code))
		c := p.client(Options{})
		for _, identity := range []IdentitySource{{}, {}, other, other} {
			_, err := c.Token(t.Context(), p.exchanging(func(g *OAuth2) {
				g.Key.PEM = pkcs8(key)
				if !identity.IsZero() {
					g.Identity = identity
				}
			}), 0)
			fault := failed(t, err)
			if fault.Kind != CredentialsRejected || (fault.Client != "") != (code == "invalid_client") || fault.Hint == ClientWanted {
				t.Errorf("%s: %v, hint %d", code, err, fault.Hint)
			}
		}
		p.sent(want, "")
	}
}

// An identity token whose exchange got no answer is not sent again, although the assertion beside it is a new one.
func TestAnIdentityTokenIsNotRepeatedWithAnotherAssertion(t *testing.T) {
	p, dir := onLoopback(t, resets), t.TempDir()
	file, identity := filepath.Join(dir, "assertion"), idToken(t, map[string]any{"sub": "subject"})
	for round := range 3 { // each in another process: one process remembers the failure
		write(t, file, []byte(idToken(t, map[string]any{"jti": fmt.Sprint(round)}).Reveal()))
		_, err := p.another(filepath.Join(dir, "cache")).Token(t.Context(), p.exchanging(func(g *OAuth2) {
			g.Identity.Token, g.Assertion.File = identity, file
		}), 0)
		if fault := failed(t, err); (fault.Kind == NoIdentityToken) != (round > 0) {
			t.Error(err)
		}
	}
	p.sent(1, "")
}

// A refresh that nobody asked for authenticates its client as the first request did.
func TestARefreshIsSignedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, grantsToken("t-1", `,"refresh_token":"r-1"`), grantsToken("t-2"))
		c, grant := p.client(Options{}), p.signing(keyOf("P-256", ""))
		gets(t, c, grant, "t-1")
		<-time.After(2 * time.Hour)
		gets(t, c, grant, "t-2")
		p.sent(2, "")
		if sent := p.seen("")[1].fields; sent["grant_type"] != RefreshToken || sent["client_assertion"] == "" || sent["client_assertion"] == p.seen("")[0].fields["client_assertion"] {
			t.Error("the refresh has no assertion of its own")
		}
		p.claimsSent(keyOf("P-256", ""))
	})
}

// In a bucket, the mark of an assertion holds for other machines. A token of an assertion is not there, because only its job
// could read it. A token of a key is.
func TestAssertionsAndKeysInABucket(t *testing.T) {
	inFleet(t, func(t *testing.T, storage *s3test.Storage) {
		p := inMemory(t, rejectsWith(502), grantsToken("t-2"))
		given := p.asserting(IdentitySource{Token: idToken(t, nil)})
		_, err := p.machine(storage).Token(t.Context(), given, 0)
		failed(t, err)
		given.Scope = "a"
		_, err = p.machine(storage).Token(t.Context(), given, 0)
		if fault := failed(t, err); fault.Kind != NoAssertion {
			t.Error(err)
		}
		p.sent(1, "")
		for range 3 {
			gets(t, p.machine(storage), p.signing(keyOf("P-256", "")), "t-2")
		}
		p.sent(2, "")
	})
}
