// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command docs writes docs/ from the provider's schema, templates/ and examples/.
//
// tfplugindocs can read the schema from Terraform itself, but it fails if a type's
// name does not start with the provider's name, as in this provider. So this program
// reads the schema, adds the provider's name to each type, and passes the result to
// tfplugindocs, which removes the name again in the names of the pages.
//
// In the schema, each argument is optional, because the provider block and the
// environment count too. In the pages, an argument is required if the provider reports
// it missing when nothing is set, and if it has no default.
//
// Usage, in this directory: go run . CLI, with the path of Terraform or OpenTofu.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

const (
	root     = "../.."
	provider = "ixtoken"
	source   = "ixtoken/ixtoken"
	prefix   = provider + "_"
)

// kinds maps the schema's members that contain types to their directories in docs/.
var kinds = map[string]string{
	"data_source_schemas":        "data-sources",
	"ephemeral_resource_schemas": "ephemeral-resources",
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: docs CLI")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(cli string) error {
	dir, err := os.MkdirTemp("", "ixtoken-docs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	schema, err := readSchema(cli, dir)
	if err != nil {
		return err
	}
	pages, err := rename(schema)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "schema.json")
	if err := writeJSON(file, map[string]any{
		"format_version":   "1.0",
		"provider_schemas": map[string]any{provider: schema},
	}); err != nil {
		return err
	}
	cmd := exec.Command("go", "tool", "tfplugindocs", "generate",
		"--provider-dir", root, "--provider-name", provider, "--providers-schema", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("tfplugindocs: %w\n%s", err, out)
	}
	return check(pages)
}

// readSchema reads the schema of the provider in .bin with the CLI.
func readSchema(cli, dir string) (map[string]map[string]any, error) {
	bin, err := filepath.Abs(filepath.Join(root, ".bin"))
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "cli.tfrc")
	override := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    %q = %q\n  }\n}\n", source, bin)
	if err := os.WriteFile(config, []byte(override), 0o600); err != nil {
		return nil, err
	}
	if err := writeJSON(filepath.Join(dir, "main.tf.json"), map[string]any{
		"terraform": map[string]any{"required_providers": map[string]any{provider: map[string]any{"source": source}}},
	}); err != nil {
		return nil, err
	}
	cmd := exec.Command(cli, "providers", "schema", "-json")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+config, "CHECKPOINT_DISABLE=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s providers schema: %w", cli, err)
	}
	// The only key is the provider's address. Its host differs between the CLIs.
	var answer struct {
		Schemas map[string]map[string]map[string]any `json:"provider_schemas"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, err
	}
	for _, schema := range answer.Schemas {
		return schema, nil
	}
	return nil, errors.New("the CLI answered with no schema")
}

// rename adds the prefix to the types in schema and returns the pages that the schema requires.
func rename(schema map[string]map[string]any) ([]string, error) {
	pages := []string{"index.md"}
	for kind, dir := range kinds {
		types := map[string]any{}
		for name, definition := range schema[kind] {
			if err := require(name, definition); err != nil {
				return nil, err
			}
			types[prefix+name] = definition
			pages = append(pages, filepath.Join(dir, name+".md"))
		}
		if len(types) == 0 {
			return nil, fmt.Errorf("the schema has no %s; is the CLI too old?", kind)
		}
		schema[kind] = types
	}
	for name := range schema["functions"] {
		pages = append(pages, filepath.Join("functions", name+".md"))
	}
	return pages, nil
}

// require marks the attributes of a type that must be set somewhere.
func require(name string, definition any) error {
	platform, kind, _ := strings.Cut(name, "_")
	schema, isSchema := definition.(map[string]any)
	i := slices.IndexFunc(platforms.All, func(p platforms.Platform) bool { return p.Name == platform })
	if i < 0 || !isSchema {
		return fmt.Errorf("%s belongs to no platform", name)
	}
	p := platforms.All[i]
	if kind == "api_proxy" {
		p = p.APIProxy()
	}
	_, problems := p.Resolve()
	block, _ := schema["block"].(map[string]any)
	attributes, _ := block["attributes"].(map[string]any)
	for _, in := range problems.Missing {
		if attribute, ok := attributes[in.Name].(map[string]any); ok && in.Default == "" { // a data source has no secrets
			delete(attribute, "optional")
			attribute["required"] = true
		}
	}
	return nil
}

// check returns an error if a page is missing. tfplugindocs itself does not report
// that.
func check(pages []string) error {
	for _, page := range pages {
		if _, err := os.Stat(filepath.Join(root, "docs", page)); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(file string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}
