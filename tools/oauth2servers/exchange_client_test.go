// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package oauth2servers

import (
	"context"
	"crypto"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// keyStorage is the example storage of github.com/zitadel/oidc, with one way to authenticate for all clients, and with a key.
type keyStorage struct {
	*storage.Storage

	method oidc.AuthMethod
	public crypto.PublicKey
}

func (s *keyStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	found, err := s.Storage.GetClientByClientID(ctx, id)
	return methodClient{found, s.method}, err
}

func (s *keyStorage) GetKeyByIDAndClientID(_ context.Context, id, clientID string) (*jose.JSONWebKey, error) {
	if id != keyID || clientID != plain.id {
		return nil, errors.New("no such key")
	}
	return &jose.JSONWebKey{KeyID: id, Use: "sig", Key: s.public}, nil
}

type methodClient struct {
	op.Client

	method oidc.AuthMethod
}

func (c methodClient) AuthMethod() oidc.AuthMethod { return c.method }

// zitadelWithClient starts a server of github.com/zitadel/oidc that exchanges identity tokens for a client alone, in one way.
func zitadelWithClient(t *testing.T, method string, key crypto.Signer) (s *server, issue func(map[string]any) string) {
	t.Helper()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // the server logs
	storage.RegisterClients(storage.WebClient(plain.id, plain.secret))
	known := &keyStorage{storage.NewStorage(storage.NewUserStore(issuer)), oidc.AuthMethod(method), key.Public()}
	provider, err := op.NewProvider(&op.Config{AuthMethodPost: true, AuthMethodPrivateKeyJWT: true}, known, op.StaticIssuer(issuer))
	if err != nil {
		t.Fatal(err)
	}
	handler := op.RegisterLegacyServer(op.NewLegacyServer(provider, *op.DefaultEndpoints), func(http.ResponseWriter, *http.Request) {})
	return serve(t, handler), issuing(t, known.Storage)
}

// A token exchange authenticates its client in each way that the server has. The wrong one is one request.
func TestATokenExchangeWithAClient(t *testing.T) {
	for method, algorithms := range map[string][]string{
		clients.NoAuthentication: {""}, clients.ClientSecretBasic: {""}, clients.ClientSecretPost: {""}, clients.PrivateKeyJWT: {"RS256", "PS256", "ES256"},
	} {
		for _, algorithm := range algorithms {
			if algorithm != "" && !tested("zitadel", algorithm) {
				continue
			}
			t.Run(method+algorithm, func(t *testing.T) {
				key := keys["P-256"]()
				if algorithm != "" {
					key = keys[kindFor[algorithm]]()
				}
				s, issue := zitadelWithClient(t, method, key)
				grant := exchangeAt(s, issue(nil), nil)
				grant.AuthMethod, grant.ClientID = method, plain.id
				switch method {
				case clients.PrivateKeyJWT:
					grant.Key = signedBy(s, plain.id, algorithm, key).Key
				case clients.ClientSecretBasic, clients.ClientSecretPost:
					grant.ClientSecret = clients.NewSecret(plain.secret)
				}
				c := clients.New(clients.Options{})
				if _, err := c.Token(t.Context(), grant, 0); err != nil {
					t.Error(err)
				}
				s.wantRequests(t, 1)
				wrong := grant
				switch method {
				case clients.NoAuthentication:
					wrong.ClientID = "another"
				case clients.PrivateKeyJWT:
					wrong.Key.ID = "another"
				default:
					wrong.ClientSecret = clients.NewSecret("wrong")
				}
				for range 2 {
					_, err := c.Token(t.Context(), wrong, 0)
					failure := (*clients.Error)(nil)
					if !errors.As(err, &failure) || failure.Kind != clients.CredentialsRejected && failure.Kind != clients.Unavailable {
						t.Error(err)
					}
				}
				s.wantRequests(t, 1)
			})
		}
	}
}
