// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package playground

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// bucketName is the bucket that the storage has.
const bucketName = "fleet"

// startStorage starts an S3-compatible storage in memory, with one empty bucket. Any credentials will do.
func startStorage() *httptest.Server {
	quiet := gofakes3.StdLog(log.New(io.Discard, "", 0))
	storage := gofakes3.New(s3mem.New(), gofakes3.WithLogger(quiet)).Server()
	storage.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPut, "/"+bucketName, nil))
	var mu sync.Mutex // its conditional writes are not atomic by themselves
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		storage.ServeHTTP(w, r)
	}))
}
