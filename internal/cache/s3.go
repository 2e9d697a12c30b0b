// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
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
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), // the time limits leave room for one attempt
	)
	if err != nil {
		return nil, errors.New("the settings of AWS's tools cannot be read: " + lastCause(err))
	}
	base, location, err := location.resolve(ctx, loaded)
	if err != nil {
		return nil, err
	}
	return newBucket(&s3Objects{
		transport:   transportOf(loaded.HTTPClient),
		base:        base,
		location:    location,
		credentials: loaded.Credentials,
	}, Description{Location: location}), nil
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
		t.DisableCompression = true // the tag of a compressed answer is weak
		if n.RootCAs != nil {
			if t.TLSClientConfig == nil {
				t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
			}
			t.TLSClientConfig.RootCAs = n.RootCAs
		}
	})
}

// transportOf returns what sends the requests of a client. Unlike the client, it follows no redirect. The library may have
// replaced the client that it was given, for AWS_CA_BUNDLE.
func transportOf(client aws.HTTPClient) http.RoundTripper {
	switch client := client.(type) {
	case *awshttp.BuildableClient:
		return client.GetTransport()
	case *http.Client:
		return client.Transport
	}
	return http.DefaultTransport
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

// s3Objects is a bucket of AWS's S3, or of a server with the same interface
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html).
type s3Objects struct {
	transport   http.RoundTripper
	base        string // the URL of the bucket, without a slash at its end
	location    Location
	credentials aws.CredentialsProvider
}

// Format writes no more than what it is for every verb: it holds the credentials.
func (o *s3Objects) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "a bucket") }

func (o *s3Objects) get(ctx context.Context, name string) (object, error) {
	answer, err := o.send(ctx, call{operation: "GetObject", method: http.MethodGet, name: name})
	found := object{data: answer.body, tag: answer.tag, date: answer.date}
	if err != nil {
		return object{date: answer.date}, err
	}
	return found, found.checkTag("GetObject", failed)
}

func (o *s3Objects) put(ctx context.Context, name string, data []byte, tag string) (object, error) {
	condition := map[string]string{"If-None-Match": "*"}
	if tag != "" {
		condition = map[string]string{"If-Match": tag}
	}
	condition["X-Amz-Server-Side-Encryption"] = o.location.Encryption
	condition["X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"] = o.location.KMSKey
	answer, err := o.send(ctx, call{operation: "PutObject", method: http.MethodPut, name: name, headers: condition, body: data})
	if err != nil {
		return object{date: answer.date}, err
	}
	written := object{tag: answer.tag, date: answer.date}
	return written, written.checkTag("PutObject", doubtful)
}

func (o *s3Objects) delete(ctx context.Context, name string) error {
	_, err := o.send(ctx, call{operation: "DeleteObject", method: http.MethodDelete, name: name})
	return err
}

func (o *s3Objects) list(ctx context.Context) (names []string, err error) {
	for token := ""; ; {
		page, err := o.page(ctx, token)
		if err != nil {
			return nil, err
		}
		for _, object := range page.Contents {
			names = append(names, strings.TrimPrefix(object.Key, o.location.Prefix))
		}
		if !page.IsTruncated || page.NextContinuationToken == "" || page.NextContinuationToken == token {
			return names, nil // a faulty server repeats the token, and would never end
		}
		token = page.NextContinuationToken
	}
}

// sum hashes texts.
func sum(parts ...string) [sha256.Size]byte { return sha256.Sum256([]byte(strings.Join(parts, "\n"))) }
