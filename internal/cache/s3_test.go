// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"cmp"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What a request to a storage looks like, by the URL of the bucket and the settings of AWS's tools.
func TestRequestsToAStorage(t *testing.T) {
	for _, row := range []struct {
		location Location
		region   string // AWS_REGION
		endpoint string // AWS_ENDPOINT_URL
		url      string // of the first object
		signed   string // the region in the signature
		headers  map[string]string
	}{
		{Location{Bucket: "b-1", Prefix: "p/", Region: "eu-central-1"}, "", "", "https://b-1.s3.eu-central-1.amazonaws.com/p/name", "eu-central-1", nil},
		{Location{Bucket: "b-1", Region: "eu-central-1"}, "us-east-2", "", "https://b-1.s3.eu-central-1.amazonaws.com/name", "eu-central-1", nil},
		{Location{Bucket: "b-1"}, "us-east-2", "", "https://b-1.s3.us-east-2.amazonaws.com/name", "us-east-2", nil},
		{Location{Bucket: "b-1", Region: "eu-central-1", Addressing: "path"}, "", "", "https://s3.eu-central-1.amazonaws.com/b-1/name", "eu-central-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h:9000"}, "", "", "https://h:9000/b-1/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h:9000", Region: "r-1"}, "", "", "https://h:9000/b-1/name", "r-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h/path", Addressing: "path"}, "", "", "https://h/path/b-1/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h", Addressing: "virtual"}, "", "", "https://b-1.h/name", "us-east-1", nil},
		{Location{Bucket: "b-1"}, "", "https://other", "https://other/b-1/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h"}, "", "https://other", "https://h/b-1/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h", Encryption: "aws:kms", KMSKey: "key-1"}, "", "", "https://h/b-1/name", "us-east-1", map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-1"}},
		{Location{Bucket: "b-1", Endpoint: "https://h", Encryption: "AES256"}, "", "", "https://h/b-1/name", "us-east-1", map[string]string{"X-Amz-Server-Side-Encryption": "AES256"}},
	} {
		var sent []*http.Request
		noSettings(t)
		t.Setenv("AWS_REGION", row.region)
		t.Setenv("AWS_ENDPOINT_URL", row.endpoint)
		bucket, err := OpenBucket(t.Context(), row.location, Network{Transport: answering(func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r)
			_, _ = io.Copy(io.Discard, r.Body) // a checksum follows the body
			recorder := httptest.NewRecorder()
			recorder.Header().Set("ETag", `"tag"`)
			return recorder.Result(), nil
		})})
		must(t, err)
		_, err = bucket.objects.put(t.Context(), "name", []byte("data"), "")
		must(t, err)
		_, err = bucket.objects.put(t.Context(), "name", []byte("data"), `"tag"`)
		must(t, err)
		for i, r := range sent {
			authorization := r.Header.Get("Authorization")
			if u := *r.URL; strings.TrimSuffix(u.String(), "?x-id=PutObject") != row.url || !strings.Contains(authorization, "/"+row.signed+"/s3/") {
				t.Errorf("%+v: %s, %s", row.location, r.URL, authorization)
			}
			if none, match := r.Header.Get("If-None-Match"), r.Header.Get("If-Match"); i == 0 && (none != "*" || match != "") || i == 1 && (none != "" || match != `"tag"`) {
				t.Errorf("request %d: %q, %q", i, none, match)
			}
			for name := range r.Header { // a server that is not AWS's may not know the checksums of newer libraries
				checksum := strings.Contains(strings.ToLower(name), "checksum") || name == "X-Amz-Trailer"
				if checksum && cmp.Or(row.location.Endpoint, row.endpoint) != "" {
					t.Errorf("%+v: %s", row.location, name)
				}
			}
			for _, name := range []string{"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"} {
				if got := r.Header.Get(name); got != row.headers[name] {
					t.Errorf("%+v: %s: %q", row.location, name, got)
				}
			}
		}
		if len(sent) != 2 {
			t.Errorf("%d requests", len(sent))
		}
	}
}

// The authorities that are trusted are those of the settings.
func TestWhomABucketTrusts(t *testing.T) {
	noSettings(t)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	known := x509.NewCertPool()
	known.AddCert(server.Certificate())
	for _, roots := range []*x509.CertPool{known, x509.NewCertPool()} {
		bucket, err := OpenBucket(t.Context(), Location{Bucket: "bucket", Endpoint: server.URL}, Network{RootCAs: roots})
		must(t, err)
		if found := bucket.Look(t.Context(), keyOf("a")); (found.Problem == nil) != (roots == known) {
			t.Error(found.Problem)
		}
	}
}
