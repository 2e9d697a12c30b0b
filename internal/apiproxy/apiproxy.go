// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package apiproxy starts the API proxy of a platform. The provider and the command share it. It connects package proxy,
// which knows no platform, with the settings, the client and the messages of one platform.
package apiproxy

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/proxy"
)

// Options describe one API proxy.
type Options struct {
	// Platform describes the access token, not the proxy: it is not the result of its method Proxy.
	Platform platforms.Platform
	// Settings are complete and valid for Platform.Proxy().
	Settings platforms.Settings
	// Terms word the errors that the proxy answers with.
	Terms platforms.Terms
	// Client obtains the tokens.
	Client *clients.Client
	// First is the first token.
	First clients.Token
	// RootCAs are the certificate authorities to trust at the API; nil: the system's.
	RootCAs *x509.CertPool
	// Logger receives a debug message for each request; nil: nothing is logged.
	Logger *slog.Logger
}

// Start starts the proxy. Requests use the values of ctx, and outlive it.
func Start(ctx context.Context, options Options) (*proxy.Proxy, error) {
	description := options.Platform.Proxy()
	upstream, err := clients.ParseURL(description.UpstreamURL(options.Settings))
	if err != nil {
		return nil, err
	}
	grant := description.Grant(options.Settings)
	return proxy.Start(ctx, proxy.Options{
		Upstream: upstream,
		First:    options.First,
		Token: func(ctx context.Context, minValidity time.Duration) (clients.Token, error) {
			return options.Client.Token(ctx, grant, minValidity)
		},
		Discard:     func(refused clients.Token) bool { return options.Client.Discard(grant, refused) },
		MinValidity: options.Settings.MinValidity(),
		Explain:     options.problem,
		RootCAs:     options.RootCAs,
		Logger:      options.Logger,
		Name:        description.Name,
	})
}

// problem words an error for the program whose request failed. It has the words of a diagnostic, and the URL of the
// guide's section as its type.
func (options Options) problem(err error) proxy.Problem {
	message := options.Platform.Explain(err, options.Settings, options.Terms)
	if noAnswer := (*proxy.NoAnswer)(nil); errors.As(err, &noAnswer) {
		message = options.Platform.ExplainNoAnswer(noAnswer.Error(), options.Terms)
	}
	detail, section := message.Split()
	return proxy.Problem{Type: section, Title: message.Summary, Detail: detail}
}
