// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package oauth2servers

import (
	"bufio"
	"encoding/json"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// installed reports whether Node.js and the package oidc-provider are installed. "npm ci" in the directory npm installs the
// package.
func installed() bool {
	_, err := exec.LookPath("node")
	if err != nil {
		return false
	}
	_, err = os.Stat("npm/node_modules/oidc-provider")
	return err == nil
}

// oidcProvider starts a server of the npm package oidc-provider in a separate process.
func oidcProvider(t *testing.T, method string, registered client) *server {
	t.Helper()
	command := exec.CommandContext(t.Context(), "node", "server.js")
	command.Dir = "npm"
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // ends the process
		_ = command.Wait()
	})
	if err := json.NewEncoder(in).Encode(map[string]string{"id": registered.id, "secret": registered.secret, "method": method}); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("oidc-provider has not started: ", err)
	}
	target, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL, r.Out.Host = target, target.Host }})
}

// visible removes characters outside ASCII, which oidc-provider does not accept in ids and secrets.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return -1
		}
		return r
	}, text)
}
