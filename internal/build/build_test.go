// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package build

import (
	"runtime/debug"
	"testing"
)

func TestEachKindOfBuildIsNamed(t *testing.T) {
	t.Parallel()
	revision := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "a728f8b0123456789abcdef0123456789abcdef0"}}
	for _, test := range []struct {
		name, version string
		settings      []debug.BuildSetting
		want, agent   string
	}{
		{"go run", "", nil, "dev", "ixtoken/dev"},
		{"a copy of the sources", "(devel)", nil, "dev", "ixtoken/dev"},
		{"go install …@v1.2.3", "v1.2.3", nil, "1.2.3", "ixtoken/1.2.3"},
		{"go install …@main, after a release", "v1.2.4-0.20261129101430-a728f8b01234", nil, "1.2.4-0.20261129101430-a728f8b01234 (a728f8b)", "ixtoken/1.2.4-0.20261129101430-a728f8b01234 (a728f8b)"},
		{"go install …@main, before any release", "v0.0.0-20261129101430-a728f8b01234", nil, "0.0.0-20261129101430-a728f8b01234 (a728f8b)", "ixtoken/0.0.0-20261129101430-a728f8b01234 (a728f8b)"},
		{"a checkout at a tag", "v1.2.3", revision, "1.2.3 (a728f8b)", "ixtoken/1.2.3 (a728f8b)"},
		{"a checkout with changes", "v1.2.4-0.20261129101430-a728f8b01234+dirty", revision, "1.2.4-0.20261129101430-a728f8b01234+dirty (a728f8b)", "ixtoken/1.2.4-0.20261129101430-a728f8b01234+dirty (a728f8b)"},
	} {
		got := from(&debug.BuildInfo{Main: debug.Module{Version: test.version}, Settings: test.settings})
		if got.String() != test.want || got.UserAgent("ixtoken") != test.agent {
			t.Errorf("%s: %q and %q, want %q and %q", test.name, got, got.UserAgent("ixtoken"), test.want, test.agent)
		}
	}
	if got := from(nil).String(); got != "dev" {
		t.Errorf("without any information: %q", got)
	}
}

func TestTheLinkerDecides(t *testing.T) {
	version, commit = "1.2.3-dev", "a728f8b"
	defer func() { version, commit = "", "" }()
	if got := Read().String(); got != "1.2.3-dev (a728f8b)" {
		t.Errorf("%q", got)
	}
}
