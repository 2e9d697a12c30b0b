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
	"strings"
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
	// Settings are complete and valid for Platform.APIProxy().
	Settings platforms.Settings
	// Terms word the errors that the proxy answers with.
	Terms platforms.Terms
	// Client obtains the tokens.
	Client *clients.Client
	// First is the first token.
	First clients.Token
	// Port is the port to listen on; zero: the system chooses one.
	Port int
	// RootCAs are the certificate authorities to trust at the API; nil: the system's.
	RootCAs *x509.CertPool
	// Reload returns the settings as they are now, after the platform has rejected the credentials; false: they cannot be
	// read. It is not called twice at the same time. Nil: the settings stay the same.
	Reload func(context.Context) (platforms.Settings, bool)
	// Paces has the limits that the proxies of the process share; nil: the proxy shares its limit with none.
	Paces *Paces
	// Logger receives a debug message for each request; nil: nothing is logged.
	Logger *slog.Logger
}

// Start starts the proxy. Requests use the values of ctx, and outlive it.
func Start(ctx context.Context, options Options) (*proxy.Proxy, error) {
	description := options.Platform.APIProxy()
	upstream, err := clients.ParseURL(description.UpstreamURL(options.Settings))
	if err != nil {
		return nil, err
	}
	perSecond, throttleWait := options.Settings.Limits()
	source := &source{Options: options, grant: description.Grant(options.Settings)}
	return proxy.Start(ctx, proxy.Options{
		Upstream:     upstream,
		First:        options.First,
		Token:        source.token,
		Discard:      func(refused clients.Token) bool { return options.Client.Discard(source.current(), refused) },
		MinValidity:  options.Settings.MinValidity(),
		Explain:      options.problem,
		Pace:         options.Paces.share(upstream.String(), options.Platform.ClientID(options.Settings), perSecond, throttleWait),
		ThrottleWait: throttleWait,
		Port:         options.Port,
		RootCAs:      options.RootCAs,
		Logger:       options.Logger,
		Name:         description.Name,
	})
}

// Paces are the paces of a process. Proxies with the same upstream, client and limit share one. The zero value is valid. It is
// safe for concurrent use.
type Paces struct {
	mu  sync.Mutex
	all map[pace]*proxy.Pace
}

// pace says which proxies share a Pace.
type pace struct {
	upstream, client string
	perSecond        float64
}

// share returns the Pace for a proxy; nil: it has no limit, and holds no request.
func (p *Paces) share(upstream, client string, perSecond float64, throttleWait time.Duration) *proxy.Pace {
	switch {
	case perSecond == 0 && throttleWait == 0:
		return nil
	case p == nil:
		return proxy.NewPace(perSecond)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := pace{strings.TrimRight(upstream, "/"), client, perSecond}
	if p.all == nil {
		p.all = map[pace]*proxy.Pace{}
	}
	if p.all[key] == nil {
		p.all[key] = proxy.NewPace(perSecond)
	}
	return p.all[key]
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
	s.grant = s.Platform.APIProxy().Grant(settings)
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
