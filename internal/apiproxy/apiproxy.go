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
	"sync"
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
	// Reload returns the settings as they are now, after the platform has rejected the credentials; false: they cannot be
	// read. It is not called twice at the same time. Nil: the settings stay the same.
	Reload func(context.Context) (platforms.Settings, bool)
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
	source := &source{Options: options, grant: description.Grant(options.Settings)}
	return proxy.Start(ctx, proxy.Options{
		Upstream:    upstream,
		First:       options.First,
		Token:       source.token,
		Discard:     func(refused clients.Token) bool { return options.Client.Discard(source.current(), refused) },
		MinValidity: options.Settings.MinValidity(),
		Explain:     options.problem,
		RootCAs:     options.RootCAs,
		Logger:      options.Logger,
		Name:        description.Name,
	})
}

// source obtains the tokens of a proxy.
type source struct {
	Options
	reloading sync.Mutex

	mu    sync.Mutex
	grant clients.Grant
}

func (s *source) current() clients.Grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grant
}

// token obtains a token. After a rejection of the credentials, it uses others, if the settings have them now.
func (s *source) token(ctx context.Context, minValidity time.Duration) (clients.Token, error) {
	grant := s.current()
	token, err := s.Client.Token(ctx, grant, minValidity)
	if rejected(err) && s.Reload != nil {
		if next := s.reload(ctx, grant); next != grant {
			return s.Client.Token(ctx, next, minValidity)
		}
	}
	return token, err
}

// reload returns the grant for the settings as they are now. If they have not changed, it is the last one, which the client
// does not send again.
func (s *source) reload(ctx context.Context, last clients.Grant) clients.Grant {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if now := s.current(); now != last { // another request has changed it
		return now
	}
	settings, ok := s.Reload(ctx)
	if !ok {
		return last
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grant = s.Platform.Proxy().Grant(settings)
	return s.grant
}

// rejected reports whether the platform has rejected the credentials.
func rejected(err error) bool {
	var failure *clients.Error
	return errors.As(err, &failure) && (failure.Kind == clients.CredentialsRejected || failure.Kind == clients.RejectionNotUnderstood)
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
