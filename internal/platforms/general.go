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

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
)

// The settings that are not a platform's.
var (
	RequestTimeout = Input{
		Name:        "request_timeout",
		Description: "The time for one attempt, from dialling to the last byte of the answer; from `1s` to `2m`.",
		Default:     "30s",
		Check:       checkDuration(time.Second, 2*time.Minute, "30s"),
	}
	MaxRetries = Input{
		Name:        "max_retries",
		Description: "How often a request is sent again after faults that may pass, from 0 to 10. Rejected credentials are not sent again.",
		Default:     "3",
		Number:      true,
		Check:       checkNumber(0, 10),
	}
	CACertPEM = Input{
		Name:        "ca_cert_pem",
		Description: "Certificates of authorities, in PEM, that are trusted in addition to the system's.",
		Check:       checkCertificates,
	}
	TokenCacheDir = Input{
		Name:        "token_cache_dir",
		Description: "A directory in which the processes of one user share tokens, encrypted; it is made if it is missing. Unset: tokens stay in memory, and no files are written. See the guide on the token cache.",
		Environment: "IXTOKEN_CACHE_DIR",
		Check:       checkDirectory,
	}
	// MinValidity is an input of every platform, and a general setting too.
	MinValidity = Input{
		Name:        "min_validity",
		Description: "The least time that the token must still be valid when it is handed out, such as `5m` or `1h30m`; at most `24h`. A platform may grant less: then there is a warning that says how much is left.",
		Default:     "5m",
		OneToken:    true,
		Optional:    true,
		Check:       checkDuration(0, 24*time.Hour, "5m"),
	}
	General = []Input{RequestTimeout, MaxRetries, MinValidity, CACertPEM, TokenCacheDir}
)

// Configure sets what the general settings say. Values are taken as they are where they were checked before.
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

// openCache opens the cache in dir; nil: there is none, or it is not used, of which the message tells.
func openCache(dir clients.Secret) (*clients.Cache, *Message) {
	if dir.IsZero() {
		return nil, nil
	}
	if text := checkDirectory(dir); text != "" { // from the environment: elsewhere it has been checked
		message := notShared(TokenCacheDir.Name + " (" + TokenCacheDir.Environment + ") " + text)
		return nil, &message
	}
	cache, err := clients.OpenCache(dir.Reveal())
	if err != nil {
		message := noCache(dir.Reveal(), err)
		return nil, &message
	}
	return cache, nil
}

// trusted returns the system's authorities and those in pem; nil, the system's alone, if there are none in it.
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

// checkPath refuses what would become a file of an odd name beside the configuration. A path that is relative on purpose is
// accepted: many pipelines keep only what is in their workspace. what names the file.
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
	// unexpanded matches what a shell, Windows or a pipeline replaces, anywhere in a path.
	unexpanded  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(braced + `|\$` + variable) })
	urlLike     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?i)(file:|[a-z][a-z0-9+.-]+://)`) })
	windowsPath = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([A-Za-z]:[\\/]|\\\\)`) })
)
