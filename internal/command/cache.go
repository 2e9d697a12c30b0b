// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

func (c *invocation) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cache COMMAND", Short: "Lists or removes the entries of the token cache", Args: cobra.ArbitraryArgs,
		Long:        "Lists or removes the entries of the token cache.",
		RunE:        func(cmd *cobra.Command, _ []string) error { return unknownName(cmd, "command") },
		Annotations: map[string]string{"below": "commands"},
	}
	cmd.AddCommand(
		c.cacheSubcommand("list", "Lists the entries, without secrets",
			"Lists the entries of the token cache. Each entry is encrypted with the secrets of its token request, so the list cannot\nname the platform or the client.", c.listCache),
		c.cacheSubcommand("clear", "Removes the entries",
			"Removes the entries of the token cache. The tokens stay valid at the platforms. An entry that another process is using\nis not removed.", c.clearCache))
	return cmd
}

// cacheSubcommand returns a subcommand of cache. If the directory does not exist, do gets nil, and the directory is
// not created.
func (c *invocation) cacheSubcommand(name, short, long string, do func(dir string, directory *cache.Directory) error) *cobra.Command {
	cmd := &cobra.Command{Use: name + " [flags]", Short: short, Long: long, Args: noArguments, DisableFlagsInUseLine: true}
	f := &flags{}
	f.add(cmd, "Cache options", "", []platforms.Input{platforms.TokenCacheDir})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.load(cmd.Context(), c); err != nil {
			return err
		}
		found, _ := platforms.LookUp(platforms.TokenCacheDir, f.sources(c, 0)...)
		dir := found.Value.Reveal()
		switch text := platforms.TokenCacheDir.Wrong(platforms.Value{Secret: found.Value}); {
		case dir == "":
			return usageError(cmd, "No cache is configured: set "+terms("").Input(platforms.TokenCacheDir))
		case text != "":
			return usageError(cmd, terms("").Input(platforms.TokenCacheDir)+" "+text)
		}
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			return do(dir, nil)
		}
		directory, err := cache.Open(dir)
		if err != nil {
			return newFailure(statusUsage, sectionCache, "The token cache cannot be used", platforms.Sentence(fmt.Sprintf("The directory %q: %v", dir, err)))
		}
		defer func() { _ = directory.Close() }()
		return do(dir, directory)
	}
	return cmd
}

func (c *invocation) listCache(dir string, directory *cache.Directory) error {
	var entries []cache.Entry
	if directory != nil {
		var err error
		if entries, err = directory.Entries(context.TODO()); err != nil {
			return newFailure(statusFailed, sectionCache, "The token cache could not be read", cause(err)+".")
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s in %s\n", countEntries(len(entries)), printable(dir))
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for i, e := range entries {
		if i == 0 {
			fmt.Fprintln(table, "entry\twritten\tuseful until\tbytes")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\n", e.Name[:8], e.Written.UTC().Format(time.RFC3339), e.UsefulUntil.UTC().Format(time.RFC3339), e.Size)
	}
	_ = table.Flush()
	return c.printResult(text.String())
}

func (c *invocation) clearCache(dir string, directory *cache.Directory) error {
	removed, left := 0, 0
	if directory != nil {
		var err error
		if removed, left, err = directory.Clear(context.TODO()); err != nil {
			return newFailure(statusFailed, sectionCache, "The token cache could not be cleared", cause(err)+".")
		}
	}
	text := fmt.Sprintf("%s removed from %s\n", countEntries(removed), printable(dir))
	if left > 0 {
		text += fmt.Sprintf("%s not removed: in use by another process\n", countEntries(left))
	}
	return c.printResult(text)
}

func countEntries(entries int) string {
	if entries == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", entries)
}
