// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// objects is what a Bucket needs of an S3-compatible storage. Each method sends one request and never repeats it. Its errors
// are a *StorageError.
type objects interface {
	// get returns an object. Its error is absent if there is none.
	get(ctx context.Context, name string) (object, error)
	// put writes an object if the one that is there has the tag; "": if there is none.
	put(ctx context.Context, name string, data []byte, tag string) (object, error)
	delete(ctx context.Context, name string) error
	// list returns the names of all objects.
	list(ctx context.Context) ([]string, error)
}

// object is the content of an object.
type object struct {
	data []byte
	tag  string    // opaque, and another one for each content; "": there is no object
	date time.Time // the time of the storage when it answered; zero: it named none
}

// outcome says what an error of a storage means.
type outcome int

const (
	failed    outcome = iota // the request was not acted on, and would fail again
	absent                   // there is no object
	forbidden                // the storage does not say whether there is an object
	refused                  // the storage has refused the condition, or says so about a write that it has done before
	doubtful                 // the storage may have acted on the request: it is busy, or its answer was lost
)

// StorageError is why a storage cannot be used.
type StorageError struct {
	// Operation is what was asked for, such as PutObject; empty: nothing was sent.
	Operation string
	// Status is the HTTP status; zero: there was no answer.
	Status int
	// Code is the storage's own code; empty: it named none.
	Code string
	// Reason says in words what is wrong, or what to do; it may be empty.
	Reason string

	outcome outcome
	late    bool // no answer came in time
}

// Error returns one line: what was asked, what was answered, and what to do.
func (e *StorageError) Error() string {
	text := "the bucket"
	switch {
	case e.Operation == "":
		return text + " " + e.Reason
	case e.Status == 0:
		text += " gave no answer to " + e.Operation
	default:
		text += fmt.Sprintf(" answered %d to %s", e.Status, e.Operation)
	}
	if e.Code != "" {
		text += ", code " + e.Code
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// outcomeOf returns what an error means; failed: it is not one of a storage.
func outcomeOf(err error) outcome {
	if e := (*StorageError)(nil); errors.As(err, &e) {
		return e.outcome
	}
	return failed
}

// isLate reports whether an error means that no answer came in time.
func isLate(err error) bool {
	e := (*StorageError)(nil)
	return errors.As(err, &e) && e.late
}
