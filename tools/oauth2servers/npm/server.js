// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Serves oidc-provider on a free loopback port. Standard input has one client as a JSON object. Writes the URL of the token
// endpoint to standard output, and ends when standard input ends.
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => {
  const { id, secret, method, alg, jwks, subject } = JSON.parse(line);
  const server = createServer();
  server.listen(0, '127.0.0.1', () => {
    const url = `http://127.0.0.1:${server.address().port}`;
    const provider = new Provider(url, {
      clients: [{
        client_id: id, client_secret: secret, token_endpoint_auth_method: method,
        token_endpoint_auth_signing_alg: alg, jwks, tls_client_auth_subject_dn: subject,
        grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: 'a b',
      }],
      scopes: ['a', 'b'],
      clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
      enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] },
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        mTLS: { // TLS ends before this server, as it does behind nginx
          enabled: true,
          tlsClientAuth: true,
          selfSignedTlsClientAuth: true,
          getCertificate: (ctx) => {
            const pem = ctx.get('x-client-certificate');
            return pem ? new X509Certificate(decodeURIComponent(pem)) : undefined;
          },
          certificateAuthorized: (ctx) => ctx.get('x-client-verified') === 'SUCCESS',
          certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_subject_dn' && ctx.get('x-client-subject') === expected,
        },
      },
      ttl: { ClientCredentials: 5400 },
    });
    server.on('request', provider.callback());
    console.log(`${url}/token`);
  });
});
lines.once('close', () => process.exit());
