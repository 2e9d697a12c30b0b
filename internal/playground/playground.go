// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package playground is where every example works without an account: the platforms of the simulator, a Vault server,
// and the variables that the examples read.
package playground

import (
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// Playground is what the examples talk to, on loopback.
type Playground struct {
	*simulator.Simulator
	Vault *Vault
}

// Start starts the platforms, and a Vault server with the secret that an example expects.
func Start(options simulator.Options) (*Playground, error) {
	platforms, err := simulator.Start(options)
	if err != nil {
		return nil, err
	}
	vault := startVault()
	vault.put("secret", "cloudlx", map[string]any{"refresh_token": ""})
	return &Playground{platforms, vault}, nil
}

// Close ends all of it.
func (p *Playground) Close() error {
	p.Vault.server.Close()
	return p.Simulator.Close()
}

// Environment returns all that the examples look for, as "NAME=value": credentials, and values for the variables that
// have no default, or one that is a platform's own URL.
func (p *Playground) Environment() []string {
	lab := p.Equinix.Credentials() // it has one account only
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
	)
}
