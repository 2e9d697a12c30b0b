// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package oauth2servers

import (
	"io"
	"log"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

const issuer = "https://issuer.example"

// zitadel starts a server of github.com/zitadel/oidc. It exchanges the ID tokens that it has issued itself, and asks for no
// client credentials: a client without an ID and without a secret is registered. issue returns an ID token with the claims.
func zitadel(t *testing.T) (s *server, issue func(change map[string]any) string) {
	t.Helper()
	log.SetOutput(io.Discard) // the server logs
	storage.RegisterClients(storage.WebClient("", ""))
	known := storage.NewStorage(storage.NewUserStore(issuer))
	provider, err := op.NewProvider(&op.Config{}, known, op.StaticIssuer(issuer))
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, provider), issuing(t, known)
}

// issuing returns a function that issues ID tokens of the server.
func issuing(t *testing.T, known *storage.Storage) func(change map[string]any) string {
	t.Helper()
	key, err := known.SigningKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: key.SignatureAlgorithm(), Key: jose.JSONWebKey{Key: key.Key(), KeyID: key.ID()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(change map[string]any) string {
		claims := map[string]any{"iss": issuer, "sub": "id1", "aud": "lab", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
		maps.Copy(claims, change)
		text, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// exchangeAt exchanges an identity token. The server's example storage wants to be told that an access token is asked for.
func exchangeAt(s *server, idToken string, more map[string]string) clients.OAuth2 {
	parameters := map[string]string{"requested_token_type": "urn:ietf:params:oauth:token-type:access_token"}
	maps.Copy(parameters, more)
	return clients.OAuth2{
		TokenURL: s.URL + "/oauth/token", GrantType: clients.TokenExchange, Format: clients.FormBody, Scope: "openid profile",
		Parameters: clients.Pairs(parameters), Identity: clients.IdentitySource{Token: clients.NewSecret(idToken)},
	}
}

func TestAnIdentityTokenIsExchanged(t *testing.T) {
	s, issue := zitadel(t)
	c := clients.New(clients.Options{})
	for range 2 { // the second identity token shares the access token of the first
		token, err := c.Token(t.Context(), exchangeAt(s, issue(nil), nil), 0)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(token.Expiry); token.AccessToken.IsZero() || left < 4*time.Minute || left > 5*time.Minute || token.Scope != "openid profile" {
			t.Errorf("valid for %s, scope %q", left, token.Scope)
		}
	}
	s.wantRequests(t, 1)
	if got := s.grant.Load(); got != "urn:ietf:params:oauth:grant-type:token-exchange" {
		t.Errorf("the grant type is %q", got)
	}
}

// An identity token that the server does not accept is sent once. The error shows its claims, and never the token.
func TestAnIdentityTokenIsRejected(t *testing.T) {
	s, issue := zitadel(t)
	good := issue(nil)
	head, signature, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(signature, ".")
	other := "A"
	if signature[0] == 'A' {
		other = "B"
	}
	for name, row := range map[string]struct {
		idToken    string
		parameters map[string]string
	}{
		"another signature":             {head + "." + payload + "." + other + signature[1:], nil},
		"another issuer":                {issue(map[string]any{"iss": "https://other.example"}), nil},
		"issued in the future":          {issue(map[string]any{"iat": time.Now().Add(time.Hour).Unix()}), nil},
		"another type, by a parameter":  {good, map[string]string{"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}},
		"an unknown type, by parameter": {good, map[string]string{"subject_token_type": "urn:example:odd"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := clients.New(clients.Options{})
			for range 2 {
				_, err := c.Token(t.Context(), exchangeAt(s, row.idToken, row.parameters), 0)
				wantKind(t, err, clients.CredentialsRejected)
				if text := err.Error(); !strings.Contains(text, `aud "lab", sub "id1"`) || strings.Contains(text, signature) {
					t.Error(text)
				}
			}
			s.wantRequests(t, 1)
		})
	}
}
