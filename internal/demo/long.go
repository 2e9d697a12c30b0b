// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

//go:embed long.tf
var longConfiguration string

const (
	shortLife = 2 * time.Second
	calls     = 5 // one per second
)

// callRepeatedly calls an API several times and writes the statuses to a file.
func callRepeatedly(ctx context.Context, name string) error {
	var statuses []string
	for range calls {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, os.Getenv("API_URL"), nil)
		if err != nil {
			return err
		}
		if authorization := os.Getenv("AUTHORIZATION"); authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		statuses = append(statuses, fmt.Sprint(response.StatusCode))
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	left, err := json.Marshal(statuses)
	if err != nil {
		return err
	}
	return os.WriteFile(apiAnswer{}.file(name), left, 0o600)
}

// demonstrateLongApply runs an apply that takes longer than a token lasts, with a token and through the proxy.
func demonstrateLongApply(ctx context.Context, dir string, platforms *simulator.Simulator) error {
	platforms.Interxion.SetLifetime(shortLife, 0)
	workspace, err := terraform.Open(dir, os.Getenv("TF_ACC_TERRAFORM_PATH"), ".bin")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	workspace.Env = append(platforms.Environment(), "TF_VAR_call=\""+self+"\" calls", "TF_VAR_ix_api_url="+platforms.Interxion.URL()+"/api/v2")
	if err := workspace.Write("main.tf", longConfiguration); err != nil {
		return err
	}
	fmt.Printf(`
3. An apply takes longer than a token lasts. Interxion's tokens now last %s. Two
   commands call its API %d times, a second apart. This takes about %d s.

`, shortLife, calls, calls+3)
	if err := apply(ctx, workspace); err != nil {
		return err
	}
	byToken, err := statusesOf(workspace, "token")
	if err != nil {
		return err
	}
	byProxy, err := statusesOf(workspace, "proxy")
	if err != nil {
		return err
	}
	fmt.Printf("   with the token of an interxion_access_token   %s\n", strings.Join(byToken, "  "))
	fmt.Printf("   through an interxion_api_proxy                %s\n", strings.Join(byProxy, "  "))
	if byToken[calls-1] != "401" || strings.Join(byProxy, "") != strings.Repeat("200", calls) {
		return errors.New("the proxy has made no difference")
	}
	return nil
}

// statusesOf reads the statuses that callRepeatedly has written.
func statusesOf(workspace *terraform.Workspace, name string) ([]string, error) {
	left, err := os.ReadFile(filepath.Join(workspace.Dir, apiAnswer{}.file(name)))
	if err != nil {
		return nil, err
	}
	var statuses []string
	if err := json.Unmarshal(left, &statuses); err != nil || len(statuses) != calls {
		return nil, fmt.Errorf("the command %s has left %d statuses: %w", name, len(statuses), err)
	}
	return statuses, nil
}
