// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

func (c *invocation) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cache COMMAND", Short: "Lists or removes the entries of the token cache", Args: cobra.ArbitraryArgs,
		Long:        "Lists or removes the entries of the token cache: a directory, or a bucket.",
		RunE:        func(cmd *cobra.Command, _ []string) error { return unknownName(cmd, "command") },
		Example:     c.examples("cache list", "cache clear", "cache policy"),
		Annotations: map[string]string{"below": "commands"},
	}
	cmd.AddCommand(
		c.cacheSubcommand("list", "Lists the entries, without secrets",
			"Lists the entries of the token cache. Each entry is encrypted with the secrets of its token request, so the list cannot name the platform or the client.", c.listCache),
		c.cacheSubcommand("clear", "Removes the entries",
			"Removes the entries of the token cache. The tokens stay valid at the platforms. An entry that another process is using is not removed.", c.clearCache),
		c.policyCommand())
	return cmd
}

// cacheSubcommand returns a subcommand of cache. If the directory does not exist, do gets nil, and the directory is
// not created.
func (c *invocation) cacheSubcommand(name, short, long string, do func(ctx context.Context, place string, store cache.Store) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " [flags]", Short: short, Long: long, Args: noArguments, DisableFlagsInUseLine: true,
		Example: c.examples("cache " + name + " --token-cache-dir DIR"),
	}
	f := &flags{}
	f.add(cmd, "Cache options", "", []platforms.Input{platforms.TokenCacheDir, platforms.TokenCacheURL, platforms.CACertPEM})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.load(cmd.Context(), c); err != nil {
			return err
		}
		place, store, err := c.openStore(cmd, f.sources(c, 0))
		if err != nil {
			return err
		}
		if store != nil {
			defer func() { _ = store.Close() }()
		}
		return do(cmd.Context(), place, store)
	}
	return cmd
}

// openStore opens the directory or the bucket that is configured. place names it. If the directory does not exist, store is
// nil.
func (c *invocation) openStore(cmd *cobra.Command, sources []platforms.Source) (place string, store cache.Store, err error) {
	in, found, _ := platforms.LookUpCache(sources...)
	wrong := in.Wrong(platforms.Value{Secret: found.Value})
	for _, invalid := range platforms.CheckCache(sources...) {
		in, wrong = invalid.Input, invalid.Text
	}
	switch {
	case found.Value.IsZero():
		return "", nil, usageError(cmd, "No cache is configured: set "+terms("").Input(platforms.TokenCacheDir)+", or "+terms("").Input(platforms.TokenCacheURL))
	case wrong != "" && in.Name == platforms.TokenCacheURL.Name:
		return "", nil, badBucketURL(words.Fill(wrong))
	case wrong != "":
		return "", nil, usageError(cmd, terms("").Input(in)+" "+words.Fill(wrong))
	case in.Name == platforms.TokenCacheURL.Name:
		authorities, _ := platforms.LookUp(platforms.CACertPEM, sources...)
		bucket, _ := platforms.OpenBucket(found.Value, platforms.Trusted(authorities.Value))
		return bucket.String(), bucket, nil
	}
	dir := found.Value.Reveal()
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return dir, nil, nil
	}
	directory, err := cache.Open(dir)
	if err != nil {
		return "", nil, newFailure(statusUsage, sectionCache, "The token cache cannot be used", platforms.Sentence(fmt.Sprintf("The directory %s: %v", printable.Path(dir), err)))
	}
	return dir, directory, nil
}

func (c *invocation) listCache(ctx context.Context, place string, store cache.Store) error {
	var entries []cache.Entry
	if store != nil {
		var err error
		if entries, err = store.Entries(ctx); err != nil {
			return newFailure(statusFailed, sectionCache, "The token cache could not be read", platforms.Sentence(storeProblem(err)))
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s in %s\n", countEntries(len(entries)), shown(place))
	rows := [][]string{{"entry", "bytes", "written", "useful until"}}
	for _, e := range entries {
		rows = append(rows, []string{e.Name[:8], strconv.FormatInt(e.Size, 10), moment(e.Written), moment(e.UsefulUntil)})
	}
	if len(entries) > 0 {
		text.WriteString(table(rows, c.width()))
	}
	return c.printResult(text.String())
}

func (c *invocation) clearCache(ctx context.Context, place string, store cache.Store) error {
	removed, left := 0, 0
	if store != nil {
		var err error
		if removed, left, err = store.Clear(ctx); err != nil {
			return newFailure(statusFailed, sectionCache, "The token cache could not be cleared", platforms.Sentence(storeProblem(err)))
		}
	}
	text := fmt.Sprintf("%s removed from %s\n", countEntries(removed), shown(place))
	if left > 0 {
		text += fmt.Sprintf("%s not removed: in use by another process\n", countEntries(left))
	}
	return c.printResult(text)
}

func (c *invocation) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "policy [flags]", Short: "Prints what a role needs for a bucket", Args: noArguments, DisableFlagsInUseLine: true,
		Long:    "Prints the statements of a policy (AWS IAM) that let a role share tokens in the bucket, and no more. Nothing is sent.",
		Example: c.examples("cache policy --token-cache-url s3://BUCKET/PREFIX"),
	}
	f := &flags{}
	f.add(cmd, "Cache options", "", []platforms.Input{platforms.TokenCacheURL})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.load(cmd.Context(), c); err != nil {
			return err
		}
		found, _ := platforms.LookUp(platforms.TokenCacheURL, f.sources(c, 0)...)
		if found.Value.IsZero() {
			return usageError(cmd, "No bucket is configured: set "+terms("").Input(platforms.TokenCacheURL))
		}
		location, err := cache.ParseLocation(found.Value.Reveal())
		if err != nil {
			return badBucketURL(err.Error())
		}
		return c.printResult(location.Policy())
	}
	return cmd
}

// badBucketURL returns the error about a URL of a bucket that is not accepted. wrong says why, as "has …".
func badBucketURL(wrong string) error {
	return newFailure(statusUsage, platforms.BucketURL, "The bucket cannot be used: invalid "+platforms.TokenCacheURL.Name,
		platforms.Sentence(terms("").Input(platforms.TokenCacheURL)+" "+wrong)+" Nothing was sent.")
}

func countEntries(entries int) string {
	if entries == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", entries)
}

// storeProblem returns the cause of an error of a store.
func storeProblem(err error) string {
	if storage := (*cache.StorageError)(nil); errors.As(err, &storage) {
		return storage.Error()
	}
	return cause(err)
}
