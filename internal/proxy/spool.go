// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// maxReplay is the longest body, in bytes, that is sent a second time.
const maxReplay = 1 << 20

// spool keeps what it reads of a request's body, so that it can be sent a second time. It reads no faster than the API
// takes it: the body is streamed. What comes after maxReplay is not kept, and the body is then sent only once.
type spool struct {
	source  io.Reader
	reading chan struct{} // holds an element while somebody reads from source

	mu   sync.Mutex
	kept []byte
	end  error // the error of source; nil: it has not ended
	lost bool  // more than maxReplay was read, so kept is empty
}

func newSpool(source io.Reader) *spool {
	return &spool{source: source, reading: make(chan struct{}, 1)}
}

// open returns the body from its beginning. It is called again only for a whole body.
func (s *spool) open() io.ReadCloser { return &replay{spool: s} }

// fill reads the rest of the body, or as much as is kept. It reports whether the body is whole.
func (s *spool) fill() (whole bool) {
	part := make([]byte, bufferSize)
	reader := replay{spool: s}
	for {
		s.mu.Lock()
		reader.at, whole = len(s.kept), errors.Is(s.end, io.EOF) && !s.lost
		done := s.end != nil || s.lost || len(s.kept) > maxReplay
		whole = whole && len(s.kept) <= maxReplay
		s.mu.Unlock()
		if done {
			return whole
		}
		_, _ = reader.Read(part)
	}
}

// copyKept copies what is known at an offset. known is false if it must be read from source.
func (s *spool) copyKept(part []byte, at int) (n int, known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case at < len(s.kept):
		return copy(part, s.kept[at:]), true, nil
	case s.end != nil:
		return 0, true, s.end
	}
	return 0, false, nil
}

// keep notes what was read from source.
func (s *spool) keep(part []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = err
	switch {
	case s.lost:
	case len(s.kept) > maxReplay && len(part) > 0: // the reader has had all of it
		s.kept, s.lost = nil, true
	default:
		s.kept = append(s.kept, part...)
	}
}

// replay is the body of one attempt.
type replay struct {
	*spool
	at     int
	closed atomic.Bool
}

// Read returns the next part of the body. An earlier attempt may still wait for a part from the caller: then that part comes
// from what the spool keeps.
func (r *replay) Read(part []byte) (int, error) {
	n, known, err := r.copyKept(part, r.at)
	if !known {
		r.reading <- struct{}{}
		defer func() { <-r.reading }()
		if r.closed.Load() {
			return 0, http.ErrBodyReadAfterClose
		}
		if n, known, err = r.copyKept(part, r.at); !known {
			n, err = r.source.Read(part)
			r.keep(part[:n], err)
		}
	}
	r.at += n
	return n, err
}

// Close ends this attempt. The body itself stays open for the next one.
func (r *replay) Close() error {
	r.closed.Store(true)
	return nil
}
