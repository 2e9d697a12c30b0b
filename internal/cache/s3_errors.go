// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/printable"
)

// refusal says what an answer with another status than 2xx means.
func refusal(c call, status int, body []byte) *StorageError {
	e := &StorageError{Operation: c.operation, Status: status}
	var said struct{ Code string }
	if xml.Unmarshal(body, &said) == nil && plainCode().MatchString(said.Code) {
		e.Code = said.Code
	}
	e.outcome = e.judge(c.headers["If-Match"] != "")
	e.Reason = e.remedy()
	return e
}

// noAnswer says what it means that no answer came, or only a part of it. The storage may have acted on the request, unless
// there was no connection.
func noAnswer(operation string, err error) *StorageError {
	e := &StorageError{Operation: operation, Reason: lastCause(err), outcome: doubtful, late: errors.Is(err, context.DeadlineExceeded)}
	if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" {
		e.outcome = failed
	}
	return e
}

// notPossible is the error of a request that cannot be made.
func notPossible(operation string, err error) *StorageError {
	return &StorageError{Operation: operation, Reason: lastCause(err)}
}

func errNoCredentials(err error) *StorageError {
	return &StorageError{Reason: "was not asked, because there are no credentials for it: " + lastCause(err)}
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

// saysNothing has the codes of an answer 403 to a role that may not list: that of AWS, that of the status, and none.
var saysNothing = []string{"AccessDenied", "Forbidden", ""}

// judge returns what an answer means. ifMatch reports whether the request was a write with If-Match.
func (e *StorageError) judge(ifMatch bool) outcome {
	reading := e.Operation == "GetObject"
	switch {
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
