// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Serves oidc-provider on a free loopback port. Standard input has one client as a JSON object. Writes the URL of the token
// endpoint to standard output, and ends when standard input ends.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => {
  const { id, secret, method } = JSON.parse(line);
  const server = createServer();
  server.listen(0, '127.0.0.1', () => {
    const url = `http://127.0.0.1:${server.address().port}`;
    const provider = new Provider(url, {
      clients: [{
        client_id: id, client_secret: secret, token_endpoint_auth_method: method,
        grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: 'a b',
      }],
      scopes: ['a', 'b'],
      features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
      ttl: { ClientCredentials: 5400 },
    });
    server.on('request', provider.callback());
    console.log(`${url}/token`);
  });
});
lines.once('close', () => process.exit());
