// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestTheSecretIsLongAndNeverTheSame(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	shape := regexp.MustCompile(`^http://127\.0\.0\.1:\d+/([A-Z2-7]{26,})$`) // 5 bits per character, at least 130 bits
	first := shape.FindStringSubmatch(s.URL().Reveal())
	s.open()
	second := shape.FindStringSubmatch(s.URL().Reveal())
	if first == nil || second == nil || first[1] == second[1] {
		t.Error("the URL has no secret of 128 bits, or twice the same")
	}
}

func TestItListensOnlyOnLoopback(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	_, port, _ := net.SplitHostPort(s.address())
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, address := range append(all, &net.IPNet{IP: net.IPv6loopback}, &net.IPNet{IP: net.IPv4(127, 0, 0, 2)}) {
		ip := address.(*net.IPNet).IP
		if ip.Equal(net.IPv4(127, 0, 0, 1)) {
			continue
		}
		tried++
		if connection, err := net.Dial("tcp", net.JoinHostPort(ip.String(), port)); err == nil {
			connection.Close()
			t.Errorf("it listens on %s", ip)
		}
	}
	t.Logf("%d other addresses", tried)
}

func TestWithoutTheSecretNothingIsForwarded(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	right := s.secret
	for _, path := range []string{
		"/", "/x", "//", "/" + right[1:], "/" + right[:25], "/" + right + "A", "/" + right + "A/x", "/" + strings.ToLower(right) + "/x", "/x/" + right,
		"//" + right + "/x", "/?" + right, "/x?/" + right, "/%20" + right + "/", "/" + right + "%2Fx", "/" + right + ";/x", "/.ixtoken/token", "/" + strings.Repeat("A", 26) + "/x",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			answer, body := s.sendRaw(s.rawRequest(method, path))
			if answer.StatusCode != http.StatusNotFound || strings.Contains(body, right) {
				t.Errorf("%s %s was answered %d: %s", method, path, answer.StatusCode, body)
			}
			problem(t, answer, body)
		}
	}
	s.wantAPIRequests(0)
}

// For each guard there is a request that only this guard rejects.
func TestGuards(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	in := "/" + s.secret
	for _, test := range []struct {
		name, request string
		want          int
	}{
		{"CONNECT", "CONNECT " + s.address() + " HTTP/1.1\r\nHost: " + s.address() + "\r\n\r\n", 405},
		{"CONNECT elsewhere", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 405},
		{"CONNECT with a path", s.rawRequest("CONNECT", in+"/x"), 405},
		{"TRACE", s.rawRequest("TRACE", in+"/x"), 405},
		{"a whole URL", s.rawRequest("GET", "http://"+s.address()+in+"/x"), 400},
		{"another's whole URL", s.rawRequest("GET", "http://evil.example"+in+"/x"), 400},
		{"an asterisk", s.rawRequest("OPTIONS", "*"), 400},
		{"another Host", "GET " + in + "/x HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403},
		{"a Host that ends so", "GET " + in + "/x HTTP/1.1\r\nHost: evil." + s.address() + "\r\n\r\n", 403},
		{"a Host that begins so", "GET " + in + "/x HTTP/1.1\r\nHost: " + s.address() + "0\r\n\r\n", 403},
		{"a Host without the port", "GET " + in + "/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 403},
		{"a name for the Host", "GET " + in + "/x HTTP/1.1\r\nHost: " + strings.Replace(s.address(), "127.0.0.1", "localhost", 1) + "\r\n\r\n", 403},
		{"no Host", "GET " + in + "/x HTTP/1.0\r\n\r\n", 403},
		{"Origin", s.rawRequest("POST", in+"/x", "Origin: https://evil.example", "Content-Length: 0"), 403},
		{"Origin of nobody", s.rawRequest("GET", in+"/x", "Origin: null"), 403},
		{"an empty Origin", s.rawRequest("GET", in+"/x", "Origin:"), 403},
		{"Sec-Fetch-Site", s.rawRequest("GET", in+"/x", "Sec-Fetch-Site: same-origin"), 403},
		{"Sec-Fetch-Site in small letters", s.rawRequest("GET", in+"/x", "sec-fetch-site: cross-site"), 403},
		{"an empty Sec-Fetch-Site", s.rawRequest("GET", in+"/x", "Sec-Fetch-Site:"), 403},
		{"a second Sec-Fetch-Site", s.rawRequest("GET", in+"/x", "Sec-Fetch-Site: none", "Sec-Fetch-Site: same-site"), 403},
		{"a list in Sec-Fetch-Site", s.rawRequest("GET", in+"/x", "Sec-Fetch-Site: none, cross-site"), 403},
		{"Origin at the login", s.rawRequest("POST", in+"/.ixtoken/token", "Origin: https://evil.example", "Content-Length: 0"), 403},
		{"Upgrade", s.rawRequest("GET", in+"/x", "Upgrade: websocket"), 400},
		{"Upgrade that is asked for", s.rawRequest("GET", in+"/x", "Connection: Upgrade", "Upgrade: WebSocket"), 400},
		{"Upgrade with a version", s.rawRequest("GET", in+"/x", "Upgrade: websocket/13"), 400},
		{"Upgrade to something unknown", s.rawRequest("GET", in+"/x", "upgrade: IRC/6.9"), 400},
		{"Upgrade to what begins like an offer", s.rawRequest("GET", in+"/x", "Upgrade: h2c2"), 400},
		{"WebSocket behind an offer", s.rawRequest("GET", in+"/x", "Upgrade: h2c, websocket"), 400},
		{"WebSocket before an offer", s.rawRequest("GET", in+"/x", "Upgrade: websocket,h2c"), 400},
		{"WebSocket on a line of its own", s.rawRequest("GET", in+"/x", "Upgrade: h2c", "Upgrade: websocket"), 400},
		{"a blank in the path", s.rawRequest("GET", in+"/a b"), 400},
		{"a blank in the query", s.rawRequest("GET", in+"/a?b HTTP/1.1"), 400},
		{"a dot segment", s.rawRequest("GET", in+"/../admin"), 400},
		{"a dot segment at the end", s.rawRequest("GET", in+"/a/.."), 400},
		{"a single dot", s.rawRequest("GET", in+"/./a"), 400},
		{"an encoded dot segment", s.rawRequest("GET", in+"/%2e%2e/admin"), 400},
		{"a half-encoded dot segment", s.rawRequest("GET", in+"/.%2E/admin"), 400},
		{"a dot segment with parameters", s.rawRequest("GET", in+"/..;a=b/admin"), 400},
		{"a dot segment with encoded parameters", s.rawRequest("GET", in+"/..%3Ba/admin"), 400},
		{"an encoded slash", s.rawRequest("GET", in+"/a%2Fb"), 400},
		{"an encoded slash in small letters", s.rawRequest("GET", in+"/a%2fb"), 400},
		{"an encoded slash beside an odd character", s.rawRequest("GET", in+"/a%2Fb{"), 400},
		{"a dot segment beside an odd character", s.rawRequest("GET", in+`/"/%2e%2E/x`), 400},
		{"an encoded slash behind the secret", s.rawRequest("GET", in+"%2Fx{"), 404},
		{"a backslash", s.rawRequest("GET", in+`/a\..\b`), 400},
		{"an encoded backslash", s.rawRequest("GET", in+"/a%5cb"), 400},
		{"a dot segment before the secret", s.rawRequest("GET", "/.."+in+"/x"), 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			requests := []string{test.request}
			if test.want != http.StatusNotFound { // the same request with the secret in a header
				line, rest, _ := strings.Cut(strings.Replace(test.request, in, "", 1), "\r\n")
				requests = append(requests, line+"\r\nAuthorization: Bearer "+s.secret+"\r\n"+rest)
			}
			for _, request := range requests {
				answer, body := s.sendRaw(request)
				if answer.StatusCode != test.want {
					t.Errorf("answered %d, want %d: %s", answer.StatusCode, test.want, body)
				}
				if strings.Contains(body, s.secret) {
					t.Error("the answer holds the secret")
				}
			}
		})
	}
	s.wantAPIRequests(0)
	s.wantTokenRequests(1)
}

// A program that resolves paths against its base URL loses the secret in it. It sends the secret as its token instead.
func TestTheSecretMayBeTheToken(t *testing.T) {
	t.Parallel()
	s := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Path+"/7")
		w.WriteHeader(http.StatusCreated)
	})
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for _, test := range []struct {
		authorization string
		accepted      bool
	}{
		{"Bearer " + s.secret, true},
		{"bearer  " + s.secret, true},
		{basic("anybody", s.secret), true},
		{basic("", s.secret), true},
		{strings.Replace(basic("a", s.secret), "Basic", "BASIC", 1), true},
		{"Bearer " + s.secret + "\r\nAuthorization: Bearer none", true},
		{"Bearer none\r\nAuthorization: " + basic("a", s.secret), true},
		{"Bearer " + s.secret[1:], false},
		{"Bearer " + s.secret + "A", false},
		{"Bearer " + strings.ToLower(s.secret), false},
		{"Bearer", false},
		{"Bearer ", false},
		{"", false},
		{s.secret, false},
		{"Token " + s.secret, false},
		{"Bearer Bearer " + s.secret, false},
		{basic(s.secret, ""), false},
		{basic(s.secret, "x"), false},
		{basic("a", s.secret+":"), false},
		{basic("a", "b:"+s.secret), false},
		{"Basic " + s.secret, false},
		{"Basic !", false},
		{"Bearer x, Bearer " + s.secret, false},
		{"Bearer x\r\nX-Token: " + s.secret, false},
	} {
		before := len(s.requests())
		answer, body := s.sendRaw(s.rawRequest("POST", "/orders?a=%2F&key="+s.secret, "Authorization: "+test.authorization, "Content-Length: 0",
			"X-Key: "+s.secret, "Destination: "+s.Address()+"/orders/8", "X-Base: "+s.Address(), "X-Other: "+s.Address()+"0/", "X-Url: "+s.url("/a"), "Referer: "+s.Address()+"/"))
		sent := s.requests()[before:]
		if !test.accepted {
			if answer.StatusCode != http.StatusNotFound || len(sent) != 0 {
				t.Errorf("%.12q… was answered %d: %s", test.authorization, answer.StatusCode, body)
			}
			continue
		}
		if answer.StatusCode != http.StatusCreated || len(sent) != 1 {
			t.Errorf("%.12q… was answered %d: %s", test.authorization, answer.StatusCode, body)
			continue
		}
		got, api := sent[0], s.api.URL+"/api/v2"
		if got.RequestURI != "/api/v2/orders?a=%2F&key=" || !s.hasIssuedToken(got) || strings.Contains(fmt.Sprint(got.Header, got.RequestURI), s.secret) {
			t.Errorf("the API has got %s with %v", got.RequestURI, got.Header)
		}
		for name, want := range map[string]string{"Destination": api + "/orders/8", "X-Base": api, "X-Other": s.Address() + "0/", "X-Url": api + "/a", "X-Key": "", "Referer": ""} {
			if value := got.Header.Get(name); value != want {
				t.Errorf("%s became %q, want %q", name, value, want)
			}
		}
		if link := answer.Header.Get("Location"); link != s.Address()+"/orders/7" {
			t.Errorf("the link is %q", link)
		}
	}
}

// A secret that is repeated in the path would reach the API.
func TestTheSecretTwiceIsRefused(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	for _, request := range []string{
		s.rawRequest("GET", "/"+s.secret+"/"+s.secret+"/x"),
		s.rawRequest("GET", "/x/"+s.secret, "Authorization: Bearer "+s.secret),
	} {
		if answer, body := s.sendRaw(request); answer.StatusCode != http.StatusBadRequest || strings.Contains(body, s.secret) {
			t.Errorf("answered %d: %s", answer.StatusCode, body)
		}
	}
	s.wantAPIRequests(0)
}

// A program that logs in with the secret as its client secret gets the secret as its token, and can go on with the address.
func TestALoginWithTheSecretYieldsIt(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Address()+tokenPath, strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("any", s.secret)
	answer, err := plainTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var issued struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&issued); err != nil || issued.Token != s.secret || issued.Type != "Bearer" {
		t.Errorf("answered %d with a token of %d characters, %v", answer.StatusCode, len(issued.Token), err)
	}
	s.wantAPIRequests(0)
	s.wantTokenRequests(1)
}

// The requests look similar to those that the guards reject.
func TestGuardsAcceptHarmlessRequests(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	for i, target := range []string{
		"", "/", "?a=b", "/a?x=../..%2f", "/...", "/.a", "/a..", "/a;v=1", "/%25%32%65", "/%252e%252e/", "//a", "/a//b", "/.ixtokens", "/x/.ixtoken/token", "/ixtoken/token", "/%252eixtoken/token", "/http://evil.example/", "/a?", "/a?#b?c", "/a%3Bb%3D", "/%00",
	} {
		answer, body := s.sendRaw(s.rawRequest("GET", "/"+s.secret+target))
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s was answered %d: %s", target, answer.StatusCode, body)
		}
		s.wantAPIRequests(i + 1)
		if got := s.requests()[i]; got.RequestURI != "/api/v2"+target || "http://"+got.Host != s.api.URL {
			t.Errorf("%s became %s at %s", target, got.RequestURI, got.Host)
		}
	}
}

// A server may ignore some offers to upgrade, and clients that make them expect that. The API does not see them.
func TestOffersToUpgradeAreIgnored(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	for i, lines := range [][]string{
		{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"},
		{"Connection: upgrade", "Upgrade: TLS/1.2"},
		{"Connection: Upgrade", "Upgrade: H2C"},
		{"Connection: Upgrade", "Upgrade: TLS/1.3, TLS/1.2 ,h2c"},
		{"Connection: Upgrade", "Upgrade: TLS/1.2", "Upgrade: h2c"},
		{"Connection: Upgrade", "Upgrade: tls"},
		{"Connection: Upgrade", "Upgrade:"},
		{"Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"}, // not named in Connection, as it should be
		{"Connection: Upgrade"},
	} {
		answer, body := s.sendRaw(s.rawRequest("GET", "/"+s.secret+"/x", append(lines, "X-Kept: yes")...))
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%q was answered %d: %s", lines, answer.StatusCode, body)
		}
		got := s.requests()[i]
		got.Header.Del("Authorization")
		if want := "map[X-Kept:[yes]]"; fmt.Sprint(got.Header) != want {
			t.Errorf("%q became %v, want %s", lines, got.Header, want)
		}
	}
}

// Programs send some of the headers that browsers send. They reach the API.
func TestHeadersThatAreNoEvidenceOfABrowserAreForwarded(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	for i, line := range []string{"Sec-Fetch-Mode: cors", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: empty", "Sec-Fetch-User: ?1", "Sec-Fetch-Site: none", "Sec-Ch-Ua: x"} {
		if answer, body := s.sendRaw(s.rawRequest("GET", "/"+s.secret+"/x", line)); answer.StatusCode != http.StatusOK {
			t.Fatalf("%s was answered %d: %s", line, answer.StatusCode, body)
		}
		if name, value, _ := strings.Cut(line, ": "); s.requests()[i].Header.Get(name) != value {
			t.Errorf("%s became %v", line, s.requests()[i].Header)
		}
	}
}

// However a program spells the proxy's own paths, they do not reach the API: a token request contains a secret.
func TestTheProxysOwnPathsAreNotForwarded(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	for path, want := range map[string]int{
		"/.ixtoken/token": 200, "/.ixtoken/token/": 200, "//.ixtoken/token": 200, "/.ixtoken//token": 200, "///.ixtoken///token///": 200,
		"/.ixtoken/%74oken": 200, "/%2eixtoken/token": 200, "/%2E%69xtoken/token": 200, "/.ixtoken/token;v=1": 200, "/.ixtoken;v=1/token": 200, "/.ixtoken/token%3Bv": 200,
		"/.IXToken/TOKEN": 200, "/.ixtoken/%54oken": 200, "/.ixtoken/token?a=b": 200, "/;v/.ixtoken/token": 200,
		"/.ixtoken/health": 405, "/.IXToken/%48ealth;v": 405, "/.ixtoken/health/x": 404,
		"/.ixtoken": 404, "/.ixtoken/": 404, "/.ixtoken/tokens": 404, "/.ixtoken/token/x": 404, "/.ixtoken/oauth2/token": 404, "//.ixtoken/%78": 404,
		"/.ixtoken/./token": 400, "/.ixtoken/%2e/token": 400, "/x/../.ixtoken/token": 400, "/.ixtoken%2Ftoken": 400, `/.ixtoken\token`: 400,
	} {
		answer, body := s.sendRaw(s.rawRequest("POST", "/"+s.secret+path, "Content-Length: 15") + "client_secret=x")
		if answer.StatusCode != want || want == 200 && !strings.Contains(body, placeholder) {
			t.Errorf("%s was answered %d, want %d: %s", path, answer.StatusCode, want, body)
		}
		if want != 200 {
			problem(t, answer, body)
		}
	}
	s.wantAPIRequests(0)
}

// Characters that are not allowed in a path are escaped. Existing escapes stay unchanged, also beside such characters.
func TestOddCharactersAreEscaped(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	answer, body := s.sendRaw(s.rawRequest("GET", "/"+s.secret+`/a%3Bb%41{"ä"}|[^]#c`))
	if want := "/api/v2/a%3Bb%41%7B%22%C3%A4%22%7D%7C%5B%5E%5D%23c"; answer.StatusCode != http.StatusOK || s.requests()[0].RequestURI != want {
		t.Errorf("answered %d: %s: %s", answer.StatusCode, body, s.requests()[0].RequestURI)
	}
}

func TestAnUpstreamWithoutAPathIsAskedForTheRoot(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"", "/"} {
		s := newFixture(t, nil)
		s.open(func(o *Options) { o.Upstream = s.options(s.api.URL + end).Upstream })
		for i, want := range []string{"/", "/", "/a/", "/?q"} {
			s.get([]string{"", "/", "/a/", "?q"}[i], 200)
			if got := s.requests()[i].RequestURI; got != want {
				t.Errorf("upstream ends in %q: %s, want %s", end, got, want)
			}
		}
	}
}

// The proxy waits only for a limited time for headers, and reads only a limited size.
func TestHeadersHaveLimits(t *testing.T) {
	t.Parallel()
	s := newFixture(t, nil)
	if s.server.ReadHeaderTimeout == 0 || s.server.IdleTimeout == 0 {
		t.Error("there is no limit of time")
	}
	answer, _ := s.sendRaw(s.rawRequest("GET", "/"+s.secret, "X: "+strings.Repeat("x", 2*maxHeader)))
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("answered %d", answer.StatusCode)
	}
	s.wantAPIRequests(0)
}
