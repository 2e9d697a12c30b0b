// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package apiproxy

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/proxy"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
)

// terms are the words of a simple front end: an input has only its name.
var terms = platforms.Terms{
	Input:   func(in platforms.Input) string { return in.Name },
	Setting: func(in platforms.Input) string { return in.Name },
}

// settings returns the settings of CloudLX's proxy for the simulator, with the given upstream.
func settings(t *testing.T, s *simulator.Simulator, upstream string) platforms.Settings {
	t.Helper()
	environment := map[string]string{}
	for _, variable := range s.CloudLX.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		environment[name] = value
	}
	found, bad := platforms.CloudLX.APIProxy().Resolve(
		platforms.Source{Origin: "this test", Value: func(in platforms.Input) platforms.Value {
			if in.Name == "upstream" {
				return platforms.Text(upstream, false)
			}
			return platforms.Value{}
		}},
		platforms.Environment(func(name string) string { return environment[name] }), platforms.Defaults())
	if len(bad.Missing)+len(bad.Invalid)+len(bad.Unknown) > 0 {
		t.Fatalf("the settings are not complete: %v", bad)
	}
	return found
}

// An API that does not answer is not reported as a problem with the token: the platform has issued one.
func TestAnAPIThatDoesNotAnswerIsExplained(t *testing.T) {
	t.Parallel()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close() // so that connections to its port are refused
	found := settings(t, s, "http://"+listener.Addr().String())
	client := clients.New(clients.Options{})
	first, err := client.Token(t.Context(), platforms.CloudLX.Grant(found), 0)
	if err != nil {
		t.Fatal(err)
	}
	started, err := Start(t.Context(), Options{
		Platform: platforms.CloudLX, Settings: found, Terms: terms, Client: client, First: first,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { started.Close() })
	answer, err := http.Get(started.URL().Reveal() + "/services")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var problem proxy.Problem
	if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusBadGateway || problem.Title != "CloudLX API proxy: no answer from the API" ||
		!strings.HasSuffix(problem.Type, "#no-answer-from-the-api") || !strings.Contains(problem.Detail, "connection refused") {
		t.Errorf("status %d: %+v", answer.StatusCode, problem)
	}
}

// Proxies share a limit if upstream, client and limit are the same, however the URL ends. Without a limit there is nothing to share.
func TestWhoSharesALimit(t *testing.T) {
	t.Parallel()
	const api = "https://api.example/v2"
	var all Paces
	first := all.share(api, "client", 10, 0)
	for name, other := range map[string]*proxy.Pace{
		"the same":                   all.share(api, "client", 10, 0),
		"a slash at the end":         all.share(api+"/", "client", 10, 0),
		"another time to be held":    all.share(api, "client", 10, time.Minute),
		"a third proxy of that kind": all.share(api, "client", 10, time.Hour),
	} {
		if other != first {
			t.Errorf("%s: has a limit of its own", name)
		}
	}
	for name, other := range map[string]*proxy.Pace{
		"another client":   all.share(api, "other", 10, 0),
		"another upstream": all.share(api+"/b", "client", 10, 0),
		"another limit":    all.share(api, "client", 11, 0),
		"another process":  new(Paces).share(api, "client", 10, 0),
		"no process":       (*Paces)(nil).share(api, "client", 10, 0),
		"only held":        all.share(api, "client", 0, time.Minute),
	} {
		if other == first || other == nil {
			t.Errorf("%s: shares the limit", name)
		}
	}
	if got := all.share(api, "client", 0, 0); got != nil {
		t.Error("a proxy without a limit has one")
	}
}

// Two proxies of a process together send no more than the limit.
func TestTwoProxiesKeepOneLimit(t *testing.T) {
	t.Parallel()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var came atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	t.Cleanup(api.Close)
	found := settings(t, s, api.URL)
	found["max_requests_per_second"] = platforms.Setting{Value: clients.NewSecret("2e1")} // as Terraform's numbers may look
	client := clients.New(clients.Options{})
	first, err := client.Token(t.Context(), platforms.CloudLX.Grant(found), 0)
	if err != nil {
		t.Fatal(err)
	}
	var paces Paces
	var all sync.WaitGroup
	began := time.Now()
	for range 2 {
		started, err := Start(t.Context(), Options{Platform: platforms.CloudLX, Settings: found, Terms: terms, Client: client, First: first, Paces: &paces})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { started.Close() })
		for range 10 {
			all.Go(func() {
				if answer, err := http.Get(started.URL().Reveal() + "/services"); err != nil {
					t.Error(err)
				} else {
					answer.Body.Close()
				}
			})
		}
	}
	all.Wait()
	if took := time.Since(began); took < 850*time.Millisecond || came.Load() != 20 {
		t.Errorf("%d requests in %s", came.Load(), took)
	}
}
