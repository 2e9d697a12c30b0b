// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/transport"
)

// Location says which bucket to use: s3://BUCKET[/PREFIX][?region=…&endpoint=…&addressing=…&sse=…&kms_key_id=…].
type Location struct {
	Bucket string
	Prefix string // empty: the objects have none; otherwise it ends with a slash
	Region string // empty: as AWS's own tools find it
	// Endpoint is the URL of a server that is not AWS's; empty: as AWS's own tools find it.
	Endpoint string
	// Addressing is path or virtual; empty: by path at a server that is not AWS's.
	Addressing string
	// Encryption is the encryption at rest that each write asks for, such as aws:kms; empty: that of the bucket. KMSKey is
	// its key; empty: the default key.
	Encryption, KMSKey string
}

// scheme is the start of the URL of a bucket.
const scheme = "s3://"

// maxPrefix is the longest prefix, in bytes. The name of an object has 1024 at most
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
const maxPrefix = 1024 - 64

// shape is how the URL of a bucket is written.
const shape = "s3://BUCKET/PREFIX?region=REGION"

var (
	bucketName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$`) })
	// AWS's names of directory buckets, and of access points to these, to S3 on Outposts and to functions
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html). Each needs requests of its own.
	otherBucket = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`--[a-z]+-s3$`) })
	// In a policy, a star would stand for anything.
	prefixText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9!_.'()/=+@:,~-]*$`) })
	regionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9-]*$`) })
	plainText  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_:/.-]+$`) })
)

// ParseLocation reads the URL of a bucket. Its errors say what is wrong in the form "has …", and do not repeat the URL.
func ParseLocation(text string) (Location, error) {
	if !strings.HasPrefix(text, scheme) {
		return Location{}, errors.New("has another scheme than s3: write " + shape)
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return Location{}, errors.New("is not a URL: write " + shape)
	case parsed.User != nil:
		return Location{}, errors.New("has credentials in it: remove them, and set them as for AWS's own tools, such as in AWS_ACCESS_KEY_ID or a profile")
	case parsed.Host == "":
		return Location{}, errors.New("has no bucket in it: write " + shape)
	case parsed.Fragment != "" || strings.Contains(text, "#"):
		return Location{}, errors.New(`has a "#" in it: write ` + shape)
	case !bucketName().MatchString(parsed.Host):
		return Location{}, errors.New("has no valid bucket name in it: write " + shape + "; a server other than AWS goes into the parameter endpoint")
	case otherBucket().MatchString(parsed.Host):
		return Location{}, errors.New("has a bucket of another kind than general purpose, such as a directory bucket: write " + shape)
	}
	prefix := strings.Trim(parsed.Path, "/")
	parts := strings.Split(prefix, "/")
	if strings.Contains(prefix, "&") {
		return Location{}, errors.New(`has a "&" before its parameters: the first one follows a "?", as in ` + shape)
	}
	if !prefixText().MatchString(prefix) || prefix != "" && slices.ContainsFunc(parts, func(part string) bool { return part == "" || part == "." || part == ".." }) {
		return Location{}, errors.New("has a prefix that not all storages accept: use letters, digits, dashes and single slashes")
	}
	if len(prefix) > maxPrefix {
		return Location{}, errors.New("has a prefix that is too long for the names of objects: write a shorter one")
	}
	if prefix != "" {
		prefix += "/"
	}
	location := Location{Bucket: parsed.Host, Prefix: prefix}
	return location, location.setParameters(parsed.RawQuery)
}

// setParameters reads the query of the URL.
func (l *Location) setParameters(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("has a query that cannot be read: write " + shape)
	}
	known := map[string]*string{"region": &l.Region, "endpoint": &l.Endpoint, "addressing": &l.Addressing, "sse": &l.Encryption, "kms_key_id": &l.KMSKey}
	for name, given := range values {
		target, ok := known[name]
		switch {
		case !ok:
			return errors.New("has a parameter that ixtoken does not know; it knows region, endpoint, addressing, sse and kms_key_id")
		case len(given) > 1:
			return errors.New("has the parameter " + name + " twice")
		case name != "endpoint" && !plainText().MatchString(given[0]), given[0] == "":
			return errors.New("has no usable value of the parameter " + name)
		}
		*target = given[0]
	}
	return l.check()
}

// check returns what is wrong with the values of the parameters.
func (l *Location) check() error {
	switch {
	case l.Endpoint != "" && CheckEndpoint(l.Endpoint) != nil:
		return errors.New("has an endpoint that " + CheckEndpoint(l.Endpoint).Error())
	case !regionName().MatchString(l.Region):
		return errors.New("has no valid region in it: write one such as eu-central-1")
	case l.Addressing != "" && l.Addressing != "path" && l.Addressing != "virtual":
		return errors.New("has another addressing than path or virtual")
	case l.Encryption != "" && !slices.Contains([]string{"AES256", "aws:kms", "aws:kms:dsse", "aws:fsx"}, l.Encryption):
		return errors.New("has another sse than AES256, aws:kms or aws:kms:dsse")
	case l.KMSKey != "" && !strings.HasPrefix(l.Encryption, "aws:kms"):
		return errors.New("has kms_key_id without sse=aws:kms")
	}
	return nil
}

// CheckEndpoint refuses the URL of a storage to which credentials would go in clear, or which is none.
func CheckEndpoint(text string) error {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Hostname() == "":
		return errors.New("is not a URL: write https://HOST")
	case parsed.User != nil:
		return errors.New("has credentials in it: remove them")
	case parsed.Scheme != "https" && (parsed.Scheme != "http" || !transport.Loopback(parsed.Hostname())):
		return errors.New("does not begin with https: http is for loopback addresses alone")
	case parsed.RawQuery != "" || parsed.Fragment != "":
		return errors.New("has a query or a fragment: write https://HOST")
	}
	return nil
}

// String returns the URL without its parameters.
func (l Location) String() string { return scheme + l.Bucket + "/" + strings.TrimSuffix(l.Prefix, "/") }
