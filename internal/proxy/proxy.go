// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package proxy forwards what programs on this machine ask of one API, and puts a token on each request that is valid at
// that moment. It knows neither platforms nor Terraform, and of the engine it uses Token and Discard alone.
//
// proxy.go listens and ends; guard.go refuses; forward.go sends, and repeats after a 401; tokens.go chooses the token;
// links.go points links back to the proxy; problem.go words what the proxy itself answers.
package proxy

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

const (
	// maxRequests is how many requests are forwarded at once. Further ones wait.
	maxRequests = 256
	// closeTimeout is how long Close waits for requests under way.
	closeTimeout = 5 * time.Second

	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10  // bytes of a request's headers
	maxDrain      = 256 << 10 // bytes of a body that are read so that its connection can be used again
)

// Options are a Proxy's settings.
type Options struct {
	// Upstream is the API. Every request goes there, below its path.
	Upstream *url.URL
	// First is the first token. To obtain it before there is a proxy finds wrong credentials early.
	First clients.Token
	// Token returns a token that is valid for at least a duration, or for less if the platform grants less. It is called
	// for each request, and answers from memory.
	Token func(context.Context, time.Duration) (clients.Token, error)
	// Discard is told which token the API has refused.
	Discard func(clients.Token)
	// MinValidity is the least time for which the token on a request must still be valid.
	MinValidity time.Duration
	// Explain words an error of Token, or a *NoAnswer, for the program that has sent the request.
	Explain func(error) Problem
	// RootCAs are the certificate authorities to trust; nil: the system's.
	RootCAs *x509.CertPool
	// Logger is told of each request, with Name; nil: nobody is.
	Logger *slog.Logger
	// Name is what the proxy is called in the log.
	Name string
}

// Proxy listens on 127.0.0.1 until it is closed.
type Proxy struct {
	options   Options
	secret    string // the first segment of the path
	host      string // what the Host header must say
	tokens    *tokens
	transport *http.Transport
	forward   *httputil.ReverseProxy
	listener  net.Listener
	server    *http.Server
	slots     chan struct{} // holds one element for each request under way
	closing   chan struct{}
	cancel    context.CancelFunc // ends all requests
	working   sync.WaitGroup     // the listener and its connections
	close     func()
}

// Start listens on a port that the system chooses. The values of ctx are those of every request's context.
func Start(ctx context.Context, options Options) (*Proxy, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{
		options:   options,
		secret:    rand.Text(),
		tokens:    newTokens(options),
		transport: clients.NewAPITransport(options.RootCAs, maxRequests),
		slots:     make(chan struct{}, maxRequests),
		closing:   make(chan struct{}),
	}
	p.close = sync.OnceFunc(p.shutDown)
	// Every user of the machine can reach the port; other machines cannot. The path begins with a secret for that reason.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.listener, p.host = listener, listener.Addr().String()
	quiet := log.New(io.Discard, "", 0) // net/http would log what was thrown, and addresses
	p.forward = &httputil.ReverseProxy{
		Rewrite:       p.rewrite,
		Transport:     forwarder{p.tokens, p.transport},
		FlushInterval: -1,
		BufferPool:    buffers{},
		ErrorHandler:  p.answerError,
		ErrorLog:      quiet,
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.cancel = cancel
	p.server = &http.Server{
		Handler:                      p,
		ReadHeaderTimeout:            headerTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeader,
		DisableGeneralOptionsHandler: true, // it would answer "OPTIONS *" without a look at the secret
		BaseContext:                  func(net.Listener) context.Context { return base },
		ConnState:                    p.countConnection,
		ErrorLog:                     quiet,
	}
	p.working.Go(func() { _ = p.server.Serve(listener) })
	return p, nil
}

// countConnection keeps count of the connections' goroutines.
func (p *Proxy) countConnection(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		p.working.Add(1)
	case http.StateClosed, http.StateHijacked:
		p.working.Done()
	}
}

// URL is what takes the place of the API's. It is a secret: it opens the API to every program of this machine.
func (p *Proxy) URL() clients.Secret { return clients.NewSecret("http://" + p.host + "/" + p.secret) }

// Close stops listening, lets requests under way finish for up to five seconds, and ends the rest. It returns how often
// the API has refused a fresh token.
func (p *Proxy) Close() (refusals int) {
	p.close()
	return p.tokens.refusals()
}

func (p *Proxy) shutDown() {
	close(p.closing)
	_ = p.listener.Close()
	p.server.SetKeepAlivesEnabled(false)
	limit := time.NewTimer(closeTimeout)
	defer limit.Stop()
	// A request under way holds a slot. When all slots are taken here, there is none.
	for range cap(p.slots) {
		select {
		case p.slots <- struct{}{}:
			continue
		case <-limit.C:
		}
		break
	}
	_ = p.server.Close()
	p.cancel()
	p.working.Wait()
	p.transport.CloseIdleConnections()
}

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	answer := &responseWriter{ResponseWriter: w}
	defer func() {
		// Method and status only: the rest is the caller's business.
		p.options.Logger.DebugContext(r.Context(), "API request through the proxy", "proxy", p.options.Name,
			"method", knownMethod(r.Method), "status", answer.status, "took", time.Since(began).Round(time.Microsecond))
	}()
	path, refused := p.admit(r)
	switch {
	case refused != nil:
		refused.write(answer)
	case path == tokenPath:
		answerTokenRequest(answer, r)
	default:
		p.serve(answer, r, path)
	}
}

// serve forwards an admitted request as soon as there is a slot.
func (p *Proxy) serve(w *responseWriter, r *http.Request, path string) {
	select {
	case <-p.closing:
		newProblem(http.StatusServiceUnavailable, "The API proxy is being closed.").write(w)
		return
	case <-r.Context().Done():
		return
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	}
	if r.Body != http.NoBody && r.Header.Get("Expect") == "" {
		defer enableFullDuplex(w, r)()
	}
	target := p.targetURL(path, r.URL)
	w.links = &links{upstream: p.options.Upstream, requested: target, proxy: p.URL()}
	p.forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), targetKey{}, target)))
}

// enableFullDuplex lets the API answer before it has the whole request. Without it, net/http takes what is left of the body away
// from the API as soon as the answer begins. The rest is read in the end, which net/http then leaves to the handler.
func enableFullDuplex(w http.ResponseWriter, r *http.Request) (finish func()) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	return func() {
		_ = control.Flush() // the caller may wait for the answer before it sends the rest
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
	}
}

// responseWriter notes the status, and points links of the API to the proxy.
type responseWriter struct {
	http.ResponseWriter
	status int
	links  *links // nil: the answer is the proxy's own
}

// WriteHeader is called for informational answers too, which may have links.
func (a *responseWriter) WriteHeader(status int) {
	a.status = status
	if a.links != nil {
		header := a.Header()
		a.links.rewrite(header)
		if _, typed := header["Content-Type"]; !typed && status >= http.StatusOK {
			header["Content-Type"] = nil // or net/http makes one up
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets an http.ResponseController reach the server's own writer.
func (a *responseWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }
