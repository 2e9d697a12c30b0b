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
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// dial opens a connection to a proxy.
func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection.(*net.TCPConn)
}

// A refused request is answered at once. Its connection is closed soon, also if the body never comes.
func TestARefusedRequestDoesNotWaitForItsBody(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	for i, line := range []string{"POST /wrong", "GET /", "POST /" + s.secret + "/../x", "TRACE /" + s.secret, "POST http://evil.example/", "POST /" + s.secret + "/.ixtoken/x"} {
		for _, header := range []string{"Content-Length: 1000\r\n\r\n", "Content-Length: 1000\r\n\r\nsome", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "Content-Length: 99999999\r\n\r\n", "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n", "\r\n"} {
			t.Run(fmt.Sprint(i, " ", header), func(t *testing.T) {
				t.Parallel()
				connection := dial(t, s.address())
				_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
				_, _ = fmt.Fprintf(connection, "%s HTTP/1.1\r\nHost: %s\r\n%s", line, s.address(), header)
				began := time.Now()
				reader := bufio.NewReader(connection)
				answer, err := http.ReadResponse(reader, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				if answer.StatusCode/100 != 4 {
					t.Errorf("answered %d", answer.StatusCode)
				}
				if _, err := io.ReadAll(reader); err != nil && !isReset(err) {
					t.Errorf("the connection stays open: %v", err)
				}
				if took := time.Since(began); took > 4*time.Second {
					t.Errorf("it was closed after %s", took)
				}
			})
		}
	}
}

// A caller that sends its whole body before it reads gets the answer, and not a reset.
func TestARefusedCallerReadsTheAnswer(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	for _, size := range []int{10, 10_000, 200_000, 1_000_000} {
		for range 10 {
			connection := dial(t, s.address())
			_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = fmt.Fprintf(connection, "POST /wrong HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", s.address(), size)
			go func() { _, _ = io.WriteString(connection, strings.Repeat("x", size)) }()
			answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusNotFound {
				t.Errorf("%d bytes: answered %d: %s, %v", size, answer.StatusCode, body, err)
			}
			answer.Body.Close()
		}
	}
}

// A caller that sends its body after the answer has come does not find the connection reset, as long as it does not wait.
func TestARefusedCallerMaySendItsBody(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	for range 10 {
		connection := dial(t, s.address())
		_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = fmt.Fprintf(connection, "POST /wrong HTTP/1.1\r\nHost: %s\r\nContent-Length: 300\r\n\r\n", s.address())
		reader := bufio.NewReader(connection)
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		for range 3 {
			if _, err := io.WriteString(connection, strings.Repeat("x", 100)); err != nil {
				t.Error(err)
			}
		}
		if _, err := reader.ReadByte(); err != io.EOF {
			t.Errorf("the connection ended with %v", err)
		}
	}
}

// A caller that closes its sending side after the request ("nc -N") gets the whole answer.
func TestAHalfClosedCallerIsServed(t *testing.T) {
	t.Parallel()
	s := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		<-time.After(200 * time.Millisecond)
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-time.After(200 * time.Millisecond)
		_, _ = io.WriteString(w, string(text)+"last")
	})
	for _, request := range []string{"GET /%s/x HTTP/1.1\r\nHost: %s\r\n\r\n", "POST /%s/x HTTP/1.1\r\nHost: %s\r\nContent-Length: 4\r\n\r\nbody", "GET /%s/x HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"} {
		connection := dial(t, s.address())
		_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = fmt.Fprintf(connection, request, s.secret, s.address())
		_ = connection.CloseWrite()
		answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), "first") || !strings.HasSuffix(string(body), "last") || err != nil {
			t.Errorf("%q: answered %d: %q, %v", request, answer.StatusCode, body, err)
		}
	}
}

// A request ends with its caller: it holds no place of others, and nothing is sent for it any more.
func TestARequestEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	arrived, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	s := newFixture(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { // leaves only when the request is there: the machine may be busy
			<-arrived
			<-time.After(3 * closedWithRequest)
			cancel()
		}()
		request, err := http.NewRequestWithContext(ctx, method, s.url("/x"), strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := http.DefaultClient.Do(request); err == nil { //nolint:bodyclose // there is no answer
			t.Error("the API has answered")
		}
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Errorf("%s goes on after its caller has left", method)
		}
	}
}

// A request whose caller has closed its side together with it does not go on for ever. The end of the proxy ends it at once.
func TestARequestOutlivesItsCallerForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		base, closeProxy := context.WithCancel(t.Context())
		p := &Proxy{base: base}
		start := func() (began time.Time, leave func(), ctx context.Context) {
			caller, leave := context.WithCancel(base)
			sent := &sentRequest{}
			sent.at.Store(time.Now().UnixNano())
			ctx, cancel := p.outlast(caller, sent)
			t.Cleanup(cancel)
			return time.Now(), leave, ctx
		}
		began, leave, ctx := start()
		elapse(time.Hour)
		if ctx.Err() != nil {
			t.Error("it has ended, although the caller waits")
		}
		leave() // long after the request
		if <-ctx.Done(); time.Since(began) != time.Hour {
			t.Errorf("it has ended after %s", time.Since(began))
		}
		began, leave, ctx = start()
		leave()
		if <-ctx.Done(); time.Since(began) != closedPatience {
			t.Errorf("it has ended after %s", time.Since(began))
		}
		began, leave, ctx = start()
		leave()
		elapse(time.Second)
		closeProxy()
		if <-ctx.Done(); time.Since(began) != time.Second {
			t.Errorf("it has ended after %s", time.Since(began))
		}
	})
}

// serveUntilStdinEnds is the process that TestStrangersDoNotHoldUpOthers starts.
func serveUntilStdinEnds(t *testing.T) {
	s := newFixtureWithoutRecord(t, echo)
	fmt.Fprintln(os.Stdout, "URL "+s.URL().Reveal())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// attack opens connections without the secret, in several ways, and opens each again when the proxy has closed it.
func attack(ctx context.Context, all *sync.WaitGroup, address string, connections int) {
	for i := range connections {
		all.Go(func() {
			for ctx.Err() == nil {
				connection, err := net.Dial("tcp", address)
				if err != nil {
					continue
				}
				end := context.AfterFunc(ctx, func() { _ = connection.Close() })
				_, _ = io.WriteString(connection, []string{
					"", "POST /wr", "POST /wrong HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
				}[i%5])
				_, _ = io.Copy(io.Discard, connection)
				end()
				_ = connection.Close()
			}
		})
	}
}

// Connections that do not show the secret do not stop requests with it, also if file descriptors are few.
func TestStrangersDoNotHoldUpOthers(t *testing.T) {
	if os.Getenv("IXTOKEN_TEST_SERVE") != "" {
		serveUntilStdinEnds(t)
		return
	}
	t.Parallel()
	span := 2 * time.Second
	if os.Getenv("IXTOKEN_SOAK") != "" {
		span = time.Minute
	}
	for _, descriptors := range []string{"256", "1024"} {
		t.Run(descriptors, func(t *testing.T) {
			t.Parallel()
			run := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n "$0" || exit 77; exec "$@"`, descriptors, os.Args[0], "-test.run=^TestStrangersDoNotHoldUpOthers$")
			run.Env = append(os.Environ(), "IXTOKEN_TEST_SERVE=1")
			run.Stderr = os.Stderr
			stdin, err := run.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := run.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Start(); err != nil {
				t.Skip("there is no shell: ", err)
			}
			line, _ := bufio.NewReader(stdout).ReadString('\n')
			proxied, isURL := strings.CutPrefix(strings.TrimSpace(line), "URL ")
			u, err := url.Parse(proxied)
			if !isURL || err != nil {
				t.Skipf("the process did not start: %q", line)
			}
			var all sync.WaitGroup
			ctx, stop := context.WithCancel(t.Context())
			defer func() {
				stop()
				all.Wait()
				stdin.Close()
				_ = run.Wait()
			}()
			attack(ctx, &all, u.Host, 500)
			wantServed(t, proxied, span)
		})
	}
}

// wantServed sends requests for a while, over kept connections and over new ones, and fails the test unless all succeed soon.
func wantServed(t *testing.T, proxied string, span time.Duration) {
	t.Helper()
	fresh, kept := &http.Transport{DisableKeepAlives: true}, &http.Transport{}
	defer kept.CloseIdleConnections()
	var slowest time.Duration
	count := 0
	for began := time.Now(); time.Since(began) < span; count++ {
		for _, transport := range []*http.Transport{fresh, kept} {
			sent := time.Now()
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, proxied+"/x", strings.NewReader("x"))
			answer, err := transport.RoundTrip(r)
			if err != nil {
				t.Error(err)
				continue
			}
			if body, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
				t.Errorf("answered %d: %s", answer.StatusCode, body)
			}
			answer.Body.Close()
			slowest = max(slowest, time.Since(sent))
		}
	}
	t.Logf("%d requests, the slowest took %s", 2*count, slowest)
	if slowest > 10*time.Second {
		t.Error("requests were held up")
	}
}
