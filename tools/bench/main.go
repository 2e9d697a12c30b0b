// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command bench measures how much time and memory a token costs in addition to Terraform itself. It compares this provider
// with one that answers with constants, one that sends a request for each block, the framework's scaffold, a bare POST and
// golang.org/x/oauth2. All of it runs on loopback and in turns, so that the ratios are right on a busy machine too. It
// asserts nothing.
//
// Usage, in this directory: go run . -cli PATH, with the path of Terraform or OpenTofu; -help lists the flags.
package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bench holds the settings that all parts share.
type bench struct {
	cli    string
	dir    string // for binaries and configurations; removed at the end
	runs   int
	blocks int
	points []int // numbers of blocks
	delay  time.Duration
	plot   string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var b bench
	flag.StringVar(&b.cli, "cli", "", "path of Terraform or OpenTofu")
	flag.IntVar(&b.runs, "runs", 5, "runs of each figure; growth takes half as many")
	flag.IntVar(&b.blocks, "blocks", 1000, "blocks of the whole runs, and goroutines of the client")
	flag.DurationVar(&b.delay, "delay", 20*time.Millisecond, "time that the platform takes for a token")
	flag.StringVar(&b.plot, "plot", "blocks.svg", "where to draw growth; empty: nowhere")
	points := flag.String("growth", "1,100,1000,5000", "numbers of blocks of growth")
	parts := flag.String("parts", "runs,block,startup,command,client,growth", "parts to run")
	flag.Parse()
	if b.cli == "" || b.runs < 1 || b.blocks < 1 || flag.NArg() > 0 {
		return errors.New("usage: bench -cli PATH; -help lists the flags")
	}
	for text := range strings.SplitSeq(*points, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-growth: %w", err)
		}
		b.points = append(b.points, n)
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "ixtoken-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(ctx); err != nil {
		return err
	}
	all := map[string]func(context.Context) (string, error){
		"runs": b.wholeRuns, "block": b.block, "startup": b.startUp, "command": b.command, "client": b.client, "growth": b.growth,
	}
	report := ""
	for part := range strings.SplitSeq(*parts, ",") {
		if all[part] == nil {
			return fmt.Errorf("-parts: there is no %q", part)
		}
		text, err := all[part](ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
		report += "\n" + text
	}
	fmt.Println(report)
	fmt.Println(b.circumstances(ctx))
	return nil
}

// build builds each provider with the flags of a release, into its own directory.
func (b *bench) build(ctx context.Context) error {
	for name, source := range map[string]string{"provider": "../..", "constant": "./constant", "scaffold": "./scaffold", "meter": "./meter", "line": "./line", "command": "../../cmd/ixtoken"} {
		progress("building " + name)
		command := exec.CommandContext(ctx, "go", "build", "-C", source, "-trimpath", "-ldflags", "-s -w", "-o", b.binary(name), ".")
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", name, err, output)
		}
		if err := rewrite(b.binary(name)); err != nil {
			return err
		}
	}
	return nil
}

// rewrite replaces a binary by a copy. Seen on Linux: a file that the linker has just written starts up to a quarter more slowly
// than a copy of it.
func rewrite(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o755)
}

// unequal names the modules that the compared binaries use in different versions. Such a difference affects the ratios.
func (b *bench) unequal() string {
	versions := map[string]string{}
	differences := ""
	for _, name := range []string{"provider", "scaffold", "constant"} {
		info, err := buildinfo.ReadFile(b.binary(name))
		if err != nil {
			return ""
		}
		for _, module := range info.Deps {
			if before := versions[module.Path]; before == "" {
				versions[module.Path] = module.Version
			} else if before != module.Version && module.Replace == nil {
				differences += fmt.Sprintf("\nThe provider has %s %s, %s has %s: bring tools/bench/go.mod in line.", module.Path, before, name, module.Version)
			}
		}
	}
	return differences
}

func (b *bench) binary(name string) string {
	return filepath.Join(b.dir, name, "terraform-provider-ixtoken")
}

func progress(text string) { fmt.Fprintln(os.Stderr, text) }

// circumstances describes the machine, the versions and the command line.
func (b *bench) circumstances(ctx context.Context) string {
	text := fmt.Sprintf("%s, %d cores, %s/%s; %s; %s; provider %s", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		runtime.Version(), firstLine(ctx, b.cli, "version"), firstLine(ctx, "git", "describe", "--tags", "--always", "--dirty"))
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			switch module.Path {
			case "github.com/hashicorp/terraform-plugin-framework", "golang.org/x/oauth2":
				text += "; " + filepath.Base(module.Path) + " " + module.Version
			}
		}
	}
	text += ". Medians of " + strconv.Itoa(b.runs) + " runs, in brackets the minimum and the maximum; ratios are taken run by run."
	command := "make bench"
	if len(os.Args) > 3 { // more than -cli PATH
		command += " BENCH='" + strings.Join(os.Args[3:], " ") + "'"
	}
	return text + "\nCommand: `" + command + "`" + b.unequal()
}

// processor returns the name of the machine's processor, if the system names it.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range bytes.Lines(text) {
		if name, value, found := bytes.Cut(line, []byte(":")); found && string(bytes.TrimSpace(name)) == "model name" {
			return string(bytes.TrimSpace(value))
		}
	}
	if text, err := exec.Command("sysctl", "-n", "machdep.cpu.brand_string").Output(); err == nil {
		return strings.TrimSpace(string(text))
	}
	return "processor of unknown name"
}

func firstLine(ctx context.Context, name string, args ...string) string {
	output, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(output), "\n")
	return line
}
