// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionOf signs an assertion of the client, with changed headers and claims.
func assertionOf(t *testing.T, s *simulator.Simulator, header, claims map[string]any) string {
	t.Helper()
	block, _ := pem.Decode([]byte(s.Client().KeyPEM))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	id, now := s.OAuth2.Credentials().ClientID, time.Now().Unix()
	head := map[string]any{"alg": "ES256", "typ": "JWT", "kid": s.Client().KeyID}
	body := map[string]any{"iss": id, "sub": id, "aud": s.OAuth2.URL() + "/realms/lab/token", "jti": rand.Text(), "iat": now, "exp": now + 60}
	maps.Copy(head, header)
	maps.Copy(body, claims)
	text := part(t, head) + "." + part(t, body)
	digest := sha256.Sum256([]byte(text))
	r, v, err := ecdsa.Sign(rand.Reader, key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...))
}

func part(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// An assertion of the client's key or of the pipeline's identity provider is accepted once, if everything in it is right.
func TestOAuth2AcceptsAssertions(t *testing.T) {
	s := start(t, simulator.Options{})
	federated := func(audience, subject string, lifetime time.Duration) string {
		text, err := s.Issuer.TokenFor(audience, subject, lifetime)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	signed := func(header, claims map[string]any) string { return assertionOf(t, s, header, claims) }
	now := time.Now().Unix()
	good := signed(nil, nil)
	for name, row := range map[string]struct {
		assertion string
		more      []string
		code      string
	}{
		"signed by the key":      {signed(nil, nil), nil, ""},
		"without kid":            {signed(map[string]any{"kid": nil}, nil), nil, ""},
		"of the pipeline":        {federated(simulator.Audience, simulator.Subject, time.Minute), nil, ""},
		"another kid":            {signed(map[string]any{"kid": "other"}, nil), nil, "invalid_client"},
		"another certificate":    {signed(map[string]any{"x5t#S256": "other"}, nil), nil, "invalid_client"},
		"another algorithm":      {signed(map[string]any{"alg": "ES384"}, nil), nil, "invalid_client"},
		"another signature":      {good[:strings.LastIndex(good, ".")+1] + strings.Repeat("A", 86), nil, "invalid_client"},
		"another audience":       {signed(nil, map[string]any{"aud": s.OAuth2.URL()}), nil, "invalid_client"},
		"a list of audiences":    {signed(nil, map[string]any{"aud": []string{s.OAuth2.URL() + "/realms/lab/token"}}), nil, "invalid_client"},
		"another subject":        {signed(nil, map[string]any{"sub": "other"}), nil, "invalid_client"},
		"ended":                  {signed(nil, map[string]any{"exp": now - 1}), nil, "invalid_client"},
		"too long":               {signed(nil, map[string]any{"exp": now + 3600}), nil, "invalid_client"},
		"from the future":        {signed(nil, map[string]any{"iat": now + 120}), nil, "invalid_client"},
		"without an ID":          {signed(nil, map[string]any{"jti": ""}), nil, "invalid_client"},
		"no assertion":           {"x", nil, "invalid_client"},
		"of another pipeline":    {federated(simulator.Audience, "repo:other", time.Minute), nil, "invalid_client"},
		"for another audience":   {federated("other", simulator.Subject, time.Minute), nil, "invalid_client"},
		"of the pipeline, ended": {federated(simulator.Audience, simulator.Subject, -time.Minute), nil, "invalid_client"},
		"another type":           {signed(nil, nil), []string{"client_assertion_type", "urn:other"}, "invalid_client"},
		"another client":         {signed(nil, nil), []string{"client_id", "other"}, "invalid_client"},
		"a secret too":           {signed(nil, nil), []string{"client_secret", s.OAuth2.Credentials().ClientSecret}, "invalid_request"},
	} {
		fields := []string{"grant_type", "client_credentials", "client_id", s.OAuth2.Credentials().ClientID, "client_assertion_type", assertionType, "client_assertion", row.assertion}
		for i := 0; i < len(row.more); i += 2 {
			fields = set(fields, row.more[i], row.more[i+1])
		}
		for _, again := range []bool{false, true} {
			want := row.code
			if again && want == "" {
				want = "invalid_client"
			}
			r := send(t, http.MethodPost, s.OAuth2.URL()+"/realms/lab/token", form(fields...), headers("Content-Type", formType))
			if code, _ := r.members(t)["error"].(string); code != want {
				t.Errorf("%s: code %q, want %q", name, code, want)
			}
		}
	}
	if got := len(s.Asserted()); got == 0 {
		t.Error("no assertion was recorded")
	}
}

// The certificate of the connection authenticates the client, and a token exchange may have a client or none.
func TestOAuth2AcceptsACertificate(t *testing.T) {
	s := start(t, simulator.Options{})
	client := s.Client()
	pair, err := tls.X509KeyPair([]byte(client.CertificatePEM), []byte(client.KeyPEM))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(client.CAPEM))
	id := s.OAuth2.Credentials().ClientID
	for name, row := range map[string]struct {
		certificates []tls.Certificate
		fields       []string
		status       int
	}{
		"the certificate":         {[]tls.Certificate{pair}, []string{"client_id", id}, 200},
		"no certificate":          {nil, []string{"client_id", id}, 400},
		"another client":          {[]tls.Certificate{pair}, []string{"client_id", "other"}, 400},
		"no client":               {[]tls.Certificate{pair}, nil, 400},
		"beside a secret":         {[]tls.Certificate{pair}, []string{"client_id", id, "client_secret", s.OAuth2.Credentials().ClientSecret}, 200},
		"beside a wrong secret":   {[]tls.Certificate{pair}, []string{"client_id", id, "client_secret", "wrong"}, 400},
		"the public client alone": {nil, []string{"client_id", client.PublicID}, 400},
	} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: row.certificates, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, client.MutualURL, strings.NewReader(form(append(row.fields, "grant_type", "client_credentials")...)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", formType)
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != row.status {
			t.Errorf("%s: status %d, want %d", name, response.StatusCode, row.status)
		}
	}
}

// A token exchange may have a client that authenticates, a public one, or none.
func TestOAuth2ExchangesWithAClient(t *testing.T) {
	s := start(t, simulator.Options{})
	c := s.OAuth2.Credentials()
	for name, row := range map[string]struct {
		fields []string
		status int
	}{
		"none":           {nil, 200},
		"a secret":       {[]string{"client_id", c.ClientID, "client_secret", c.ClientSecret}, 200},
		"a wrong secret": {[]string{"client_id", c.ClientID, "client_secret", "wrong"}, 400},
		"an assertion":   {[]string{"client_id", c.ClientID, "client_assertion_type", assertionType, "client_assertion", assertionOf(t, s, nil, nil)}, 200},
		"public":         {[]string{"client_id", s.Client().PublicID}, 200},
		"the ID alone":   {[]string{"client_id", c.ClientID}, 400},
	} {
		token, err := s.Issuer.Token(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		fields := slices.Concat(row.fields, []string{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", token, "subject_token_type", "urn:ietf:params:oauth:token-type:id_token"})
		r := send(t, http.MethodPost, s.OAuth2.URL()+"/realms/lab/token", form(fields...), headers("Content-Type", formType))
		if r.status != row.status {
			t.Errorf("%s: status %d, want %d", name, r.status, row.status)
		}
	}
}
