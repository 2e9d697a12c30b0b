// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package leak searches the artefacts of a program for secrets: output, logs, files, archives, process arguments. It is for
// tests. It shares no code with the scrubber of package clients, so that it finds encodings that the scrubber misses.
package leak

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"sync/atomic"
)

// minPiece is the length of the shortest piece of a secret that counts, in bytes. A secret that was cut or wrapped must be
// found too. Much shorter pieces occur by chance.
const minPiece = 8

// Scanner searches for secrets in every encoding. It is safe for concurrent use.
type Scanner struct {
	forms []form
	index map[uint64][]place // by eight bytes of a form
	sieve []uint64           // one bit for each hash of a key of index: most positions need no look-up in index
	shift int                // how far to shift a hash to get the number of its bit

	artefacts, bytes atomic.Int64
}

// form is a secret in one encoding.
type form struct {
	secret   string // its name
	encoding string
	text     string
	need     int // how many bytes of text correspond to minPiece bytes of the secret
}

// place is the position of a key of the index in a form.
type place struct{ form, offset int }

// Finding says where a secret was found. It does not contain the secret.
type Finding struct {
	Where    string // the artefact; a member of an archive follows "!"
	Secret   string // the secret's name
	Encoding string
	Offset   int  // of the first byte, in the artefact
	Length   int  // in bytes
	Whole    bool // the whole secret was found, not a piece
}

// String describes the finding in one line.
func (f Finding) String() string {
	part := "a piece of "
	if f.Whole {
		part = ""
	}
	return fmt.Sprintf("%s: %s%s as %s (%d bytes at %d)", f.Where, part, f.Secret, f.Encoding, f.Length, f.Offset)
}

// New returns a Scanner for secrets, which are given by name. It panics if a secret is shorter than 8 bytes, because that
// would be found everywhere.
func New(secrets map[string]string) *Scanner {
	s := &Scanner{index: map[uint64][]place{}}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if len(secrets[name]) < minPiece {
			panic("leak: " + name + " is too short to look for")
		}
		for _, f := range encode(secrets[name]) {
			need := max(minPiece, (minPiece*len(f.text)+len(secrets[name])-1)/len(secrets[name]))
			if need <= len(f.text) {
				s.forms = append(s.forms, form{name, f.encoding, f.text, need})
			}
		}
	}
	for i, f := range s.forms {
		// Each piece of f.need bytes contains one of these keys.
		for offset := 0; offset+minPiece <= len(f.text); offset += f.need - minPiece + 1 {
			key := load(f.text[offset:])
			s.index[key] = append(s.index[key], place{i, offset})
		}
	}
	size := bits.Len(uint(max(64, 16*len(s.index))))
	s.sieve, s.shift = make([]uint64, 1<<size/64), 64-size
	for key := range s.index {
		h := hash(key) >> s.shift
		s.sieve[h/64] |= 1 << (h % 64)
	}
	return s
}

func load[T string | []byte](text T) uint64 {
	return binary.LittleEndian.Uint64([]byte(text[:minPiece]))
}

// hash spreads the keys (Fibonacci hashing). Use its upper bits, which are spread best.
func hash(key uint64) uint64 { return key * 0x9e3779b97f4a7c15 }

// Scanned returns how many artefacts and bytes have been searched.
func (s *Scanner) Scanned() (artefacts, bytes int64) { return s.artefacts.Load(), s.bytes.Load() }

// Text searches one artefact without unpacking it. It reports each secret once: the finding that shows most of it.
func (s *Scanner) Text(where string, text []byte) []Finding {
	s.artefacts.Add(1)
	s.bytes.Add(int64(len(text)))
	best := map[string]match{}
	for i := 0; i+minPiece <= len(text); i++ {
		key := binary.LittleEndian.Uint64(text[i:])
		if h := hash(key) >> s.shift; s.sieve[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		for _, p := range s.index[key] {
			f := &s.forms[p.form]
			if m := f.extend(text, i, p.offset); m.length >= f.need && best[f.secret].less(m) {
				best[f.secret] = m
			}
		}
	}
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(best)) {
		m := best[name]
		found = append(found, Finding{where, name, m.form.encoding, m.offset, m.length, m.length == len(m.form.text)})
	}
	return found
}

// match is a piece of a form in a text.
type match struct {
	form           *form
	offset, length int
}

// extend returns the longest match around a key that is at offset in f and at i in text.
func (f *form) extend(text []byte, i, offset int) match {
	before := 0
	for before < min(i, offset) && text[i-before-1] == f.text[offset-before-1] {
		before++
	}
	after := minPiece
	for after < min(len(text)-i, len(f.text)-offset) && text[i+after] == f.text[offset+after] {
		after++
	}
	return match{f, i - before, before + after}
}

// less reports whether other shows more of the secret.
func (m match) less(other match) bool {
	return m.form == nil || m.length*len(other.form.text) < other.length*len(m.form.text)
}
