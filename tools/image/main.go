// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command image builds the container image of the command from the binaries of a release, without a daemon: the program,
// the certificates of public authorities, a user without rights, and nothing else. The same binaries make the same image.
//
//	image -dist dist -version 1.2.3 -commit a1b2c3d -created 1700000000             # writes an OCI layout into dist/image
//	image … -push ghcr.io/ixtoken/ixtoken                                            # uploads it, too
//
// With -push, REGISTRY_USER and REGISTRY_PASSWORD sign in, and the digest is printed.
package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// nobody is a user and a group without rights, as images from other projects have it. It needs no /etc/passwd.
const nobody = "65532:65532"

// build is what the image is built from.
type build struct {
	dist, version, commit string
	created               time.Time
}

func main() {
	var b build
	flag.StringVar(&b.dist, "dist", "dist", "the directory of the release")
	flag.StringVar(&b.version, "version", "", "the version of the release")
	flag.StringVar(&b.commit, "commit", "", "the commit")
	created := flag.Int64("created", 0, "the time of the commit, in seconds since 1970")
	push := flag.String("push", "", "the repository to upload to")
	flag.Parse()
	b.created = time.Unix(*created, 0).UTC()
	if err := run(b, *push); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(b build, push string) error {
	index, err := b.index()
	if err != nil {
		return err
	}
	dir := filepath.Join(b.dist, "image")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if _, err := layout.Write(dir, index); err != nil {
		return err
	}
	if push == "" {
		return nil
	}
	return upload(index, push, b.version)
}

// upload uploads the index under the version and, unless that is a preliminary one, under "latest". It prints the digest.
func upload(index v1.ImageIndex, repository, version string) error {
	tags := []string{version}
	if !strings.Contains(version, "-") {
		tags = append(tags, "latest")
	}
	auth := remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: os.Getenv("REGISTRY_USER"), Password: os.Getenv("REGISTRY_PASSWORD")}))
	for _, tag := range tags {
		reference, err := name.ParseReference(repository + ":" + tag)
		if err != nil {
			return err
		}
		if err := remote.WriteIndex(reference, index, auth); err != nil {
			return err
		}
	}
	digest, err := index.Digest()
	if err == nil {
		fmt.Println(digest)
	}
	return err
}

// index returns the images of all processors for which the release has a binary for Linux.
func (b build) index() (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	binaries, err := b.binaries()
	if err != nil {
		return nil, err
	}
	for _, binary := range binaries {
		image, err := b.image(binary)
		if err != nil {
			return nil, err
		}
		platform := &v1.Platform{OS: "linux", Architecture: binary.Goarch}
		if binary.Goarch == "arm" {
			platform.Variant = "v" + binary.Goarm
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return index, nil
}

// binary is one of the release's artifacts, as goreleaser lists them in artifacts.json.
type binary struct {
	Path, Goos, Goarch, Goarm, Type string
	Extra                           struct{ ID string }
}

func (b build) binaries() ([]binary, error) {
	text, err := os.ReadFile(filepath.Join(b.dist, "artifacts.json"))
	if err != nil {
		return nil, err
	}
	var all, found []binary
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	for _, each := range all {
		if each.Type == "Binary" && each.Extra.ID == "command" && each.Goos == "linux" {
			found = append(found, each)
		}
	}
	if found == nil {
		return nil, errors.New("the release has no binary of the command for Linux")
	}
	return found, nil
}

func (b build) image(from binary) (v1.Image, error) {
	layer, err := b.layer(from)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: b.created}, CreatedBy: "tools/image"}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", from.Goarch, v1.Time{Time: b.created}
	if from.Goarch == "arm" {
		config.Variant = "v" + from.Goarm
	}
	config.Config = v1.Config{User: nobody, Entrypoint: []string{"/ixtoken"}, Labels: map[string]string{
		"org.opencontainers.image.title":    "ixtoken",
		"org.opencontainers.image.source":   "https://github.com/ixtoken/terraform-provider-ixtoken",
		"org.opencontainers.image.version":  b.version,
		"org.opencontainers.image.revision": b.commit,
		"org.opencontainers.image.licenses": "MPL-2.0",
	}}
	return mutate.ConfigFile(image, config)
}

// layer returns the one layer of the image.
func (b build) layer(from binary) (v1.Layer, error) {
	// artifacts.json has paths from the root of the repository.
	program, err := os.ReadFile(filepath.Join(b.dist, "..", from.Path))
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, file := range []struct {
		name    string
		mode    int64
		content []byte // nil: a directory
	}{
		{"etc/", 0o755, nil},
		{"etc/ssl/", 0o755, nil},
		{"etc/ssl/certs/", 0o755, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, certificates()},
		{"ixtoken", 0o755, program},
	} {
		header := &tar.Header{Name: file.name, Mode: file.mode, Size: int64(len(file.content)), ModTime: b.created, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if file.content == nil {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(file.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
}

// certificates returns the authorities that Mozilla trusts, in PEM, at the version that go.mod names. Those are left out that
// Mozilla trusts with a condition: a file cannot say the condition.
func certificates() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes all
		}
	}
	return text.Bytes()
}
