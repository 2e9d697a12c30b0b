// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"sync"

	"github.com/hashicorp/terraform-plugin-log/tflog"
	"github.com/hashicorp/terraform-plugin-log/tfsdklog"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// Record is what the provider has done, for its log. The zero value is empty, and nil records nothing. It is safe for
// concurrent use.
type Record struct {
	mu      sync.Mutex
	clients []*clients.Client
}

func (r *Record) add(client *clients.Client) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clients = append(r.clients, client)
}

// Log writes one line for each platform at the end of the process, at the level info: how often the provider has logged in,
// how often another process had done so, and how often it has waited for one.
func (r *Record) Log() {
	ctx := tfsdklog.NewRootProviderLogger(context.Background(), tfsdklog.WithLogName("ixtoken"),
		tflog.WithLevelFromEnv("TF_LOG_PROVIDER", "ixtoken"), tfsdklog.WithoutLocation(), tfsdklog.WithStderrFromInit())
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, client := range r.clients {
		for _, tally := range client.Tallies() {
			tflog.Info(ctx, "token requests of this process", map[string]any{"platform": tally.Platform, "logins": tally.Logins, "hits": tally.Hits, "waits": tally.Waits})
		}
	}
}
