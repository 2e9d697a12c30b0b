// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What a request to a storage looks like, by the URL of the bucket and the settings of AWS's tools.
func TestRequestsToAStorage(t *testing.T) {
	services := "[default]\nregion = eu-west-3\nservices = s\n[services s]\ns3 =\n  endpoint_url = https://own\n"
	for _, row := range []struct {
		location Location
		set      map[string]string
		profile  string
		url      string // of the first object
		signed   string // the region in the signature
		headers  map[string]string
	}{
		{Location{Bucket: "b-1", Prefix: "p/", Region: "eu-central-1"}, nil, "", "https://b-1.s3.eu-central-1.amazonaws.com/p/name", "eu-central-1", nil},
		{Location{Bucket: "b-1", Prefix: "a+b=c@d,e!/", Region: "r-1"}, nil, "", "https://b-1.s3.r-1.amazonaws.com/a%2Bb%3Dc%40d%2Ce%21/name", "r-1", nil},
		{Location{Bucket: "b-1", Region: "eu-central-1"}, map[string]string{"AWS_REGION": "us-east-2"}, "", "https://b-1.s3.eu-central-1.amazonaws.com/name", "eu-central-1", nil},
		{Location{Bucket: "b-1"}, map[string]string{"AWS_REGION": "us-east-2"}, "", "https://b-1.s3.us-east-2.amazonaws.com/name", "us-east-2", nil},
		{Location{Bucket: "b-1", Region: "eu-central-1", Addressing: "path"}, nil, "", "https://s3.eu-central-1.amazonaws.com/b-1/name", "eu-central-1", nil},
		{Location{Bucket: "b.1.c", Region: "eu-central-1"}, nil, "", "https://s3.eu-central-1.amazonaws.com/b.1.c/name", "eu-central-1", nil},
		{Location{Bucket: "My_Bucket", Region: "us-east-1"}, nil, "", "https://s3.us-east-1.amazonaws.com/My_Bucket/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Region: "cn-north-1"}, nil, "", "https://b-1.s3.cn-north-1.amazonaws.com.cn/name", "cn-north-1", nil},
		{Location{Bucket: "b-1", Region: "us-isob-east-1"}, nil, "", "https://b-1.s3.us-isob-east-1.sc2s.sgov.gov/name", "us-isob-east-1", nil},
		{Location{Bucket: "b-1", Region: "eusc-de-east-1"}, nil, "", "https://b-1.s3.eusc-de-east-1.amazonaws.eu/name", "eusc-de-east-1", nil},
		{Location{Bucket: "b-1", Region: "us-gov-west-1"}, map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, "", "https://b-1.s3-fips.us-gov-west-1.amazonaws.com/name", "us-gov-west-1", nil},
		{Location{Bucket: "b-1", Region: "us-east-1"}, map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "", "https://b-1.s3.dualstack.us-east-1.amazonaws.com/name", "us-east-1", nil},
		{Location{Bucket: "b-1"}, nil, "[default]\nregion = us-east-1\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n", "https://b-1.s3-fips.dualstack.us-east-1.amazonaws.com/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h:9000"}, nil, "", "https://h:9000/b-1/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h:9000", Region: "r-1"}, nil, "", "https://h:9000/b-1/name", "r-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h/path!", Addressing: "path"}, nil, "", "https://h/path%21/b-1/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h/path/", Addressing: "virtual"}, nil, "", "https://b-1.h/path/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h", Addressing: "virtual"}, nil, "", "https://b-1.h/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://[::1]:9000", Addressing: "virtual"}, nil, "", "https://[::1]:9000/b-1/name", "us-east-1", nil},
		{Location{Bucket: "b-1"}, map[string]string{"AWS_ENDPOINT_URL": "https://other"}, "", "https://other/b-1/name", "us-east-1", nil},
		{Location{Bucket: "b-1"}, map[string]string{"AWS_ENDPOINT_URL": "https://other", "AWS_ENDPOINT_URL_S3": "https://own"}, "", "https://own/b-1/name", "us-east-1", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h"}, map[string]string{"AWS_ENDPOINT_URL": "https://other"}, "", "https://h/b-1/name", "us-east-1", nil},
		{Location{Bucket: "b-1"}, nil, services, "https://own/b-1/name", "eu-west-3", nil},
		{Location{Bucket: "b-1"}, map[string]string{"AWS_ENDPOINT_URL": "https://other"}, services, "https://other/b-1/name", "eu-west-3", nil},
		{Location{Bucket: "b-1"}, map[string]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, services, "https://b-1.s3.eu-west-3.amazonaws.com/name", "eu-west-3", nil},
		{Location{Bucket: "b-1", Endpoint: "https://h", Encryption: "aws:kms", KMSKey: "key-1"}, nil, "", "https://h/b-1/name", "us-east-1", map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-1"}},
		{Location{Bucket: "b-1", Endpoint: "https://h", Encryption: "AES256"}, nil, "", "https://h/b-1/name", "us-east-1", map[string]string{"X-Amz-Server-Side-Encryption": "AES256"}},
	} {
		var sent []*http.Request
		noSettings(t)
		for name, value := range row.set {
			t.Setenv(name, value)
		}
		if row.profile != "" {
			path := filepath.Join(t.TempDir(), "config")
			write(t, path, []byte(row.profile))
			t.Setenv("AWS_CONFIG_FILE", path)
		}
		bucket, err := OpenBucket(t.Context(), row.location, Network{Transport: answering(func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r)
			recorder := httptest.NewRecorder()
			recorder.Header().Set("ETag", `"tag"`)
			return recorder.Result(), nil
		})})
		must(t, err)
		_, err = bucket.objects.put(t.Context(), "name", []byte("data"), "")
		must(t, err)
		_, err = bucket.objects.put(t.Context(), "name", []byte("data"), `"tag"`)
		must(t, err)
		atAWS := strings.Contains(row.url, ".s3") || strings.HasPrefix(row.url, "https://s3.")
		for i, r := range sent {
			authorization := r.Header.Get("Authorization")
			if r.URL.String() != row.url || !strings.Contains(authorization, "/"+row.signed+"/s3/") || r.Header.Get("X-Amz-Security-Token") != sessionToken {
				t.Errorf("%+v: %s, %s", row.location, r.URL, authorization)
			}
			if none, match := r.Header.Get("If-None-Match"), r.Header.Get("If-Match"); i == 0 && (none != "*" || match != "") || i == 1 && (none != "" || match != `"tag"`) {
				t.Errorf("request %d: %q, %q", i, none, match)
			}
			// A server that is not AWS's may not know this checksum. AWS demands one in a bucket with a lock.
			if sum := r.Header.Get("X-Amz-Checksum-Sha256"); (sum != "") != atAWS || atAWS && sum != "Om6weQ85rIfJTzhWst0sXREOaBFgImGpqSPTuyOtyLc=" {
				t.Errorf("%+v: the checksum is %q", row.location, sum)
			}
			for _, name := range []string{"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"} {
				if got, sent := r.Header[name]; sent != (row.headers[name] != "") || sent && got[0] != row.headers[name] {
					t.Errorf("%+v: %s: %q", row.location, name, got)
				}
			}
		}
		if len(sent) != 2 {
			t.Errorf("%d requests", len(sent))
		}
	}
}

// A bucket answers with pages of names. A server that repeats the token of a page, or gives none, does not hold up the list.
func TestPagesOfAList(t *testing.T) {
	for name, row := range map[string]struct {
		pages []string
		want  []string
	}{
		"one page":         {[]string{"<Contents><Key>p/a</Key></Contents><Contents><Key>p/b</Key></Contents>"}, []string{"a", "b"}},
		"three pages":      {[]string{"<Contents><Key>p/a</Key></Contents>" + more("1 /+"), more("2"), "<Contents><Key>p/b</Key></Contents>"}, []string{"a", "b"}},
		"a repeated token": {[]string{more("1"), "<Contents><Key>p/a</Key></Contents>" + more("1")}, []string{"a"}},
		"no token":         {[]string{"<IsTruncated>true</IsTruncated>"}, nil},
		"a needless token": {[]string{"<IsTruncated>false</IsTruncated><NextContinuationToken>1</NextContinuationToken>"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			noSettings(t)
			var tokens []string
			bucket, err := OpenBucket(t.Context(), Location{Bucket: "bucket", Prefix: "p/", Endpoint: "https://storage.example"}, Network{Transport: answering(func(r *http.Request) (*http.Response, error) {
				query := r.URL.Query()
				if query.Get("list-type") != "2" || query.Get("prefix") != "p/" || r.URL.Path != "/bucket" {
					t.Errorf("asked %s", r.URL)
				}
				recorder := httptest.NewRecorder()
				_, _ = recorder.WriteString(`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + row.pages[len(tokens)] + "</ListBucketResult>")
				tokens = append(tokens, query.Get("continuation-token"))
				return recorder.Result(), nil
			})})
			must(t, err)
			names, err := bucket.objects.list(t.Context())
			must(t, err)
			if !slices.Equal(names, row.want) || len(tokens) != len(row.pages) || name == "three pages" && !slices.Equal(tokens, []string{"", "1 /+", "2"}) {
				t.Errorf("%q, asked with %q", names, tokens)
			}
		})
	}
}

// more is the end of a page after which another one follows.
func more(token string) string {
	return "<IsTruncated>true</IsTruncated><NextContinuationToken>" + token + "</NextContinuationToken>"
}

// An answer that is no list is an error, and no empty bucket.
func TestAListThatIsNone(t *testing.T) {
	for _, body := range []string{"", "hunter2", "<ListBucketResult><Contents>", `{"Contents":[]}`, "<html><body>hunter2</body></html>"} {
		_, err := asked(t, func(*http.Request) (*http.Response, error) {
			recorder := httptest.NewRecorder()
			_, _ = recorder.WriteString(body)
			return recorder.Result(), nil
		}).list(t.Context())
		if outcomeOf(err) != doubtful || err == nil {
			t.Errorf("%q: %v", body, err)
		}
		noSecret(t, err)
	}
}

// Each page of a list has a time limit.
func TestAListThatHangs(t *testing.T) {
	noSettings(t)
	synctest.Test(t, func(t *testing.T) {
		bucket, err := OpenBucket(t.Context(), Location{Bucket: "bucket", Endpoint: "https://storage.example"}, Network{Transport: answering(func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("continuation-token") != "" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			<-time.After(firstTime / 2)
			recorder := httptest.NewRecorder()
			_, _ = recorder.WriteString("<ListBucketResult>" + more("1") + "</ListBucketResult>")
			return recorder.Result(), nil
		})})
		must(t, err)
		start := time.Now()
		if _, err := bucket.objects.list(t.Context()); !isLate(err) || time.Since(start) != firstTime*3/2 {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// The authorities that are trusted are those of the settings.
func TestWhomABucketTrusts(t *testing.T) {
	noSettings(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if encoding := r.Header.Get("Accept-Encoding"); encoding != "" { // the tag of a compressed answer is weak
			t.Errorf("it accepts %s", encoding)
		}
		http.NotFound(w, r)
	}))
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
