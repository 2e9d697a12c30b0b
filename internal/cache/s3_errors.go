// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"errors"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// explain says what an error of the library means. ifMatch reports whether the request was a write with If-Match.
func explain(err error, operation string, ifMatch bool) *StorageError {
	if withoutCredentials(err) {
		return errNoCredentials(err)
	}
	e := &StorageError{Operation: operation}
	if response := (*smithyhttp.ResponseError)(nil); errors.As(err, &response) {
		e.Status = response.HTTPStatusCode()
	}
	if api := smithy.APIError(nil); errors.As(err, &api) && plainCode().MatchString(api.ErrorCode()) {
		e.Code = api.ErrorCode()
	}
	e.outcome = e.judge(err, ifMatch)
	e.Reason = e.remedy()
	if e.Status == 0 {
		e.Reason, e.late = lastCause(err), errors.Is(err, context.DeadlineExceeded)
	}
	return e
}

// withoutCredentials reports whether an operation of the storage has failed in an operation of another service: one that
// issues credentials.
func withoutCredentials(err error) bool {
	operation := (*smithy.OperationError)(nil)
	return errors.As(err, &operation) && errors.As(operation.Unwrap(), &operation)
}

// cutOff is the error of an answer that was not read to its end.
func cutOff(err error) *StorageError {
	return &StorageError{Operation: "GetObject", Reason: lastCause(err), outcome: doubtful, late: errors.Is(err, context.DeadlineExceeded)}
}

// checkTag returns an error if a condition cannot be about the object. If-Match never applies to a weak tag (RFC 9110,
// section 13.1.1).
func (o object) checkTag(operation string, outcome outcome) error {
	if o.tag == "" || strings.HasPrefix(o.tag, "W/") {
		return &StorageError{Operation: operation, Status: http.StatusOK, Reason: "the answer has no strong ETag, so no condition can be about the object", outcome: outcome}
	}
	return nil
}

var plainCode = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`) })

// saysNothing has the codes of an answer 403 to a role that may not list: those of AWS, of the library for an answer without a
// body, and none.
var saysNothing = []string{"AccessDenied", "Forbidden", ""}

// judge returns what the answer means.
func (e *StorageError) judge(err error, ifMatch bool) outcome {
	reading := e.Operation == "GetObject"
	switch {
	case e.Status == 0 && notSent(err):
		return failed
	case e.Status == 0 || e.Status/100 == 2: // the answer was cut off, or is none that the library understands
		return doubtful
	case e.Code == "NoSuchBucket" || e.Status == http.StatusNotImplemented:
		return failed
	case e.Status == http.StatusPreconditionFailed:
		return refused
	case e.Status == http.StatusNotFound && reading:
		return absent
	case e.Status == http.StatusNotFound && ifMatch: // what had the tag was removed
		return doubtful
	case e.Status == http.StatusForbidden && reading && slices.Contains(saysNothing, e.Code):
		return forbidden
	case slices.Contains([]int{http.StatusConflict, http.StatusTooManyRequests, http.StatusRequestTimeout}, e.Status) || e.Status >= 500,
		e.Code == "RequestTimeout": // AWS says it with status 400
		return doubtful
	}
	return failed
}

// notSent reports whether the request has certainly not reached the storage: there was no connection, or nothing to sign
// it with.
func notSent(err error) bool {
	if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" {
		return true
	}
	sending := (*smithyhttp.RequestSendError)(nil)
	return !errors.As(err, &sending) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
}

// remedies say what helps, by the codes of the answers
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
var remedies = []struct {
	codes  []string
	remedy string
}{
	{[]string{"NoSuchBucket"}, "there is no such bucket: create it, or correct the URL"},
	{[]string{"PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect", "IllegalLocationConstraintException"}, "the bucket is in another region: add ?region=REGION to the URL"},
	{[]string{"RequestTimeTooSkewed"}, "the clock of this machine is wrong: set it"},
	{[]string{"InvalidAccessKeyId", "SignatureDoesNotMatch"}, "the storage does not know the credentials: correct them"},
	{[]string{"ExpiredToken", "ExpiredTokenException", "InvalidToken"}, "the credentials have expired: sign in again"},
	{[]string{"KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"}, "the key of the encryption cannot be used: correct kms_key_id in the URL"},
	{[]string{"NotImplemented"}, "it does not know conditional writes: use a storage that does"},
}

// remedy returns what helps against an error; empty: nothing is known.
func (e *StorageError) remedy() string {
	for _, row := range remedies {
		if slices.Contains(row.codes, e.Code) {
			return row.remedy
		}
	}
	switch {
	case e.Status == http.StatusForbidden:
		return "the role needs " + map[string]string{"GetObject": "s3:GetObject", "PutObject": "s3:PutObject, or the bucket demands an encryption that the parameter sse asks for", "DeleteObject": "s3:DeleteObject", "ListObjectsV2": "s3:ListBucket"}[e.Operation] + "; \"ixtoken cache policy\" prints what it needs"
	case e.Status/100 == 3:
		return "the bucket is in another region: add ?region=REGION to the URL"
	case e.Status == http.StatusNotImplemented:
		return "it does not know conditional writes: use a storage that does"
	}
	return ""
}

// lastCause returns the innermost cause of an error, fit to show.
func lastCause(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	if unknown := (*net.DNSError)(nil); errors.As(err, &unknown) { // its text has a port, another one each time
		return "the name " + printable.Clip(printable.OneLine(unknown.Name), 100) + " cannot be looked up"
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return printable.Clip(printable.OneLine(err.Error()), 200)
}

// dateOf returns the time of the storage in an answer that is an error; zero: it names none.
func dateOf(err error) time.Time {
	response := (*smithyhttp.ResponseError)(nil)
	if !errors.As(err, &response) || response.Response == nil || response.Response.Response == nil {
		return time.Time{}
	}
	date, _ := http.ParseTime(response.Response.Header.Get("Date"))
	return date
}

// dateIn returns the time of the storage in an answer; zero: it names none.
func dateIn(answer middleware.Metadata) time.Time {
	date, _ := awsmiddleware.GetServerTime(answer)
	return date
}
