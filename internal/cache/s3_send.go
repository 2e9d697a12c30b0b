// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"
)

// call is a request to the storage.
type call struct {
	operation string // AWS's name of it, for errors
	method    string
	name      string // of the object; empty: the request is about the bucket
	query     url.Values
	headers   map[string]string // those with an empty value are not sent
	body      []byte
}

// answer is what the storage has answered.
type answer struct {
	body []byte
	tag  string
	date time.Time // the time of the storage; zero: it names none
}

// maxAnswer is the size of the longest answer, in bytes: a page of a thousand names, or an entry.
const maxAnswer = 4 << 20

// send signs a request, sends it once, and reads the answer. With an error, the answer has the time of the storage, if it is
// known.
func (o *s3Objects) send(ctx context.Context, c call) (answer, error) {
	request, err := o.request(ctx, c)
	if err != nil {
		return answer{}, err
	}
	response, err := o.transport.RoundTrip(request)
	if err != nil {
		return answer{}, noAnswer(c.operation, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	date, _ := http.ParseTime(response.Header.Get("Date"))
	switch {
	case response.StatusCode/100 != 2:
		return answer{date: date}, refusal(c, response.StatusCode, body)
	case err != nil:
		return answer{}, noAnswer(c.operation, err)
	}
	return answer{body, response.Header.Get("ETag"), date}, nil
}

// request returns a signed request (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
func (o *s3Objects) request(ctx context.Context, c call) (*http.Request, error) {
	credentials, err := o.credentials.Retrieve(ctx)
	if err != nil {
		return nil, errNoCredentials(err)
	}
	address := o.base
	if c.name != "" {
		address += "/" + httpbinding.EscapePath(o.location.Prefix+c.name, false) // the signature is about this form
	}
	if c.query != nil {
		address += "?" + c.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, c.method, address, bytes.NewReader(c.body))
	if err != nil {
		return nil, notPossible(c.operation, err)
	}
	digest := sha256.Sum256(c.body)
	request.Header.Set("User-Agent", "ixtoken")
	request.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(digest[:]))
	if len(c.body) > 0 {
		request.Header.Set("Content-Type", "application/octet-stream")
		if o.location.Endpoint == "" { // AWS demands it in a bucket with a lock, and other servers may not know it
			request.Header.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(digest[:]))
		}
	}
	for name, value := range c.headers {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	signer := v4.NewSigner(func(options *v4.SignerOptions) { options.DisableURIPathEscaping = true }) // it is escaped already
	err = signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(digest[:]), "s3", o.location.Region, time.Now())
	if err != nil {
		return nil, notPossible(c.operation, err)
	}
	return request, nil
}

// page is one answer of a list.
type page struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Contents              []struct{ Key string }
	IsTruncated           bool
	NextContinuationToken string
}

// page returns one page of the objects; token is that of the page before it, or empty for the first page.
func (o *s3Objects) page(ctx context.Context, token string) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, firstTime)
	defer cancel()
	query := url.Values{"list-type": {"2"}, "prefix": {o.location.Prefix}}
	if token != "" {
		query.Set("continuation-token", token)
	}
	const operation = "ListObjectsV2"
	found, err := o.send(ctx, call{operation: operation, method: http.MethodGet, query: query})
	if err != nil {
		return page{}, err
	}
	var read page
	if err := xml.Unmarshal(found.body, &read); err != nil {
		return page{}, &StorageError{Operation: operation, Status: http.StatusOK, Reason: "the answer is not a list", outcome: doubtful}
	}
	return read, nil
}
