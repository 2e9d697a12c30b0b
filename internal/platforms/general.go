// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms

import (
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

// The settings that belong to no platform.
var (
	RequestTimeout = Input{
		Name:        "request_timeout",
		Description: "The time for one attempt, from dialling to the last byte of the answer: `1s` to `2m`.",
		Default:     "30s",
		Check:       checkDuration(time.Second, 2*time.Minute, "30s"),
	}
	MaxRetries = Input{
		Name:        "max_retries",
		Description: "How often the provider repeats a request after a fault that may pass: 0 to 10. It does not repeat rejected credentials.",
		Default:     "3",
		Number:      true,
		Check:       checkNumber(0, 10),
	}
	CACertPEM = Input{
		Name:        "ca_cert_pem",
		Description: "Certificates of authorities in PEM. The provider trusts them in addition to those of the system.",
		Check:       checkCertificates,
	}
	TokenCacheDir = Input{
		Name:        "token_cache_dir",
		Description: "A directory in which the processes of one user share tokens, encrypted. The provider creates it if it is missing. If it is not set, tokens stay in memory, and the provider writes no files. See the guide on the token cache.",
		Environment: "IXTOKEN_CACHE_DIR",
		Check:       checkDirectory,
	}
	// MinValidity is an input of every platform, and also a general setting.
	MinValidity = Input{
		Name:        "min_validity",
		Description: "The least time that the token must still be valid when the provider returns it, such as `5m` or `1h30m`; at most `24h`. If the platform grants less, a warning says how much is left.",
		Default:     "5m",
		OneToken:    true,
		Optional:    true,
		Check:       checkDuration(0, 24*time.Hour, "5m"),
	}
	General = []Input{RequestTimeout, MaxRetries, MinValidity, CACertPEM, TokenCacheDir}
)

// Configure sets the options that follow from the general settings. It checks only values from the environment: the front
// ends have checked the others. It returns the settings that are not known yet, and warnings.
func Configure(options *clients.Options, sources ...Source) (unknown []Input, messages []Message) {
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
	options.RootCAs = trusted(look(CACertPEM))
	var message *Message
	if options.Cache, message = openCache(look(TokenCacheDir)); message != nil {
		messages = append(messages, *message)
	}
	return unknown, messages
}

// openCache opens the cache in dir. It returns nil if dir is empty, or nil and a message if the cache cannot be used.
func openCache(dir clients.Secret) (cache.Store, *Message) {
	if dir.IsZero() {
		return nil, nil
	}
	if text := checkDirectory(dir); text != "" { // it comes from the environment; other sources are checked before
		message := notShared(TokenCacheDir.Name + " (" + TokenCacheDir.Environment + ") " + text)
		return nil, &message
	}
	directory, err := cache.Open(dir.Reveal())
	if err != nil {
		message := noCache(dir.Reveal(), err)
		return nil, &message
	}
	return directory, nil
}

// trusted returns the system's authorities and those in pem; nil: pem is empty, so only the system's count.
func trusted(pem clients.Secret) *x509.CertPool {
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
		return `holds no certificate in PEM; use file("ca.pem") for a file that does`
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
		return `starts with "~", which nothing expands: use pathexpand("~/…"), or $HOME in a shell`
	case unexpanded().MatchString(text):
		return `has a placeholder such as $HOME in it, which nothing has replaced: write the path itself, or pathexpand("~/…")`
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
