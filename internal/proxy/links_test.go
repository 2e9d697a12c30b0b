// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

const proxyURL = "http://127.0.0.1:1/SECRET"

// linksOf returns the links of an answer to a request for asked below upstream.
func linksOf(t testing.TB, upstream, asked string) *links {
	t.Helper()
	to, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	from, err := to.Parse(asked)
	if err != nil {
		t.Fatal(err)
	}
	return &links{upstream: to, requested: from, proxy: clients.NewSecret(proxyURL)}
}

func TestLinksPointToTheProxy(t *testing.T) {
	t.Parallel()
	l := linksOf(t, "https://api.example/v2", "/v2/ports/1?x=1")
	for link, want := range map[string]string{
		"https://api.example/v2/ports/2":           proxyURL + "/ports/2",
		"https://API.example:443/v2/ports/2":       proxyURL + "/ports/2",
		"https://api.example/v2":                   proxyURL,
		"https://api.example/v2/?page=2&x=%2F#top": proxyURL + "/?page=2&x=%2F#top",
		"https://api.example/v2/a%20b;c":           proxyURL + "/a%20b;c",
		"//api.example/v2/ports":                   proxyURL + "/ports",
		"/v2/ports":                                proxyURL + "/ports",
		"2":                                        proxyURL + "/ports/2",
		"../links/3":                               proxyURL + "/links/3",
		"?page=2":                                  proxyURL + "/ports/1?page=2",
		"#here":                                    proxyURL + "/ports/1?x=1#here",
		// To another host, or not below the path.
		"http://api.example/v2/ports":       "http://api.example/v2/ports",
		"https://api.example:8443/v2/ports": "https://api.example:8443/v2/ports",
		"https://api.example.evil/v2/ports": "https://api.example.evil/v2/ports",
		"https://evil.example/v2":           "https://evil.example/v2",
		"https://u@api.example/v2/ports":    "https://u@api.example/v2/ports",
		"https://api.example/v20":           "https://api.example/v20",
		"https://api.example/":              "https://api.example/",
		"/v1/ports":                         "/v1/ports",
		"../../v1":                          "../../v1",
		"/v2/a%2Fb":                         "/v2/a%2Fb", // the proxy would reject it
		"/v2/a%2Fb{":                        "/v2/a%2Fb{",
		"/v2//%2eixtoken/token":             "/v2//%2eixtoken/token", // the proxy would answer itself
		"mailto:a@api.example":              "mailto:a@api.example",
		"https://api.example/%zz":           "https://api.example/%zz",
	} {
		if got := l.throughProxy(link); got != want {
			t.Errorf("%s became %s, want %s", link, got, want)
		}
	}
}

func TestEachTargetOfALinkHeaderPointsToTheProxy(t *testing.T) {
	t.Parallel()
	l := linksOf(t, "https://api.example", "/ports")
	for value, want := range map[string]string{
		`<https://api.example/ports?page=2>; rel="next", </ports?page=9>; rel=last`: `<` + proxyURL + `/ports?page=2>; rel="next", <` + proxyURL + `/ports?page=9>; rel=last`,
		`<https://other.example/>; rel="next"`:                                      `<https://other.example/>; rel="next"`,
		`</a>; title="<https://api.example/>, \"</b>"; rel=x, </c>`:                 `<` + proxyURL + `/a>; title="<https://api.example/>, \"</b>"; rel=x, <` + proxyURL + `/c>`,
		`</a,b>; rel=x`: `<` + proxyURL + `/a,b>; rel=x`,
		`</a`:           `</a`,
		`</a>; t="</b>`: `<` + proxyURL + `/a>; t="</b>`,
		`no target`:     `no target`,
		``:              ``,
	} {
		if got := l.linkThroughProxy(value); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", value, got, want)
		}
	}
}

// Links are rewritten in an answer, and in an informational answer before it.
func TestLinksOfAnswersPointToTheProxy(t *testing.T) {
	t.Parallel()
	var base string
	s := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "<"+base+"/api/v2/style>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Add("Link", "</api/v2/next>; rel=next")
		w.Header().Set("Location", base+"/api/v2/contacts/1")
		w.Header().Set("Content-Location", "contacts/1")
		w.Header().Set("X-Self", base+"/api/v2/contacts/1")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(base))
	})
	base = s.api.URL
	answer, body := s.do(http.MethodPost, "/contacts", nil)
	for name, want := range map[string]string{"Location": s.url("/contacts/1"), "Content-Location": s.url("/contacts/1"), "X-Self": base + "/api/v2/contacts/1"} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if links := answer.Header.Values("Link"); len(links) != 2 || links[0] != "<"+s.url("/style")+">; rel=preload" || links[1] != "<"+s.url("/next")+">; rel=next" {
		t.Errorf("Link %q", links)
	}
	if body != base {
		t.Errorf("the body was changed: %s", body)
	}
	s.do(http.MethodGet, answer.Header.Get("Location")[len(s.URL().Reveal()):], nil)
	if got := s.requests()[1].RequestURI; got != "/api/v2/contacts/1" {
		t.Errorf("the link leads to %s", got)
	}
}
