// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package leak

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"html/template"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// secrets has a secret of each kind: awkward characters, a token, the end of a JSON Web Token, words, other scripts.
var secrets = map[string]string{
	"the client secret": `q7+R/w%2&Lx="9\k<Zt~4 v'B$8#mF0`,
	"the access token":  "uNnkmbsZfAH1Vcy7cz2K",
	"the signature":     "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXkQmS0oYvT3xHc6LrGaNiEz5lqPb8Ds7Ot",
	"the password":      "Zwölf Boxkämpfer\tjagen <Viktor>",
	"the passphrase":    "日Ωж本πщ語ωю字Ψц",
}

// writers encode a value as other programs do. They share no code with the encodings of the Scanner.
var writers = map[string]func(string) string{
	"itself":                   func(s string) string { return s },
	"URL query":                url.QueryEscape,
	"URL query, twice":         func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
	"URL query, lower case":    func(s string) string { return lowerEscapes(url.QueryEscape(s)) },
	"URL query, %20":           func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") },
	"form":                     func(s string) string { return url.Values{"a": {"b"}, "c": {s}}.Encode() },
	"URL path":                 url.PathEscape,
	"URL path, twice":          func(s string) string { return url.PathEscape(url.PathEscape(s)) },
	"user information":         func(s string) string { return url.UserPassword("user", s).String() },
	"URL":                      func(s string) string { return (&url.URL{Scheme: "https", Host: "h", Path: s}).String() },
	"template, URL":            func(s string) string { return template.URLQueryEscaper(s) },
	"base64":                   func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64, unpadded":         func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
	"base64, URL":              func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
	"base64, URL, unpadded":    func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"base64, 1 in":             func(s string) string { return base64.StdEncoding.EncodeToString([]byte("a" + s + "zz")) },
	"base64, 2 in":             func(s string) string { return base64.URLEncoding.EncodeToString([]byte("ab" + s + "z")) },
	"HTTP Basic":               func(s string) string { return base64.StdEncoding.EncodeToString([]byte("some-client-id:" + s)) },
	"base64 in a URL":          func(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))) },
	"base64 of JSON":           func(s string) string { return base64.StdEncoding.EncodeToString([]byte(marshal(s))) },
	"base64 of a form":         func(s string) string { return base64.StdEncoding.EncodeToString([]byte("a=b&c=" + url.QueryEscape(s))) },
	"base32":                   func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) },
	"base32, 3 in":             func(s string) string { return base32.StdEncoding.EncodeToString([]byte("abc" + s + "z")) },
	"base32, lower case":       func(s string) string { return strings.ToLower(base32.StdEncoding.EncodeToString([]byte(s))) },
	"hex":                      func(s string) string { return hex.EncodeToString([]byte(s)) },
	"hex, upper case":          func(s string) string { return fmt.Sprintf("%X", s) },
	"hex, spaced":              func(s string) string { return fmt.Sprintf("% x", s) },
	"hex of JSON":              func(s string) string { return hex.EncodeToString([]byte(marshal(s))) },
	"JSON":                     marshal,
	"JSON, plain":              func(s string) string { return string(marshalPlain(s)) },
	"JSON, slashes":            func(s string) string { return strings.ReplaceAll(marshal(s), "/", `\/`) },
	"JSON in JSON":             func(s string) string { return marshal(`{"a":` + marshal(s) + "}") },
	"JSON, plain, in JSON":     func(s string) string { return marshal(string(marshalPlain(s))) },
	"JSON, upper case":         func(s string) string { return upperEscapes(marshal(s)) },
	"JSON of bytes":            func(s string) string { return marshalAny([]byte(s)) },
	"Go string":                strconv.Quote,
	"Go string, ASCII":         strconv.QuoteToASCII,
	"%+q":                      func(s string) string { return fmt.Sprintf("%+q", s) },
	"%#v":                      func(s string) string { return fmt.Sprintf("%#v", struct{ S string }{s}) },
	"%v of bytes":              func(s string) string { return fmt.Sprintf("%d", []byte(s)) },
	"%#v of bytes":             func(s string) string { return fmt.Sprintf("%#v", []byte(s)) },
	"Go string of JSON":        func(s string) string { return strconv.Quote(marshal(s)) },
	"Go string of a form":      func(s string) string { return strconv.Quote("a=" + url.QueryEscape(s) + "&b=c") },
	"slog":                     logged,
	"HTML":                     html.EscapeString,
	"template, HTML":           template.HTMLEscapeString,
	"XML":                      marshalXML,
	"JavaScript":               template.JSEscapeString,
	"gob":                      gobbed,
	"UTF-16, little endian":    func(s string) string { return wide(s, 0) },
	"UTF-16, big endian":       func(s string) string { return wide(s, 1) },
	"UTF-16 of JSON":           func(s string) string { return wide(marshal(s), 0) },
	"percent signs throughout": func(s string) string { return everyByte("%%%02X", s) },
	`\u throughout`:            func(s string) string { return everyByte(`\u%04x`, s) },
	"entities throughout":      func(s string) string { return everyByte("&#%d;", s) },
	"shell word":               func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
	"wrapped at blanks":        func(s string) string { return strings.ReplaceAll(s, " ", "\n│ ") },
	"cut":                      func(s string) string { return s[:len(s)*2/3] + "…" },
}

func marshal(s string) string { return marshalAny(s) }

func marshalAny(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func marshalPlain(s string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func marshalXML(s string) string {
	var out strings.Builder
	if err := xml.EscapeText(&out, []byte(s)); err != nil {
		panic(err)
	}
	return out.String()
}

func logged(s string) string {
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("asked", "secret", s)
	return out.String()
}

func gobbed(s string) string {
	var out strings.Builder
	if err := gob.NewEncoder(&out).Encode(map[string]string{"secret": s}); err != nil {
		panic(err)
	}
	return out.String()
}

func wide(s string, swap int) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		pair := [2]byte{byte(unit), byte(unit >> 8)}
		out = append(out, pair[swap], pair[1-swap])
	}
	return string(out)
}

func everyByte(format, s string) string {
	var out strings.Builder
	for _, b := range []byte(s) {
		fmt.Fprintf(&out, format, b)
	}
	return out.String()
}

func lowerEscapes(s string) string { return mapEscapes(s, "%", 2, strings.ToLower) }

func upperEscapes(s string) string { return mapEscapes(s, `\u`, 4, strings.ToUpper) }

func mapEscapes(s, sign string, length int, change func(string) string) string {
	parts := strings.Split(s, sign)
	for i := 1; i < len(parts); i++ {
		parts[i] = change(parts[i][:length]) + parts[i][length:]
	}
	return strings.Join(parts, sign)
}

const chatter = "2026-01-02T03:04:05.678Z [TRACE] vertex \"provider[\\\"providers.example/ixtoken/ixtoken\\\"]\": visit complete\n"

// artefacts put a text into an artefact of a program, and search it. They return false if the artefact cannot contain the text.
var artefacts = map[string]func(t *testing.T, s *Scanner, text string) ([]Finding, bool){
	"output": func(_ *testing.T, s *Scanner, text string) ([]Finding, bool) {
		return s.Text("output", []byte("Error: no\n\n"+text+"\n")), true
	},
	"JSON line": func(_ *testing.T, s *Scanner, text string) ([]Finding, bool) {
		line := map[string]any{"@level": "error", "@message": "Error: " + text}
		return s.Text("line", []byte(marshalAny(line))), true
	},
	"TRACE log": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		log := strings.Repeat(chatter, 300) + "2026-01-02T03:04:05.678Z [TRACE] provider: " + text + "\n" + strings.Repeat(chatter, 300)
		return written(t, s, "trace.log", log), true
	},
	"state": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		state, _ := json.MarshalIndent(map[string]any{"version": 4, "outputs": map[string]any{"o": map[string]string{"value": text}}}, "", "  ")
		return written(t, s, "terraform.tfstate", string(state)), true
	},
	"file that is binary": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		return written(t, s, "binary", "\x7fELF\x00\x01\xff\xda"+text+"\x00\xc1"), true
	},
	"file in directories": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		return written(t, s, filepath.Join(".terraform", "modules", "a", "b.txt"), text), true
	},
	"name of a file": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		if len(text) > 255 || strings.ContainsAny(text, "/\x00") || !nameHere(text) {
			return nil, false
		}
		return written(t, s, text, ""), true
	},
	"symbolic link": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		dir := t.TempDir()
		if runtime.GOOS == "windows" { // which keeps a target as a path: a slash becomes a backslash
			return nil, false
		}
		if strings.Contains(text, "\x00") || os.Symlink(text, filepath.Join(dir, "link")) != nil {
			return nil, false
		}
		return tree(t, s, dir), true
	},
	"plan": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		return written(t, s, "saved.tfplan", zipped(t, text)), true
	},
	"plan in a zip": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		return written(t, s, "artefacts.zip", zipped(t, zipped(t, text))), true
	},
	"gzip": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		return written(t, s, "log.gz", packed(t, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, text)), true
	},
	"gzip that was cut": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		whole := packed(t, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, text)
		return written(t, s, "log.gz", whole[:len(whole)-6]), true
	},
	"zlib": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		return written(t, s, "data", packed(t, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }, text)), true
	},
	"process": func(t *testing.T, s *Scanner, text string) ([]Finding, bool) {
		if runtime.GOOS != "linux" || strings.Contains(text, "\x00") {
			return nil, false
		}
		arguments, environment := child(t, s, []string{text}, nil), child(t, s, nil, []string{"SECRET=" + text})
		if len(arguments) != 1 || len(environment) != 1 {
			return nil, true
		}
		return arguments, true
	},
}

// nameHere reports whether this system takes text for a file's name as it is. On Windows, a colon would begin a stream of the
// file, and a dot or a blank at the end would be dropped.
func nameHere(text string) bool {
	switch runtime.GOOS {
	case "windows":
		odd := func(r rune) bool { return r < ' ' || strings.ContainsRune(`<>:"/\|?*`, r) }
		return utf8.ValidString(text) && !strings.ContainsFunc(text, odd) && text == strings.TrimRight(text, ". ")
	case "darwin":
		return utf8.ValidString(text)
	}
	return true
}

// written writes text to a file with the name, and searches its directory.
func written(t *testing.T, s *Scanner, name, text string) []Finding {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return tree(t, s, dir)
}

func tree(t *testing.T, s *Scanner, dir string) []Finding {
	t.Helper()
	found, err := s.Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for name, content := range map[string]string{"tfplan": "\x0a\x0b" + text, "tfconfig/main.tf": "terraform {}"} {
		file, err := archive.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(file, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func packed(t *testing.T, compress func(io.Writer) io.WriteCloser, text string) string {
	t.Helper()
	var out bytes.Buffer
	file := compress(&out)
	if _, err := io.WriteString(file, strings.Repeat("x", 1000)+text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// child starts a process with the arguments and the environment, and searches them.
func child(t *testing.T, s *Scanner, args, env []string) []Finding {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", append([]string{"-c", "echo; read _", "sh"}, args...)...)
	command.Env = env
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		_ = command.Wait()
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil { // the process is running
		t.Fatal(err)
	}
	var found []Finding
	for _, name := range []string{"cmdline", "environ"} {
		more, err := s.File(fmt.Sprintf("/proc/%d/%s", command.Process.Pid, name))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, more...)
	}
	return found
}

// H20: this test shows that the Scanner finds secrets. Without it, tests that find none would prove nothing.
func TestEverySecretIsFoundInEveryEncodingInEveryArtefact(t *testing.T) {
	t.Parallel()
	s := New(secrets)
	planted, missed, impossible := 0, 0, 0
	for secret, value := range secrets {
		for writer, write := range writers {
			for artefact, plant := range artefacts {
				found, possible := plant(t, s, write(value))
				if !possible {
					impossible++
					continue
				}
				planted++
				if len(found) != 1 || found[0].Secret != secret {
					missed++
					t.Errorf("%s as %s in %s: found %v", secret, writer, artefact, found)
				}
			}
		}
	}
	t.Logf("%d secrets, %d ways to write them, %d kinds of artefact: found %d of %d planted (%d combinations cannot be)",
		len(secrets), len(writers), len(artefacts), planted-missed, planted, impossible)
}

// A finding says whether the whole secret was found, and where it starts.
func TestAFindingNamesTheSecretTheEncodingAndThePlace(t *testing.T) {
	t.Parallel()
	s := New(secrets)
	token := secrets["the access token"]
	for text, want := range map[string]string{
		"Bearer " + token:                         "log: the access token as itself (20 bytes at 7)",
		hex.EncodeToString([]byte(token)):         "log: the access token as hex (40 bytes at 0)",
		"Bearer " + token[:12]:                    "log: a piece of the access token as itself (12 bytes at 7)",
		"a=" + url.QueryEscape("<>&" + token)[5:]: "log: the access token as itself (20 bytes at 6)",
	} {
		found := s.Text("log", []byte(text))
		if len(found) != 1 || found[0].String() != want {
			t.Errorf("found %v, want %s", found, want)
		}
	}
}

// A secret that was cut or wrapped is found if eight consecutive bytes are left.
func TestAPieceIsFoundWhereverItWasCutOut(t *testing.T) {
	t.Parallel()
	s := New(secrets)
	for name, value := range secrets {
		for i := range len(value) - minPiece + 1 {
			piece := value[i : i+minPiece]
			for _, text := range []string{piece, "<" + hex.EncodeToString([]byte(piece)) + ">", everyByte("%%%02X", piece)} {
				if found := s.Text("log", []byte(text)); len(found) != 1 || found[0].Secret != name {
					t.Errorf("%s: of the bytes from %d, found %v", name, i, found)
				}
			}
		}
	}
}

func TestNothingIsFoundWhereNothingIs(t *testing.T) {
	t.Parallel()
	s := New(secrets)
	var almost strings.Builder // every secret, with every eighth character changed
	for _, value := range secrets {
		for i, b := range []byte(value) {
			if i%8 == 7 {
				b ^= 1
			}
			almost.WriteByte(b)
		}
	}
	if found := s.Text("almost", []byte(almost.String())); len(found) > 0 {
		t.Errorf("found %v", found)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := New(map[string]string{"absent": strings.ToUpper(secrets["the access token"])}).File(self)
	if err != nil || len(binary) > 0 {
		t.Errorf("found %v, error %v", binary, err)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	s := New(secrets)
	if _, err := s.Tree(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a directory that is not there counts as clean")
	}
	if _, err := s.Reader("broken", flate.NewReader(strings.NewReader("\xff\xff"))); err == nil {
		t.Error("a reader that fails counts as clean")
	}
}

func TestAShortSecretIsRefused(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a secret of 7 bytes was accepted")
		}
	}()
	New(map[string]string{"short": "1234567"})
}

func BenchmarkText(b *testing.B) {
	s := New(secrets)
	log := []byte(strings.Repeat(chatter, 100_000))
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		if found := s.Text("log", log); len(found) > 0 {
			b.Fatal(found)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(secrets)
	}
}
