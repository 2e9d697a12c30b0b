// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// This file holds the inputs of a client that authenticates without a secret: by an assertion that was made elsewhere, by a
// key that signs one, or by a certificate.

// The names of these inputs.
const (
	authMethod = "token_endpoint_auth_method"

	clientAssertion         = "client_assertion"
	clientAssertionVariable = "client_assertion_env_var"
	clientAssertionFile     = "client_assertion_file"
	clientAssertionGitHub   = "client_assertion_github_audience"

	clientKeyPEM             = "client_key_pem"
	clientKeyFile            = "client_key_file"
	clientKeyID              = "client_key_id"
	clientKeyCertificatePEM  = "client_key_certificate_pem"
	clientKeyCertificateFile = "client_key_certificate_file"
	clientSigningAlgorithm   = "client_signing_alg"
	clientSigningAudience    = "client_signing_audience"

	clientCertificatePEM     = "client_certificate_pem"
	clientCertificateFile    = "client_certificate_file"
	clientCertificateKeyPEM  = "client_certificate_key_pem"
	clientCertificateKeyFile = "client_certificate_key_file"
)

// The ways to authenticate that use an input. The first one is implied by it.
var (
	bySecret      = []string{clients.ClientSecretBasic, clients.ClientSecretPost}
	byAssertion   = []string{clients.PrivateKeyJWT}
	byCertificate = []string{clients.TLSClientAuth, clients.ClientSecretBasic, clients.ClientSecretPost, clients.PrivateKeyJWT, clients.NoAuthentication}
)

// clientInputs returns the inputs. tag is the tag of the assertion in HCP Terraform.
func clientInputs(tag string) []Input {
	inputs := append(assertionInputs(tag), keyInputs()...)
	inputs = append(inputs, certificateInputs()...)
	for i := range inputs {
		inputs[i].Client = true
	}
	return inputs
}

// assertionInputs returns the inputs that say where an assertion comes from that was made elsewhere.
func assertionInputs(tag string) []Input {
	return []Input{
		{
			Name:        clientAssertion,
			Description: "An assertion that the client authenticates with (`private_key_jwt`), such as the identity token of a pipeline. Set this or one of `" + clientAssertionVariable + "`, `" + clientAssertionFile + "`, `" + clientAssertionGitHub + "`, `" + clientKeyPEM + "` and `" + clientKeyFile + "` instead of a client secret. Servers may accept an assertion only once.",
			InFile:      clientAssertionFile,
			Secret:      true,
			Parsed:      true,
			Optional:    true,
			Methods:     byAssertion,
			Replaces:    "client_secret",
			Check:       clients.CheckIdentityToken,
		},
		{
			Name:        clientAssertionVariable,
			Description: "The name of the environment variable that holds the client's assertion, such as one that GitLab CI fills by `id_tokens`. With `" + authMethod + " = \"" + clients.PrivateKeyJWT + "\"` and no assertion and no key, that of HCP Terraform is used, if there is one: `" + hcpVariable + "_" + tag + "`, otherwise `" + hcpVariable + "`.",
			Variable:    true,
			Optional:    true,
			Methods:     byAssertion,
			Replaces:    "client_secret",
			Fallbacks:   []string{hcpVariable + "_" + tag, hcpVariable},
			Check:       clients.CheckVariable,
		},
		{
			Name:        clientAssertionFile,
			Description: "The path of a file that holds the client's assertion, such as a token that Kubernetes projects. The file is read for each request.",
			Optional:    true,
			Methods:     byAssertion,
			Replaces:    "client_secret",
			Check:       checkFile,
		},
		{
			Name:        clientAssertionGitHub,
			Description: "The audience of an assertion that GitHub Actions issues on request. The job needs `permissions: id-token: write`.",
			Optional:    true,
			Methods:     byAssertion,
			Replaces:    "client_secret",
			Check:       clients.CheckText,
		},
	}
}

// keyInputs returns the inputs of a key that signs assertions here.
func keyInputs() []Input {
	return []Input{
		{
			Name:        clientKeyPEM,
			Description: "A private key in PEM that signs an assertion for each request (`private_key_jwt`): RSA, EC or Ed25519, in PKCS #8, PKCS #1 or SEC 1, not encrypted. Set this or `" + clientKeyFile + "`.",
			InFile:      clientKeyFile,
			Secret:      true,
			Parsed:      true,
			Methods:     byAssertion,
			Replaces:    "client_secret",
			Check:       clients.CheckPrivateKey,
		},
		{
			Name:        clientKeyFile,
			Description: "The path of a file that holds the private key. The file is read for each request.",
			Optional:    true,
			Methods:     byAssertion,
			Replaces:    "client_secret",
			Check:       checkFile,
		},
		{
			Name:        clientKeyID,
			Description: "The ID of the key at the server: `kid` in the header of the assertion. If it is not set, there is none.",
			Optional:    true,
			Methods:     byAssertion,
			Check:       clients.CheckText,
			Conflict:    signsElsewhere,
		},
		{
			Name:        clientKeyCertificatePEM,
			Description: "The certificate of the private key in PEM. Its thumbprints go into the header of the assertion, as `x5t` and `x5t#S256`. Entra ID needs it.",
			InFile:      clientKeyCertificateFile,
			Optional:    true,
			Methods:     byAssertion,
			Check:       clients.CheckCertificate,
			Conflict:    signsElsewhere,
		},
		{
			Name:        clientKeyCertificateFile,
			Description: "The path of a file that holds the certificate of the private key. The file is read for each request.",
			Optional:    true,
			Methods:     byAssertion,
			Replaces:    clientKeyCertificatePEM,
			Check:       checkFile,
			Conflict:    signsElsewhere,
		},
		{
			Name:        clientSigningAlgorithm,
			Description: "The algorithm that signs the assertion: `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `ES512` or `EdDSA`. If it is not set, it follows from the key: `RS256` for RSA.",
			Optional:    true,
			Methods:     byAssertion,
			Check:       clients.CheckOneOf(clients.SigningAlgorithms...),
			Conflict:    signsElsewhere,
		},
		{
			Name:        clientSigningAudience,
			Description: "The audience (`aud`) of the assertion. If it is not set, it is `token_url`. Auth0 wants the URL of the tenant, with its last slash.",
			Optional:    true,
			Methods:     byAssertion,
			Check:       clients.CheckText,
			Conflict:    signsElsewhere,
		},
	}
}

// signsElsewhere returns what is wrong with a setting of what an assertion says, if the assertion is not signed here.
func signsElsewhere(s Settings) string {
	if assertion(s).IsZero() {
		return ""
	}
	return "is for a key that signs here, and the client assertion was made elsewhere"
}

// certificateInputs returns the inputs of the certificate of the connection.
func certificateInputs() []Input {
	needed := func(s Settings) bool {
		return s.Text(authMethod) == clients.TLSClientAuth || !clientCertificate(s).IsZero()
	}
	return []Input{
		{
			Name:        clientCertificatePEM,
			Description: "The client's certificate in PEM for the connection to the token endpoint (`tls_client_auth`), and those between it and the authority. It may also be set beside another method.",
			InFile:      clientCertificateFile,
			Optional:    true,
			Required:    needed,
			Methods:     byCertificate,
			Check:       clients.CheckCertificate,
		},
		{
			Name:        clientCertificateFile,
			Description: "The path of a file that holds the client's certificate. The file is read for each connection.",
			Optional:    true,
			Methods:     byCertificate,
			Replaces:    clientCertificatePEM,
			Check:       checkFile,
		},
		{
			Name:        clientCertificateKeyPEM,
			Description: "The private key of the client's certificate in PEM, not encrypted.",
			InFile:      clientCertificateKeyFile,
			Secret:      true,
			Parsed:      true,
			Optional:    true,
			Required:    needed,
			Methods:     byCertificate,
			Check:       clients.CheckPrivateKey,
		},
		{
			Name:        clientCertificateKeyFile,
			Description: "The path of a file that holds the private key of the client's certificate. The file is read for each connection.",
			Optional:    true,
			Methods:     byCertificate,
			Replaces:    clientCertificateKeyPEM,
			Check:       checkFile,
		},
	}
}

// assertion returns where an assertion comes from that was made elsewhere.
func assertion(s Settings) clients.IdentitySource {
	return clients.IdentitySource{
		Token:    s.Secret(clientAssertion),
		Variable: s.Text(clientAssertionVariable),
		File:     s.Text(clientAssertionFile),
		Audience: s.Text(clientAssertionGitHub),
	}
}

// clientKey returns the key that signs assertions here.
func clientKey(s Settings) clients.ClientKey {
	return clients.ClientKey{
		PEM:             s.Secret(clientKeyPEM),
		File:            s.Text(clientKeyFile),
		CertificatePEM:  s.Secret(clientKeyCertificatePEM),
		CertificateFile: s.Text(clientKeyCertificateFile),
		ID:              s.Text(clientKeyID),
		Algorithm:       s.Text(clientSigningAlgorithm),
		Audience:        s.Text(clientSigningAudience),
	}
}

// clientCertificate returns the certificate of the connection.
func clientCertificate(s Settings) clients.ClientCertificate {
	return clients.ClientCertificate{
		PEM:     s.Secret(clientCertificatePEM),
		File:    s.Text(clientCertificateFile),
		KeyPEM:  s.Secret(clientCertificateKeyPEM),
		KeyFile: s.Text(clientCertificateKeyFile),
	}
}
