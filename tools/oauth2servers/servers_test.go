// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package oauth2servers

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	jose3 "github.com/go-jose/go-jose/v3"
	oauth2 "github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"
	goserver "github.com/go-oauth2/oauth2/v4/server"
	"github.com/go-oauth2/oauth2/v4/store"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// client is what a server has registered.
type client struct{ id, secret string }

// plain has no characters that an encoding changes. hostile has characters with a meaning in HTTP Basic or in forms, and
// characters outside ASCII. It is at most 72 bytes long, because one server hashes secrets with bcrypt.
var (
	plain   = client{"client-1_a.b", "s3cret-_.~7Q"}
	hostile = client{"id:1 +%41/ü&=", "s3:cret +%2B%/&=?\"\\ü€😀~*"}
)

// server is a third-party server that counts its requests.
type server struct {
	*httptest.Server
	requests atomic.Int64
	grant    atomic.Value // the grant type of the last request

	assertedFor string // the audience of assertions; empty: issuer
}

func serve(t *testing.T, handler http.Handler) *server {
	t.Helper()
	s := unstarted(handler)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// serveTLS serves https, and asks for a certificate of the client.
func serveTLS(t *testing.T, handler http.Handler) *server {
	t.Helper()
	s := unstarted(handler)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func unstarted(handler http.Handler) *server {
	s := &server{}
	mux := http.NewServeMux()
	mux.HandleFunc("/oauth/token", func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		body, _ := io.ReadAll(r.Body)
		fields, _ := url.ParseQuery(string(body))
		s.grant.Store(fields.Get("grant_type"))
		r.Body = io.NopCloser(bytes.NewReader(body))
		handler.ServeHTTP(w, r)
	})
	s.Server = httptest.NewUnstartedServer(mux)
	return s
}

// audience is that of assertions for the server. oidc-provider accepts its own URLs alone; fosite takes what it is told.
func (s *server) audience() string {
	return cmp.Or(s.assertedFor, issuer)
}

// wantRequests fails the test unless want requests have arrived since the last call.
func (s *server) wantRequests(t *testing.T, want int64) {
	t.Helper()
	if got := s.requests.Swap(0); got != want {
		t.Errorf("the server has seen %d requests, want %d", got, want)
	}
}

// ory starts a server of github.com/ory/fosite, which accepts one authentication method for each client.
func ory(t *testing.T, method string, registered client) *server {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(registered.secret), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return serveORY(t, &fosite.DefaultOpenIDConnectClient{DefaultClient: oryClient(registered.id, hash), TokenEndpointAuthMethod: method})
}

// oryWithKey starts the same server for a client with a key. Its assertions are for the issuer.
func oryWithKey(t *testing.T, registered client, algorithm string, key crypto.Signer) *server {
	t.Helper()
	return serveORY(t, &fosite.DefaultOpenIDConnectClient{
		DefaultClient: oryClient(registered.id, nil), TokenEndpointAuthMethod: clients.PrivateKeyJWT, TokenEndpointAuthSigningAlgorithm: algorithm,
		JSONWebKeys: &jose3.JSONWebKeySet{Keys: []jose3.JSONWebKey{{Key: key.Public(), KeyID: keyID, Use: "sig", Algorithm: algorithm}}},
	})
}

func oryClient(id string, secretHash []byte) *fosite.DefaultClient {
	return &fosite.DefaultClient{
		ID: id, Secret: secretHash, GrantTypes: []string{"client_credentials", "password", "refresh_token"},
		Scopes: []string{"a", "b", "offline"}, Audience: []string{"https://api.example/"},
	}
}

func serveORY(t *testing.T, registered *fosite.DefaultOpenIDConnectClient) *server {
	t.Helper()
	known := storage.NewMemoryStore()
	known.Users["user-1"] = storage.MemoryUserRelation{Username: "user-1", Password: "password-1"}
	known.Clients[registered.ID] = registered
	config := &fosite.Config{GlobalSecret: []byte("a secret of the server, 32 bytes"), AccessTokenLifespan: lifetime, TokenURL: issuer}
	provider := compose.Compose(config, known, compose.NewOAuth2HMACStrategy(config), compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2ResourceOwnerPasswordCredentialsFactory, //nolint:staticcheck // deprecated like the grant; it issues a refresh token
		compose.OAuth2RefreshTokenGrantFactory)
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		asked, err := provider.NewAccessRequest(ctx, r, &fosite.DefaultSession{})
		if err != nil {
			provider.WriteAccessError(ctx, w, asked, err)
			return
		}
		for _, scope := range asked.GetRequestedScopes() {
			asked.GrantScope(scope)
		}
		answer, err := provider.NewAccessResponse(ctx, asked)
		if err != nil {
			provider.WriteAccessError(ctx, w, asked, err)
			return
		}
		provider.WriteAccessResponse(ctx, w, asked, answer)
	}))
}

// goOAuth2 starts a server of github.com/go-oauth2/oauth2, which accepts one authentication method, and issues refresh tokens
// for the client credentials grant.
func goOAuth2(t *testing.T, method string, registered client) *server {
	t.Helper()
	manager := manage.NewDefaultManager()
	manager.SetClientTokenCfg(&manage.Config{AccessTokenExp: lifetime, RefreshTokenExp: 24 * time.Hour, IsGenerateRefresh: true})
	manager.MustTokenStorage(store.NewMemoryTokenStore())
	known := store.NewClientStore()
	if err := known.Set(registered.id, &models.Client{ID: registered.id, Secret: registered.secret}); err != nil {
		t.Fatal(err)
	}
	manager.MapClientStorage(known)
	provider := goserver.NewServer(&goserver.Config{
		TokenType: "Bearer", AllowedGrantTypes: []oauth2.GrantType{oauth2.ClientCredentials, oauth2.Refreshing},
	}, manager)
	provider.ClientInfoHandler = goserver.ClientBasicHandler
	if method == clients.ClientSecretPost {
		provider.ClientInfoHandler = goserver.ClientFormHandler
	}
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := provider.HandleTokenRequest(w, r); err != nil {
			t.Error(err)
		}
	}))
}

// lifetime is how long the servers' tokens last. A test that changes it runs alone.
var lifetime = 90 * time.Minute

var servers = map[string]func(t *testing.T, method string, registered client) *server{
	"fosite": ory, "go-oauth2": goOAuth2, "oidc-provider": oidcProvider,
}

func grantAt(s *server, method string, c client) clients.OAuth2 {
	return clients.OAuth2{
		TokenURL: s.URL + "/oauth/token", GrantType: clients.ClientCredentials, AuthMethod: method, Format: clients.FormBody,
		ClientID: c.id, ClientSecret: clients.NewSecret(c.secret),
	}
}

// each calls do for each server, each authentication method and each client.
func each(t *testing.T, do func(t *testing.T, name, method string, registered client, s *server)) {
	t.Helper()
	log.SetOutput(io.Discard) // go-oauth2 logs
	for name, start := range servers {
		for _, method := range []string{clients.ClientSecretBasic, clients.ClientSecretPost} {
			for kind, registered := range map[string]client{"plain": plain, "hostile": hostile} {
				if kind == "hostile" && !decodes(name, method, registered) {
					registered.id = plain.id // the server does not find the other id, which is a different error: see TestAnUnknownID
				}
				if name == "oidc-provider" {
					registered = client{visible(registered.id), visible(registered.secret)}
				}
				t.Run(name+"/"+method+"/"+kind, func(t *testing.T) {
					if name == "oidc-provider" && !installed() {
						t.Skip("needs Node.js, and npm ci in tools/oauth2servers/npm")
					}
					do(t, name, method, registered, start(t, method, registered))
				})
			}
		}
	}
}

// decodes reports whether the server decodes the credentials in HTTP Basic (RFC 6749, section 2.3.1). go-oauth2 does not.
func decodes(name, method string, registered client) bool {
	return name != "go-oauth2" || method == clients.ClientSecretPost || registered.secret == plain.secret
}

func TestTheRightSecretObtainsAToken(t *testing.T) {
	each(t, func(t *testing.T, name, method string, registered client, s *server) {
		grant := grantAt(s, method, registered)
		grant.Scope, grant.Parameters = "a b", clients.Pairs(map[string]string{"x-further": "1 & 2"})
		token, err := clients.New(clients.Options{}).Token(t.Context(), grant, 0)
		s.wantRequests(t, 1)
		if !decodes(name, method, registered) {
			wantKind(t, err, clients.CredentialsRejected)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		left := time.Until(token.Expiry)
		if token.AccessToken.IsZero() || left < 89*time.Minute || left > 91*time.Minute || token.Scope != "a b" {
			t.Errorf("valid for %s, scope %q", left, token.Scope)
		}
	})
}

func TestAWrongSecretIsOneRequest(t *testing.T) {
	each(t, func(t *testing.T, _, method string, registered client, s *server) {
		grant := grantAt(s, method, client{registered.id, registered.secret + "x"})
		c := clients.New(clients.Options{})
		for range 3 {
			_, err := c.Token(t.Context(), grant, 0)
			wantKind(t, err, clients.CredentialsRejected)
			grant.Audience += "https://api.example/" // another request with the same credentials
		}
		s.wantRequests(t, 1)
	})
}

func TestAnotherWayToAuthenticateIsNotTried(t *testing.T) {
	other := map[string]string{clients.ClientSecretBasic: clients.ClientSecretPost, clients.ClientSecretPost: clients.ClientSecretBasic}
	each(t, func(t *testing.T, name, method string, registered client, s *server) {
		_, err := clients.New(clients.Options{}).Token(t.Context(), grantAt(s, other[method], registered), 0)
		s.wantRequests(t, 1)
		if name == "oidc-provider" && err == nil {
			return // oidc-provider accepts both methods from every client
		}
		wantKind(t, err, clients.CredentialsRejected)
	})
}

// go-oauth2 answers an unknown id with server_error. RFC 6749 defines this code for outages, so the error says so.
func TestAnUnknownID(t *testing.T) {
	for name, want := range map[string]clients.Kind{"fosite": clients.CredentialsRejected, "go-oauth2": clients.Unavailable} {
		s := servers[name](t, clients.ClientSecretBasic, plain)
		_, err := clients.New(clients.Options{MaxAttempts: 1}).Token(t.Context(), grantAt(s, clients.ClientSecretBasic, hostile), 0)
		wantKind(t, err, want)
		s.wantRequests(t, 1)
	}
}

func TestAScopeThatIsNotAllowed(t *testing.T) {
	s := ory(t, clients.ClientSecretBasic, hostile)
	grant := grantAt(s, clients.ClientSecretBasic, hostile)
	grant.Scope = "a c"
	_, err := clients.New(clients.Options{}).Token(t.Context(), grant, 0)
	wantKind(t, err, clients.ScopeRejected)
	s.wantRequests(t, 1)
}

func TestAnAudience(t *testing.T) {
	s := ory(t, clients.ClientSecretPost, plain)
	c := clients.New(clients.Options{})
	grant := grantAt(s, clients.ClientSecretPost, plain)
	grant.Audience = "https://api.example/"
	if _, err := c.Token(t.Context(), grant, 0); err != nil {
		t.Error(err)
	}
	grant.Audience = "https://other.example/"
	if _, err := c.Token(t.Context(), grant, 0); err == nil {
		t.Error("there is a token for another audience")
	}
	s.wantRequests(t, 2)
}

// The server rotates a refresh token. It rejects a second use, and then the client credentials are used.
func TestARefreshToken(t *testing.T) {
	each(t, func(t *testing.T, name, method string, registered client, s *server) {
		if name == "oidc-provider" || !decodes(name, method, registered) {
			t.Skip("this server issues refresh tokens in a browser alone, or does not undo the encoding of HTTP Basic")
		}
		refresh := grantAt(s, method, registered)
		refresh.GrantType, refresh.RefreshToken = clients.RefreshToken, issued(t, name, s, method, registered)
		s.requests.Store(0)
		first, err := clients.New(clients.Options{}).Token(t.Context(), refresh, 0)
		if err != nil || first.Fallback != nil {
			t.Fatal(err, first.Fallback)
		}
		s.wantRequests(t, 1)
		if first.RefreshToken.IsZero() || first.RefreshToken == refresh.RefreshToken {
			t.Error("the refresh token has not rotated")
		}
		second, err := clients.New(clients.Options{}).Token(t.Context(), refresh, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.wantRequests(t, 2)
		wantKind(t, second.Fallback, clients.RefreshTokenRejected)
	})
}

// A token that has ended is refreshed if the server has issued a refresh token. Otherwise the client requests a new token.
func TestATokenThatHasEnded(t *testing.T) {
	lifetime = 2 * time.Second
	defer func() { lifetime = 90 * time.Minute }()
	for name, want := range map[string]string{"fosite": clients.ClientCredentials, "go-oauth2": clients.RefreshToken} {
		s := servers[name](t, clients.ClientSecretPost, hostile)
		c, grant := clients.New(clients.Options{}), grantAt(s, clients.ClientSecretPost, hostile)
		grant.Scope = "a b"
		first, err := c.Token(t.Context(), grant, 0)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Until(first.Expiry))
		another(t, name, c, grant, first)
		if got := s.grant.Load(); got != want {
			t.Errorf("%s: the last grant is %v, want %s", name, got, want)
		}
		s.wantRequests(t, 2)
	}
}

// A token that an API has refused has not ended, so it is not refreshed.
func TestATokenThatWasRefused(t *testing.T) {
	for _, name := range []string{"fosite", "go-oauth2"} {
		s := servers[name](t, clients.ClientSecretPost, hostile)
		c, grant := clients.New(clients.Options{}), grantAt(s, clients.ClientSecretPost, hostile)
		grant.Scope = "a b"
		first, err := c.Token(t.Context(), grant, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !c.Discard(grant, first) {
			t.Errorf("%s: the token is not replaced", name)
		}
		another(t, name, c, grant, first)
		if got := s.grant.Load(); got != clients.ClientCredentials {
			t.Errorf("%s: the last grant is %v", name, got)
		}
		s.wantRequests(t, 2)
	}
}

// another fails the test unless the client obtains another token with the same scope.
func another(t *testing.T, name string, c *clients.Client, grant clients.OAuth2, first clients.Token) {
	t.Helper()
	second, err := c.Token(t.Context(), grant, 0)
	if err != nil || second.AccessToken == first.AccessToken || second.Fallback != nil || second.Scope != first.Scope {
		t.Errorf("%s: %v, %v, scope %q", name, err, second.Fallback, second.Scope)
	}
}

// issued obtains a refresh token from the server. fosite issues one only for a user's password, not for the client credentials.
func issued(t *testing.T, name string, s *server, method string, registered client) clients.Secret {
	t.Helper()
	grant := grantAt(s, method, registered)
	if name == "fosite" {
		return passwordGrant(t, s, method, registered)
	}
	token, err := clients.New(clients.Options{}).Token(context.Background(), grant, 0)
	if err != nil {
		t.Fatal(err)
	}
	return token.RefreshToken
}
