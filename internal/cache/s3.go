// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/transport"
)

// Description says where a bucket is, and with whose credentials it is asked.
type Description struct {
	Location
	// Credentials is where the credentials come from, as the library names it; empty: they were not looked up yet.
	Credentials string
}

// Network is how a bucket is reached.
type Network struct {
	// RootCAs are the certificate authorities to trust; nil: the system's. AWS_CA_BUNDLE replaces them.
	RootCAs *x509.CertPool
	// Transport sends the requests; nil: as net/http does.
	Transport http.RoundTripper
}

// OpenBucket returns the store in a bucket. It sends nothing. Its errors say what to set.
func OpenBucket(ctx context.Context, location Location, network Network) (*Bucket, error) {
	loaded, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(network.client()),
		config.WithLogger(logging.Nop{}),                                   // its warnings hold what a server has said
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), // a write whose answer was lost must not be repeated
	)
	if err != nil {
		return nil, errors.New("the settings of AWS's tools cannot be read: " + lastCause(err))
	}
	loaded.Region = cmp.Or(location.Region, loaded.Region)
	client := s3.NewFromConfig(loaded, location.configure, staysHere)
	options := client.Options()
	location.Endpoint, location.Region = aws.ToString(options.BaseEndpoint), options.Region
	switch {
	case location.Endpoint != "" && CheckEndpoint(location.Endpoint) != nil:
		return nil, errors.New("the endpoint in AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile " + CheckEndpoint(location.Endpoint).Error())
	case location.Region == "":
		return nil, errors.New("no region is set: add ?region=REGION to the URL, or set AWS_REGION")
	}
	return newBucket(&s3Objects{client, location, loaded.Credentials}, Description{Location: location}), nil
}

// configure sets what differs at a server that is not AWS's.
func (l Location) configure(options *s3.Options) {
	if l.Endpoint != "" {
		options.BaseEndpoint = aws.String(l.Endpoint)
	}
	if options.BaseEndpoint != nil {
		options.Region = cmp.Or(options.Region, "us-east-1") // such a server has no regions, but the signature needs one
		options.UsePathStyle = l.Addressing != "virtual"
		// Such a server may not know the checksums of newer libraries.
		options.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		options.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}
	if l.Addressing == "path" {
		options.UsePathStyle = true
	}
}

// staysHere makes the client follow no redirect. The library's own client follows those with status 307 and 308, even to
// where requests go in clear.
func staysHere(options *s3.Options) {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	switch own := options.HTTPClient.(type) {
	case *awshttp.BuildableClient:
		client.Transport = own.GetTransport()
	case *http.Client:
		client.Transport = own.Transport
	}
	options.HTTPClient = &client
}

// client returns the client for the storage, and for the services that credentials come from. A name of this machine never
// leads to another one.
func (n Network) client() config.HTTPClient {
	if n.Transport != nil {
		return &http.Client{Transport: n.Transport}
	}
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		own := transport.New(n.RootCAs)
		t.Proxy, t.OnProxyConnectResponse = own.Proxy, own.OnProxyConnectResponse // its errors hold nothing of the proxy's address
		t.DialContext = transport.KeepsLoopback(t.DialContext)
		if n.RootCAs != nil {
			if t.TLSClientConfig == nil {
				t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
			}
			t.TLSClientConfig.RootCAs = n.RootCAs
		}
	})
}

// Describe says where the bucket is. With credentials, it looks them up, which may ask the services that issue them.
func (b *Bucket) Describe(ctx context.Context, credentials bool) (Description, error) {
	about := b.about
	storage, ok := b.objects.(*s3Objects)
	if !ok || !credentials {
		return about, nil
	}
	ctx, cancel := context.WithTimeout(ctx, firstTime)
	defer cancel()
	found, err := storage.credentials.Retrieve(ctx)
	if err != nil {
		return about, errNoCredentials(err)
	}
	about.Credentials = found.Source
	return about, nil
}

// Check reports whether the bucket answers, honours both conditions, and lets this program read what is there.
func (b *Bucket) Check(ctx context.Context) error {
	if found := b.Look(ctx, Key{Name: EntryName(sum("check"))}); found.Problem != nil {
		return found.Problem
	}
	if err := b.probe(ctx); err != nil {
		return err
	}
	_, err := b.get(ctx, b.markerName()) // it is there now
	if outcomeOf(err) == forbidden {
		return errUnreadable
	}
	return err
}

func errNoCredentials(err error) *StorageError {
	return &StorageError{Reason: "was not asked, because there are no credentials for it: " + lastCause(err)}
}

// s3Objects is a bucket of AWS's S3, or of a server with the same interface.
type s3Objects struct {
	client      *s3.Client
	location    Location
	credentials aws.CredentialsProvider
}

// Format writes no more than what it is for every verb: the client holds the credentials.
func (o *s3Objects) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "a bucket") }

func (o *s3Objects) key(name string) *string { return aws.String(o.location.Prefix + name) }

func (o *s3Objects) get(ctx context.Context, name string) (object, error) {
	out, err := o.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.location.Bucket, Key: o.key(name)})
	if err != nil {
		return object{date: dateOf(err)}, explain(err, "GetObject", false)
	}
	defer func() { _ = out.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(out.Body, 4*maxEntrySize))
	if err != nil {
		return object{}, cutOff(err)
	}
	found := object{data, aws.ToString(out.ETag), dateIn(out.ResultMetadata)}
	return found, found.checkTag("GetObject", failed)
}

func (o *s3Objects) put(ctx context.Context, name string, data []byte, tag string) (object, error) {
	in := &s3.PutObjectInput{Bucket: &o.location.Bucket, Key: o.key(name), Body: bytes.NewReader(data)}
	if tag == "" {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = &tag
	}
	if o.location.Encryption != "" {
		in.ServerSideEncryption = types.ServerSideEncryption(o.location.Encryption)
	}
	if o.location.KMSKey != "" {
		in.SSEKMSKeyId = &o.location.KMSKey
	}
	out, err := o.client.PutObject(ctx, in)
	if err != nil {
		return object{date: dateOf(err)}, explain(err, "PutObject", tag != "")
	}
	written := object{tag: aws.ToString(out.ETag), date: dateIn(out.ResultMetadata)}
	return written, written.checkTag("PutObject", doubtful)
}

func (o *s3Objects) delete(ctx context.Context, name string) error {
	_, err := o.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &o.location.Bucket, Key: o.key(name)})
	if err != nil {
		return explain(err, "DeleteObject", false)
	}
	return nil
}

func (o *s3Objects) list(ctx context.Context) ([]string, error) {
	var names []string
	pages := s3.NewListObjectsV2Paginator(o.client, &s3.ListObjectsV2Input{Bucket: &o.location.Bucket, Prefix: &o.location.Prefix},
		func(options *s3.ListObjectsV2PaginatorOptions) { options.StopOnDuplicateToken = true }) // otherwise a faulty server would never end
	for pages.HasMorePages() {
		limit, cancel := context.WithTimeout(ctx, firstTime)
		page, err := pages.NextPage(limit)
		cancel()
		if err != nil {
			return nil, explain(err, "ListObjectsV2", false)
		}
		for _, object := range page.Contents {
			names = append(names, strings.TrimPrefix(aws.ToString(object.Key), o.location.Prefix))
		}
	}
	return names, nil
}

// sum hashes texts.
func sum(parts ...string) [sha256.Size]byte { return sha256.Sum256([]byte(strings.Join(parts, "\n"))) }
