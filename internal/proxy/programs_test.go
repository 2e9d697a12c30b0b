// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Each program sends a GET to API_URL, a GET to PROXY_URL and a POST to PROXY_URL, and prints the statuses.
var programs = map[string]string{
	"curl.sh": `send() { curl -sS --http2 -o /dev/null -w '%{http_code} ' "$@"; }
send "$API_URL"; send "$PROXY_URL/things"; send -d body "$PROXY_URL/things"`,
	"fetch.mjs": `const things = process.env.PROXY_URL + "/things"
for (const [url, options] of [[process.env.API_URL], [things], [things, {method: "POST", body: "body"}]])
	console.log((await fetch(url, options)).status)`,
	"Program.java": `
import java.net.URI;
import java.net.http.*;
import java.net.http.HttpRequest.*;

class Program {
	public static void main(String[] arguments) throws Exception {
		var client = HttpClient.newHttpClient();
		var api = HttpRequest.newBuilder(URI.create(System.getenv("API_URL")));
		var things = HttpRequest.newBuilder(URI.create(System.getenv("PROXY_URL") + "/things"));
		for (var request : new HttpRequest[] {api.GET().build(), things.GET().build(), things.POST(BodyPublishers.ofString("body")).build()})
			System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
	}
}`,
}

// Programs that others wrote send headers that browsers and WebSocket clients send too.
func TestProgramsThatOthersWroteAreServed(t *testing.T) {
	t.Parallel()
	for program, test := range map[string]struct {
		needs, runner, sends string // sends is a header of its requests
	}{
		"curl.sh":      {"curl", "sh", "Upgrade"},
		"fetch.mjs":    {"node", "node", "Sec-Fetch-Mode"},
		"Program.java": {"javac", "java", "Upgrade"}, // Java runs a source file only where its compiler is
	} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(test.needs); err != nil {
				t.Skip(test.needs, " is not installed")
			}
			var evidence bool
			api := newAPI(t, func(_ http.ResponseWriter, r *http.Request) { evidence = len(r.Header[test.sends]) > 0 })
			s := newFixture(t, echo)
			file := filepath.Join(t.TempDir(), program)
			if err := os.WriteFile(file, []byte(programs[program]), 0o600); err != nil {
				t.Fatal(err)
			}
			run := exec.CommandContext(t.Context(), test.runner, file)
			run.Env = append(os.Environ(), "API_URL="+api.URL, "PROXY_URL="+s.URL().Reveal(), "NO_PROXY=127.0.0.1")
			out, err := run.CombinedOutput()
			if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != "200 200 200" {
				t.Errorf("%v: %s", err, got)
			}
			s.wantAPIRequests(2)
			api.Close() // waits for its handlers
			if !evidence {
				t.Errorf("the program does not send %s, so this test proves nothing", test.sends)
			}
		})
	}
}
