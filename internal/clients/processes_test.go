// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// childVariable makes this test binary a child process. Its value is the child's task.
const childVariable = "IXTOKEN_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		var c child
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			panic(err)
		}
		c.run() // with the real passwordMemory
		return
	}
	passwordMemory = 1 << 10
	go endWhatHangs(soak(60, 1200))
	os.Exit(m.Run())
}

// bounded has the tests that have started a platform, and for how many seconds they have run.
var (
	boundedMu sync.Mutex
	bounded   = map[*testing.T]int{}
)

// bound ends this process if the test hangs. If a lock is not released, some tests wait for it again and again. Others do so in
// virtual time, in which no deadline of the test passes.
func bound(t *testing.T) {
	change := func(f func()) {
		boundedMu.Lock()
		defer boundedMu.Unlock()
		f()
	}
	change(func() { bounded[t] = 0 })
	t.Cleanup(func() { change(func() { delete(bounded, t) }) })
}

// endWhatHangs panics if a test in bounded lasts longer than a number of seconds. It runs in real time.
func endWhatHangs(limit int) {
	for {
		<-time.After(time.Second)
		boundedMu.Lock()
		for t := range bounded {
			if bounded[t]++; bounded[t] > limit {
				panic(t.Name() + " hangs")
			}
		}
		boundedMu.Unlock()
	}
}

// soak returns the number of repetitions: usual, or patient if IXTOKEN_SOAK is set.
func soak(usual, patient int) int {
	if os.Getenv("IXTOKEN_SOAK") != "" {
		return patient
	}
	return usual
}

// child is the task of a child process. It opens the cache, prints that it is ready, waits until its standard input ends, asks
// for tokens, and prints a report. With Hold, it is ready when it has the lock.
type child struct {
	URL, Dir    string
	Grant       string // see grant
	Blocks      int    // how many callers ask at the same time
	Users       int    // if not zero: how many users with passwords ask instead
	Rounds      int    // how often, each time with an empty memory
	MinValidity time.Duration
	Trouble     string // one of troubles; empty: none
	Hold, Save  bool   // instead of asking: hold the lock, or save entries in a loop
}

// troubles open the cache and cause a fault, before or after the opening. They return a network without sockets if the child has
// no file descriptors left. The files for single systems add them.
var troubles = map[string]func(c child, open func()) *pipes{}

// attributesFor has the attributes that a process needs for a trouble.
var attributesFor = map[string]*syscall.SysProcAttr{}

// told is the report of a child.
type told struct {
	Tokens           []string
	Errors, Warnings []string
	Files            []string // in the cache's directory
	Old              string   // why the entry cannot be read; empty: it can be read
	Peak             uint64   // the largest size of the heap, in bytes
}

// grants returns the grants for which the child asks at the same time.
func (c child) grants() []Grant {
	if c.Users == 0 {
		return slices.Repeat([]Grant{c.grant()}, max(c.Blocks, 1))
	}
	var all []Grant
	for i := range c.Users {
		grant := (&fakePlatform{url: c.URL}).equinix(Password)
		grant.UserName = fmt.Sprint("user-", i)
		all = append(all, grant)
	}
	return all
}

func (c child) grant() Grant {
	p := &fakePlatform{url: c.URL}
	switch kind, scope, _ := strings.Cut(c.Grant, " "); kind {
	case "interxion":
		return p.interxion(scope)
	case "refresh":
		return p.cloudLX(RefreshToken)
	}
	return p.cloudLX(ClientCredentials)
}

func (c child) run() {
	request, err := c.grant().request()
	check(err)
	var d *cache.Directory
	open := func() {
		if c.Dir != "" {
			d, err = cache.Open(c.Dir)
			check(err)
		}
	}
	var network *pipes
	if cause := troubles[c.Trouble]; cause != nil {
		network = cause(c, open)
	} else {
		open()
	}
	switch {
	case c.Hold:
		_, err = d.Claim(context.Background(), request.cacheKey(d), never)
		check(err)
	case c.Save:
		c.save(d)
	}
	_, _ = fmt.Fprintln(os.Stdout, "ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	result := c.ask(d, network)
	if d != nil {
		_, result.Old, _ = storedResultOf(d.Look(context.Background(), request.cacheKey(d)))
		names, _ := os.ReadDir(c.Dir)
		for _, name := range names {
			result.Files = append(result.Files, name.Name())
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(result))
}

func (c child) ask(d *cache.Directory, network *pipes) (result told) {
	logged := new(notes)
	var mu sync.Mutex
	for range max(c.Rounds, 1) {
		options := Options{Logger: slog.New(logged.handler())}
		if d != nil {
			options.Cache = d
		}
		client := New(options)
		if network != nil {
			client.sender().transport.DialContext = network.dial
		}
		var all sync.WaitGroup
		for _, grant := range c.grants() {
			all.Go(func() {
				token, err := client.Token(context.Background(), grant, c.MinValidity)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					result.Errors = append(result.Errors, err.Error())
				} else {
					result.Tokens = append(result.Tokens, token.AccessToken.Reveal())
				}
			})
		}
		all.Wait()
	}
	result.Warnings = logged.with("level=WARN")
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	result.Peak = memory.HeapSys
	return result
}

// never is never content with what is stored.
func never(cache.Found) bool { return false }

// save writes entries of different sizes until the child is killed.
func (c child) save(d *cache.Directory) {
	_, _ = fmt.Fprintln(os.Stdout, "ready")
	for i := 0; ; i++ {
		c.Grant = fmt.Sprint("interxion ", i%3)
		request, err := c.grant().request()
		check(err)
		claim, err := d.Claim(context.Background(), request.cacheKey(d), never)
		check(err)
		token := NewSecret(fmt.Sprint("of-", i%3, strings.Repeat("x", 1000*(i%7))))
		check(storeToken(claim, Token{AccessToken: token, Expiry: time.Now().Add(time.Hour)}))
		claim.Release()
	}
}

func callOf(grant Grant) *request {
	request, err := grant.request()
	check(err)
	return request
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(3)
	}
}

// process is a running child, from the parent's point of view.
type process struct {
	t       *testing.T
	command *exec.Cmd
	in      io.Closer
	out     *bufio.Reader
}

// start starts a child and waits until it is ready.
func (c child) start(t *testing.T) *process {
	t.Helper()
	p := c.launch(t)
	p.ready()
	return p
}

func (c child) launch(t *testing.T) *process {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), childVariable+"="+string(text), "GORACE=atexit_sleep_ms=0")
	command.Stderr = os.Stderr
	if c.Users != 0 {
		command.Env = append(command.Env, "GOGC=100") // its memory is measured
	}
	if c.Trouble != "" {
		command.SysProcAttr = attributesFor[c.Trouble]
	}
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		if command.SysProcAttr != nil {
			t.Skipf("no mounts of its own: %v", err)
		}
		t.Fatal(err)
	}
	p := &process{t, command, in, bufio.NewReader(out)}
	t.Cleanup(p.kill)
	return p
}

func (p *process) ready() {
	p.t.Helper()
	if line, err := p.out.ReadString('\n'); err != nil || line != "ready\n" {
		p.t.Fatalf("the child says %q, %v", line, err)
	}
}

// result lets the child continue, and returns its report.
func (p *process) result() (result told) {
	p.t.Helper()
	_ = p.in.Close()
	if err := json.NewDecoder(p.out).Decode(&result); err != nil {
		p.t.Fatalf("the child reports nothing: %v", err)
	}
	if err := p.command.Wait(); err != nil {
		p.t.Error(err)
	}
	return result
}

// kill kills the child with SIGKILL, and waits for its end.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// race runs n children at the same time and returns their reports.
func (c child) race(t *testing.T, n int) []told {
	t.Helper()
	children := make([]*process, n)
	for i := range children {
		children[i] = c.launch(t)
	}
	for _, p := range children {
		p.ready()
	}
	for _, p := range children {
		_ = p.in.Close()
	}
	results := make([]told, n)
	for i, p := range children {
		results[i] = p.result()
	}
	return results
}

// allGot fails the test unless every block of every child got the token want, without warnings.
func allGot(t *testing.T, results []told, blocks int, want string) {
	t.Helper()
	for _, r := range results {
		if len(r.Errors)+len(r.Warnings) != 0 || len(r.Tokens) != blocks || slices.ContainsFunc(r.Tokens, func(token string) bool { return token != want }) {
			t.Fatalf("%+v; want %s for %d blocks", r, want, blocks)
		}
	}
}

func TestProcessesWithoutACacheAskOnceEach(t *testing.T) { // K06
	p := onLoopback(t, grantsToken("t-1"))
	allGot(t, child{URL: p.url, Grant: "interxion", Blocks: 20}.race(t, 50), 20, "t-1")
	p.sent(50, "")
}

func TestProcessesWithAColdCacheAskOnceTogether(t *testing.T) {
	p := onLoopback(t, counted())
	allGot(t, child{URL: p.url, Dir: filepath.Join(t.TempDir(), "cache"), Grant: "interxion", Blocks: 20}.race(t, 50), 20, "t-1")
	p.sent(1, "")
}

func TestProcessesShareARejection(t *testing.T) {
	p, dir := onLoopback(t, rejects("invalid_client")), t.TempDir()
	for _, r := range (child{URL: p.url, Dir: dir, Grant: "interxion", Blocks: 20}).race(t, 20) {
		if len(r.Errors) != 20 || len(r.Warnings) != 0 || !strings.Contains(r.Errors[0], "invalid_client") {
			t.Fatalf("%+v", r)
		}
	}
	p.sent(1, "")
}

// K21: a platform that allows one request a second.
func TestProcessesUnderAThrottle(t *testing.T) {
	var mu sync.Mutex
	last := time.Now()
	p := onLoopback(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) < time.Second {
			says(429, "")(w, r)
			return
		}
		last = time.Now()
		grantsToken("t-1")(w, r)
	})
	start := time.Now()
	c := child{URL: p.url, Dir: t.TempDir(), Grant: "interxion"}
	children := make([]*process, soak(30, 200))
	for i := range children {
		children[i] = c.launch(t)
	}
	for _, child := range children {
		child.ready()
	}
	mu.Lock()
	last = time.Now() // makes the first requests come too early
	mu.Unlock()
	for _, child := range children {
		_ = child.in.Close()
	}
	failures := 0
	for _, child := range children {
		r := child.result()
		for _, text := range r.Errors {
			if failures++; !strings.Contains(text, "429") {
				t.Error(text)
			}
		}
	}
	seen := p.seen("")
	// Only one process at a time sends requests, so the number of requests stays small.
	if len(seen) > 12 || failures > 2 {
		t.Errorf("%d requests, %d processes failed", len(seen), failures)
	}
	t.Logf("%d processes: %d requests within %s, %d processes without a token, all over after %s", len(children), len(seen), seen[len(seen)-1].at.Sub(seen[0].at), failures, time.Since(start))
}

// Each call is a refresh.
func TestNoRefreshTokenIsUsedTwice(t *testing.T) {
	platform, dir := &rotating{life: 0}, t.TempDir() // so that no token lasts until the next round
	p := onLoopback(t, platform.ServeHTTP)
	store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
	const processes = 20
	rounds := soak(10, 50)
	start := time.Now()
	results := child{URL: p.url, Dir: dir, Grant: "cloudlx", Rounds: rounds}.race(t, processes)
	for _, r := range results {
		if len(r.Tokens) != rounds || len(r.Warnings) != 0 {
			t.Errorf("%d tokens, errors %q, warnings %q", len(r.Tokens), r.Errors, r.Warnings)
		}
	}
	platform.count(t, 0, processes*rounds, 0)
	t.Logf("%d refreshes by %d processes in %s, %d refresh tokens used twice", platform.refreshed, processes, time.Since(start), platform.reused)
}

// K09: a process is killed after the platform has rotated its refresh token, and before the answer is stored.
func TestKilledBetweenTheAnswerAndTheStore(t *testing.T) {
	for _, grant := range []string{"cloudlx", "refresh"} {
		t.Run(grant, func(t *testing.T) {
			platform, dir := &rotating{life: 3600}, t.TempDir()
			victims := make(chan *process, 1)
			p := onLoopback(t, func(w http.ResponseWriter, r *http.Request) {
				platform.ServeHTTP(w, r)
				_ = (<-victims).command.Process.Kill()
				<-r.Context().Done() // so that the answer does not arrive
			}, platform.ServeHTTP)
			store(t, dir, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
			next := child{URL: p.url, Dir: dir, Grant: grant, Blocks: 20}
			victim := next.start(t)
			victims <- victim
			_ = victim.in.Close()
			_ = victim.command.Wait()
			allGot(t, next.race(t, 10), 20, "t-2")
			platform.count(t, 1, 1, 0)
		})
	}
}

// F11: an old copy of the directory is restored. Its refresh token was used in the meantime.
func TestAnOldCopyIsRestored(t *testing.T) {
	platform, dir, backup := &rotating{life: 3600}, t.TempDir(), t.TempDir()
	p := onLoopback(t, platform.ServeHTTP)
	store(t, backup, p.cloudLX(ClientCredentials), tokenOf("t-0", 2*time.Hour, -time.Hour, refreshToken))
	restore := func() {
		for _, name := range filesIn(t, dir, "") {
			_ = os.Remove(filepath.Join(dir, name))
		}
		for _, name := range filesIn(t, backup, "") {
			write(t, filepath.Join(dir, name), read(t, filepath.Join(backup, name)))
		}
	}
	c := child{URL: p.url, Dir: dir, Grant: "cloudlx", Blocks: 20}
	restore()
	allGot(t, c.race(t, 5), 20, "t-1")
	platform.count(t, 0, 1, 0)
	restore()
	allGot(t, c.race(t, 5), 20, "t-2")
	platform.count(t, 1, 1, 1) // only the platform can notice it; the refresh token is sent once
}

func TestTheHolderOfALockIsKilled(t *testing.T) { // K17
	p, dir, logged := onLoopback(t, grantsToken("t-1")), t.TempDir(), new(notes)
	holder := child{URL: p.url, Dir: dir, Grant: "interxion", Hold: true}.start(t)
	killed := make(chan time.Time, 1)
	go func() {
		for len(logged.with("cache miss")) == 0 { // next, it waits for the lock
			<-time.After(time.Millisecond)
		}
		now := time.Now()
		holder.kill()
		killed <- now
	}()
	gets(t, p.logging(dir, logged.handler()), p.interxion(""), "t-1")
	t.Logf("the next one had its token %s after the kill", time.Since(<-killed))
	if lines := logged.with("level=WARN"); len(lines) != 0 {
		t.Errorf("warnings: %q", lines)
	}
	gets(t, p.another(dir), p.interxion(""), "t-1")
	p.sent(1, "")
}

func TestKilledAtAnyMomentOfAWrite(t *testing.T) { // H17, X05, X06
	dir, url := t.TempDir(), "http://127.0.0.1"
	p, times, leftovers := &fakePlatform{url: url}, soak(20, 1000), 0
	for range times {
		writer := child{URL: url, Dir: dir, Save: true}.start(t)
		<-time.After(rand.N(8 * time.Millisecond))
		writer.kill()
		leftovers += len(filesIn(t, dir, writeSuffix))
		d := opened(t, dir) // as the next process
		if left := filesIn(t, dir, writeSuffix); len(left) != 0 {
			t.Fatalf("left after the next start: %q", left)
		}
		for i := range 3 {
			grant := p.interxion(fmt.Sprint(i))
			found, why := stored(t, d, grant)
			if why != "" && why != "there is no entry" {
				t.Fatal(why)
			}
			if token := strings.TrimRight(found.Token.AccessToken.Reveal(), "x"); why == "" && token != fmt.Sprint("of-", i) {
				t.Fatalf("the entry has the token %q", token)
			}
			lockFor(t, d, grant)()
		}
	}
	t.Logf("killed %d times, %d times with a file half written", times, leftovers)
}

// Derivations of keys from passwords run one after the other, because each needs 64 MiB.
func TestPasswordsOfManyUsersFitIntoASmallContainer(t *testing.T) {
	const users, one, limit = 5, 64 << 20, 200 << 20
	p := onLoopback(t, counted())
	began := time.Now()
	result := child{URL: p.url, Dir: t.TempDir(), Users: users}.start(t).result()
	t.Logf("%d users took %s and %d MiB", users, time.Since(began), result.Peak>>20)
	if len(result.Tokens) != users || len(result.Errors)+len(result.Warnings) > 0 {
		t.Errorf("%+v", result)
	}
	if result.Peak < one || result.Peak > limit {
		t.Errorf("the heap had %d MiB, want %d for one derivation, and %d at most", result.Peak>>20, one>>20, limit>>20)
	}
}
