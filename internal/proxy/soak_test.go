// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// soakTest marks a test that takes long or needs an idle machine. It is skipped unless IXTOKEN_SOAK is set.
func soakTest(t *testing.T) {
	t.Helper()
	if os.Getenv("IXTOKEN_SOAK") == "" {
		t.Skip("IXTOKEN_SOAK is not set")
	}
}

// plainProxy starts a bare ReverseProxy, for comparison.
func plainProxy(t testing.TB, s *fixture) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(&httputil.ReverseProxy{
		Transport: &http.Transport{MaxIdleConnsPerHost: maxRequests, DisableCompression: true},
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(s.options(s.api.URL + "/api/v2").Upstream) },
	})
	t.Cleanup(server.Close)
	return server
}

// smallAnswer answers with a small body, as an API does.
func smallAnswer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":"1","state":"production"}`)
}

// fetch sends a GET and discards the answer.
func fetch(t testing.TB, url string) {
	answer, err := plainTransport.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, nil))
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("answered %d", answer.StatusCode)
	}
}

// throughput measures the answers per second on a number of connections.
func throughput(t testing.TB, url string, connections int, span time.Duration) float64 {
	var count atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range connections {
		all.Go(func() {
			for time.Since(began) < span {
				fetch(t, url)
				count.Add(1)
			}
		})
	}
	all.Wait()
	return float64(count.Load()) / time.Since(began).Seconds()
}

// newFixtureWithoutRecord returns a fixture that does not record requests.
func newFixtureWithoutRecord(t testing.TB, handler http.HandlerFunc) *fixture {
	t.Helper()
	s := newPlatform(t)
	s.api = httptest.NewServer(handler)
	t.Cleanup(s.api.Close)
	s.open(func(o *Options) { o.Logger = nil })
	return s
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

func TestThroughputAtSixtyFourConnections(t *testing.T) {
	soakTest(t)
	s := newFixtureWithoutRecord(t, smallAnswer)
	other := plainProxy(t, s)
	var ratios, ours, theirs []float64
	for range 9 { // in turns, so that other load on the machine affects both
		a := throughput(t, s.url("/accounts"), 64, time.Second)
		b := throughput(t, other.URL+"/accounts", 64, time.Second)
		ours, theirs, ratios = append(ours, a), append(theirs, b), append(ratios, a/b)
	}
	t.Logf("requests a second: %.0f, bare %.0f, ratio %.2f (%.2f to %.2f)", median(ours), median(theirs), median(ratios), ratios[0], ratios[8])
	if median(ratios) < 0.9 {
		t.Error("less than 0.9 of a bare ReverseProxy")
	}
}

func TestAddedLatency(t *testing.T) {
	soakTest(t)
	s := newFixtureWithoutRecord(t, smallAnswer)
	direct, through := []float64{}, []float64{}
	for range 5000 {
		for url, times := range map[string]*[]float64{s.api.URL + "/api/v2/accounts": &direct, s.url("/accounts"): &through} {
			began := time.Now()
			fetch(t, url)
			*times = append(*times, float64(time.Since(began).Microseconds()))
		}
	}
	t.Logf("median: direct %.0f µs, through the proxy %.0f µs", median(direct), median(through))
	if added := median(through) - median(direct); added > 150 {
		t.Errorf("%.0f µs are added", added)
	}
}

// endless is a reader of a given number of bytes.
type endless struct {
	left int64
	sum  hash.Hash
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), e.left)]
	for i := range p {
		p[i] = byte(e.left) + byte(i)
	}
	e.left -= int64(len(p))
	e.sum.Write(p)
	return len(p), nil
}

func TestAGibibyteEachWay(t *testing.T) {
	soakTest(t)
	const size = 1 << 30
	s := newFixtureWithoutRecord(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			sum := sha256.New()
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.CopyBuffer(struct{ io.Writer }{w}, &endless{size, sum}, make([]byte, 32<<10))
			w.Header().Set("X-Sum", hex.EncodeToString(sum.Sum(nil)))
			return
		}
		sum := sha256.New()
		_, _ = io.Copy(sum, r.Body)
		_, _ = io.WriteString(w, hex.EncodeToString(sum.Sum(nil)))
	})
	var stats runtime.MemStats
	used := func() int64 {
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapInuse + stats.StackInuse)
	}
	s.get("/warm", 200)
	runtime.GC()
	before, most := used(), int64(0)
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, used())
			}
		}
	})
	up := &endless{size, sha256.New()}
	answer, got := s.do(http.MethodPost, "/up", up)
	if answer.StatusCode != http.StatusOK || got != hex.EncodeToString(up.sum.Sum(nil)) {
		t.Errorf("up: answered %d: %s", answer.StatusCode, got)
	}
	down, err := plainTransport.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.url("/down"), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer down.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, down.Body)
	if err != nil || n != size || down.Trailer.Get("X-Sum") != hex.EncodeToString(sum.Sum(nil)) {
		t.Errorf("down: %d bytes, %v", n, err)
	}
	close(done)
	watch.Wait()
	t.Logf("memory grew by %.1f MiB", float64(most-before)/(1<<20))
	if most-before > 8<<20 {
		t.Error("more than 8 MiB")
	}
}

// Ten thousand requests, two hundred at the same time. A third of the answers are slow, and some are cut off. Each caller gets
// its own answer.
func TestManyRequestsAtOnce(t *testing.T) { // not parallel, because it counts goroutines and descriptors
	requests := 2000
	if os.Getenv("IXTOKEN_SOAK") != "" {
		requests = 10_000
	}
	s := newFixtureWithoutRecord(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		switch {
		case n%3 == 0:
			<-time.After(rand.N(100 * time.Millisecond))
		case n%50 == 1:
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = connection.(*net.TCPConn).SetLinger(0)
			connection.Close()
			return
		}
		_, _ = fmt.Fprint(w, r.URL.Query().Get("n"), " ", string(text))
	})
	s.Close()
	plainTransport.CloseIdleConnections()
	goroutines, files := runtime.NumGoroutine(), descriptors()
	s.open(func(o *Options) { o.Logger = nil })
	var all sync.WaitGroup
	var broken, wrong atomic.Int64
	slots := make(chan struct{}, 200)
	for n := range requests {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			sent := strings.Repeat(strconv.Itoa(n), 1+n%100)
			answer, body := s.do(http.MethodPost, "/x?n="+strconv.Itoa(n), strings.NewReader(sent))
			switch {
			case n%3 != 0 && n%50 == 1 && answer.StatusCode == http.StatusBadGateway:
				broken.Add(1)
			case answer.StatusCode != http.StatusOK || body != fmt.Sprint(n, " ", sent):
				wrong.Add(1)
				t.Errorf("%d was answered %d: %.80s", n, answer.StatusCode, body)
			}
		})
	}
	all.Wait()
	s.Close()
	plainTransport.CloseIdleConnections()
	leftGoroutines, leftFiles := waitForCount(t, runtime.NumGoroutine, goroutines)-goroutines, waitForCount(t, descriptors, files)-files
	t.Logf("%d requests: %d broke off and were said to, %d wrong; %d goroutines and %d descriptors more than before", requests, broken.Load(), wrong.Load(), leftGoroutines, leftFiles)
	if leftGoroutines > 0 || leftFiles > 0 {
		t.Error("something is left")
	}
	s.wantTokenRequests(1)
}

// A limit that is never reached costs nothing that a program would notice.
func TestTheCostOfALimitThatIsNotReached(t *testing.T) {
	soakTest(t)
	s := newFixtureWithoutRecord(t, smallAnswer)
	other := &fixture{t: t, platform: s.platform, client: s.client, grant: s.grant, api: s.api}
	other.open(func(o *Options) { o.Logger, o.Pace, o.ThrottleWait = nil, NewPace(1e6), time.Minute })
	var ratios []float64
	for range 15 { // in turns, so that other load on the machine affects both
		with := throughput(t, other.url("/accounts"), 64, time.Second)
		ratios = append(ratios, with/throughput(t, s.url("/accounts"), 64, time.Second))
	}
	without, with := []float64{}, []float64{}
	for range 5000 {
		for url, times := range map[string]*[]float64{s.url("/accounts"): &without, other.url("/accounts"): &with} {
			began := time.Now()
			fetch(t, url)
			*times = append(*times, float64(time.Since(began).Nanoseconds())/1000)
		}
	}
	added := median(with) - median(without)
	t.Logf("throughput: %.3f of that without (%.2f to %.2f); median latency: %.1f µs more than %.1f µs", median(ratios), ratios[0], ratios[14], added, median(without))
	if median(ratios) < 0.95 || added > 20 {
		t.Error("it costs too much")
	}
}

func BenchmarkAPaceThatDoesNotWait(b *testing.B) {
	pace, closing := NewPace(1e9), make(chan struct{})
	for b.Loop() {
		number := pace.arrive()
		if _, err := pace.wait(b.Context(), closing, number, time.Minute, func() {}); err != nil {
			b.Fatal(err)
		}
		pace.answered(number, 0)
		pace.gaveUp(number)
	}
}
