// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// version is the version of a build that is not released. It is lower than that of any release. ("init" does not accept
// 0.0.0.)
const version = "0.0.1"

// Install makes "init" find the Workspace's providers in a mirror, as if they were released. It finds other providers in
// their registry.
func (w *Workspace) Install(ctx context.Context) error {
	mirror := filepath.Join(filepath.Dir(w.Dir), "mirror")
	if _, err := w.Mirror(ctx, mirror); err != nil {
		return err
	}
	ours, err := json.Marshal(w.sources) // a list of strings, in HCL too
	if err != nil {
		return err
	}
	return w.configure(fmt.Sprintf("  filesystem_mirror {\n    path    = %q\n    include = %s\n  }\n  direct {\n    exclude = %s\n  }\n",
		filepath.ToSlash(mirror), ours, ours))
}

// Mirror copies the Workspace's providers into dir, in the layout of a filesystem mirror. It returns their directories.
func (w *Workspace) Mirror(ctx context.Context, dir string) (places []string, err error) {
	host, err := w.registry(ctx)
	if err != nil {
		return nil, err
	}
	for _, source := range w.sources {
		name := "terraform-provider-" + filepath.Base(source)
		place := filepath.Join(dir, host, filepath.FromSlash(strings.ToLower(source)), version, runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(place, 0o755); err != nil {
			return nil, err
		}
		if err := ReplaceProgram(filepath.Join(w.plugins, name+Suffix), filepath.Join(place, name+"_v"+version+Suffix)); err != nil {
			return nil, err
		}
		places = append(places, place)
	}
	return places, nil
}

// registry returns the host of the CLI's default registry, which it reads from the CLI's output.
func (w *Workspace) registry(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp("", "ixtoken-registry-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(`terraform {
  required_providers {
    ixtoken = { source = "ixtoken/ixtoken" }
  }
}
`), 0o600); err != nil {
		return "", err
	}
	command := w.Command(ctx, "providers", "schema", "-json")
	command.Dir = dir
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s providers schema: %w\n%s", w.cli, err, stderr.String())
	}
	var answer struct {
		Schemas map[string]json.RawMessage `json:"provider_schemas"`
	}
	if err := json.Unmarshal(output, &answer); err != nil {
		return "", err
	}
	for address := range answer.Schemas {
		host, _, _ := strings.Cut(address, "/")
		return host, nil
	}
	return "", errors.New("the CLI has no schema of the provider")
}

// ReplaceProgram copies the program at from to the path to. It replaces an existing program in one step, because that may
// be running.
func ReplaceProgram(from, to string) error {
	binary, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	written := to + ".new"
	if err := os.WriteFile(written, binary, 0o755); err != nil {
		return err
	}
	return os.Rename(written, to)
}
