// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// bucketReport says which bucket shares tokens with other machines, with whose credentials it is asked, whether it answers,
// and what it shares. It is empty if there is no bucket. Offline, nothing is sent.
func (c *invocation) bucketReport(ctx context.Context, t target, client *clients.Client, offline bool) string {
	in, found, _ := platforms.LookUpCache(t.sources...)
	if in.Name != platforms.TokenCacheURL.Name || found.Value.IsZero() {
		return ""
	}
	authorities, _ := platforms.LookUp(platforms.CACertPEM, t.sources...)
	bucket, wrong := platforms.OpenBucket(found.Value, platforms.Trusted(authorities.Value))
	if wrong != "" { // the settings report says so
		return ""
	}
	var rows [][]string
	row := func(name, value string) { rows = append(rows, []string{name, shown(value)}) }
	about, err := bucket.Describe(ctx, !offline)
	row("bucket", bucket.String())
	row("region", about.Region)
	if about.Endpoint != "" {
		row("endpoint", about.Endpoint)
	}
	works := offline
	switch {
	case offline:
		row("answers", "was not asked")
	case err != nil:
		row("credentials", err.Error())
	default:
		row("credentials", "from "+about.Credentials)
		if err := bucket.Check(ctx); err != nil {
			row("answers", "no: "+err.Error())
		} else {
			row("answers", "yes, and refuses writes whose condition is not met")
			works = true
		}
	}
	switch {
	case !works:
		row("shares", "nothing, until the bucket answers")
	case client.Shares(t.grant):
		row("shares", "this token, with all machines that have the same settings")
	default:
		row("shares", "nothing: only the job that has the identity token could use it")
	}
	return "\nBucket of the token cache\n" + table(rows, c.width())
}
