// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/terraform"
)

// commandPath returns the path of a file of the release that belongs to the command.
func (r release) commandPath(ending string) string {
	return filepath.Join(r.dir, "ixtoken_"+r.version+"_"+ending)
}

// offline checks settings that are complete, and sends nothing.
var offline = []string{"check", "equinix", "--offline"}

// settings are complete settings.
var settings = []string{"EQUINIX_API_CLIENTID=id", "EQUINIX_API_CLIENTSECRET=not-a-real-secret"}

// wantChecks fails the test unless the program runs and has its version.
func (r release) wantChecks(t *testing.T, program string) {
	t.Helper()
	version, err := exec.CommandContext(t.Context(), program, "--version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(version), "ixtoken "+r.version+" (") {
		t.Errorf("%v: %s", err, version)
	}
	check := exec.CommandContext(t.Context(), program, offline...)
	check.Env = settings
	if output, err := check.CombinedOutput(); err != nil || !strings.Contains(string(output), "Nothing was sent.") {
		t.Errorf("%v: %s", err, output)
	}
}

// unpack unpacks a tar archive into a directory and returns the mode of each member by its name.
func unpack(t *testing.T, archive io.Reader, dir string) map[string]fs.FileMode {
	t.Helper()
	members := map[string]fs.FileMode{}
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return members
		}
		if err != nil {
			t.Fatal(err)
		}
		members[header.Name] = header.FileInfo().Mode()
		path := filepath.Join(dir, filepath.FromSlash(header.Name))
		if header.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, header.FileInfo().Mode())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// contentOf returns the content of a file of the release.
func contentOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func gunzip(t *testing.T, path string) io.Reader {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	r, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The command has an archive of its own, with the program, the licence and the completions.
func TestReleaseHasAnArchiveOfTheCommand(t *testing.T) {
	r := newRelease(t)
	if runtime.GOOS == "windows" {
		t.Skip("the archive for Windows is a zip")
	}
	dir := t.TempDir()
	members := unpack(t, gunzip(t, r.commandPath(target+".tar.gz")), dir)
	want := map[string]fs.FileMode{"ixtoken": 0o755, "LICENSE": 0o644}
	for _, shell := range []string{"bash", "zsh", "fish", "ps1"} {
		want["completions/ixtoken."+shell] = 0o644
		if text, err := os.ReadFile(filepath.Join(dir, "completions", "ixtoken."+shell)); err != nil || !strings.Contains(string(text), "__complete") {
			t.Errorf("the completion for %s does not ask the program: %v", shell, err)
		}
	}
	if !maps.Equal(members, want) {
		t.Errorf("the archive holds %v, want %v", members, want)
	}
	r.wantChecks(t, filepath.Join(dir, "ixtoken"))
}

// The checksums of the command are in a file of their own, which is signed.
func TestReleaseHasChecksumsOfTheCommand(t *testing.T) {
	r := newRelease(t)
	sums := r.commandPath("SHA256SUMS")
	var listed []string
	for line := range strings.SplitSeq(strings.TrimSpace(contentOf(t, sums)), "\n") {
		sum, name, _ := strings.Cut(line, "  ")
		text, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(text); sum != hex.EncodeToString(got[:]) {
			t.Errorf("%s has another checksum", name)
		}
		listed = append(listed, name)
	}
	want := []string{"ixtoken_" + r.version + "_" + target + ".tar.gz"}
	if runtime.GOOS == "linux" {
		want = []string{"ixtoken_" + r.version + "_" + target + ".deb", want[0]}
	}
	if !slices.Equal(listed, want) {
		t.Errorf("the checksums are those of %q, want %q", listed, want)
	}
	for _, file := range []string{sums, r.commandPath(target + ".cdx.json")} {
		if output, err := exec.CommandContext(t.Context(), "gpg", "--batch", "--verify", file+".sig", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, output)
		}
	}
}

// digests returns the files below a directory, except below the names to leave out, with the digest of each.
func digests(t *testing.T, dir string, without ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case slices.Contains(without, filepath.ToSlash(name)) && entry.IsDir():
			return filepath.SkipDir
		case entry.IsDir() || slices.Contains(without, filepath.ToSlash(name)):
			return nil
		}
		text, err := os.ReadFile(path)
		digest := sha256.Sum256(text)
		found[filepath.ToSlash(name)] = hex.EncodeToString(digest[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Two builds of one commit in two directories are the same bytes: archives, packages, bills of materials, checksums, image.
func TestReleaseIsReproducible(t *testing.T) {
	r := newRelease(t)
	again := os.Getenv("IXTOKEN_RELEASE_AGAIN")
	if again == "" {
		t.Skip("make snapshot makes a second build")
	}
	notes := []string{"artifacts.json", "config.yaml", "metadata.json"} // paths and the time of the build
	first, second := digests(t, r.dir, notes...), digests(t, again, notes...)
	kinds := map[string]int{}
	for name, digest := range first {
		if strings.HasSuffix(name, ".sig") {
			continue // has the time
		}
		kinds[filepath.Ext(name)]++
		if second[name] != digest {
			t.Errorf("%s differs", name)
		}
	}
	if len(first) != len(second) || kinds[".zip"] == 0 || kinds[".gz"] == 0 || kinds[".deb"] == 0 && runtime.GOOS == "linux" {
		t.Errorf("compared %v; %d and %d files", kinds, len(first), len(second))
	}
}

// The package installs, runs, and is removed without a trace.
func TestReleasePackageInstalls(t *testing.T) {
	r := newRelease(t)
	if _, err := exec.LookPath("dpkg"); err != nil || runtime.GOOS != "linux" {
		t.Skip("there is no dpkg")
	}
	root := t.TempDir()
	for _, dir := range []string{"info", "updates", "triggers"} {
		if err := os.MkdirAll(filepath.Join(root, "var", "lib", "dpkg", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(root, "var", "lib", "dpkg", "status"), "")
	dpkg := func(args ...string) {
		t.Helper()
		args = append([]string{"--root=" + root, "--log=" + os.DevNull, "--force-not-root", "--force-bad-path"}, args...)
		if output, err := exec.CommandContext(t.Context(), "dpkg", args...).CombinedOutput(); err != nil {
			t.Fatalf("dpkg %q: %v\n%s", args, err, output)
		}
	}
	dpkg("--install", r.commandPath(target+".deb"))
	want := []string{
		"usr/bin/ixtoken", "usr/share/bash-completion/completions/ixtoken", "usr/share/doc/ixtoken/copyright",
		"usr/share/fish/vendor_completions.d/ixtoken.fish", "usr/share/zsh/vendor-completions/_ixtoken",
	}
	if got := slices.Sorted(maps.Keys(digests(t, root, "var"))); !slices.Equal(got, want) {
		t.Errorf("it has installed %q, want %q", got, want)
	}
	r.wantChecks(t, filepath.Join(root, "usr", "bin", "ixtoken"))
	dpkg("--purge", "ixtoken")
	if left := digests(t, root, "var"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(root, "usr")); err == nil {
		t.Error("directories are left")
	}
}

// descriptor is a reference in an OCI layout (https://github.com/opencontainers/image-spec).
type descriptor struct {
	Digest    string
	Size      int64
	Platform  struct{ OS, Architecture string }
	Manifests []descriptor
	Layers    []descriptor
	Config    *struct{ Digest string }
}

// imageBlob returns the path of a blob of the image.
func (r release) imageBlob(digest string) string {
	return filepath.Join(r.dir, "image", "blobs", filepath.FromSlash(strings.Replace(digest, ":", "/", 1)))
}

// parse reads a JSON file.
func parse[T any](t *testing.T, path string) (into T) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return into
}

// The image holds the program and certificates, and nothing else: no shell, no other user. It is small, and runs.
func TestReleaseImageHoldsNothingElse(t *testing.T) {
	r := newRelease(t)
	if runtime.GOOS != "linux" {
		t.Skip("the image is for Linux")
	}
	const most = 18 << 20
	index := parse[descriptor](t, filepath.Join(r.dir, "image", "index.json"))
	if len(index.Manifests) != 1 || index.Manifests[0].Platform.Architecture != runtime.GOARCH {
		t.Fatalf("images: %+v", index.Manifests)
	}
	manifest := parse[descriptor](t, r.imageBlob(index.Manifests[0].Digest))
	config := parse[struct {
		Config struct {
			User       string
			Entrypoint []string
			Labels     map[string]string
		}
	}](t, r.imageBlob(manifest.Config.Digest)).Config
	if config.User != "65532:65532" || !slices.Equal(config.Entrypoint, []string{"/ixtoken"}) || config.Labels["org.opencontainers.image.version"] != r.version {
		t.Errorf("%+v", config)
	}
	if len(manifest.Layers) != 1 {
		t.Fatalf("%d layers", len(manifest.Layers))
	}
	root := t.TempDir()
	members := unpack(t, gunzip(t, r.imageBlob(manifest.Layers[0].Digest)), root)
	want := map[string]fs.FileMode{
		"etc/": fs.ModeDir | 0o755, "etc/ssl/": fs.ModeDir | 0o755, "etc/ssl/certs/": fs.ModeDir | 0o755,
		"etc/ssl/certs/ca-certificates.crt": 0o644, "ixtoken": 0o755,
	}
	if !maps.Equal(members, want) {
		t.Errorf("the image holds %v", members)
	}
	size := int64(0)
	for name := range members {
		if info, err := os.Stat(filepath.Join(root, name)); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	t.Logf("%.1f MB, %.1f MB to download", float64(size)/1e6, float64(manifest.Layers[0].Size)/1e6)
	if size > most {
		t.Errorf("%d bytes, want at most %d", size, most)
	}
	if roots := strings.Count(contentOf(t, filepath.Join(root, "etc", "ssl", "certs", "ca-certificates.crt")), "BEGIN CERTIFICATE"); roots < 100 {
		t.Errorf("%d certificates", roots)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--version"}, offline} {
		output, err := inChroot(t, root, args...)
		if errors.Is(err, fs.ErrPermission) {
			t.Skipf("this user may not change the root: %v", err)
		}
		if err != nil || !strings.Contains(output, r.version) && !strings.Contains(output, "Nothing was sent.") {
			t.Errorf("%q: %v: %s", args, err, output)
		}
	}
}

// goInstall installs the command with the go tool, and returns what its --version says.
func goInstall(t *testing.T, from, dir string, env ...string) string {
	t.Helper()
	bin := t.TempDir()
	install := exec.CommandContext(t.Context(), "go", "install", "-trimpath", from)
	install.Dir = dir
	install.Env = append(append(os.Environ(), "GOBIN="+bin, "GOFLAGS=-modcacherw"), env...)
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	version, err := exec.CommandContext(t.Context(), filepath.Join(bin, "ixtoken"+terraform.Suffix), "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(version)
}

// "go install" gives a program with the name of the command that knows its version, from a checkout and from a proxy.
func TestReleaseIsInstalledByGo(t *testing.T) {
	newRelease(t)
	const path, version = "github.com/ixtoken/terraform-provider-ixtoken", "v0.9.8"
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if said := goInstall(t, "./cmd/ixtoken", root); !regexp.MustCompile(`^ixtoken \S+( \([0-9a-f]{7}\))?\n$`).MatchString(said) {
		t.Errorf("from a checkout: %q", said)
	}
	proxy := t.TempDir()
	shelf := filepath.Join(proxy, filepath.FromSlash(path), "@v")
	var archive bytes.Buffer
	if err := modzip.CreateFromDir(&archive, module.Version{Path: path, Version: version}, moduleTree(t)); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(shelf, version+".zip"), archive.String())
	put(t, filepath.Join(shelf, version+".info"), fmt.Sprintf(`{"Version":%q,"Time":"2026-01-02T15:04:05Z"}`, version))
	put(t, filepath.Join(shelf, version+".mod"), read(t, "go.mod"))
	put(t, filepath.Join(shelf, "list"), version+"\n")
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := "file://" + filepath.ToSlash(filepath.Join(strings.TrimSpace(string(cache)), "cache", "download"))
	for _, wanted := range []string{version, "latest"} {
		said := goInstall(t, path+"/cmd/ixtoken@"+wanted, t.TempDir(), "GOPROXY=file://"+filepath.ToSlash(proxy)+","+modules, "GOMODCACHE="+t.TempDir(), "GONOSUMDB=*", "GONOSUMCHECK=1", "GOFLAGS=-modcacherw")
		if said != "ixtoken 0.9.8\n" {
			t.Errorf("@%s: %q", wanted, said)
		}
	}
}

// moduleTree copies the files of the repository that a proxy would have.
func moduleTree(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	for _, path := range files(t) {
		put(t, filepath.Join(tree, path), read(t, path))
	}
	return tree
}
