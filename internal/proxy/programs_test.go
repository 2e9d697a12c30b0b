// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// bodySize is the size of the body that the programs send, in bytes.
const bodySize = 10 << 20

// programs are programs that others wrote, each with what it needs. They run testdata/programs/<file>.
var programs = map[string]struct {
	file   string
	runner []string
	needs  []string // a command that succeeds if the program can run
	sends  string   // a header of its requests that browsers or WebSocket clients send too
	flags  string   // for curl
	also   []string // the tasks that only some programs have
}{
	"curl":            {file: "curl.sh", runner: []string{"sh"}, needs: []string{"curl", "--version"}, sends: "User-Agent", also: []string{"expect"}},
	"curl --http2":    {file: "curl.sh", runner: []string{"sh"}, needs: []string{"curl", "--version"}, sends: "Upgrade", flags: "--http2", also: []string{"expect"}},
	"Python requests": {file: "with_requests.py", runner: []string{"python3"}, needs: []string{"python3", "-c", "import requests"}, sends: "User-Agent", also: []string{"chunked"}},
	"Node.js fetch":   {file: "fetch.mjs", runner: []string{"node"}, needs: []string{"node", "--version"}, sends: "Sec-Fetch-Mode", also: []string{"chunked"}},
	"axios":           {file: "axios.mjs", runner: []string{"node"}, needs: []string{"node", "-e", `require(process.env.NODE_MODULES+"/axios")`}, sends: "User-Agent", also: []string{"chunked"}},
	// Java runs a source file only where its compiler is.
	"Java HttpClient": {file: "Program.java", runner: []string{"java"}, needs: []string{"javac", "-version"}, sends: "Upgrade", also: []string{"chunked", "expect"}},
}

// tasks are what each program does, and what it prints then: the status and the body.
var tasks = map[string]string{
	"direct": "200 text", "redirect": "200 text", "post": "200 10485760", "chunked": "200 10485760", "expect": "200 10485760",
	"stream": "200 one two three", "gzip": "200 unpacked", "trailers": "200 with trailers", "empty": "204", "unchanged": "304",
	"head": "200 4", "throttled": "200 body", "bearer": "200 text", "basic": "200 text", "parallel": "200 20",
}

// programsAPI is the API for the tasks.
func programsAPI() http.HandlerFunc {
	var throttled atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) {
		flush := http.NewResponseController(w).Flush
		header := w.Header()
		switch r.URL.Path {
		case "/api/v2/redirect":
			http.Redirect(w, r, "/api/v2/text", http.StatusFound)
		case "/api/v2/length":
			length, _ := io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, strconv.FormatInt(length, 10))
		case "/api/v2/stream":
			for _, part := range []string{"one ", "two ", "three"} {
				_, _ = io.WriteString(w, part)
				_ = flush()
				<-time.After(10 * time.Millisecond)
			}
		case "/api/v2/gzip":
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				http.Error(w, "gzip was not asked for", http.StatusNotAcceptable)
				return
			}
			header.Set("Content-Encoding", "gzip")
			packer := gzip.NewWriter(w)
			_, _ = io.WriteString(packer, "unpacked")
			_ = packer.Close()
		case "/api/v2/trailers":
			header.Set("Trailer", "X-Checksum")
			_, _ = io.WriteString(w, "with trailers")
			header.Set("X-Checksum", "42")
		case "/api/v2/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/api/v2/unchanged":
			if r.Header.Get("If-None-Match") == `"1"` {
				header.Set("ETag", `"1"`)
				w.WriteHeader(http.StatusNotModified)
			}
		case "/api/v2/throttled":
			if throttled.CompareAndSwap(false, true) {
				retryAfter(w, http.StatusTooManyRequests, "1")
				return
			}
			echo(w, r)
		default:
			header.Set("Content-Length", "4")
			_, _ = io.WriteString(w, "text")
		}
	}
}

// Programs that others wrote do everything through the proxy that they do without it.
func TestProgramsThatOthersWroteAreServed(t *testing.T) {
	t.Parallel()
	modules, err := filepath.Abs("../../tools/programs/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, make([]byte, bodySize), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, program := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environment := append(os.Environ(), "NODE_MODULES="+modules, "BODY="+body, "NO_PROXY=127.0.0.1", "CURL_FLAGS="+program.flags)
			probe := exec.CommandContext(t.Context(), program.needs[0], program.needs[1:]...)
			probe.Env = environment
			if err := probe.Run(); err != nil {
				t.Skip(name, " is not installed")
			}
			var evidence atomic.Bool
			handler := programsAPI()
			api := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
				evidence.Store(len(r.Header[program.sends]) > 0)
				handler(w, r)
			})
			s := newFixture(t, handler, func(o *Options) { o.ThrottleWait = time.Minute })
			file, err := filepath.Abs(filepath.Join("testdata", "programs", program.file))
			if err != nil {
				t.Fatal(err)
			}
			run := exec.CommandContext(t.Context(), program.runner[0], append(program.runner[1:], file)...)
			run.Dir = t.TempDir()
			run.Env = slices.Concat(environment, []string{"API_URL=" + api.URL, "PROXY_URL=" + s.URL().Reveal(), "PROXY_ADDRESS=" + s.Address(), "PROXY_SECRET=" + s.secret})
			out, err := run.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, strings.ReplaceAll(string(out), s.secret, "<secret>"))
			}
			wantTasks(t, string(out), program.also)
			api.Close() // waits for its handlers
			if !evidence.Load() {
				t.Errorf("the program does not send %s, so this test proves less", program.sends)
			}
			for _, r := range s.requests() {
				if !s.hasIssuedToken(r) || strings.Contains(fmt.Sprint(r.Header, r.RequestURI), s.secret) {
					t.Errorf("%s %s came without the token alone, or with the secret", r.Method, r.URL.Path)
				}
			}
		})
	}
}

// wantTasks fails the test unless the program has said the right thing about each task, and about all those in also.
func wantTasks(t *testing.T, out string, also []string) {
	t.Helper()
	said := map[string]string{}
	for line := range strings.Lines(out) {
		task, result, _ := strings.Cut(line, " ")
		said[task] = strings.TrimSpace(result)
	}
	for task, want := range tasks {
		got, done := said[task]
		needed := task != "chunked" && task != "expect" || strings.Contains(strings.Join(also, " "), task)
		if needed && !done || done && got != want {
			t.Errorf("%s: %q, want %q", task, got, want)
		}
	}
}
