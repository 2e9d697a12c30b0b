// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"testing"
	"testing/synctest"
	"time"
)

// A rejected request is sent again only after AskAgain, once, and then its token is used.
func TestAskAgainSendsARejectedRequestOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, rejects("invalid_client"), rejects("invalid_client"), grantsToken("t-1"))
		client, grant := p.client(Options{}), p.interxion("")
		other := p.interxion("another scope")
		for hour := range 2 {
			for range 60 {
				for _, each := range []Grant{grant, other} {
					if _, err := client.Token(t.Context(), each, time.Minute); failed(t, err).Kind != CredentialsRejected {
						t.Fatal(err)
					}
				}
				<-time.After(time.Minute)
			}
			p.sent(hour+1, "/connect/token")
			client.AskAgain(grant)
		}
		gets(t, client, grant, "t-1")
		if _, err := client.Token(t.Context(), other, time.Minute); failed(t, err).Kind != CredentialsRejected {
			t.Error(err)
		}
		p.sent(3, "/connect/token")
	})
}

// AskAgain does not send a refresh token again that a platform has rejected: the client credentials are asked for.
func TestAskAgainKeepsTheMarkOnARefreshToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, rejects("invalid_grant"), rejects("invalid_client"), grantsToken("t-1"))
		client, grant := p.client(Options{}), p.oauth2(RefreshToken)
		if _, err := client.Token(t.Context(), grant, time.Minute); failed(t, err).Kind != CredentialsRejected {
			t.Fatal(err)
		}
		client.AskAgain(grant)
		gets(t, client, grant, "t-1")
		p.sent(1, "/token/refresh")
		p.sent(3, "/token")
	})
}
