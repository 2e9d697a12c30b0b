// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestLocations(t *testing.T) {
	for text, want := range map[string]Location{
		"s3://bucket":                                 {Bucket: "bucket"},
		"s3://bucket/":                                {Bucket: "bucket"},
		"s3://bucket/a":                               {Bucket: "bucket", Prefix: "a/"},
		"s3://bucket//a/b/":                           {Bucket: "bucket", Prefix: "a/b/"},
		"s3://bucket/a+b=c@d,e":                       {Bucket: "bucket", Prefix: "a+b=c@d,e/"},
		"s3://bucket/a%2Bb%2Fc":                       {Bucket: "bucket", Prefix: "a+b/c/"},
		"s3://My_Bucket.1":                            {Bucket: "My_Bucket.1"},
		"s3://bucket?region=eu-central-1":             {Bucket: "bucket", Region: "eu-central-1"},
		"s3://bucket?":                                {Bucket: "bucket"},
		"s3://bucket?endpoint=https://h:9000":         {Bucket: "bucket", Endpoint: "https://h:9000"},
		"s3://bucket?endpoint=https%3A%2F%2Fh%2Fpath": {Bucket: "bucket", Endpoint: "https://h/path"},
		"s3://bucket?endpoint=http://127.0.0.1:1":     {Bucket: "bucket", Endpoint: "http://127.0.0.1:1"},
		"s3://bucket?endpoint=http://localhost":       {Bucket: "bucket", Endpoint: "http://localhost"},
		"s3://bucket?endpoint=http://[::1]:9000":      {Bucket: "bucket", Endpoint: "http://[::1]:9000"},
		"s3://bucket?addressing=virtual":              {Bucket: "bucket", Addressing: "virtual"},
		"s3://bucket?addressing=path&sse=AES256":      {Bucket: "bucket", Addressing: "path", Encryption: "AES256"},
		"s3://bucket?sse=aws:kms&kms_key_id=arn:aws:kms:eu-central-1:1:key/k-1": {Bucket: "bucket", Encryption: "aws:kms", KMSKey: "arn:aws:kms:eu-central-1:1:key/k-1"},
	} {
		if got, err := ParseLocation(text); got != want || err != nil {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	if got := (Location{Bucket: "bucket", Prefix: "a/b/", Region: "r"}).String(); got != "s3://bucket/a/b" {
		t.Error(got)
	}
}

// Each error says what to write, and repeats nothing of a URL, in which there may be a secret.
func TestLocationsThatAreRefused(t *testing.T) { // B13
	const (
		schemes   = "another scheme than s3: write s3://BUCKET"
		userInfo  = "credentials in it: remove them"
		noBucket  = "no bucket in it: write s3://BUCKET"
		badBucket = "no valid bucket name in it: write s3://BUCKET"
		otherKind = "a bucket of another kind than general purpose"
		noURL     = "is not a URL: write s3://BUCKET"
		badPrefix = "a prefix that not all storages accept: use letters"
		unknown   = "a parameter that ixtoken does not know; it knows region, endpoint"
		noValue   = "no usable value of the parameter "
	)
	for text, want := range map[string]string{
		"":                                schemes,
		"hunter2":                         schemes,
		"hunter2/prefix":                  schemes,
		"https://hunter2/prefix":          schemes,
		"gs://hunter2":                    schemes,
		"S3://hunter2":                    schemes,
		" s3://hunter2":                   schemes,
		"s3:/hunter2":                     schemes,
		"s3:hunter2":                      schemes,
		"s3://":                           noBucket,
		"s3:///hunter2":                   noBucket,
		"s3://?region=hunter2":            noBucket,
		"s3://user:hunter2@bucket":        userInfo,
		"s3://hunter2@bucket":             userInfo,
		"s3://@bucket":                    userInfo,
		"s3://a:hunt%zz@bucket":           noURL,
		"s3://hunter2\n":                  noURL,
		"s3://bucket/%zz":                 noURL,
		"s3://bucket:hunter2/":            noURL,
		"s3://hunter2:9000/a":             badBucket,
		"s3://-hunter2":                   badBucket,
		"s3://h2":                         badBucket,
		"s3://hünter2":                    badBucket,
		"s3://hunter2 hunter2":            noURL,
		"s3://[::1]/hunter2":              badBucket,
		"s3://" + strings.Repeat("b", 64): badBucket,
		"s3://bucket/a//hunter2":          badPrefix,
		"s3://bucket/../hunter2":          badPrefix,
		"s3://bucket/a*":                  badPrefix,
		"s3://bucket/a/.":                 badPrefix,
		"s3://bucket/a/%2e%2e/b":          badPrefix,
		"s3://bucket/hünter2":             badPrefix,
		"s3://bucket/hunter2%00":          badPrefix,
		"s3://bucket/hunter%202":          badPrefix,
		"s3://bucket/a\\b":                badPrefix,
		"s3://bucket/" + strings.Repeat("b", 1000):  "a prefix that is too long",
		"s3://bucket/" + strings.Repeat("b", 1<<20): "a prefix that is too long",
		"s3://bucket#hunter2":                       `a "#" in it`,
		"s3://bucket/a#":                            `a "#" in it`,
		"s3://bucket?hunter2":                       unknown,
		"s3://bucket?hunter2=hunter2":               unknown,
		"s3://bucket?Region=hunter2":                unknown,
		"s3://bucket?access_key=hunter2":            unknown,
		"s3://bucket?region=a&region=hunter2":       "the parameter region twice",
		"s3://bucket?region=hunter2;a":              "a query that cannot be read",
		"s3://bucket?region=%zz":                    "a query that cannot be read",
		"s3://bucket?region=":                       noValue + "region",
		"s3://bucket?region=hunter 2":               noValue + "region",
		"s3://bucket?region=hünter2":                noValue + "region",
		"s3://bucket?region=hunter2.evil.com/":      "no valid region in it: write one such as",
		"s3://bucket?region=a:b":                    "no valid region in it: write one such as",
		"s3://bucket?endpoint=":                     noValue + "endpoint",
		"s3://bucket?endpoint=hunter2":              "an endpoint that is not a URL: write https://HOST",
		"s3://bucket?endpoint=https://":             "an endpoint that is not a URL: write https://HOST",
		"s3://bucket?endpoint=http://hunter2":       "an endpoint that does not begin with https",
		"s3://bucket?endpoint=https://a:hunter2@b":  "an endpoint that has credentials in it: remove them",
		"s3://bucket?addressing=hunter2":            "another addressing than path or virtual",
		"s3://bucket?sse=hunter2":                   "another sse than AES256, aws:kms",
		"s3://bucket?kms_key_id=hunter2":            "kms_key_id without sse=aws:kms",
		"s3://bucket?kms_key_id=hunter2&sse=AES256": "kms_key_id without sse=aws:kms",
		"s3://hunter2--az1--x-s3":                   otherKind,
		"s3://hunter2--op-s3/a":                     otherKind,
	} {
		_, err := ParseLocation(text)
		switch {
		case err == nil:
			t.Errorf("%.60q is accepted", text)
		case !strings.Contains(err.Error(), want):
			t.Errorf("%.60q: %v, want %q", text, err, want)
		case strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "has ") && !strings.HasPrefix(err.Error(), "is "):
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func TestEndpoints(t *testing.T) { // B13
	const refused = "does not begin with https"
	for text, want := range map[string]string{
		"https://host": "", "https://host:9000/": "", "https://host/path": "", "HTTPS://host": "", "https://[2001:db8::1]": "",
		"http://127.0.0.1": "", "http://127.1.2.3:9000": "", "http://localhost:1": "", "http://LOCALHOST": "", "http://[::1]:9000": "",
		"":                             "is not a URL",
		"hunter2":                      "is not a URL",
		"hunter2:9000":                 "is not a URL",
		"127.0.0.1:9000":               "is not a URL",
		"https://":                     "is not a URL",
		"https://:443":                 "is not a URL",
		"https://hunter2:port":         "is not a URL",
		"https:hunter2":                "is not a URL",
		"https://a:hunter2@host":       "has credentials in it",
		"http://a:hunter2@localhost":   "has credentials in it",
		"https://hunter2@":             "is not a URL",
		"http://hunter2":               refused,
		"http://10.0.0.1":              refused,
		"http://127.0.0.1.hunter2.com": refused,
		"http://localhost.hunter2":     refused,
		"http://0.0.0.0":               refused,
		"http://[::]":                  refused,
		"http://169.254.169.254":       refused,
		"ftp://localhost":              refused,
		"s3://hunter2":                 refused,
		"//hunter2":                    refused,
		"https://host?hunter2":         "has a query or a fragment",
		"https://host#hunter2":         "has a query or a fragment",
		"http://localhost?hunter2":     "has a query or a fragment",
	} {
		err := CheckEndpoint(text)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// The policy allows what a Bucket sends, under the prefix alone.
func TestPolicy(t *testing.T) {
	const key = "arn:aws:kms:eu-central-1:1:key/k-1"
	for _, row := range []struct {
		location                Location
		objects, bucket, prefix string
		key                     string
	}{
		{Location{Bucket: "b-1", Prefix: "a/b/"}, "arn:aws:s3:::b-1/a/b/*", "arn:aws:s3:::b-1", "a/b/*", ""},
		{Location{Bucket: "b-1"}, "arn:aws:s3:::b-1/*", "arn:aws:s3:::b-1", "", ""},
		{Location{Bucket: "b-1", Region: "cn-north-1"}, "arn:aws-cn:s3:::b-1/*", "arn:aws-cn:s3:::b-1", "", ""},
		{Location{Bucket: "b-1", Region: "us-gov-west-1"}, "arn:aws-us-gov:s3:::b-1/*", "arn:aws-us-gov:s3:::b-1", "", ""},
		{Location{Bucket: "b-1", Region: "eu-central-1", KMSKey: key}, "arn:aws:s3:::b-1/*", "arn:aws:s3:::b-1", "", key},
		{Location{Bucket: "b-1", KMSKey: "alias/k"}, "arn:aws:s3:::b-1/*", "arn:aws:s3:::b-1", "", ""},
	} {
		var policy struct {
			Version   string
			Statement []struct {
				Sid, Effect, Resource string
				Action                []string
				Condition             map[string]map[string]string
			}
		}
		text := row.location.Policy()
		if err := json.Unmarshal([]byte(text), &policy); err != nil || policy.Version != "2012-10-17" || !strings.HasSuffix(text, "}\n") {
			t.Fatalf("%v: %s", err, text)
		}
		allowed := map[string][]string{}
		for _, s := range policy.Statement {
			if s.Effect != "Allow" || s.Sid == "" || allowed[s.Resource] != nil {
				t.Errorf("%+v", s)
			}
			allowed[s.Resource] = s.Action
			if s.Resource == row.bucket && s.Condition["StringLike"]["s3:prefix"] != row.prefix || s.Resource != row.bucket && s.Condition != nil {
				t.Errorf("%+v", s)
			}
		}
		want := map[string][]string{row.objects: {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, row.bucket: {"s3:ListBucket"}}
		if row.key != "" {
			want[row.key] = []string{"kms:GenerateDataKey", "kms:Decrypt"}
		}
		for resource, actions := range want {
			if !slices.Equal(allowed[resource], actions) {
				t.Errorf("%s: %q, want %q", resource, allowed[resource], actions)
			}
		}
		if len(allowed) != len(want) {
			t.Errorf("%+v", allowed)
		}
	}
}
