// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/encoding/httpbinding"
)

// resolve returns the URL of the bucket, and the location with the region and the endpoint that AWS's tools use.
func (l Location) resolve(ctx context.Context, loaded aws.Config) (string, Location, error) {
	l.Endpoint = cmp.Or(l.Endpoint, configuredEndpoint(ctx, loaded))
	l.Region = cmp.Or(l.Region, loaded.Region)
	fips := first(ctx, loaded.ConfigSources, fipsSource.GetUseFIPSEndpoint) == aws.FIPSEndpointStateEnabled
	dualStack := first(ctx, loaded.ConfigSources, dualStackSource.GetUseDualStackEndpoint) == aws.DualStackEndpointStateEnabled
	switch {
	case l.Endpoint != "" && CheckEndpoint(l.Endpoint) != nil:
		return "", l, errors.New("the endpoint in AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile " + CheckEndpoint(l.Endpoint).Error())
	case l.Endpoint != "" && (fips || dualStack):
		return "", l, errors.New("the endpoint cannot be combined with AWS_USE_FIPS_ENDPOINT or AWS_USE_DUALSTACK_ENDPOINT, nor with their settings of the profile: remove one of them")
	case l.Endpoint != "":
		l.Region = cmp.Or(l.Region, "us-east-1") // such a server has no regions, but the signature needs one
	case l.Region == "":
		return "", l, errors.New("no region is set: add ?region=REGION to the URL, or set AWS_REGION")
	}
	if !hostLabel().MatchString(l.Region) || strings.HasSuffix(l.Region, "-global") { // it becomes a part of the host's name
		return "", l, errors.New("the region, such as that in AWS_REGION or the profile, has no buckets: write one such as eu-central-1")
	}
	if strings.HasPrefix(l.Region, "fips-") || strings.HasSuffix(l.Region, "-fips") {
		return "", l, errors.New("the region is an old name for a FIPS endpoint: write the region alone, and set AWS_USE_FIPS_ENDPOINT=true")
	}
	if fips && strings.HasPrefix(l.Region, "cn-") {
		return "", l, errors.New("AWS has no FIPS endpoints in the region: remove AWS_USE_FIPS_ENDPOINT, or its setting of the profile")
	}
	return l.url(fips, dualStack), l, nil
}

// The library's sources of settings have some of these methods: options, environment, profile.
type (
	endpointSource interface {
		GetServiceBaseEndpoint(ctx context.Context, service string) (string, bool, error)
	}
	noEndpointSource interface {
		GetIgnoreConfiguredEndpoints(ctx context.Context) (bool, bool, error)
	}
	fipsSource interface {
		GetUseFIPSEndpoint(ctx context.Context) (aws.FIPSEndpointState, bool, error)
	}
	dualStackSource interface {
		GetUseDualStackEndpoint(ctx context.Context) (aws.DualStackEndpointState, bool, error)
	}
)

// first returns what the first source says that says something. The library asks its sources in this way for each service,
// in a package that others cannot import.
func first[S, V any](ctx context.Context, sources []any, ask func(S, context.Context) (V, bool, error)) (value V) {
	for _, source := range sources {
		if source, ok := source.(S); ok {
			if found, ok, err := ask(source, ctx); ok || err != nil {
				return found
			}
		}
	}
	return value
}

// configuredEndpoint returns the endpoint in the settings of AWS's tools; empty: there is none. As in the library, the
// endpoint for all services in the environment takes the place of one for S3 in the profile.
func configuredEndpoint(ctx context.Context, loaded aws.Config) string {
	_, all := os.LookupEnv("AWS_ENDPOINT_URL")
	_, own := os.LookupEnv("AWS_ENDPOINT_URL_S3")
	if all && !own || first(ctx, loaded.ConfigSources, noEndpointSource.GetIgnoreConfiguredEndpoints) {
		return aws.ToString(loaded.BaseEndpoint)
	}
	ofS3 := func(source endpointSource, ctx context.Context) (string, bool, error) {
		return source.GetServiceBaseEndpoint(ctx, "S3")
	}
	return cmp.Or(first(ctx, loaded.ConfigSources, ofS3), aws.ToString(loaded.BaseEndpoint))
}

// suffixes are the ends of AWS's names, by the start of the region; other regions end with amazonaws.com
// (partitions.json of AWS's libraries).
var suffixes = []struct{ region, suffix string }{
	{"cn-", "amazonaws.com.cn"},
	{"eusc-", "amazonaws.eu"},
	{"us-iso-", "c2s.ic.gov"},
	{"us-isob-", "sc2s.sgov.gov"},
	{"eu-isoe-", "cloud.adc-e.uk"},
	{"us-isof-", "csp.hci.ic.gov"},
}

var (
	hostLabel = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`) })
	// A certificate for any name in a region is for one more label, and names of hosts have no upper case.
	inHostName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9-]*[a-z0-9]$`) })
)

// url returns the URL of the bucket at its endpoint, or at AWS's for its region
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html).
func (l Location) url(fips, dualStack bool) string {
	endpoint, virtual := l.Endpoint, l.Addressing == "virtual"
	if endpoint == "" {
		host := "s3"
		if fips {
			host += "-fips"
		}
		if dualStack {
			host += ".dualstack"
		}
		suffix := "amazonaws.com"
		for _, row := range suffixes {
			if strings.HasPrefix(l.Region, row.region) {
				suffix = row.suffix
			}
		}
		endpoint, virtual = "https://"+host+"."+l.Region+"."+suffix, l.Addressing != "path"
	}
	parsed, err := url.Parse(endpoint)
	if err != nil { // it was checked
		return endpoint
	}
	path := httpbinding.EscapePath(strings.TrimSuffix(parsed.Path, "/"), false)
	if virtual && inHostName().MatchString(l.Bucket) && net.ParseIP(parsed.Hostname()) == nil {
		return parsed.Scheme + "://" + l.Bucket + "." + parsed.Host + path
	}
	return parsed.Scheme + "://" + parsed.Host + path + "/" + l.Bucket
}
