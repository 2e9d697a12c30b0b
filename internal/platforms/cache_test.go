// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"strings"
	"testing"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache/s3test"
)

// setting returns a source that sets where tokens are shared. "?" is not known yet.
func setting(origin Origin, dir, url string) Source {
	return Source{origin, func(in Input) Value {
		text := map[string]string{TokenCacheDir.Name: dir, TokenCacheURL.Name: url}[in.Name]
		if text == "?" {
			return Value{Unknown: true}
		}
		return Text(text, false)
	}}
}

// The first source that sets a directory or a bucket decides. Both in one source are an error, and so is a bucket that cannot
// be asked. Nothing is said about what a later source sets.
func TestWhereTokensAreShared(t *testing.T) {
	for name, value := range s3test.Environment() {
		t.Setenv(name, value)
	}
	const bucket, other = "s3://bucket/a?region=r-1", "s3://other?region=r-1"
	for _, row := range []struct {
		block, environment [2]string // directory, URL
		url                bool      // the URL decides
		value              string
		from               Origin
		unknown            bool
		wrong              string
	}{
		{},
		{block: [2]string{"/dir", ""}, value: "/dir", from: "block"},
		{block: [2]string{"", bucket}, url: true, value: bucket, from: "block"},
		{environment: [2]string{"/dir", ""}, value: "/dir", from: "environment"},
		{environment: [2]string{"", bucket}, url: true, value: bucket, from: "environment"},
		{block: [2]string{"/dir", ""}, environment: [2]string{"", bucket}, value: "/dir", from: "block"},
		{block: [2]string{"", bucket}, environment: [2]string{"/dir", ""}, url: true, value: bucket, from: "block"},
		{block: [2]string{"", bucket}, environment: [2]string{"/dir", other}, url: true, value: bucket, from: "block"},
		{block: [2]string{"/dir", ""}, environment: [2]string{"", "hunter2"}, value: "/dir", from: "block"},
		{block: [2]string{"/dir", bucket}, url: true, value: bucket, from: "block", wrong: BesideCacheDir},
		{environment: [2]string{"/dir", bucket}, url: true, value: bucket, from: "environment", wrong: BesideCacheDir},
		{block: [2]string{"?", ""}, environment: [2]string{"", bucket}, from: "block", unknown: true},
		{block: [2]string{"", "?"}, environment: [2]string{"/dir", ""}, url: true, from: "block", unknown: true},
		{block: [2]string{"?", bucket}, url: true, value: bucket, from: "block"},
		{block: [2]string{"/dir", "?"}, url: true, from: "block", unknown: true},
		{block: [2]string{"?", "?"}, url: true, from: "block", unknown: true},
		{block: [2]string{"?", "s3://"}, url: true, value: "s3://", from: "block", wrong: "has no bucket in it"},
		{block: [2]string{"", "https://hunter2"}, url: true, value: "https://hunter2", from: "block", wrong: "has another scheme than s3"},
		{block: [2]string{"", "s3://$HUNTER2"}, url: true, value: "s3://$HUNTER2", from: "block", wrong: "has a placeholder in it"},
		{block: [2]string{"", "s3://${hunter2}/a"}, url: true, value: "s3://${hunter2}/a", from: "block", wrong: "has a placeholder in it"},
		{block: [2]string{"", "s3://bucket"}, url: true, value: "s3://bucket", from: "block", wrong: "cannot be used: no region is set: add ?region=REGION"},
	} {
		sources := []Source{setting("block", row.block[0], row.block[1]), setting("environment", row.environment[0], row.environment[1])}
		in, found, unknown := LookUpCache(sources...)
		if in.is(TokenCacheURL) != row.url || found.Value.Reveal() != row.value || found.From != row.from || unknown != row.unknown {
			t.Errorf("%+v: %s, %q from %q, unknown: %t", row, in.Name, found.Value.Reveal(), found.From, unknown)
		}
		invalid := CheckCache(sources...)
		switch {
		case row.wrong == "" && len(invalid) > 0 || row.wrong != "" && len(invalid) != 1:
			t.Errorf("%+v: %+v", row, invalid)
		case row.wrong != "" && (!invalid[0].Input.is(TokenCacheURL) || invalid[0].From != row.from || !strings.HasPrefix(invalid[0].Text, row.wrong) || strings.Contains(strings.ToLower(invalid[0].Text), "hunter2")):
			t.Errorf("%+v: %+v", row, invalid)
		}
	}
}
