// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package clients

import (
	"os"
	"path/filepath"
	"testing"
)

// A directory that another user can replace keeps access tokens. It keeps no refresh token, and none is sent: with an old
// copy of the directory, its mark would be gone. In the containers of some pipelines, every directory is like that.
func TestADirectoryThatOthersCanReplaceKeepsNoRefreshToken(t *testing.T) { // F06
	for name, row := range map[string]struct {
		prepare func(t *testing.T, above string) // above is the parent of the directory's parent
		certain bool
	}{
		"its owner's alone": {func(*testing.T, string) {}, true},
		"readable":          {func(t *testing.T, above string) { must(t, os.Chmod(above, 0o755)) }, true},
		"sticky":            {func(t *testing.T, above string) { must(t, os.Chmod(above, 0o777|os.ModeSticky)) }, true},
		"for everyone":      {func(t *testing.T, above string) { must(t, os.Chmod(above, 0o777)) }, false},
		"for a group":       {func(t *testing.T, above string) { must(t, os.Chmod(above, 0o770)) }, false},
		"of another user": {func(t *testing.T, above string) {
			if err := os.Chown(above, 12345, -1); err != nil {
				t.Skip(err)
			}
		}, false},
		"behind a link": {func(t *testing.T, above string) {
			elsewhere := filepath.Join(t.TempDir(), "open")
			must(t, os.Mkdir(elsewhere, 0o700))
			must(t, os.Chmod(elsewhere, 0o777))
			must(t, os.Symlink(elsewhere, filepath.Join(above, "parent")))
		}, false},
		"behind a link that others can replace": {func(t *testing.T, above string) {
			open, safe := filepath.Join(t.TempDir(), "open"), t.TempDir()
			must(t, os.Mkdir(open, 0o700))
			must(t, os.Chmod(open, 0o777))
			must(t, os.Symlink(safe, filepath.Join(open, "link")))
			must(t, os.Symlink(filepath.Join(open, "link"), filepath.Join(above, "parent")))
		}, false},
		"behind a safe link": {func(t *testing.T, above string) {
			must(t, os.Mkdir(filepath.Join(above, "elsewhere"), 0o700))
			must(t, os.Symlink("../above/elsewhere", filepath.Join(above, "parent")))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			platform, above, logged := &rotating{life: 3600}, filepath.Join(t.TempDir(), "above"), new(notes)
			p := onLoopback(t, platform.ServeHTTP)
			must(t, os.Mkdir(above, 0o700))
			row.prepare(t, above)
			dir := filepath.Join(above, "parent", "cache")
			gets(t, p.another(dir), p.cloudLX(ClientCredentials), "t-1")
			gets(t, p.another(dir), p.cloudLX(ClientCredentials), "t-1") // shared all the same
			found, why := stored(t, opened(t, dir), p.cloudLX(ClientCredentials))
			if stored := !found.Token.RefreshToken.IsZero(); stored != row.certain {
				t.Errorf("the refresh token is stored: %t; %s", stored, why)
			}
			token, err := p.logging(dir, logged.handler()).Token(t.Context(), p.cloudLX(RefreshToken), 0)
			if err != nil || (token.Fallback == nil) != row.certain {
				t.Errorf("%v, %v", err, token.Fallback)
			}
			if !row.certain {
				platform.count(t, 1, 0, 0)
			}
			if warned := len(logged.with("level=WARN", "the refresh token is not used")) > 0; warned == row.certain {
				t.Errorf("warnings: %q", logged.with("level=WARN"))
			}
		})
	}
}
