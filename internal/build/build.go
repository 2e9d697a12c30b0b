// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package build names this build: its version and its commit. The linker sets both for a release; otherwise they come from
// what "go build" and "go install" have written into the program.
package build

import (
	"regexp"
	"runtime/debug"
	"strings"
)

// Set by the linker, with -X.
var version, commit string

// Build is what is known of a build.
type Build struct {
	// Version is the version without "v", such as "1.2.3"; "dev" for a build outside of a checkout and without a version.
	Version string
	// Commit is the beginning of the commit's id; empty: it is not known.
	Commit string
}

// Read returns what is known of this build.
func Read() Build {
	if version != "" {
		return Build{version, commit}
	}
	info, _ := debug.ReadBuildInfo()
	return from(info)
}

// pseudo matches a version that Go makes up for a commit without a tag. It ends with the beginning of the commit's id
// (https://go.dev/ref/mod#pseudo-versions).
const pseudo = `[.-]\d{14}-([0-9a-f]{12})\b`

// from reads what Go has written into the program; nil: nothing.
func from(info *debug.BuildInfo) Build {
	const shortCommit = 7 // as "git rev-parse --short" and goreleaser write it
	if info == nil || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return Build{Version: "dev"}
	}
	found := Build{Version: strings.TrimPrefix(info.Main.Version, "v")}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			found.Commit = setting.Value
		}
	}
	if match := regexp.MustCompile(pseudo).FindStringSubmatch(found.Version); found.Commit == "" && match != nil {
		found.Commit = match[1]
	}
	found.Commit = found.Commit[:min(shortCommit, len(found.Commit))]
	return found
}

// String returns the version and, if it is known, the commit: "1.2.3 (a1b2c3d)".
func (b Build) String() string {
	if b.Commit == "" {
		return b.Version
	}
	return b.Version + " (" + b.Commit + ")"
}

// UserAgent returns the value of the User-Agent header for a program of this build.
func (b Build) UserAgent(program string) string {
	text := program + "/" + b.Version
	if b.Commit != "" {
		text += " (" + b.Commit + ")"
	}
	return text
}
