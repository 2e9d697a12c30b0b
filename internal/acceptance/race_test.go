// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// TestTheProviderHasNoDataRace runs a provider that was built with the race detector, with each grant, many blocks and busy
// proxies. All other tests here run the provider as users do, because the race detector makes each start ten times as long.
func TestTheProviderHasNoDataRace(t *testing.T) {
	t.Parallel()
	if enabled, err := exec.CommandContext(t.Context(), "go", "env", "CGO_ENABLED").Output(); err != nil || strings.TrimSpace(string(enabled)) != "1" {
		t.Skip("the race detector needs a C compiler: ", err)
	}
	s := newLeakFixture(t, simulator.Options{})
	plugins, reports := t.TempDir(), filepath.Join(t.TempDir(), "race")
	build := exec.CommandContext(t.Context(), "go", "build", "-race", "-o", filepath.Join(plugins, filepath.Base(provider())), "../..")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	workspace, err := terraform.Open(s.root(), cliPath, plugins)
	if err != nil {
		t.Fatal(err)
	}
	workspace.Env = slices.Concat(s.Env, []string{"GORACE=atexit_sleep_ms=0 log_path=" + reports, "IXTOKEN_CACHE_DIR=" + filepath.Join(s.root(), "cache")})
	s.Workspace = workspace
	text := everyGrant + everyProxy(s.fixture) + separateBlocks(50, "data", "equinix_access_token", "") + separateBlocks(50, "ephemeral", "cloudlx_access_token", "")
	for _, name := range []string{"one", "two", "three"} {
		text += consumer(s.Equinix, name, `seq 20 | xargs -P 10 -I% curl -sf -o /dev/null "$PROXY$API?%"`)
	}
	s.configure(text)
	s.must("plan -parallelism=100")
	s.must("apply -auto-approve -parallelism=100")
	found, err := filepath.Glob(reports + ".*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		report, err := os.ReadFile(path)
		t.Errorf("%s, error %v", report, err)
	}
}
