// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// limited limits a handler.
func limited(quota *simulator.Quota, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if quota.Admit(time.Now()) {
			next(w, r)
		} else {
			quota.Refuse(w)
		}
	}
}

// Callers that together send more than the API allows get no 429 if the proxy may hold them. If it also knows the limit,
// hardly a request is sent twice. Without either, they do get 429: otherwise this test would prove nothing.
func TestCallersDoNotMeetTheLimitOfTheAPI(t *testing.T) {
	t.Parallel()
	requests, callers, perSecond, twice := 150, 32, 50, 10 // twice: how many percent may be sent twice; busy machines are late
	if os.Getenv("IXTOKEN_SOAK") != "" {
		requests, twice = 1000, 3
	}
	for name, sliding := range map[string]bool{"a fixed window": false, "a sliding window": true} {
		for mode, change := range map[string]func(*Options){
			"neither":        func(*Options) {},
			"held":           func(o *Options) { o.ThrottleWait = 2 * time.Minute },
			"held and paced": func(o *Options) { o.ThrottleWait, o.Pace = 2*time.Minute, NewPace(float64(perSecond)) },
		} {
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				quota := &simulator.Quota{Requests: perSecond, Window: time.Second, Sliding: sliding, RetryAfter: time.Second}
				s := newFixture(t, limited(quota, smallAnswer), change)
				began := time.Now()
				failed := s.callAtOnce(requests, callers)
				took := time.Since(began)
				ideal := time.Duration(requests) * time.Second / time.Duration(perSecond)
				t.Logf("%d requests of %d callers: %d failures, %d refusals (%.1f %%), %.2f s, %.3f of the ideal", requests, callers, failed,
					quota.Refused(), 100*float64(quota.Refused())/float64(requests), took.Seconds(), took.Seconds()/ideal.Seconds())
				switch {
				case mode == "neither" && failed == 0:
					t.Error("the API has no limit, so this test proves nothing")
				case mode != "neither" && failed > 0:
					t.Errorf("%d callers have got an error", failed)
				case mode == "held and paced" && quota.Refused() > requests*twice/100:
					t.Errorf("%d requests were sent twice", quota.Refused())
				}
			})
		}
	}
}

// callAtOnce sends requests of many callers, of every kind. It returns how many were not answered 200.
func (s *fixture) callAtOnce(requests, callers int) int64 {
	s.t.Helper()
	var failed, next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for n := next.Add(1); n <= int64(requests); n = next.Add(1) {
				answer, _ := s.do([]string{"GET", "POST", "DELETE", "PUT"}[n%4], fmt.Sprint("/x?n=", n), strings.NewReader(strings.Repeat("x", int(n%3)*1000)))
				if answer.StatusCode != http.StatusOK {
					failed.Add(1)
				}
			}
		})
	}
	all.Wait()
	return failed.Load()
}

// retryAfter answers with a status and the header Retry-After, which may be empty.
func retryAfter(w http.ResponseWriter, status int, after string) {
	if after != "" {
		w.Header().Set("Retry-After", after)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "refused")
}

// framed is a way in which a caller frames a body.
type framed struct {
	name string
	body func(string) io.Reader // nil: there is no body
	head []string
}

var framings = []framed{
	{name: "no body"},
	{name: "with a length", body: func(text string) io.Reader { return strings.NewReader(text) }},
	{name: "in chunks", body: func(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) }},
	{name: "expecting 100", body: func(text string) io.Reader { return strings.NewReader(text) }, head: []string{"Expect", "100-continue"}},
	{name: "in parts", body: func(text string) io.Reader {
		return io.MultiReader(strings.NewReader(text[:len(text)/2]), delay(50*time.Millisecond), strings.NewReader(text[len(text)/2:]))
	}},
}

// delay is an empty reader that takes some time.
type delay time.Duration

func (d delay) Read([]byte) (int, error) {
	<-time.After(time.Duration(d))
	return 0, io.EOF
}

// holdTest is an answer, and whether the request is sent again after it.
type holdTest struct {
	status int
	after  string
	key    bool // the request has an Idempotency-Key
	size   int
	again  func(method string, framing framed) bool
}

var (
	always  = func(string, framed) bool { return true }
	never   = func(string, framed) bool { return false }
	reading = func(method string, _ framed) bool { return method == "GET" || method == "HEAD" || method == "OPTIONS" }
	empty   = func(_ string, framing framed) bool { return framing.body == nil }
)

var holdTests = []holdTest{
	{429, "1", false, 3000, always},
	{429, "", false, 3000, always}, // one second
	{429, "0", false, 3000, always},
	{429, "1", false, maxReplay, always},
	{429, "1", false, maxReplay + 1, empty},
	{429, "9", false, 3000, never}, // longer than the proxy may hold it
	{503, "1", false, 3000, reading},
	{503, "1", true, 3000, always},
	{503, "", true, 3000, never}, // the API names no pause
	{503, "9", true, 3000, never},
	{500, "1", true, 3000, never},
	{502, "1", true, 3000, never},
	{403, "1", true, 3000, never},
	{302, "1", true, 3000, never},
	{200, "1", true, 3000, never},
}

// Whether a request is sent again depends on status, method, pause and size, and on nothing else: not on how its body is framed, and
// not on whether the API has read the body before it answered. The API gets the same bytes again.
func TestWhatIsHeldAndSentAgain(t *testing.T) {
	t.Parallel()
	platform := newPlatform(t)
	running := make(chan struct{}, 100)
	var all sync.WaitGroup
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"} {
		for i, framing := range framings {
			for _, early := range []bool{false, true} {
				if i > 1 && method != "POST" && method != "DELETE" {
					continue
				}
				for _, test := range holdTests {
					running <- struct{}{}
					all.Go(func() {
						defer func() { <-running }()
						testHold(platform, test, method, framing, early)
					})
				}
			}
		}
	}
	all.Wait()
}

// testHold sends one request through a proxy of its own. early lets the API answer before it reads the body.
func testHold(s *fixture, test holdTest, method string, framing framed, early bool) {
	var mu sync.Mutex
	var bodies []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n := len(bodies)
		bodies = append(bodies, "")
		mu.Unlock()
		if n > 0 || !early {
			text, _ := io.ReadAll(r.Body)
			mu.Lock()
			bodies[n] = string(text)
			mu.Unlock()
		}
		if n == 0 {
			retryAfter(w, test.status, test.after)
		}
	}))
	defer api.Close()
	options := s.options(api.URL)
	options.ThrottleWait, options.Logger = 6*time.Second, nil
	p, err := Start(s.t.Context(), options)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer p.Close()
	own := &fixture{Proxy: p, t: s.t}
	var body io.Reader
	want, head := "", slices.Clone(framing.head)
	if framing.body != nil {
		want = strings.Repeat("x", test.size-1) + "."
		body = framing.body(want)
	}
	if test.key {
		head = append(head, "Idempotency-Key", "k")
	}
	began := time.Now()
	answer, text := own.do(method, "/x", body, head...)
	took := time.Since(began)
	mu.Lock()
	defer mu.Unlock()
	again := test.again(method, framing)
	about := fmt.Sprintf("%s %s, early %t, %d %q of %d bytes: answered %d (%q) after %s, sent %d times", method, framing.name, early, test.status, test.after, test.size, answer.StatusCode, text, took, len(bodies))
	switch {
	case again && (answer.StatusCode != http.StatusOK || len(bodies) != 2 || bodies[1] != want || took < time.Second):
		s.t.Error(about)
	case !again && (answer.StatusCode != test.status || len(bodies) != 1 || took > 8*time.Second || answer.Header.Get("Retry-After") != test.after || method != "HEAD" && text != "refused"):
		s.t.Error(about)
	case !early && bodies[0] != want:
		s.t.Errorf("%s; at first, %d bytes have arrived", about, len(bodies[0]))
	}
}

// Without throttle_wait, every answer goes to the caller at once.
func TestNothingIsHeldUnlessAsked(t *testing.T) {
	t.Parallel()
	s := newFixture(t, func(w http.ResponseWriter, _ *http.Request) { retryAfter(w, 429, "1") }, func(o *Options) { o.Pace = NewPace(1000) })
	for _, method := range []string{"GET", "POST"} {
		if answer, _ := s.do(method, "/x", strings.NewReader("x")); answer.StatusCode != http.StatusTooManyRequests {
			t.Errorf("%s was answered %d", method, answer.StatusCode)
		}
	}
	s.wantAPIRequests(2)
	if got := s.Close(); got.Held != 0 {
		t.Errorf("%d were held", got.Held)
	}
}

// An API that names no pause is asked again after one second, then two. What goes beyond the time that is left goes to the
// caller at once. The proxy says how many requests were held and for how long, and logs one line.
func TestTheTimeOfAllPausesIsLimited(t *testing.T) {
	t.Parallel()
	s := newFixture(t, func(w http.ResponseWriter, _ *http.Request) { retryAfter(w, 429, "") }, func(o *Options) { o.ThrottleWait = 4 * time.Second })
	began := time.Now()
	answer, text := s.do(http.MethodPost, "/x", strings.NewReader("x"))
	if took := time.Since(began); answer.StatusCode != http.StatusTooManyRequests || text != "refused" || took < 3*time.Second {
		t.Errorf("answered %d (%q) after %s", answer.StatusCode, text, took)
	}
	s.wantAPIRequests(3)
	got := s.Close()
	if got.Held != 1 || got.LongestHold < 2500*time.Millisecond || got.LongestHold > 4*time.Second {
		t.Errorf("%+v", got)
	}
	if lines := strings.Count(s.log.String(), "API request waits"); lines != 1 {
		t.Errorf("%d lines:\n%s", lines, s.log.String())
	}
}

// A request whose caller leaves is not sent again, and one that waits for its turn is not sent at all. The next one takes
// its turn.
func TestACallerThatLeavesLeavesTheQueue(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Options)
		status int
		sent   int // by the callers that leave
	}{
		"held after 429":       {func(o *Options) { o.ThrottleWait = time.Minute }, 429, 1}, // the others wait behind it
		"held after 503":       {func(o *Options) { o.ThrottleWait = time.Minute }, 503, 3},
		"waits for its turn":   {func(o *Options) { o.Pace = NewPace(0.3) }, 200, 1},
		"waits, may be held":   {func(o *Options) { o.ThrottleWait, o.Pace = time.Minute, NewPace(0.3) }, 200, 1},
		"waits behind a pause": {func(o *Options) { o.ThrottleWait = time.Minute }, -429, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			s := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
				switch n := calls.Add(1); {
				case r.URL.Path == "/api/v2/last":
				case test.status < 0 && n == 1:
					retryAfter(w, -test.status, "3")
				case test.status > 200:
					retryAfter(w, test.status, "3")
				}
			}, test.change)
			for i, method := range []string{"PUT", "GET", "POST"} {
				ctx, leave := context.WithCancel(t.Context())
				body, head := io.Reader(nil), ""
				if method != "GET" {
					body, head = strings.NewReader("body"), "k"
				}
				r, err := http.NewRequestWithContext(ctx, method, s.url("/x"), body)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Idempotency-Key", head)
				gone := make(chan struct{})
				go func() {
					if answer, err := plainTransport.RoundTrip(r); err == nil {
						answer.Body.Close()
					}
					close(gone)
				}()
				<-time.After(closedWithRequest + 100*time.Millisecond) // a caller that leaves earlier may only have closed its side
				if i > 0 || test.status > 200 {
					leave()
					<-gone
				} else {
					t.Cleanup(leave)
				}
			}
			began := time.Now()
			if answer, _ := s.do(http.MethodGet, "/last", nil); answer.StatusCode != http.StatusOK || time.Since(began) > 8*time.Second {
				t.Errorf("the last caller was answered %d after %s", answer.StatusCode, time.Since(began))
			}
			sent := 0
			for _, r := range s.requests() {
				if r.URL.Path == "/api/v2/x" {
					sent++
				}
			}
			if test.status < 0 {
				sent-- // the one that waits is sent twice
			}
			if sent != test.sent {
				t.Errorf("the requests of callers that have left were sent %d times, want %d", sent, test.sent)
			}
		})
	}
}

// Close answers held requests with the API's answer, and says no to those that wait for their turn. Neither takes a slot of
// the others.
func TestCloseAnswersWhatIsHeld(t *testing.T) {
	t.Parallel()
	const number = maxRequests + 44
	s := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Own", "kept")
		retryAfter(w, 429, "60")
	}, func(o *Options) { o.ThrottleWait, o.Logger = 2*time.Minute, nil })
	answers := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range number {
		all.Go(func() {
			answer, text := s.do(http.MethodPost, "/x", strings.NewReader("x"))
			mu.Lock()
			defer mu.Unlock()
			answers[answer.StatusCode]++
			if answer.StatusCode == http.StatusTooManyRequests && (text != "refused" || answer.Header.Get("X-Own") != "kept" || answer.Header.Get("Retry-After") != "60") {
				t.Errorf("the answer is %v: %q", answer.Header, text)
			}
		})
	}
	waiting := func() int {
		s.Proxy.options.Pace.mu.Lock()
		defer s.Proxy.options.Pace.mu.Unlock()
		return -len(s.Proxy.options.Pace.waiting)
	}
	if got := -waitForCount(t, waiting, -number); got != number || len(s.slots) != 0 {
		t.Errorf("%d wait, and %d have slots", got, len(s.slots))
	}
	began := time.Now()
	s.Close()
	took := time.Since(began)
	all.Wait()
	sent := len(s.requests())
	if took > closeTimeout-time.Second/2 || answers[429] != sent || answers[503] != number-sent || sent == 0 {
		t.Errorf("closed in %s, %d sent, answers %v", took, sent, answers)
	}
}

// inOrder is a transport that records when a request was written to a connection.
type inOrder struct {
	next http.RoundTripper

	mu      sync.Mutex
	queries []string
}

func (o *inOrder) RoundTrip(r *http.Request) (*http.Response, error) {
	return o.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.queries = append(o.queries, r.URL.RawQuery)
	}})))
}

// Two hundred requests that wait are sent as they came.
func TestRequestsAreSentAsTheyCame(t *testing.T) {
	t.Parallel()
	const number = 200
	for name, pace := range map[string]*Pace{"behind a pause": NewPace(0), "behind a limit": NewPace(200)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pace.grace = time.Minute // a busy machine may not let a request be written for long
			var s *fixture
			s = newFixture(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery == "0" && s.came() <= number { // then all of the others wait behind it
					retryAfter(w, 429, "1")
				}
			}, func(o *Options) { o.ThrottleWait, o.Pace, o.Logger = time.Hour, pace, nil })
			record := &inOrder{next: s.transport}
			s.forward.Transport = forwarder{s.tokens, record}
			var all sync.WaitGroup
			for n := range number + 1 {
				all.Go(func() { s.get(fmt.Sprint("/x?", n), 200) })
				for s.came() <= n || len(s.requests()) == 0 { // the order of arrival is that in which the proxy sees them
					<-time.After(100 * time.Microsecond)
				}
			}
			all.Wait()
			var got []int
			for _, query := range record.queries {
				if n, _ := strconv.Atoi(query); n > 0 {
					got = append(got, n)
				}
			}
			if len(got) != number || !slices.IsSorted(got) {
				t.Errorf("they were sent as %v", got)
			}
		})
	}
}

// came returns how many requests have come to the proxy.
func (s *fixture) came() int {
	s.Proxy.options.Pace.mu.Lock()
	defer s.Proxy.options.Pace.mu.Unlock()
	return int(s.Proxy.options.Pace.last)
}

// A caller that has closed its side, as "nc -N" does, may have left. It gets the 429, and its request is not sent again.
func TestARequestIsNotSentAgainForACallerThatMayHaveLeft(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	s := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		<-closed
		retryAfter(w, http.StatusTooManyRequests, "1")
	}, func(o *Options) { o.ThrottleWait = time.Minute })
	connection, err := net.Dial("tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_, _ = io.WriteString(connection, s.rawRequest("DELETE", "/"+s.secret+"/x"))
	_ = connection.(*net.TCPConn).CloseWrite()
	close(closed)
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusTooManyRequests {
		t.Errorf("answered %d", answer.StatusCode)
	}
	s.wantAPIRequests(1)
}

// A token may end while its request is held. The request is sent again with another one.
func TestARequestThatWasHeldHasAValidToken(t *testing.T) {
	t.Parallel()
	s := newPlatform(t)
	s.platform.SetLifetime(2*time.Second, 0)
	s.api = newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		s.record(r)
		if len(s.requests()) == 1 {
			retryAfter(w, http.StatusTooManyRequests, "3")
		}
	})
	s.open(func(o *Options) { o.ThrottleWait, o.MinValidity = time.Minute, 0 })
	s.get("/x", 200)
	got := s.requests()
	if len(got) != 2 || got[0].Header.Get("Authorization") == got[1].Header.Get("Authorization") || !s.hasIssuedToken(got[1]) {
		t.Errorf("%d requests, and the last one has the token that has ended", len(got))
	}
}
