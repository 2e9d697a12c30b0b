// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

const (
	clientID     = "ABCDE12345"
	clientSecret = "FGHIJ67890"
	minValidity  = 5 * time.Minute
)

// client measures the package clients without Terraform, and compares it with other clients.
func (b *bench) client(ctx context.Context) (string, error) {
	hits, err := b.hits(ctx)
	if err != nil {
		return "", err
	}
	exchanges, err := b.exchanges(ctx)
	if err != nil {
		return "", err
	}
	concurrent, err := b.concurrent(ctx)
	return strings.Join([]string{hits, exchanges, concurrent}, "\n"), err
}

// platform starts a server that answers every token request with the status after the delay.
func platform(status int, lifetime, delay time.Duration) (server *httptest.Server, requests *atomic.Int64) {
	requests = new(atomic.Int64)
	answer := fmt.Sprintf(`{"access_token":"qwErtY8zyW1abcdefGHI","expires_in":%d,"token_type":"Bearer","scope":"ixapi.read"}`, lifetime/time.Second)
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		wait(r.Context(), delay)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if status == http.StatusOK {
			_, _ = io.WriteString(w, answer)
		}
	})), requests
}

func grant(base string) clients.Grant {
	return clients.Interxion{LoginURL: base, ClientID: clientID, ClientSecret: clients.NewSecret(clientSecret)}
}

// oauth2Config makes x/oauth2 send the same request as this client. By default, x/oauth2 would try HTTP Basic first.
func oauth2Config(base string) *clientcredentials.Config {
	return &clientcredentials.Config{
		ClientID: clientID, ClientSecret: clientSecret, TokenURL: base + "/connect/token", AuthStyle: oauth2.AuthStyleInParams,
	}
}

// contender is one of several functions that are compared.
type contender struct {
	name        string
	do          func() error
	baseline    *contender // for the ratio; nil: none
	nanoseconds sample
	allocations sample
}

// compare measures all contenders in turns, once per run.
func compare(runs int, contenders []*contender) error {
	for round := range runs {
		for i := range contenders {
			c := contenders[(round+i)%len(contenders)]
			nanoseconds, allocations, err := perCall(c.do)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			c.nanoseconds, c.allocations = append(c.nanoseconds, nanoseconds), append(c.allocations, allocations)
		}
	}
	return nil
}

// perCall returns the cost of one call: the mean over as many calls as fit into a fifth of a second.
func perCall(do func() error) (nanoseconds, allocations float64, err error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start, calls := time.Now(), 0
	for time.Since(start) < time.Second/5 {
		for range 10 {
			if err := do(); err != nil {
				return 0, 0, err
			}
		}
		calls += 10
	}
	taken := time.Since(start)
	runtime.ReadMemStats(&after)
	return float64(taken.Nanoseconds()) / float64(calls), float64(after.Mallocs-before.Mallocs) / float64(calls), nil
}

// hits measures how long Token takes if the token is in memory.
func (b *bench) hits(ctx context.Context) (string, error) {
	progress("client, shared token")
	server, _ := platform(http.StatusOK, time.Hour, 0)
	defer server.Close()
	client, asked := clients.New(clients.Options{}), grant(server.URL)
	source := oauth2Config(server.URL).TokenSource(ctx)
	us := &contender{name: "this client", do: func() error { _, err := client.Token(ctx, asked, minValidity); return err }}
	them := &contender{name: "x/oauth2", do: func() error { _, err := source.Token(); return err }}
	if err := compare(b.runs, []*contender{us, them}); err != nil {
		return "", err
	}
	t := table{{"client, shared token", "ns", "allocations"}}
	for _, c := range []*contender{us, them} {
		t.add(c.name, c.nanoseconds.spread(0), c.allocations.format(1))
	}
	return t.String(), nil
}

// exchanges measures one request and its answer, each over a new connection, as in a process that sends one request.
func (b *bench) exchanges(ctx context.Context) (string, error) {
	progress("client, one exchange")
	server, _ := platform(http.StatusOK, 0, 0) // tokens that have ended, so that none is shared
	defer server.Close()
	single := &http.Client{Transport: newSingle()}
	config, withSingle := oauth2Config(server.URL), context.WithValue(ctx, oauth2.HTTPClient, single)
	client, asked := clients.New(clients.Options{}), grant(server.URL)
	kept := &http.Client{Transport: &http.Transport{}}
	defer kept.CloseIdleConnections()

	raw := &contender{name: "POST of net/http", do: func() error { return post(ctx, single, server.URL) }}
	rawNew := &contender{name: "POST of net/http, transport made for it", do: func() error {
		return post(ctx, &http.Client{Transport: newSingle()}, server.URL)
	}}
	all := []*contender{
		{name: "this client", baseline: raw, do: func() error { _, err := client.Token(ctx, asked, minValidity); return err }},
		raw,
		{name: "x/oauth2", baseline: raw, do: func() error { _, err := config.Token(withSingle); return err }},
		{name: "this client, made for it", baseline: rawNew, do: func() error {
			_, err := clients.New(clients.Options{}).Token(ctx, asked, minValidity)
			return err
		}},
		rawNew,
		{name: "POST over a connection that is kept", baseline: raw, do: func() error { return post(ctx, kept, server.URL) }},
	}
	if err := compare(b.runs, all); err != nil {
		return "", err
	}
	t := table{{"client, one exchange on loopback", "µs", "allocations, server included", "to the POST"}}
	for _, c := range all {
		ratio := ""
		if c.baseline != nil {
			ratio = c.nanoseconds.over(c.baseline.nanoseconds).spread(2)
		}
		t.add(c.name, c.nanoseconds.scaled(1e-3).format(0), c.allocations.format(0), ratio)
	}
	return t.String(), nil
}

// newSingle returns a transport that opens a new connection for each request.
func newSingle() *http.Transport { return &http.Transport{DisableKeepAlives: true} }

// post obtains a token with as little code as possible.
func post(ctx context.Context, client *http.Client, base string) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {clientSecret}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil {
		return err
	}
	if token.AccessToken == "" {
		return errors.New("no token")
	}
	_, err = io.Copy(io.Discard, answer.Body) // otherwise the connection is not used again
	return err
}

// concurrent measures many goroutines that ask at the same time for a token that cannot be shared for long. They spend nearly
// all of the time waiting, so all cases run at the same time.
func (b *bench) concurrent(ctx context.Context) (string, error) {
	progress(fmt.Sprintf("client, %d goroutines; about %s", b.blocks, (time.Duration(b.blocks) * b.delay).Round(time.Second)))
	cases := []struct {
		name     string
		status   int
		lifetime time.Duration
	}{
		{"the platform answers 503", http.StatusServiceUnavailable, 0},
		{"tokens live 5 s", http.StatusOK, 5 * time.Second},
	}
	rows := make(table, 2*len(cases))
	var all sync.WaitGroup
	for i, c := range cases {
		all.Go(func() {
			server, requests := platform(c.status, c.lifetime, b.delay)
			defer server.Close()
			client, asked := clients.New(clients.Options{}), grant(server.URL)
			taken := callAtOnce(b.blocks, func() { _, _ = client.Token(ctx, asked, minValidity) })
			rows[2*i] = []string{"this client, " + c.name, integer(int(requests.Load())), fmt.Sprintf("%.2f", taken.Seconds())}
		})
		all.Go(func() {
			server, requests := platform(c.status, c.lifetime, b.delay)
			defer server.Close()
			source := oauth2Config(server.URL).TokenSource(ctx)
			taken := callAtOnce(b.blocks, func() { _, _ = source.Token() })
			rows[2*i+1] = []string{"x/oauth2, " + c.name, integer(int(requests.Load())), fmt.Sprintf("%.2f", taken.Seconds())}
		})
	}
	all.Wait()
	t := append(table{{fmt.Sprintf("client, %d goroutines", b.blocks), "requests", "seconds"}}, rows...)
	left := waitWithDeadline(ctx)
	t.add("this client, a waiter with 100 ms at a platform that takes 5 s", "1", fmt.Sprintf("%.2f", left.Seconds()))
	return t.String(), ctx.Err()
}

// callAtOnce calls ask count times at once, and returns the time until the last call returns.
func callAtOnce(count int, ask func()) time.Duration {
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range count {
		all.Go(func() {
			<-begin
			ask()
		})
	}
	start := time.Now()
	close(begin)
	all.Wait()
	return time.Since(start)
}

// waitWithDeadline returns how long a caller with a deadline waits while another caller waits longer for the same token.
func waitWithDeadline(ctx context.Context) time.Duration {
	server, _ := platform(http.StatusOK, time.Hour, 5*time.Second)
	defer server.Close()
	client, asked := clients.New(clients.Options{}), grant(server.URL)
	patient, cancel := context.WithCancel(ctx)
	var other sync.WaitGroup
	other.Go(func() { _, _ = client.Token(patient, asked, minValidity) })
	limit, done := context.WithTimeout(ctx, 100*time.Millisecond)
	defer done()
	start := time.Now()
	_, _ = client.Token(limit, asked, minValidity)
	taken := time.Since(start)
	cancel()
	other.Wait()
	return taken
}
