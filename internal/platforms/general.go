// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
	"context"
	"crypto/x509"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/cache"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// The defaults of min_validity, for a token and for a proxy.
const (
	defaultMinValidity      = 5 * time.Minute
	defaultMinValidityProxy = time.Minute
)

// The settings that belong to no platform.
var (
	RequestTimeout = Input{
		Name:        "request_timeout",
		Description: "The time for one attempt, from dialling to the last byte of the answer: `1s` to `2m`.",
		Default:     Brief(clients.DefaultRequestTimeout),
		Check:       checkDuration(time.Second, 2*time.Minute, clients.DefaultRequestTimeout),
	}
	MaxRetries = Input{
		Name:        "max_retries",
		Description: "How often {program} repeats a request after a fault that may pass: 0 to 10. It does not repeat rejected credentials.",
		Default:     strconv.Itoa(clients.DefaultMaxAttempts - 1),
		Number:      true,
		Check:       checkNumber(0, 10),
	}
	CACertPEM = Input{
		Name:        "ca_cert_pem",
		Description: "Certificates of authorities in PEM. {Program} trusts them in addition to those of the system.",
		Check:       checkCertificates,
	}
	TokenCacheDir = Input{
		Name:        "token_cache_dir",
		Description: "A directory in which the processes of one user share tokens, encrypted. {Program} creates it if it is missing. If it is not set, tokens stay in memory, and {program} writes no files. See the guide on the token cache.",
		Environment: "IXTOKEN_CACHE_DIR",
		Check:       checkDirectory,
	}
	TokenCacheURL = Input{
		Name:        "token_cache_url",
		Description: "A bucket in which the processes of many machines share tokens, encrypted: `s3://BUCKET/PREFIX?region=REGION`, at AWS or any S3-compatible storage with conditional writes. Set it in place of `token_cache_dir`. Further parameters: `endpoint` (the URL of a server other than AWS), `addressing` (`path` or `virtual`), `sse`, `kms_key_id`. Credentials are found as AWS's own tools find them, never in the URL. If the bucket fails, you get the token and a warning. See the guide on one token for many machines.",
		Environment: "IXTOKEN_CACHE_URL",
		Check:       checkBucket,
	}
	// MinValidity is an input of every platform, and also a general setting.
	MinValidity = Input{
		Name:        "min_validity",
		Description: "The least time that the token must still be valid when {program} returns it, such as `" + Brief(defaultMinValidity) + "` or `1h30m`; at most `24h`. If the platform grants less, a warning says how much is left.",
		Default:     Brief(defaultMinValidity),
		OneToken:    true,
		Optional:    true,
		Check:       checkDuration(0, 24*time.Hour, defaultMinValidity),
	}
	General = []Input{RequestTimeout, MaxRetries, MinValidity, CACertPEM, TokenCacheDir, TokenCacheURL}
)

// Configure sets the options that follow from the general settings. It checks only values from the environment: the front
// ends have checked the others. It returns the settings that are not known yet, and warnings.
func Configure(options *clients.Options, words Words, sources ...Source) (unknown []Input, messages []Message) {
	look := func(in Input) clients.Secret {
		found, later := LookUp(in, sources...)
		if later {
			unknown = append(unknown, in)
		}
		return found.Value
	}
	options.RequestTimeout, _ = time.ParseDuration(look(RequestTimeout).Reveal())
	retries, _ := strconv.Atoi(look(MaxRetries).Reveal())
	options.MaxAttempts = 1 + retries
	options.RootCAs = Trusted(look(CACertPEM))
	setting, found, later := LookUpCache(sources...)
	if later {
		unknown = append(unknown, setting)
	}
	var message *Message
	if options.Cache, message = openCache(setting, found.Value, options.RootCAs, words); message != nil {
		messages = append(messages, *message)
	}
	return unknown, messages
}

// LookUpCache returns the setting that says where tokens are shared. The first source that sets a directory or a bucket
// decides.
func LookUpCache(sources ...Source) (in Input, found Setting, unknown bool) {
	for _, source := range sources {
		for _, in := range []Input{TokenCacheURL, TokenCacheDir} {
			if found, unknown := LookUp(in, source); unknown || !found.Value.IsZero() {
				return in, found, unknown
			}
		}
	}
	return TokenCacheDir, Setting{}, false
}

// BesideCacheDir is what is wrong with a bucket where a directory is set too.
const BesideCacheDir = "is set beside token_cache_dir: leave out one of the two"

// CheckCache returns what is wrong with where tokens are shared: a directory and a bucket in one source, or a bucket that
// cannot be asked with these settings. It sends nothing. A directory that cannot be used costs a warning only.
func CheckCache(sources ...Source) []Invalid {
	for _, source := range sources {
		directory, bucket := source.Value(TokenCacheDir), source.Value(TokenCacheURL)
		hasDir, hasBucket := source.Sets(TokenCacheDir), source.Sets(TokenCacheURL)
		switch {
		case hasDir && hasBucket && !directory.Unknown && !bucket.Unknown: // what is not known yet may become null
			return []Invalid{{TokenCacheURL, source.Origin, BesideCacheDir}}
		case hasBucket && !bucket.Unknown:
			if _, text := OpenBucket(bucket.Secret, nil); text != "" {
				return []Invalid{{TokenCacheURL, source.Origin, text}}
			}
			return nil
		case hasBucket || hasDir:
			return nil
		}
	}
	return nil
}

// OpenBucket returns the bucket with this URL. Otherwise wrong says what is wrong with the URL, or with the settings of AWS's
// tools.
func OpenBucket(location clients.Secret, rootCAs *x509.CertPool) (bucket *cache.Bucket, wrong string) {
	if wrong := checkBucket(location); wrong != "" {
		return nil, wrong
	}
	parsed, _ := cache.ParseLocation(location.Reveal())
	bucket, err := cache.OpenBucket(context.Background(), parsed, cache.Network{RootCAs: rootCAs})
	if err != nil {
		return nil, "cannot be used: " + err.Error()
	}
	return bucket, ""
}

// checkBucket refuses what is not the URL of a bucket.
func checkBucket(value clients.Secret) string {
	if unexpanded().MatchString(value.Reveal()) {
		return "has a placeholder in it, which nothing has replaced: write the name of the bucket itself"
	}
	if _, err := cache.ParseLocation(value.Reveal()); err != nil {
		return err.Error()
	}
	return ""
}

// openCache opens what a setting names. It returns nil if the setting has no value, or nil and a message if the cache cannot
// be used. CheckCache reports a bucket that cannot be opened.
func openCache(in Input, value clients.Secret, rootCAs *x509.CertPool, words Words) (cache.Store, *Message) {
	switch {
	case value.IsZero():
		return nil, nil
	case in.is(TokenCacheURL):
		if bucket, wrong := OpenBucket(value, rootCAs); wrong == "" {
			return bucket, nil
		}
		return nil, nil
	}
	if text := checkDirectory(value); text != "" { // it comes from the environment; other sources are checked before
		message := notShared(TokenCacheDir.Name + " (" + TokenCacheDir.Environment + ") " + words.Fill(text))
		return nil, &message
	}
	directory, err := cache.Open(value.Reveal())
	if err != nil {
		message := noCache(value.Reveal(), err)
		return nil, &message
	}
	return directory, nil
}

// Trusted returns the system's authorities and those in pem, or nil if pem is empty, so that only the system's count.
func Trusted(pem clients.Secret) *x509.CertPool {
	if pem.IsZero() {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM([]byte(pem.Reveal()))
	return pool
}

func checkCertificates(pem clients.Secret) string {
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(pem.Reveal())) {
		return "holds no certificate in PEM{file}"
	}
	return ""
}

func checkDirectory(value clients.Secret) string { return checkPath(value, "a directory") }

// checkPath refuses a path with a part that nothing expands. It would become a file of an odd name beside the
// configuration. Relative paths are accepted, because many pipelines keep only what is in their workspace. what names the
// file in the message.
func checkPath(value clients.Secret, what string) string {
	text := value.Reveal()
	switch {
	case strings.HasPrefix(text, "~"):
		return `starts with "~", which nothing expands: {home}`
	case unexpanded().MatchString(text):
		return "has a placeholder such as $HOME in it, which nothing has replaced: write the path itself"
	case urlLike().MatchString(text):
		return "is a URL: write the path of " + what
	case runtime.GOOS != "windows" && windowsPath().MatchString(text):
		return "is a path of Windows, which this machine does not have"
	}
	if odd := oddities(value); odd != nil {
		return Enumerate(odd)
	}
	return clients.CheckText(value)
}

var (
	// unexpanded matches the placeholders of shells, Windows and pipelines, anywhere in a path.
	unexpanded  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(braced + `|\$` + variable) })
	urlLike     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?i)(file:|[a-z][a-z0-9+.-]+://)`) })
	windowsPath = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([A-Za-z]:[\\/]|\\\\)`) })
)
