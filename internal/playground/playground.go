// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package playground provides everything that the examples need without an account: the platforms of the simulator, a Vault
// server, a bucket, and the environment variables that the examples read.
package playground

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// Playground is the servers that the examples use, on loopback.
type Playground struct {
	*simulator.Simulator
	Vault   *Vault
	storage *httptest.Server // S3-compatible
}

// Start starts the platforms, a Vault server with the secret that one example expects, and a storage with a bucket.
func Start(options simulator.Options) (*Playground, error) {
	platforms, err := simulator.Start(options)
	if err != nil {
		return nil, err
	}
	vault := startVault()
	vault.put("secret", "cloudlx", map[string]any{"refresh_token": ""})
	return &Playground{platforms, vault, startStorage()}, nil
}

// Close stops all servers.
func (p *Playground) Close() error {
	p.Vault.server.Close()
	p.storage.Close()
	return p.Simulator.Close()
}

// Environment returns the variables for the examples, as "NAME=value": credentials, and the input variables that have no
// default or whose default is the URL of a real platform.
func (p *Playground) Environment() []string {
	lab := p.Equinix.Credentials() // the simulator has only one account, so both accounts of the example are the same
	idToken, err := p.Issuer.Token(24 * time.Hour)
	if err != nil {
		panic(err) // signing fails only if the machine has no random numbers
	}
	return append(p.Simulator.Environment(),
		"VAULT_ADDR="+p.Vault.server.URL,
		"VAULT_TOKEN="+p.Vault.token,
		"TF_VAR_api_url="+p.Equinix.URL(),
		"TF_VAR_ix_api_url="+p.Interxion.URL()+"/api/v2",
		"TF_VAR_oauth2_api_url="+p.OAuth2.URL(),
		"TF_VAR_port="+simulator.EquinixPort,
		"TF_VAR_lab_client_id="+lab.ClientID,
		"TF_VAR_lab_client_secret="+lab.ClientSecret,
		"EQUINIX_ID_TOKEN="+idToken, // as in a pipeline whose identity the platforms trust
		"OAUTH2_ID_TOKEN="+idToken,
		"FLEET_BUCKET=s3://"+bucketName+"/tokens?endpoint="+p.storage.URL,
		"AWS_ACCESS_KEY_ID=simulator", "AWS_SECRET_ACCESS_KEY=simulator", "AWS_SESSION_TOKEN=", "AWS_PROFILE=",
		"OAUTH2_MUTUAL_URL="+p.Client().MutualURL,
		// The addresses of the APIs, under the names that "ixtoken proxy" sets.
		"INTERXION_API_URL="+p.Interxion.URL()+"/api/v2",
		"EQUINIX_API_URL="+p.Equinix.URL(),
		"CLOUDLX_API_URL="+p.CloudLX.URL(),
		"DIGITALREALTY_API_URL="+p.DigitalRealty.URL(),
		"MEGAPORT_API_URL="+p.Megaport.URL(),
		"IXAPI_API_URL="+p.IXAPI.URL()+"/api/v2",
		"OAUTH2_API_URL="+p.OAuth2.URL(),
	)
}

// WriteClient writes what the client of the OAuth2 server authenticates with beside its secret into a new directory: key.pem,
// certificate.pem, the authority of OAUTH2_MUTUAL_URL in ca.pem, and an assertion of a pipeline, which the server accepts once.
func (p *Playground) WriteClient(dir string) error {
	assertion, err := p.Issuer.Token(time.Hour)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	client := p.Client()
	for name, text := range map[string]string{
		"key.pem": client.KeyPEM, "certificate.pem": client.CertificatePEM, "ca.pem": client.CAPEM, "assertion": assertion,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
