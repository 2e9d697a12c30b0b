// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package simulator simulates the platforms on loopback, over real HTTP.
//
// It is written from the documentation of the platforms and of the software that they run. It is strict where a platform may
// be lenient: it rejects every parameter, header and path that the documentation does not name. So a client that works here
// sends nothing that a stricter release of the platform would reject.
package simulator

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxBody is the longest request body, in bytes, that a platform reads.
const maxBody = 64 << 10

// grants are the grant types of RFC 6749 and RFC 8693. Requests does not show any other text, because it might be a secret.
var grants = []string{grantClientCredentials, grantPassword, grantRefreshToken, grantAuthorizationCode, grantTokenExchange}

const (
	grantClientCredentials = "client_credentials"
	grantPassword          = "password"
	grantRefreshToken      = "refresh_token"
	grantAuthorizationCode = "authorization_code"
)

// Simulator is the simulated platforms. Each has its own listener on loopback.
type Simulator struct {
	Interxion, Equinix, CloudLX, DigitalRealty, Megaport, IXAPI, OAuth2 *Platform

	all []*Platform

	// Issuer issues identity tokens, which Equinix and OAuth2 exchange.
	Issuer *Issuer

	// CAPEM is the certificate of the authority that signed the platforms' certificates; empty without TLS.
	CAPEM string

	client *registration
	mutual *server // the OAuth2 server, for clients with a certificate
}

// Options are the settings of Start. The zero value is valid.
type Options struct {
	TLS      bool             // serve https, with certificates of an authority of this Simulator's own
	Now      func() time.Time // the platforms' clock; nil: time.Now
	Lifetime time.Duration    // of the access tokens; 0: what each platform's documentation says
}

// Start listens on free ports of 127.0.0.1.
func Start(options Options) (*Simulator, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	mutual, err := newAuthority()
	if err != nil {
		return nil, err
	}
	authority := authority{}
	if options.TLS {
		authority = mutual
	}
	client, err := register(mutual)
	if err != nil {
		return nil, err
	}
	interxion, err := newInterxion(options.Now)
	if err != nil {
		return nil, err
	}
	all := []*Platform{interxion, newEquinix(options.Now), newCloudLX(options.Now), newDigitalRealty(options.Now), newMegaport(options.Now), newIXAPI(options.Now), newOAuth2(options.Now, client)}
	issuer, err := newIssuer(options.Now)
	if err != nil {
		return nil, err
	}
	s := &Simulator{Issuer: issuer, Interxion: all[0], Equinix: all[1], CloudLX: all[2], DigitalRealty: all[3], Megaport: all[4], IXAPI: all[5], OAuth2: all[6], all: all, CAPEM: authority.certificatePEM, client: client}
	if issuer.server, err = listen(authority.server); err != nil {
		return nil, err
	}
	issuer.server.serve(issuer)
	for _, p := range all {
		if options.Lifetime > 0 {
			p.ledger.accessLifetime = options.Lifetime
		}
		p.trust = trust{issuer, authority.client()}
		if p.server, err = listen(authority.server); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		p.server.serve(p)
	}
	if s.mutual, err = listen(mutual.server); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	client.MutualURL = s.mutual.url + oauth2TokenPath
	s.mutual.serve(s.OAuth2)
	return s, nil
}

// Close closes all listeners and connections and waits for their goroutines. Therefore an interceptor that blocks must return
// when the context of its request ends.
func (s *Simulator) Close() error {
	errs := []error{s.Issuer.server.close(), s.mutual.close()}
	for _, p := range s.Platforms() {
		errs = append(errs, p.server.close())
	}
	return errors.Join(errs...)
}

// Platforms returns all platforms.
func (s *Simulator) Platforms() []*Platform { return slices.Clone(s.all) }

// Platform is one simulated platform: its token endpoints, and a small API that accepts its access tokens.
type Platform struct {
	name    string
	apiPath string
	// variables are the names of the provider's environment variables for this platform.
	variables variables
	service   service
	now       func() time.Time
	server    *server
	trust     trust

	mu        sync.Mutex
	account   Credentials
	failures  int // rejected logins in a row; only Equinix counts them
	ledger    ledger
	requests  []Request
	intercept func(http.ResponseWriter, *http.Request) bool
}

// service is the part that differs between the platforms.
type service interface {
	// grant returns the OAuth 2.0 grant type of a request; empty: it is not a token request.
	grant(request) string
	// answer returns the answer to a request. The caller holds the Platform's lock.
	answer(request) answer
}

// Credentials are the only credentials that a platform accepts.
type Credentials struct {
	ClientID     string
	ClientSecret string
	UserName     string // only for Equinix
	UserPassword string // only for Equinix; not encoded
}

// Request is a request that a platform has received, without secrets and tokens.
type Request struct {
	Time     time.Time // of arrival, by the platform's clock
	Method   string
	Path     string // without the query
	Grant    string // the OAuth 2.0 grant type; empty: none, or an unknown one
	Status   int    // of the answer; 0: there is no answer yet, or an interceptor sent none
	Code     string // the platform's error code; empty: the answer has none
	Rejected bool   // the platform rejected the credentials, the refresh token or the access token
}

// Name returns the platform's name as the platform itself writes it.
func (p *Platform) Name() string { return p.name }

// URL returns the base URL for the configuration, without a trailing slash.
func (p *Platform) URL() string { return p.server.url }

// APIURL returns the URL of the API, which accepts only the platform's own access tokens.
func (p *Platform) APIURL() string { return p.URL() + p.apiPath }

// Credentials returns the platform's credentials, which are random.
func (p *Platform) Credentials() Credentials { return p.account }

// variables has the names of the environment variables for the URL and the credentials; empty: there is no such variable.
// path is appended to the platform's URL in the variable url.
type variables struct{ url, path, clientID, clientSecret, userName, userPassword, sts string }

// Environment returns the provider's environment variables for the URL and the credentials, as "NAME=value".
func (p *Platform) Environment() []string {
	var set []string
	for _, variable := range [][2]string{
		{p.variables.url, p.URL() + p.variables.path},
		{p.variables.clientID, p.account.ClientID},
		{p.variables.clientSecret, p.account.ClientSecret},
		{p.variables.userName, p.account.UserName},
		{p.variables.userPassword, p.account.UserPassword},
		{p.variables.sts, p.URL()},
	} {
		if variable[0] != "" {
			set = append(set, variable[0]+"="+variable[1])
		}
	}
	return set
}

// Environment returns the environment variables for all platforms.
func (s *Simulator) Environment() []string {
	var set []string
	for _, p := range s.Platforms() {
		set = append(set, p.Environment()...)
	}
	return set
}

// SetLifetime sets the lifetimes of the tokens that are issued from now on. With zero, they have expired already.
func (p *Platform) SetLifetime(access, refresh time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ledger.accessLifetime, p.ledger.refreshLifetime = access, refresh
}

// Requests returns the requests so far, in the order of arrival.
func (p *Platform) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Issued returns all access tokens and refresh tokens that were issued so far.
func (p *Platform) Issued() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.ledger.issued)
}

// Intercept lets f handle each request first. If f returns true, the platform does not answer. nil removes f. The
// http.ResponseWriter can be flushed and hijacked through an http.ResponseController.
func (p *Platform) Intercept(f func(http.ResponseWriter, *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.intercept = f
}

// Locked reports whether the user account is locked. Only Equinix locks it.
func (p *Platform) Locked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.locked()
}

// Unlock resets the count of failed logins.
func (p *Platform) Unlock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = 0
}

// ServeHTTP answers a request, so a test can mount the platform on any server.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	recorder := &statusRecorder{ResponseWriter: w}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	q := request{Request: r, body: body}
	index, intercept := p.arrived(q)
	var a answer
	defer func() { p.answered(index, recorder.status, a) }()

	if err != nil {
		recorder.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if intercept != nil && intercept(recorder, r) {
		return
	}
	a = p.decide(q)
	a.write(recorder)
}

func (p *Platform) arrived(q request) (index int, intercept func(http.ResponseWriter, *http.Request) bool) {
	grant := p.service.grant(q)
	if !slices.Contains(grants, grant) {
		grant = ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, Request{Time: p.now(), Method: q.Method, Path: q.URL.Path, Grant: grant})
	return len(p.requests) - 1, p.intercept
}

func (p *Platform) decide(q request) answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.service.answer(q)
}

func (p *Platform) answered(index, status int, a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry := &p.requests[index]
	entry.Status, entry.Code, entry.Rejected = status, a.code, a.rejected
}

// isClient reports whether the parameters carry the platform's own client credentials.
func (p *Platform) isClient(sent parameters) bool {
	return sent["client_id"] == p.account.ClientID && sent["client_secret"] == p.account.ClientSecret
}

// statusRecorder records the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader records the first status that is not informational (RFC 9110, section 15.2).
func (r *statusRecorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write records the implied status 200.
func (r *statusRecorder) Write(body []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(body)
}

// Unwrap lets an http.ResponseController reach the server's own writer.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
