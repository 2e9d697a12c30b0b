// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package s3test is an S3-compatible storage for tests: a server that others wrote, in the memory of the process, and faults
// in front of it. It works with a virtual clock, and over the network.
package s3test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
)

// Name is the bucket that every Storage has.
const Name = "fleet"

// Fault is what happens to a request. The zero value is no fault.
type Fault struct {
	Status int    // the answer, without the request being acted on; zero: no such answer
	Code   string // of the answer
	Lost   bool   // the request is acted on, and the answer is lost
	Hang   bool   // there is no answer, and the request is not acted on
	Ignore string // a header that the server does not know
	// Late is how long after the loss of its answer the request is acted on. Again is how long after it the request is acted on
	// once more, as a proxy does that repeats it. Change changes the answer. They work without a network only.
	Late, Again time.Duration
	Change      func(*http.Response)
}

// Storage is an S3-compatible storage.
type Storage struct {
	// Fault decides what happens to a request; nil: nothing does.
	Fault func(r *http.Request) Fault
	// Latency is the time from a request to its answer. Ahead is by how much the clock of the storage is ahead.
	Latency, Ahead time.Duration

	handler http.Handler
	mu      sync.Mutex
	log     []string
}

// New returns a storage with an empty bucket, and sets the credentials in the environment of the test.
func New(t testing.TB) *Storage {
	t.Helper()
	for name, value := range Environment() {
		t.Setenv(name, value)
	}
	return newStorage()
}

// Start returns a storage with an empty bucket that listens on loopback until the test ends, and the URL of the bucket.
func Start(t testing.TB) (s *Storage, bucket string) {
	t.Helper()
	s = newStorage()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, "s3://" + Name + "/tokens?endpoint=" + server.URL
}

func newStorage() *Storage {
	quiet := gofakes3.StdLog(log.New(io.Discard, "", 0))
	s := &Storage{handler: gofakes3.New(s3mem.New(), gofakes3.WithTimeSkewLimit(0), gofakes3.WithLogger(quiet)).Server()}
	s.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/"+Name, nil))
	return s
}

// Environment returns the variables with which AWS's tools find credentials, and nothing else.
func Environment() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID": "test-access-key", "AWS_SECRET_ACCESS_KEY": "test-secret-key", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "missing", "AWS_SHARED_CREDENTIALS_FILE": "missing", "AWS_REGION": "", "AWS_PROFILE": "", "AWS_SESSION_TOKEN": "",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "", "AWS_CA_BUNDLE": "",
	}
}

// Bucket returns the store in the bucket, as a new process on a new machine opens it.
func (s *Storage) Bucket(t testing.TB) *cache.Bucket {
	t.Helper()
	return s.bucket(t, s)
}

// Mortal is Bucket for a machine that dies when alive ends. Then it sends nothing more, and gets no answer.
func (s *Storage) Mortal(alive context.Context, t testing.TB) *cache.Bucket {
	t.Helper()
	return s.bucket(t, mortal{s, alive})
}

type mortal struct {
	storage *Storage
	alive   context.Context
}

func (m mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.alive.Err() != nil {
		return nil, errors.New("this machine is dead")
	}
	answer, err := m.storage.RoundTrip(r)
	if m.alive.Err() != nil {
		return nil, errors.New("this machine is dead")
	}
	return answer, err
}

func (s *Storage) bucket(t testing.TB, transport http.RoundTripper) *cache.Bucket {
	t.Helper()
	location, err := cache.ParseLocation("s3://" + Name + "/tokens?endpoint=http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := cache.OpenBucket(context.Background(), location, cache.Network{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

// RoundTrip answers a request without a network.
func (s *Storage) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := sleep(r.Context(), s.Latency/2); err != nil {
		return nil, err
	}
	fault := s.note(r)
	if fault.Hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	recorder, act := httptest.NewRecorder(), repeatable(r)
	if fault.Late > 0 {
		time.AfterFunc(fault.Late, func() { s.answer(httptest.NewRecorder(), act(), fault) })
		return nil, errReset
	}
	s.answer(recorder, act(), fault)
	if fault.Again > 0 {
		time.AfterFunc(fault.Again, func() { s.answer(httptest.NewRecorder(), act(), fault) })
	}
	if err := sleep(r.Context(), s.Latency-s.Latency/2); err != nil {
		return nil, err
	}
	if fault.Lost {
		return nil, errReset
	}
	answer := recorder.Result()
	answer.Request = r
	if fault.Change != nil {
		fault.Change(answer)
	}
	return answer, nil
}

var errReset = errors.New("connection reset by peer")

// repeatable returns copies of a request that do not need its body.
func repeatable(r *http.Request) func() *http.Request {
	body := []byte(nil)
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	return func() *http.Request {
		again := r.Clone(context.Background())
		again.Body = io.NopCloser(bytes.NewReader(body))
		return again
	}
}

// ServeHTTP answers a request over the network.
func (s *Storage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = sleep(r.Context(), s.Latency)
	fault := s.note(r)
	switch {
	case fault.Hang:
		_, _ = io.Copy(io.Discard, r.Body) // otherwise the server does not notice that the client leaves
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case fault.Lost:
		s.answer(httptest.NewRecorder(), r, fault)
		panic(http.ErrAbortHandler)
	}
	s.answer(w, r, fault)
}

func (s *Storage) answer(w http.ResponseWriter, r *http.Request, fault Fault) {
	s.mu.Lock()
	now := time.Now().Add(s.Ahead)
	s.mu.Unlock()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	if fault.Status != 0 {
		w.WriteHeader(fault.Status)
		if r.Method != http.MethodHead {
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>test</Message></Error>", fault.Code)
		}
		return
	}
	body := []byte(nil)
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	again := httptest.NewRequest(r.Method, r.URL.RequestURI(), bytes.NewReader(body))
	again.Header = r.Header.Clone()
	again.Header.Set("Content-Length", strconv.Itoa(len(body)))
	again.Header.Del(fault.Ignore)
	s.mu.Lock() // the server is not atomic by itself
	defer s.mu.Unlock()
	s.handler.ServeHTTP(w, again)
}

// note records a request, and returns what happens to it.
func (s *Storage) note(r *http.Request) (fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Fault != nil {
		fault = s.Fault(r)
	}
	s.log = append(s.log, r.Method+" "+Object(r))
	return fault
}

// Jump sets the clock of the storage forward, or back, while it is used.
func (s *Storage) Jump(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Ahead += by
}

// Object returns the name of the object that a request is about.
func Object(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/"+Name+"/") }

// Requests returns the requests since the last call: method and name of the object.
func (s *Storage) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

// Objects returns the names and the content of all objects.
func (s *Storage) Objects(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	list := httptest.NewRecorder()
	s.handler.ServeHTTP(list, httptest.NewRequest(http.MethodGet, "/"+Name+"?list-type=2&max-keys=10000", nil))
	for _, part := range strings.Split(list.Body.String(), "<Key>")[1:] {
		name, _, _ := strings.Cut(part, "</Key>")
		found := httptest.NewRecorder()
		s.handler.ServeHTTP(found, httptest.NewRequest(http.MethodGet, "/"+Name+"/"+name, nil))
		all[name] = found.Body.String()
	}
	return all
}

// Put writes an object, as another program does.
func (s *Storage) Put(name, content string) {
	s.answer(httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/"+Name+"/"+name, strings.NewReader(content)), Fault{})
}

// Remove removes an object, as another program does.
func (s *Storage) Remove(name string) {
	s.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodDelete, "/"+Name+"/"+name, nil))
}

func sleep(ctx context.Context, pause time.Duration) error {
	if pause <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}
