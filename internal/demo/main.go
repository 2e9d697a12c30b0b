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
//	demo                runs the demonstration
//	demo shell          starts the simulator, and a shell in which every example works
//	demo call PLATFORM  calls API_URL with the header AUTHORIZATION; the demo's configuration runs it
//	demo calls NAME     does the same several times
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
	"strings"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cli"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/leak"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/simulator"
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
	case len(os.Args) == 2 && os.Args[1] == "shell":
		err = shell()
	default:
		err = run(ctx)
	}
	stop()
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
	workspace, err := prepare(dir, platforms)
	if err != nil {
		return err
	}
	fmt.Printf("A simulator of %d platforms listens on loopback.\n", len(all))
	fmt.Println("Running apply: an ephemeral resource of each, a command of each that calls an API with the token, and another")
	fmt.Println("provider (a stand-in for Mastercard/restapi) that is configured with one of them.")
	began := time.Now()
	result, err := workspace.Run(ctx, "apply", "-auto-approve", "-no-color")
	if err != nil {
		return err
	}
	if result.Status != 0 {
		return fmt.Errorf("apply ended with status %d:\n%s%s", result.Status, result.Stdout, result.Stderr)
	}
	fmt.Printf("Applied in %.1f s.\n", time.Since(began).Seconds())
	for _, platform := range all {
		if err := report(workspace, platform); err != nil {
			return err
		}
	}
	if err := demonstrateLongApply(ctx, filepath.Join(dir, "long"), platforms); err != nil {
		return err
	}
	if err := demonstrateCommand(ctx, filepath.Join(dir, "bin"), platforms); err != nil {
		return err
	}
	return scanForSecrets(dir, all)
}

// prepare writes the configuration and sets the environment variables that a user would set.
func prepare(dir string, platforms *simulator.Simulator) (*cli.Workspace, error) {
	workspace, err := cli.Open(dir, os.Getenv("TF_ACC_TERRAFORM_PATH"), ".bin", "mastercard/restapi")
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

// report prints the requests that one platform has received, and the answer of its API.
func report(workspace *cli.Workspace, platform *simulator.Platform) error {
	left, err := os.ReadFile(filepath.Join(workspace.Dir, apiAnswer{}.file(platform.Name())))
	if err != nil {
		return err
	}
	var got apiAnswer
	if err := json.Unmarshal(left, &got); err != nil {
		return err
	}
	fmt.Printf("\n%s\n", platform.Name())
	tokens := 0
	for _, request := range platform.Requests() {
		if request.Grant != "" {
			tokens++
			fmt.Printf("  %s %s, grant_type %s: answered %d\n", request.Method, request.Path, request.Grant, request.Status)
		}
	}
	fmt.Printf("  %d token requests: plan and apply are processes of their own, and each asks once.\n", tokens)
	fmt.Printf("  The token had %s seconds to live when it was handed out.\n", got.ExpiresIn)
	fmt.Printf("  A command called the protected API with it: answered %s, %s\n", got.Status, strings.TrimSpace(string(got.Body)))
	for _, request := range platform.Requests() {
		if request.Method == http.MethodPost && request.Grant == "" {
			fmt.Printf("  Another provider used it too: %s %s, answered %d.\n", request.Method, request.Path, request.Status)
		}
	}
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
	fmt.Printf("\nNone of the %d secrets and tokens is in any file of the run, the state included, in any common encoding.\n", len(secrets))
	return nil
}
