// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package proxy forwards requests of programs on this machine to one API, and adds a valid token to each request. It knows
// neither platforms nor Terraform. It gets tokens from the function Options.Token, and returns refused ones to
// Options.Discard.
//
//	proxy.go      starts and closes the proxy, and serves requests
//	strangers.go  limits the connections of programs that do not know the secret
//	guard.go      rejects requests that must not be forwarded
//	forward.go    forwards a request, and repeats it after a 401
//	pace.go       decides when requests are sent: their order, the limit, pauses
//	throttle.go   holds a request that the API has not accepted yet
//	spool.go      keeps the body of a request that may be sent again
//	tokens.go     chooses the token for a request
//	links.go      rewrites the links in an answer
//	problem.go    writes the answers of the proxy itself
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
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/transport"
)

const (
	// maxRequests is how many requests are forwarded at the same time. Further requests wait.
	maxRequests = 256
	// closeTimeout is how long Close waits for requests in progress.
	closeTimeout = 5 * time.Second

	// closedPatience is how long a request goes on after its caller has closed the sending side of the connection together
	// with the request. closedWithRequest is how soon that is. A caller that closes the connection later has left.
	closedPatience    = 30 * time.Second
	closedWithRequest = 150 * time.Millisecond

	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10  // bytes of a request's headers
	maxDrain      = 256 << 10 // bytes of a body that are read and dropped, so that the connection can be used again
)

// Options are a Proxy's settings.
type Options struct {
	// Upstream is the URL of the API. The path of each request is appended to its path.
	Upstream *url.URL
	// First is the first token. The caller obtains it, so that wrong credentials are found before the proxy starts.
	First clients.Token
	// Token returns a token that is valid for at least the duration, or for less if the platform grants less. The proxy
	// calls it for each request, so it must answer from memory while a token is valid.
	Token func(context.Context, time.Duration) (clients.Token, error)
	// Discard is called with a token that the API has refused. It returns false if the token is not replaced.
	Discard func(clients.Token) (replaceable bool)
	// MinValidity is the least time for which the token on a request must still be valid.
	MinValidity time.Duration
	// Explain words an error of Token, or a *NoAnswer, for the program that sent the request.
	Explain func(error) Problem
	// Pace decides when requests are sent; nil: at once. Proxies for the same limit share one.
	Pace *Pace
	// ThrottleWait is how long a request may be held in all where the API answers that it gets too many; zero: it is not held.
	ThrottleWait time.Duration
	// Port is the port to listen on; zero: the system chooses one.
	Port int
	// RootCAs are the certificate authorities to trust; nil: the system's.
	RootCAs *x509.CertPool
	// Logger receives a debug message for each request; nil: nothing is logged.
	Logger *slog.Logger
	// Name is the proxy's name in the log.
	Name string
}

// Proxy listens on 127.0.0.1 until it is closed.
type Proxy struct {
	options   Options
	secret    string // the first segment of the path, or the caller's token
	host      string // the required value of the Host header
	tokens    *tokens
	transport *transport.API
	forward   *httputil.ReverseProxy
	strangers *strangers
	listener  net.Listener
	server    *http.Server
	slots     chan struct{} // holds one element for each request that was sent and has no complete answer yet
	requests  requests
	holds     holds
	closing   chan struct{}
	base      context.Context    // of all connections
	cancel    context.CancelFunc // ends base
	working   sync.WaitGroup     // the listener and its connections
	close     func()
}

// Start starts a proxy. The contexts of the requests have the values of ctx. The end of
// ctx does not stop the proxy.
func Start(ctx context.Context, options Options) (*Proxy, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.ThrottleWait > 0 && options.Pace == nil {
		options.Pace = NewPace(0)
	}
	p := &Proxy{
		options:   options,
		secret:    rand.Text(),
		tokens:    newTokens(options),
		transport: transport.NewAPI(options.RootCAs, maxRequests),
		strangers: newStrangers(),
		slots:     make(chan struct{}, maxRequests),
		closing:   make(chan struct{}),
	}
	p.close = sync.OnceFunc(p.shutDown)
	// Every user of this machine can connect to the port, so the path must start with a secret. Other machines cannot
	// connect.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(options.Port)))
	if err != nil {
		return nil, err
	}
	p.listener, p.host = listener, listener.Addr().String()
	quiet := log.New(io.Discard, "", 0) // net/http would log panic values and addresses
	p.forward = &httputil.ReverseProxy{
		Rewrite:       p.rewrite,
		Transport:     forwarder{p.tokens, p.transport},
		FlushInterval: -1,
		BufferPool:    buffers{},
		ErrorHandler:  p.answerError,
		ErrorLog:      quiet,
	}
	p.base, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p.server = &http.Server{
		Handler:                      p,
		ReadHeaderTimeout:            headerTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeader,
		DisableGeneralOptionsHandler: true, // it would answer "OPTIONS *" without the secret
		BaseContext:                  func(net.Listener) context.Context { return p.base },
		ConnContext:                  func(ctx context.Context, c net.Conn) context.Context { return p.strangers.meet(ctx, c, p.closing) },
		ConnState:                    p.countConnection,
		ErrorLog:                     quiet,
	}
	p.working.Go(func() { _ = p.server.Serve(p.listener) })
	return p, nil
}

// countConnection counts the open connections, so that Close can wait for their goroutines. An answer is complete only when
// its connection is idle or closed: net/http writes the end of it after ServeHTTP.
func (p *Proxy) countConnection(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		p.working.Add(1)
	case http.StateIdle:
		p.requests.end(c)
	case http.StateClosed, http.StateHijacked:
		p.requests.end(c)
		p.strangers.leave(c)
		p.working.Done()
	}
}

// URL returns the URL to use in place of the API's URL. It is a secret: every program on this machine that knows it can use
// the API.
func (p *Proxy) URL() clients.Secret { return clients.NewSecret(p.Address() + "/" + p.secret) }

// Address returns the proxy's URL without the secret, for programs that send the secret as their token.
func (p *Proxy) Address() string { return "http://" + p.host }

// Secret returns the secret. A program may send it to the address as a bearer token, or as the password of HTTP Basic.
func (p *Proxy) Secret() clients.Secret { return clients.NewSecret(p.secret) }

// Summary says what a proxy's user should know when it is closed.
type Summary struct {
	Refusals
	// Held is how many requests were held because the API answered that it got too many.
	Held int
	// LongestHold is how long one of them was held at most, in all.
	LongestHold time.Duration
}

// Close stops listening, waits up to five seconds for requests in progress, and cancels the rest. A request that is held gets
// the answer that the API has given.
func (p *Proxy) Close() Summary {
	p.close()
	p.holds.mu.Lock()
	defer p.holds.mu.Unlock()
	return Summary{p.tokens.refused(), p.holds.number, p.holds.longest}
}

func (p *Proxy) shutDown() {
	close(p.closing)
	_ = p.listener.Close()
	p.server.SetKeepAlivesEnabled(false)
	limit := time.NewTimer(closeTimeout)
	defer limit.Stop()
	select {
	case <-p.requests.allEnd():
	case <-limit.C:
	}
	_ = p.server.Close()
	p.cancel()
	p.working.Wait()
	p.transport.CloseIdleConnections()
}

// requests are the connections on which a request is in progress. The zero value is valid.
type requests struct {
	mu       sync.Mutex
	on       map[net.Conn]struct{}
	finished chan struct{} // is closed when there is none; nil: nobody waits for that
}

// begin notes that a request is in progress.
func (r *requests) begin(ctx context.Context) {
	one, ok := ctx.Value(strangerKey{}).(*stranger)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on == nil {
		r.on = map[net.Conn]struct{}{}
	}
	r.on[one.Conn] = struct{}{}
}

// end notes that no request is in progress on a connection.
func (r *requests) end(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.on, c)
	r.finish()
}

// allEnd returns a channel that is closed when no request is in progress. It is called once.
func (r *requests) allEnd() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = make(chan struct{})
	finished := r.finished
	r.finish()
	return finished
}

func (r *requests) finish() {
	if r.finished != nil && len(r.on) == 0 {
		close(r.finished)
		r.finished = nil
	}
}

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	answer := &responseWriter{ResponseWriter: w}
	defer func() {
		// Only method and status: paths, queries and headers may contain secrets.
		p.options.Logger.DebugContext(r.Context(), "API request through the proxy", "proxy", p.options.Name,
			"method", knownMethod(r.Method), "status", answer.status, "took", time.Since(began).Round(time.Microsecond))
	}()
	path, base, refused := p.admit(r)
	switch {
	case refused != nil:
		p.turnAway(answer, r, refused)
	case path == tokenPath:
		p.answerTokenRequest(answer, r, base)
	case path == healthPath:
		p.answerHealth(answer, r)
	default:
		p.serve(answer, r, path, base)
	}
}

// turnAway answers a request that is not forwarded. It does not wait for the body, and closes the connection.
func (p *Proxy) turnAway(w http.ResponseWriter, r *http.Request, refused *Problem) {
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTimeout)) // net/http reads the rest of the body
	refused.write(w)
	p.strangers.dismiss(r.Context())
}

// serve forwards the request, whose path was appended to base.
func (p *Proxy) serve(w *responseWriter, r *http.Request, path string, base clients.Secret) {
	p.requests.begin(r.Context())
	sent := &sentRequest{ReadCloser: r.Body}
	sent.at.Store(time.Now().UnixNano())
	ctx, cancel := p.outlast(r.Context(), sent)
	defer cancel()
	target := p.targetURL(path, r.URL)
	way := p.newPassage(ctx, r, target, base)
	defer way.end()
	if r.Body != http.NoBody && r.Header.Get("Expect") == "" {
		defer enableFullDuplex(w, r)()
	}
	delete(r.Header, "Upgrade")        // ReverseProxy would forward it
	delete(r.Header, "Http2-Settings") // belongs to an offer of h2c
	w.links = &links{upstream: p.options.Upstream, requested: target, proxy: base}
	out := r.WithContext(context.WithValue(ctx, passageKey{}, way)) // a copy: the server examines the body of r
	if r.Body != http.NoBody {
		out.Body = sent
	}
	p.forward.ServeHTTP(w, out)
}

// sentRequest is the body of a request, and when the caller had sent the last part of the request that was read.
type sentRequest struct {
	io.ReadCloser
	at atomic.Int64 // in nanoseconds since 1970
}

// Read reads a part of the body.
func (s *sentRequest) Read(part []byte) (int, error) {
	n, err := s.ReadCloser.Read(part)
	s.at.Store(time.Now().UnixNano())
	return n, err
}

// outlast returns the context of a request to the API. If the caller has closed its sending side together with the request, as
// "nc -N" does, it still reads the answer, so the request goes on for some time. net/http does not tell that from a caller
// that has left. But a caller that gives up does so later.
func (p *Proxy) outlast(caller context.Context, sent *sentRequest) (ctx context.Context, cancel func()) {
	ctx, end := context.WithCancel(context.WithoutCancel(caller))
	stop := context.AfterFunc(caller, func() {
		if time.Since(time.Unix(0, sent.at.Load())) > closedWithRequest {
			end()
			return
		}
		select {
		case <-time.After(closedPatience):
		case <-p.base.Done(): // the proxy was closed
		case <-ctx.Done():
		}
		end()
	})
	return ctx, func() { stop(); end() }
}

// enableFullDuplex lets the API answer before it has read the whole request. By default, net/http reads the rest of the body
// itself when the answer starts, so that the API never gets it. With full duplex, the handler must read the rest: finish
// does that.
func enableFullDuplex(w http.ResponseWriter, r *http.Request) (finish func()) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	return func() {
		_ = control.Flush() // the caller may send the rest only after it has the answer
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
	}
}

// responseWriter records the status, and rewrites the links in the API's answers.
type responseWriter struct {
	http.ResponseWriter
	status int
	links  *links // nil: the proxy itself answers
}

// WriteHeader records the status and rewrites the links. It is called for informational answers too.
func (a *responseWriter) WriteHeader(status int) {
	a.status = status
	if a.links != nil {
		header := a.Header()
		a.links.rewrite(header)
		if _, typed := header["Content-Type"]; !typed && status >= http.StatusOK {
			header["Content-Type"] = nil // otherwise net/http guesses one
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets an http.ResponseController reach the server's own writer.
func (a *responseWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }
