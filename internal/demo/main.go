// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command demo demonstrates the provider without an account. It starts a simulator of the platforms on loopback, and runs
// applies with a real CLI:
//
//   - one obtains a token of each platform, calls each API with its token, and configures another provider with a token,
//   - one takes longer than a token lasts, and uses an API proxy.
//
// Then it runs the binary as a command. It uses the providers in .bin and the CLI in TF_ACC_TERRAFORM_PATH.
//
//	demo                      runs the demonstration
//	demo shell [-lifetime D]  starts the simulator, and a shell in which every example works
//	demo call PLATFORM        calls API_URL with the header AUTHORIZATION; the demo's configuration runs it
//	demo calls NAME           does the same several times
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/leak"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

//go:embed main.tf
var configuration string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "call":
		err = call(ctx, os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "calls":
		err = callRepeatedly(ctx, os.Args[2])
	case len(os.Args) > 1 && os.Args[1] == "shell":
		err = shell(os.Args[2:])
	default:
		err = run(ctx)
	}
	stop()
	if status := exitStatus(0); errors.As(err, &status) {
		os.Exit(int(status))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// apiAnswer is what call writes to a file for run. Terraform suppresses the output of a local-exec that uses ephemeral
// values.
type apiAnswer struct {
	Status    string
	Body      json.RawMessage
	ExpiresIn string
}

func (apiAnswer) file(platform string) string { return platform + ".json" }

// call calls an API with the token in the environment.
func call(ctx context.Context, platform string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, os.Getenv("API_URL"), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", os.Getenv("AUTHORIZATION"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	left, err := json.Marshal(apiAnswer{Status: response.Status, Body: body, ExpiresIn: os.Getenv("EXPIRES_IN")})
	if err != nil {
		return err
	}
	return os.WriteFile(apiAnswer{}.file(platform), left, 0o600)
}

func run(ctx context.Context) (err error) {
	platforms, err := simulator.Start(simulator.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, platforms.Close()) }()
	dir, err := os.MkdirTemp("", "ixtoken-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	all := platforms.Platforms()
	fmt.Printf("A simulator of %d platforms listens on this machine. You need no account.\n", len(all))
	if err := demonstrateApply(ctx, dir, platforms); err != nil {
		return err
	}
	if err := demonstrateCommand(ctx, filepath.Join(dir, "bin"), platforms); err != nil {
		return err
	}
	if err := demonstrateLongApply(ctx, filepath.Join(dir, "long"), platforms); err != nil {
		return err
	}
	if err := scanForSecrets(dir, all); err != nil {
		return err
	}
	fmt.Println("\nNext: make shell. In that shell, you use the simulator's tokens yourself.")
	return nil
}

// demonstrateApply obtains a token of each platform in one apply, and prints what the platforms have seen.
func demonstrateApply(ctx context.Context, dir string, platforms *simulator.Simulator) error {
	workspace, err := prepare(dir, platforms)
	if err != nil {
		return err
	}
	fmt.Print(`
1. One apply obtains a token of each platform, and calls each API with it.
   Another provider is configured with a token. This takes some seconds.

`)
	if err := apply(ctx, workspace); err != nil {
		return err
	}
	fmt.Printf(row, "platform", "token request", "requests", "lasts", "its API")
	for _, platform := range platforms.Platforms() {
		if err := report(workspace, platform); err != nil {
			return err
		}
	}
	fmt.Println("\n   Plan and apply are processes of their own, so each asks once.")
	for _, request := range platforms.Interxion.Requests() {
		if request.Method == http.MethodPost && request.Grant == "" {
			fmt.Printf("   The other provider is a stand-in: %s %s was answered %d.\n", request.Method, request.Path, request.Status)
		}
	}
	return nil
}

// apply runs an apply. A failed one is an error with the CLI's output.
func apply(ctx context.Context, workspace *terraform.Workspace) error {
	result, err := workspace.Run(ctx, "apply", "-auto-approve", "-no-color")
	if err != nil {
		return err
	}
	if result.Status != 0 {
		return fmt.Errorf("apply ended with status %d:\n%s%s", result.Status, result.Stdout, result.Stderr)
	}
	return nil
}

// prepare writes the configuration and sets the environment variables that a user would set.
func prepare(dir string, platforms *simulator.Simulator) (*terraform.Workspace, error) {
	workspace, err := terraform.Open(dir, os.Getenv("TF_ACC_TERRAFORM_PATH"), ".bin", "mastercard/restapi")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	apis := map[string]string{}
	for _, platform := range platforms.Platforms() {
		apis[platform.Name()] = platform.APIURL()
	}
	encoded, err := json.Marshal(apis)
	if err != nil {
		return nil, err
	}
	workspace.Env = append(platforms.Environment(), "TF_VAR_call=\""+self+"\" call", "TF_VAR_apis="+string(encoded),
		"TF_VAR_ix_api_url="+platforms.Interxion.URL()+"/api/v2")
	return workspace, workspace.Write("main.tf", configuration)
}

// row is a line of the table of platforms, at most 80 columns wide.
const row = "   %-14s  %-29s  %8v  %6s  %s\n"

// report prints the row of one platform: its token requests, and the answer of its API.
func report(workspace *terraform.Workspace, platform *simulator.Platform) error {
	left, err := os.ReadFile(filepath.Join(workspace.Dir, apiAnswer{}.file(platform.Name())))
	if err != nil {
		return err
	}
	var got apiAnswer
	if err := json.Unmarshal(left, &got); err != nil {
		return err
	}
	tokens, path := 0, ""
	for _, request := range platform.Requests() {
		if request.Grant == "" {
			continue
		}
		if request.Rejected {
			return fmt.Errorf("%s has rejected %s %s", platform.Name(), request.Method, request.Path)
		}
		tokens++
		path = request.Method + " " + request.Path
	}
	fmt.Printf(row, platform.Name(), path, tokens, got.ExpiresIn+" s", got.Status)
	return nil
}

// scanForSecrets searches all files of the run for every secret and token, in every common encoding.
func scanForSecrets(dir string, all []*simulator.Platform) error {
	secrets := map[string]string{}
	for _, platform := range all {
		secrets["the client secret of "+platform.Name()] = platform.Credentials().ClientSecret
		if password := platform.Credentials().UserPassword; password != "" {
			secrets["the user's password at "+platform.Name()] = password
		}
		for i, token := range platform.Issued() {
			secrets[fmt.Sprintf("token %d of %s", i+1, platform.Name())] = token
		}
	}
	scanner := leak.New(secrets)
	found, err := scanner.Tree(dir)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("a secret has leaked: %v", found)
	}
	fmt.Printf("\nNone of the %d secrets and tokens is in any file of these runs, also not in the\nstate, in any common encoding.\n", len(secrets))
	return nil
}
