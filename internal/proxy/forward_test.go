// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// answers answers with a status and a body.
func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// echo answers with the request's body.
func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

func TestRequestsAreForwardedUnchanged(t *testing.T) {
	t.Parallel()
	s := newFixture(t, echo)
	for i, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		const target = "/things/%C3%A4%20b;v=1/?a=1;b=%zz&c=%2F..&&d"
		answer, body := s.do(method, target, strings.NewReader("body of "+method), "X-Own", "one", "X-Own", "two", "Accept", "application/json")
		if answer.StatusCode != http.StatusOK || body != "body of "+method {
			t.Errorf("%s was answered %d: %s", method, answer.StatusCode, body)
		}
		got := s.requests()[i]
		if got.Method != method || got.RequestURI != "/api/v2"+target || fmt.Sprint(got.Header["X-Own"]) != "[one two]" || got.Header.Get("Accept") != "application/json" {
			t.Errorf("%s became %s %s with %v", method, got.Method, got.RequestURI, got.Header)
		}
		if !s.hasIssuedToken(got) {
			t.Errorf("%s has no token", method)
		}
	}
	s.wantTokenRequests(1)
}

// Headers about the caller and the connection are replaced or removed. No header is added.
func TestHeadersAreReplacedOrLeftOut(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	s.sendRaw("POST /" + s.secret + "/x HTTP/1.1\r\nHost: " + s.address() + "\r\nContent-Length: 2\r\nAuthorization: Bearer own\r\nAuthorization: Basic own\r\nCookie: a=b\r\n" +
		"Proxy-Authorization: Basic own\r\nProxy-Connection: keep-alive\r\nProxy-Anything: own\r\nForwarded: for=own\r\nX-Forwarded-For: own\r\nX-Forwarded-Host: own\r\n" +
		"X-Forwarded-Anything: own\r\nConnection: close, Authorization, X-Named, Content-Type\r\nX-Named: own\r\nKeep-Alive: 300\r\nTE: gzip\r\nX-Kept: yes\r\n\r\nhi")
	got := s.requests()[0]
	if !s.hasIssuedToken(got) {
		t.Error("the token is missing, or not alone")
	}
	got.Header.Del("Authorization")
	if want := "map[Content-Length:[2] X-Kept:[yes]]"; fmt.Sprint(got.Header) != want {
		t.Errorf("the API has seen %v, want %s", got.Header, want)
	}
}

// The secret of the proxy's URL stays on this machine, whichever header a program repeats it in.
func TestHeadersThatNameTheProxyDoNotReachTheAPI(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	api := s.api.URL + "/api/v2"
	for i, test := range []struct{ name, value, want string }{
		{"Referer", s.url("/orders"), ""},
		{"Referer", s.url(""), ""},
		{"Referer", "http://" + s.address() + "/", ""},
		{"Referer", "HTTP://" + s.address(), ""},
		{"Referer", "/" + s.secret + "/orders", ""},
		{"Referer", "https://portal.example/?from=" + s.secret, ""},
		{"Referer", "https://portal.example/", "https://portal.example/"},
		{"Referer", "http://" + s.address() + "0/", "http://" + s.address() + "0/"}, // another port
		{"Referer", "http://%zz", "http://%zz"},
		{"Destination", s.url("/orders/8"), api + "/orders/8"},
		{"Content-Location", s.url("/orders/8?x=%2F#y"), api + "/orders/8?x=%2F#y"},
		{"Link", "<" + s.url("/a") + ">; rel=up, <" + s.url("/b") + ">; rel=next", "<" + api + "/a>; rel=up, <" + api + "/b>; rel=next"},
		{"X-Callback", "to=" + url.QueryEscape(s.url("/x")), "to=" + url.QueryEscape("http://"+s.address()+"//x")},
		{"X-Script-Name", "/" + s.secret, "/"},
	} {
		s.do(http.MethodPost, "/x", nil, test.name, test.value)
		if got := s.requests()[i].Header.Get(test.name); got != test.want {
			t.Errorf("%s: %s became %q, want %q", test.name, test.value, got, test.want)
		}
	}
}

// net/http sends a Referer by itself if it follows a redirect.
func TestARedirectThroughTheProxyDoesNotTellTheSecret(t *testing.T) {
	t.Parallel()
	s := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v2/orders" {
			http.Redirect(w, r, "/api/v2/orders/7", http.StatusSeeOther)
		}
	})
	answer, err := http.Post(s.url("/orders"), "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	s.wantAPIRequests(2)
	for _, r := range s.requests() {
		if strings.Contains(fmt.Sprint(r.Header), s.secret) || r.Header.Get("Referer") != "" {
			t.Errorf("%s came with %v", r.URL, r.Header)
		}
	}
}

func TestAnswersAreForwardedUnchanged(t *testing.T) {
	t.Parallel()
	s := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header["Content-Type"] = nil
		header.Set("X-Own", "one")
		header.Add("X-Own", "two")
		header.Set("Www-Authenticate", `Bearer error="own"`)
		header.Set("Trailer", "X-Checksum")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "<html>"+r.URL.Path)
		header.Set("X-Checksum", "42")
	})
	answer, body := s.do(http.MethodPost, "/x", strings.NewReader("x"))
	if answer.StatusCode != http.StatusTeapot || body != "<html>/api/v2/x" || fmt.Sprint(answer.Header["X-Own"]) != "[one two]" || answer.Trailer.Get("X-Checksum") != "42" {
		t.Errorf("%d %v %v: %s", answer.StatusCode, answer.Header, answer.Trailer, body)
	}
	if kind, has := answer.Header["Content-Type"]; has {
		t.Errorf("it was given the content type %q", kind)
	}
}

// By default, net/http guesses a content type.
func TestNoContentTypeIsAdded(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	a := &responseWriter{ResponseWriter: recorder, links: linksOf(t, "https://api.example", "/")}
	a.WriteHeader(http.StatusOK)
	_, _ = a.Write([]byte("<html>"))
	if kind := recorder.Result().Header.Get("Content-Type"); kind != "" {
		t.Errorf("it has become %q", kind)
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newAPI(t, func(http.ResponseWriter, *http.Request) { t.Error("it was followed") })
	t.Cleanup(elsewhere.Close)
	s := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", elsewhere.URL+"/x")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	if answer, _ := s.do(http.MethodGet, "/x", nil); answer.StatusCode != http.StatusTemporaryRedirect || answer.Header.Get("Location") != elsewhere.URL+"/x" {
		t.Errorf("answered %d, %v", answer.StatusCode, answer.Header)
	}
}

// Each part is forwarded before the next part has arrived, in both directions.
func TestBodiesAreStreamed(t *testing.T) {
	t.Parallel()
	s := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		part := make([]byte, 4)
		for {
			n, err := io.ReadFull(r.Body, part)
			if err != nil {
				return
			}
			_, _ = w.Write(part[:n])
			_ = control.Flush()
		}
	})
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("/x"), in)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(out, "ping") }()
	answer, err := plainTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	part := make([]byte, 4)
	for i := range 3 {
		if _, err := io.ReadFull(answer.Body, part); err != nil || string(part) != "ping" {
			t.Fatalf("part %d: %q, %v", i, part, err)
		}
		_, _ = io.WriteString(out, "ping")
	}
	out.Close()
}

// Each part of an answer is forwarded at once, even if the answer has a Content-Length.
func TestASlowAnswerArrivesInParts(t *testing.T) {
	t.Parallel()
	read := make(chan struct{})
	s := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "8")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-read:
		case <-time.After(5 * time.Second):
		}
		_, _ = io.WriteString(w, "half")
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url("/x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	answer, err := plainTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadFull(answer.Body, make([]byte, 4)); err != nil || time.Since(began) > 4*time.Second {
		t.Errorf("the first part came after %s: %v", time.Since(began), err)
	}
	close(read)
}

// An API may answer before it has read the request. The caller gets the answer, and can use the connection again.
func TestAnEarlyAnswerArrives(t *testing.T) {
	t.Parallel()
	s := newFixture(t, answers(http.StatusForbidden, "no"))
	for _, size := range []int{1, 1000, 100_000} {
		for range 20 {
			answer, body := s.do(http.MethodPost, "/x", strings.NewReader(strings.Repeat("x", size)))
			if answer.StatusCode != http.StatusForbidden || body != "no" {
				t.Errorf("%d bytes: answered %d: %s", size, answer.StatusCode, body)
			}
		}
	}
}

// A caller that sends Expect: 100-continue gets the API's 100 or its error.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	s := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v2/no" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		echo(w, r)
	})
	patient := &http.Transport{ExpectContinueTimeout: 10 * time.Second}
	defer patient.CloseIdleConnections()
	for path, want := range map[string]int{"/yes": http.StatusOK, "/no": http.StatusRequestEntityTooLarge} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url(path), strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Expect", "100-continue")
		began := time.Now()
		answer, err := patient.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != want || want == http.StatusOK && string(text) != "body" || time.Since(began) > 5*time.Second {
			t.Errorf("%s: answered %d after %s: %s", path, answer.StatusCode, time.Since(began), text)
		}
	}
}

// If the API's answer is cut off, the caller's is cut off too.
func TestABrokenAnswerIsBroken(t *testing.T) {
	t.Parallel()
	s := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url("/x"), nil)
	answer, err := plainTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("the answer looks whole: %q", body)
	}
}

// If an API switches protocols without a request, the proxy opens no tunnel.
func TestNoTunnelIsOpened(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"", "Connection: Upgrade\r\nUpgrade: own\r\n"} {
		s := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			_ = connection.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\n"+header+"\r\n")
			_, _ = io.Copy(io.Discard, connection)
		})
		answer, body := s.sendRaw(s.rawRequest("GET", "/"+s.secret+"/x"))
		if problem(t, answer, body); answer.StatusCode != http.StatusBadGateway {
			t.Errorf("answered %d", answer.StatusCode)
		}
	}
}

func TestAnAPIThatDoesNotAnswerIsExplained(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	s.api.Close()
	answer, body := s.do(http.MethodGet, "/x", nil)
	found := problem(t, answer, body)
	if answer.StatusCode != http.StatusBadGateway || found.Title != "explained" || !strings.Contains(found.Detail, "connection refused") {
		t.Errorf("%d: %+v", answer.StatusCode, found)
	}
}

// The proxy trusts only the given certificate authorities.
func TestTheCertificateIsChecked(t *testing.T) {
	t.Parallel()
	s := newPlatform(t)
	s.api = httptest.NewTLSServer(answers(200, "hi"))
	t.Cleanup(s.api.Close)
	s.open()
	if answer, body := s.do(http.MethodGet, "/x", nil); answer.StatusCode != http.StatusBadGateway || !strings.Contains(body, "authority that this machine does not trust") {
		t.Errorf("%d: %s", answer.StatusCode, body)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.api.Certificate())
	s.open(func(o *Options) { o.RootCAs = roots })
	s.get("/x", 200)
}

// Without a token, nothing is forwarded.
func TestWithoutATokenTheAPIIsNotAsked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   int
		pause  string
	}{
		{"rejected", answers(400, `{"error":"invalid_client"}`), 502, ""},
		{"unavailable", answers(503, ""), 503, "60"},
		{"throttled", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "300")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 503, "300"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t, nil)
			s.tokens.noteRefusal(s.tokens.held) // so that the proxy needs another token
			s.platform.Intercept(func(w http.ResponseWriter, r *http.Request) bool { test.answer(w, r); return true })
			for range 20 {
				answer, body := s.do(http.MethodPost, "/x", strings.NewReader("x"))
				if found := problem(t, answer, body); answer.StatusCode != test.want || found.Title != "explained" || answer.Header.Get("Retry-After") != test.pause {
					t.Fatalf("answered %d, %v: %s", answer.StatusCode, answer.Header, body)
				}
			}
			s.wantAPIRequests(0)
			s.wantTokenRequests(2)
		})
	}
}

// If the platform is temporarily down, the last token is used while it is valid.
func TestTheLastValidTokenIsUsedDuringAnOutage(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil, func(o *Options) { o.MinValidity = 50 * time.Minute })
	s.tokens.options.MinValidity = 59*time.Minute + 59*time.Second // more than the last token has left
	another := clients.New(clients.Options{MaxAttempts: 1})        // has no token in memory
	s.tokens.options.Token = func(ctx context.Context, _ time.Duration) (clients.Token, error) {
		return another.Token(ctx, s.grant, 2*time.Hour)
	}
	s.platform.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	s.get("/x", 200)
	s.wantTokenRequests(2)
	s.wantAPIRequests(1)
}

// An identity token that has expired for the moment is read again: it does no harm as long as the last access token is valid,
// and afterwards the same request may succeed later.
func TestAnExpiredIdentityTokenMayBeReplaced(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil, func(o *Options) { o.MinValidity = 50 * time.Minute })
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"a","sub":"b","exp":1}`))
	expired := clients.OAuth2{
		TokenURL: s.platform.URL(), GrantType: clients.TokenExchange, Format: clients.FormBody, Identity: clients.IdentitySource{Variable: "ID_TOKEN"},
	}
	s.client = clients.New(clients.Options{Getenv: func(string) string { return "e30." + claims + ".c2ln" }})
	s.tokens.options.MinValidity = 59*time.Minute + 59*time.Second // the token at hand is no longer enough
	s.tokens.options.Token = func(ctx context.Context, least time.Duration) (clients.Token, error) {
		return s.client.Token(ctx, expired, least)
	}
	s.get("/x", 200)
	s.tokens.noteRefusal(s.tokens.held)
	if answer, body := s.do(http.MethodGet, "/x", nil); answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") != "1" ||
		!strings.Contains(problem(t, answer, body).Detail, "the identity token in the environment variable ID_TOKEN expired") {
		t.Errorf("answered %d: %s", answer.StatusCode, body)
	}
	s.wantTokenRequests(1)
	s.wantAPIRequests(1)
}

// refusingAPI is an API that answers some tokens with an error.
type refusingAPI struct {
	mu      sync.Mutex
	refused map[string]bool
	status  int
}

func (a *refusingAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	no := a.refused[r.Header.Get("Authorization")] || a.refused["all"]
	a.mu.Unlock()
	if no {
		w.Header().Set("Www-Authenticate", "Bearer")
		w.WriteHeader(a.status)
		return
	}
	echo(w, r)
}

// refuseIssued makes the API refuse all tokens that were issued so far.
func (a *refusingAPI) refuseIssued(s *fixture) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, token := range s.platform.Issued() {
		a.refused["Bearer "+token] = true
	}
}

func newRefusingAPI() *refusingAPI { return &refusingAPI{refused: map[string]bool{}, status: 401} }

func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, body string
		asked, want        int
	}{
		{"GET", "GET", "", 2, 200},
		{"HEAD", "HEAD", "", 2, 200},
		{"GET with a body", "GET", "body", 1, 401},
		{"POST", "POST", "", 1, 401},
		{"POST with a body", "POST", "body", 1, 401},
		{"PUT", "PUT", "", 1, 401},
		{"DELETE", "DELETE", "", 1, 401},
		{"OPTIONS", "OPTIONS", "", 1, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			api := newRefusingAPI()
			s := newFixture(t, api.ServeHTTP)
			api.refuseIssued(s)
			answer, _ := s.do(test.method, "/x?q=1", body(test.body))
			if answer.StatusCode != test.want {
				t.Errorf("answered %d", answer.StatusCode)
			}
			s.wantAPIRequests(test.asked)
			s.get("/x", 200)
			s.wantAPIRequests(test.asked + 1)
			s.wantTokenRequests(2)
			all := s.requests()
			if first, last := all[0].Header.Get("Authorization"), all[len(all)-1].Header.Get("Authorization"); first == last {
				t.Error("the refused token was used again")
			}
		})
	}
}

// body returns a request body; nil for an empty text.
func body(text string) io.Reader {
	if text == "" {
		return nil
	}
	return bytes.NewReader([]byte(text))
}

// If an API refuses every token, not each of its answers causes a token request. It does not matter whether the platform
// issues new tokens or the same token again.
func TestThereIsNoLoopOfTokenRequests(t *testing.T) {
	t.Parallel()
	for _, same := range []bool{false, true} {
		t.Run(fmt.Sprint("the same token again: ", same), func(t *testing.T) {
			t.Parallel()
			s := newFixture(t, answers(401, "no"))
			if same {
				first := s.platform.Issued()[0]
				s.platform.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, first)
					return true
				})
			}
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					for range 10 {
						method := []string{"GET", "POST"}[i%2]
						if answer, body := s.do(method, "/x", nil); answer.StatusCode != http.StatusUnauthorized || body != "no" {
							t.Errorf("%s was answered %d: %s", method, answer.StatusCode, body)
						}
					}
				})
			}
			all.Wait()
			s.wantTokenRequests(2)
			asked := len(s.requests())
			if asked < 1000 || asked > 1100 || same && asked != 1000 {
				t.Errorf("the API has seen %d requests", asked)
			}
			if got := s.Close().Fresh; got != asked {
				t.Errorf("%d refusals are counted, the API has seen %d requests", got, asked)
			}
		})
	}
}

func TestConcurrentRequestsShareOneNewToken(t *testing.T) {
	t.Parallel()
	api := newRefusingAPI()
	s := newFixture(t, api.ServeHTTP)
	api.refuseIssued(s)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if answer, _ := s.do(http.MethodGet, "/x", nil); answer.StatusCode != http.StatusOK {
				t.Errorf("answered %d", answer.StatusCode)
			}
		})
	}
	all.Wait()
	s.wantTokenRequests(2)
}

func TestForbiddenDoesNotDiscardTheToken(t *testing.T) {
	t.Parallel()
	api := newRefusingAPI()
	api.status = 403
	s := newFixture(t, api.ServeHTTP)
	api.refuseIssued(s)
	for range 3 {
		s.get("/x", 403)
	}
	s.wantAPIRequests(3)
	s.wantTokenRequests(1)
	if got := s.Close(); got.Refusals != (Refusals{}) {
		t.Errorf("%d refusals", got)
	}
}

// If no new token can be obtained after a refused GET, the caller gets the reason.
func TestAFailedReplacementIsExplained(t *testing.T) {
	t.Parallel()
	api := newRefusingAPI()
	s := newFixture(t, api.ServeHTTP)
	api.refuseIssued(s)
	s.platform.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	answer, body := s.do(http.MethodGet, "/x", nil)
	if problem(t, answer, body); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %d: %s", answer.StatusCode, body)
	}
	s.wantAPIRequests(1)
}

func TestTheProxyAnswersTokenRequests(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	for _, kind := range []string{"application/x-www-form-urlencoded", "application/json"} {
		answer, body := s.do(http.MethodPost, "/.ixtoken/token", strings.NewReader("grant_type=client_credentials&client_id=any"), "Content-Type", kind, "Authorization", "Basic YTpi")
		if answer.StatusCode != http.StatusOK || body != `{"access_token":"replaced-by-the-api-proxy","expires_in":31536000,"token_type":"Bearer"}`+"\n" || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("answered %d, %v: %s", answer.StatusCode, answer.Header, body)
		}
	}
	if answer, _ := s.do(http.MethodGet, "/.ixtoken/token", nil); answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "POST" {
		t.Errorf("answered %d", answer.StatusCode)
	}
	s.wantAPIRequests(0)
	s.wantTokenRequests(1)
	if answer, _ := s.do(http.MethodGet, "/x", nil, "Authorization", "Bearer replaced-by-the-api-proxy"); answer.StatusCode != http.StatusOK || !s.hasIssuedToken(s.requests()[0]) {
		t.Error("the placeholder was not replaced")
	}
}

// The log shows the method and the status of a request, but no other part of it.
func TestTheLogShowsOnlyMethodAndStatus(t *testing.T) {
	t.Parallel()
	s := newFixture(t, answers(200, "CANARY-answer"))
	s.do(http.MethodPost, "/CANARY-path?CANARY-query", strings.NewReader("CANARY-body"), "X-Header", "CANARY-header")
	s.do("CANARYMETHOD", "/x", nil)
	s.sendRaw(s.rawRequest("GET", "/CANARY-secret"))
	s.Close()
	logged := s.log.String()
	for _, want := range []string{"method=POST status=200 took=", "method=another status=200", "method=GET status=404"} {
		if !strings.Contains(logged, want) {
			t.Errorf("the log does not say %q:\n%s", want, logged)
		}
	}
	if strings.Contains(logged, "CANARY") || strings.Contains(logged, s.secret) || strings.Contains(logged, "Bearer") {
		t.Errorf("the log tells too much:\n%s", logged)
	}
}

// HTTPS_PROXY is used for the API as it is for token requests.
func TestTheEnvironmentsProxyIsUsed(t *testing.T) { // not parallel, because it sets variables
	var asked atomic.Int32
	network := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect && r.Host == "api.example:443" {
			asked.Add(1)
		}
		w.WriteHeader(http.StatusForbidden)
	})
	t.Setenv("HTTPS_PROXY", network.URL)
	t.Setenv("https_proxy", network.URL)
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	s := newFixture(t, nil, func(o *Options) { o.Upstream = &url.URL{Scheme: "https", Host: "api.example"} })
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if answer, body := s.do(method, "/x", nil); answer.StatusCode != http.StatusBadGateway || !strings.Contains(body, "the proxy answered 403") {
			t.Errorf("%s was answered %d: %s", method, answer.StatusCode, body)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("the network's proxy was asked %d times", asked.Load())
	}
}
