// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package leak

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	nesting  = 6       // archives inside archives
	unpacked = 1 << 30 // the size limit of an artefact or an unpacked archive member, in bytes
)

// Reader searches the text of r and, inside it, the members of zip, gzip and zlib archives.
func (s *Scanner) Reader(where string, r io.Reader) ([]Finding, error) {
	text, err := io.ReadAll(io.LimitReader(r, unpacked+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	if len(text) > unpacked {
		return nil, fmt.Errorf("%s: too long to look through", where)
	}
	return s.scanNested(where, text, nesting), nil
}

// File searches the file at path as Reader does.
func (s *Scanner) File(path string) ([]Finding, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return s.scanNested(path, text, nesting), nil
}

// Tree searches every regular file under dir, every file name, and the targets of symbolic links. It does not follow the
// links.
func (s *Scanner) Tree(dir string) ([]Finding, error) {
	var found []Finding
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		found = append(found, s.Text("a file's name in "+dir, []byte(entry.Name()))...)
		var more []Finding
		switch entry.Type() {
		case fs.ModeSymlink:
			var target string
			target, err = os.Readlink(path)
			more = s.Text(path, []byte(target))
		case 0:
			more, err = s.File(path)
		}
		found = append(found, more...)
		return err
	})
	return found, err
}

// scanNested searches text and the archives in it, up to depth levels.
func (s *Scanner) scanNested(where string, text []byte, depth int) []Finding {
	found := s.Text(where, text)
	if depth == 0 {
		return found
	}
	for _, member := range unpack(text) {
		found = append(found, s.scanNested(where+"!"+member.name, member.text, depth-1)...)
	}
	return found
}

// member is a part of an archive: a file, a name or a comment.
type member struct {
	name string
	text []byte
}

// unpack returns the members of an archive, as far as they can be read; nil: text is not an archive.
func unpack(text []byte) []member {
	var members []member
	if archive, err := zip.NewReader(bytes.NewReader(text), int64(len(text))); err == nil {
		members = append(members, member{"comment", []byte(archive.Comment)})
		for _, f := range archive.File {
			members = append(members, member{"name", []byte(f.Name + "\n" + f.Comment)})
			if file, err := f.Open(); err == nil {
				members = append(members, member{f.Name, readable(file)})
			}
		}
	}
	if file, err := gzip.NewReader(bytes.NewReader(text)); err == nil {
		members = append(members, member{"gzip name", []byte(file.Name + "\n" + file.Comment)}, member{"gzip", readable(file)})
	}
	if file, err := zlib.NewReader(bytes.NewReader(text)); err == nil {
		members = append(members, member{"zlib", readable(file)})
	}
	return members
}

// readable reads up to the first error. The part before damaged data may contain a secret.
func readable(r io.Reader) []byte {
	text, _ := io.ReadAll(io.LimitReader(r, unpacked))
	return text
}
