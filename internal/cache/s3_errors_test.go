// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answering is a storage that gives the same answer to each request.
type answering func(r *http.Request) (*http.Response, error)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// asked opens a bucket whose storage gives the same answers.
func asked(t *testing.T, answer answering) *s3Objects {
	t.Helper()
	noSettings(t)
	bucket, err := OpenBucket(t.Context(), Location{Bucket: "bucket", Endpoint: "https://storage.example"}, Network{Transport: answer})
	must(t, err)
	return bucket.objects.(*s3Objects)
}

// noSettings sets credentials, and no other setting of AWS's tools.
func noSettings(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_SESSION_TOKEN": sessionToken, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "missing", "AWS_SHARED_CREDENTIALS_FILE": "missing", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "",
		"AWS_USE_FIPS_ENDPOINT": "", "AWS_USE_DUALSTACK_ENDPOINT": "", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} { // an empty one counts too
		t.Setenv(name, "")
		must(t, os.Unsetenv(name))
	}
}

const (
	accessKey    = "AKIATESTACCESSKEY"
	secretKey    = "test-secret-key"
	sessionToken = "test-session-token"
)

// What an answer of a storage means, by the request. The code is what AWS says beside the status; other storages may say
// nothing.
func TestWhatAnswersMean(t *testing.T) {
	type meaning struct{ get, create, replace, remove outcome }
	all := func(o outcome) meaning { return meaning{o, o, o, o} }
	for _, row := range []struct {
		status int
		code   string
		want   meaning
		says   string
	}{
		{200, "InternalError", meaning{doubtful, doubtful, doubtful, doubtful}, ""},
		{404, "NoSuchKey", meaning{absent, failed, doubtful, failed}, ""},
		{404, "", meaning{absent, failed, doubtful, failed}, ""},
		{404, "NoSuchBucket", all(failed), "there is no such bucket: create it"},
		{412, "PreconditionFailed", all(refused), ""},
		{412, "", all(refused), ""},
		{409, "ConditionalRequestConflict", all(doubtful), ""},
		{429, "TooManyRequests", all(doubtful), ""},
		{408, "", all(doubtful), ""},
		{400, "RequestTimeout", all(doubtful), ""},
		{500, "InternalError", all(doubtful), ""},
		{502, "", all(doubtful), ""},
		{503, "SlowDown", all(doubtful), ""},
		{504, "", all(doubtful), ""},
		{501, "NotImplemented", all(failed), "does not know conditional writes"},
		{501, "", all(failed), "does not know conditional writes"},
		{400, "NotImplemented", all(failed), "does not know conditional writes"},
		{403, "AccessDenied", meaning{forbidden, failed, failed, failed}, "the role needs s3:"},
		{403, "", meaning{forbidden, failed, failed, failed}, "the role needs s3:"},
		{403, "InvalidAccessKeyId", all(failed), "does not know the credentials: correct them"},
		{403, "SignatureDoesNotMatch", all(failed), "does not know the credentials: correct them"},
		{403, "RequestTimeTooSkewed", all(failed), "the clock of this machine is wrong: set it"},
		{400, "ExpiredToken", all(failed), "the credentials have expired: sign in again"},
		{400, "InvalidToken", all(failed), "the credentials have expired: sign in again"},
		{400, "AuthorizationHeaderMalformed", all(failed), "add ?region=REGION"},
		{301, "PermanentRedirect", all(failed), "add ?region=REGION"},
		{301, "", all(failed), "add ?region=REGION"},
		{307, "TemporaryRedirect", all(failed), "add ?region=REGION"},
		{400, "KMS.DisabledException", all(failed), "correct kms_key_id"},
		{400, "InvalidRequest", all(failed), ""},
		{405, "MethodNotAllowed", all(failed), ""},
		{418, "", all(failed), ""},
	} {
		o := asked(t, func(r *http.Request) (*http.Response, error) {
			recorder := httptest.NewRecorder()
			recorder.WriteHeader(row.status)
			if row.code != "" {
				_, _ = fmt.Fprintf(recorder, "<Error><Code>%s</Code><Message>of %s</Message><AWSAccessKeyId>%s</AWSAccessKeyId></Error>", row.code, secretKey, accessKey)
			}
			answer := recorder.Result()
			answer.Request = r
			return answer, nil
		})
		for operation, got := range requests(t, o) {
			want := map[string]outcome{"GetObject": row.want.get, "create": row.want.create, "replace": row.want.replace, "DeleteObject": row.want.remove}[operation]
			switch {
			case operation == "GetObject" && row.status == 200 || operation == "DeleteObject" && row.status/100 == 2: // see checkTag
			case outcomeOf(got) != want:
				t.Errorf("%d %s to %s: %d, want %d", row.status, row.code, operation, outcomeOf(got), want)
			case !strings.Contains(got.Error(), row.says) || row.status != 200 && (!strings.Contains(got.Error(), fmt.Sprint(row.status)) || !strings.Contains(got.Error(), row.code)):
				t.Errorf("%d %s to %s: %v", row.status, row.code, operation, got)
			case row.says == "the role needs s3:" && operation != "create" && operation != "replace" && !strings.Contains(got.Error(), "s3:"+operation):
				t.Error(got)
			}
			noSecret(t, got)
		}
	}
}

// requests sends one request of each kind, and returns the errors.
func requests(t *testing.T, o *s3Objects) map[string]error {
	t.Helper()
	_, get := o.get(t.Context(), "name")
	_, create := o.put(t.Context(), "name", []byte("data"), "")
	_, replace := o.put(t.Context(), "name", []byte("data"), `"tag"`)
	return map[string]error{"GetObject": get, "create": create, "replace": replace, "DeleteObject": o.delete(t.Context(), "name")}
}

// noSecret fails the test if an error holds credentials, however it is written.
func noSecret(t *testing.T, err error) {
	t.Helper()
	for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		for _, secret := range []string{accessKey, secretKey, sessionToken, "hunter2"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds a secret", text)
			}
		}
	}
}

// Without an answer, a request may have been acted on, unless there was no connection.
func TestWhatNoAnswerMeans(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, row := range []struct {
		err  error
		want outcome
		late bool
		says string
	}{
		{dial, failed, false, "connection refused"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "read udp 10.0.0.1:50123->10.0.0.2:53: i/o timeout", Name: "storage.example", IsTimeout: true}}, failed, false, "the name storage.example cannot be looked up"},
		{&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, doubtful, false, "connection reset by peer"},
		{io.ErrUnexpectedEOF, doubtful, false, "unexpected EOF"},
		{io.EOF, doubtful, false, "EOF"},
		{context.DeadlineExceeded, doubtful, true, "no answer in time"},
		{fmt.Errorf("a timeout: %w", context.DeadlineExceeded), doubtful, true, "no answer in time"},
		{&url.Error{Op: "Get", URL: "https://hunter2.example", Err: context.Canceled}, doubtful, false, "context canceled"},
		{errors.New("line 1\nline 2 " + strings.Repeat("x", 1000)), doubtful, false, "line 1"},
	} {
		for operation, got := range requests(t, asked(t, func(*http.Request) (*http.Response, error) { return nil, row.err })) {
			if outcomeOf(got) != row.want || isLate(got) != row.late || !strings.Contains(got.Error(), row.says) {
				t.Errorf("%s, %v: %d, late: %t, %v", operation, row.err, outcomeOf(got), isLate(got), got)
			}
			if strings.Contains(got.Error(), "\n") || len(got.Error()) > 300 || strings.Contains(got.Error(), "50123") {
				t.Errorf("%q", got)
			}
		}
	}
}

// A code that is none is not shown.
func TestOddCodes(t *testing.T) {
	for _, code := range []string{"hunter2 hunter2", "<b>hunter2</b>", strings.Repeat("hunter2", 20), "hunter2\n"} {
		o := asked(t, func(r *http.Request) (*http.Response, error) {
			recorder := httptest.NewRecorder()
			recorder.WriteHeader(http.StatusTeapot)
			_, _ = fmt.Fprintf(recorder, "<Error><Code><![CDATA[%s]]></Code></Error>", code)
			answer := recorder.Result()
			answer.Request = r
			return answer, nil
		})
		for _, err := range requests(t, o) {
			noSecret(t, err)
		}
	}
}

// What AWS's tools would use and what is wrong with it is said before anything is sent, and without a secret.
func TestSettingsOfAWS(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "config")
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for name, row := range map[string]struct {
		set  map[string]string
		says string // empty: it is accepted
	}{
		"no region":                {nil, "no region is set: add ?region=REGION to the URL, or set AWS_REGION"},
		"a region":                 {map[string]string{"AWS_REGION": "eu-central-1"}, ""},
		"an endpoint":              {map[string]string{"AWS_ENDPOINT_URL": "https://storage.example"}, ""},
		"an endpoint in clear":     {map[string]string{"AWS_ENDPOINT_URL": "http://hunter2.example"}, "AWS_ENDPOINT_URL or the profile does not begin with https"},
		"an endpoint of S3":        {map[string]string{"AWS_ENDPOINT_URL_S3": "http://hunter2.example"}, "the endpoint in AWS_ENDPOINT_URL_S3"},
		"credentials":              {map[string]string{"AWS_ENDPOINT_URL": "https://a:hunter2@storage.example"}, "has credentials in it: remove them"},
		"an endpoint on loopback":  {map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"}, ""},
		"a missing profile":        {map[string]string{"AWS_PROFILE": "absent", "AWS_REGION": "eu-central-1"}, "the settings of AWS's tools cannot be read"},
		"a missing bundle":         {map[string]string{"AWS_CA_BUNDLE": "missing", "AWS_REGION": "eu-central-1"}, "the settings of AWS's tools cannot be read"},
		"a bundle without any":     {map[string]string{"AWS_CA_BUNDLE": file("hunter2"), "AWS_REGION": "eu-central-1"}, "the settings of AWS's tools cannot be read"},
		"an endpoint of a profile": {map[string]string{"AWS_CONFIG_FILE": file("[default]\nregion = eu-central-1\nendpoint_url = http://hunter2.example\n")}, "does not begin with https"},
		"a region that is none":    {map[string]string{"AWS_REGION": "hunter2.example/"}, "in AWS_REGION or the profile, has no buckets"},
		"no region of buckets":     {map[string]string{"AWS_REGION": "aws-global"}, "in AWS_REGION or the profile, has no buckets"},
		"an old name of a region":  {map[string]string{"AWS_REGION": "fips-us-east-1"}, "write the region alone, and set AWS_USE_FIPS_ENDPOINT=true"},
		"the other old name":       {map[string]string{"AWS_REGION": "us-east-1-fips"}, "write the region alone, and set AWS_USE_FIPS_ENDPOINT=true"},
		"FIPS in China":            {map[string]string{"AWS_REGION": "cn-north-1", "AWS_USE_FIPS_ENDPOINT": "true"}, "AWS has no FIPS endpoints in the region"},
		"FIPS at an endpoint":      {map[string]string{"AWS_ENDPOINT_URL": "https://storage.example", "AWS_USE_FIPS_ENDPOINT": "true"}, "the endpoint cannot be combined with AWS_USE_FIPS_ENDPOINT"},
		"both stacks at one":       {map[string]string{"AWS_ENDPOINT_URL": "https://storage.example", "AWS_USE_DUALSTACK_ENDPOINT": "true"}, "the endpoint cannot be combined with AWS_USE_FIPS_ENDPOINT"},
		"a broken file":            {map[string]string{"AWS_CONFIG_FILE": file("[default\naws_secret_access_key = hunter2\n"), "AWS_REGION": "eu-central-1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			noSettings(t)
			for name, value := range row.set {
				t.Setenv(name, value)
			}
			_, err := OpenBucket(t.Context(), Location{Bucket: "bucket"}, Network{})
			if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("%v, want %q", err, row.says)
			}
			noSecret(t, err)
		})
	}
}

// The program that a profile names for credentials may hang, fail, or say what it should not. The wait ends, and the error
// holds nothing of that.
func TestAProgramForCredentials(t *testing.T) { // B14
	if runtime.GOOS == "windows" {
		t.Skip("it runs programs of Unix")
	}
	for name, row := range map[string]struct{ program, says string }{
		"it hangs":            {`sh -c "sleep 3 & sleep 3"`, "no answer in time"},
		"it fails":            {`sh -c "echo hunter2; echo hunter2 >&2; exit 3"`, "exit status 3"},
		"it prints a secret":  {`echo hunter2`, "invalid character"},
		"it prints a part":    {`echo '{"Version":1,"SecretAccessKey":"hunter2"}'`, "missing AccessKeyId"},
		"it prints a version": {`echo '{"Version":"hunter2"}'`, "cannot unmarshal"},
		"it is missing":       {`/missing/program`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			noSettings(t)
			path := filepath.Join(t.TempDir(), "config")
			must(t, os.WriteFile(path, []byte("[default]\ncredential_process = "+row.program+"\n"), 0o600))
			t.Setenv("AWS_CONFIG_FILE", path)
			for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
				t.Setenv(name, "")
			}
			bucket, err := OpenBucket(t.Context(), Location{Bucket: "bucket", Endpoint: "http://127.0.0.1:1"}, Network{})
			must(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			start := time.Now()
			if name != "it hangs" {
				ctx = t.Context()
			}
			found := bucket.Look(ctx, keyOf("a"))
			if found.Problem == nil || !strings.Contains(found.Problem.Error(), "there are no credentials for it: ") || !strings.Contains(found.Problem.Error(), row.says) || time.Since(start) > 2*time.Second {
				t.Errorf("%v after %s", found.Problem, time.Since(start))
			}
			noSecret(t, found.Problem)
			_, err = bucket.Describe(ctx, true)
			if err == nil {
				t.Error("there are credentials")
			}
			noSecret(t, err)
		})
	}
}

// However a bucket is written, its credentials are not.
func TestABucketHidesItsCredentials(t *testing.T) { // B14
	noSettings(t)
	bucket, err := OpenBucket(t.Context(), Location{Bucket: "bucket", Endpoint: "https://storage.example"}, Network{})
	must(t, err)
	about, err := bucket.Describe(t.Context(), true)
	must(t, err)
	if about.Credentials == "" {
		t.Errorf("%+v", about)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, value := range []any{bucket, bucket.objects, about, bucket.about} {
			noSecret(t, errors.New(fmt.Sprintf(format, value))) //nolint:staticcheck // the text counts
		}
	}
}
