// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package clients

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

const canary = "c4n4ry-0f-4-s3cret/+="

// holders are the exported structs of this package, and the unexported structs that belong to a request.
var holders = map[string]any{
	"Secret":         Secret{},
	"Token":          Token{},
	"Options":        Options{},
	"Tally":          Tally{},
	"Client":         Client{},
	"Error":          Error{},
	"Interxion":      Interxion{},
	"Equinix":        Equinix{},
	"CloudLX":        CloudLX{},
	"IXAPI":          IXAPI{},
	"Megaport":       Megaport{},
	"DigitalRealty":  DigitalRealty{},
	"OAuth2":         OAuth2{},
	"IdentitySource": IdentitySource{},
	"ClientKey":      ClientKey{},

	"ClientCertificate": ClientCertificate{},

	"request":      request{},
	"proof":        proof{},
	"presented":    presented{},
	"signer":       signer{},
	"privateKey":   privateKey{},
	"keyPair":      keyPair{},
	"entry":        entry{},
	"flight":       flight{},
	"storedResult": storedResult{},
}

// TestHoldersAreComplete tests that no type is missing in holders, such as that of a new platform.
func TestHoldersAreComplete(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if declared, ok := node.(*ast.TypeSpec); ok && declared.Name.IsExported() {
				if _, isStruct := declared.Type.(*ast.StructType); isStruct && holders[declared.Name.Name] == nil {
					t.Errorf("%s is not among the holders", declared.Name)
				}
			}
			return true
		})
	}
}

// filled returns a copy of value in which every Secret, in any field, contains the canary.
func filled(value any) reflect.Value {
	secret := NewSecret(canary)
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeFor[Secret]():
			v.Set(reflect.ValueOf(secret))
		case v.Type() == reflect.TypeFor[[]Secret]():
			v.Set(reflect.ValueOf([]Secret{secret, secret}))
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				field := v.Field(i)
				fill(reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()) // unexported fields too
			}
		}
	}
	v := reflect.New(reflect.TypeOf(value)).Elem()
	fill(v)
	return v
}

// fmt cannot call the methods of the unexported fields of these types.
type (
	wrapped struct {
		value any
		_     int
	}
	embedded   struct{ Secret }
	failedWith struct{ value any }
	named      struct {
		Secret  Secret            `xml:"secret,attr"`
		Pointer *Secret           `xml:"pointer"`
		List    []Secret          `xml:"list"`
		Map     map[string]Secret `xml:"-"`
		Any     any               `xml:"any"`
	}
)

func (f failedWith) Error() string { return fmt.Sprintf("failed with %v", f.value) }

// TestSecretsNeverPrint is H12 and H11: the secret's text does not appear, whatever value contains it, and however the value is
// printed, encoded or logged.
func TestSecretsNeverPrint(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(holders)) {
		t.Run("H12 "+name, func(t *testing.T) {
			v := filled(holders[name])
			pointer := v.Addr().Interface()
			values := []any{
				pointer,
				&pointer,
				[]any{pointer},
				map[string]any{"key": pointer},
				wrapped{value: pointer},
				&wrapped{value: pointer},
				map[string][]wrapped{"key": {{value: pointer}}},
				failedWith{pointer},
				fmt.Errorf("wrapped: %w", failedWith{pointer}),
				errors.Join(io.EOF, failedWith{pointer}),
				func() any { return pointer },
			}
			if name != "Client" { // contains a mutex, which must not be copied
				value := v.Interface()
				values = append(values, value, []any{value}, wrapped{value: value}, failedWith{value}, &failedWith{value},
					reflect.MakeSlice(reflect.SliceOf(v.Type()), 3, 3).Interface())
			}
			if name == "Secret" {
				secret := NewSecret(canary)
				values = append(values, embedded{secret}, map[Secret]Secret{secret: secret}, [1]Secret{secret},
					named{secret, &secret, []Secret{secret}, map[string]Secret{"key": secret}, secret},
					struct{ secret Secret }{secret}, struct{ secret *Secret }{&secret}, struct{ secrets []Secret }{[]Secret{secret}},
					struct{ secrets map[Secret]any }{map[Secret]any{secret: secret}})
			}
			for _, value := range values {
				for how, text := range printed(value) {
					if tells(text) {
						t.Errorf("%s of %T tells the secret: %s", how, value, text)
					}
				}
			}
		})
	}
}

// printed returns the output of every verb, encoder and logger for value.
func printed(value any) map[string]string {
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%o", "%c", "%U", "%e", "%p", "%b", "% x", "%#x", "%#q", "%+q", "%30s", "%-30.40v", "%T", "%w"} {
		shown[verb] = fmt.Sprintf(verb, value)
	}
	shown["Sprint"] = fmt.Sprint(value, value)
	marshalled, err := json.Marshal(value)
	shown["json"] = fmt.Sprint(string(marshalled), err)
	marshalled, err = xml.Marshal(value)
	shown["xml"] = fmt.Sprint(string(marshalled), err)
	var out bytes.Buffer
	err = gob.NewEncoder(&out).Encode(value)
	shown["gob"] = fmt.Sprint(out.String(), err)
	var log bytes.Buffer
	options := &slog.HandlerOptions{AddSource: true}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, options), slog.NewJSONHandler(&log, options)} {
		logger := slog.New(handler)
		logger.Info("message", "value", value, "nested", map[string]any{"value": value}, slog.Group("group", "value", value))
		logger.With("value", value).WithGroup("group").Error(fmt.Sprint(value), "err", failedWith{value}, "bytes", fmt.Append(nil, value))
	}
	shown["slog"] = log.String()
	return shown
}

var canaryForms = newScrubber(NewSecret(canary)).forms()

// tells reports whether text contains the canary in any encoding.
func tells(text string) bool {
	text = asciiLower(text)
	return slices.ContainsFunc(canaryForms, func(form string) bool { return strings.Contains(text, form) })
}

// TestThePrintersWork shows that the test above can fail: a string in place of a Secret appears in every output.
func TestThePrintersWork(t *testing.T) {
	var silent []string
	for how, text := range printed(canary) {
		if !tells(text) {
			silent = append(silent, how)
		}
	}
	slices.Sort(silent)
	if diff := cmp.Diff([]string{"%T"}, silent); diff != "" {
		t.Errorf("printers that do not show a string (-want +got):\n%s", diff)
	}
}

func TestSecret(t *testing.T) {
	zero, empty, one, same, other := Secret{}, NewSecret(""), NewSecret("a"), NewSecret("a"), NewSecret("b")
	if zero != empty || one != same || one == other || one == zero {
		t.Error("Secrets are not equal as their texts are")
	}
	if !zero.IsZero() || one.IsZero() || zero.Reveal() != "" || one.Reveal() != "a" {
		t.Error("a Secret does not hold what it was given")
	}
	for _, secret := range []Secret{zero, one} {
		if text := fmt.Sprintf("%v|%#v|%s", secret, secret, secret.String()); text != "[redacted]|[redacted]|[redacted]" {
			t.Errorf("printed as %s", text)
		}
	}
	marshalled, err := json.Marshal(map[Secret]Secret{one: other})
	if string(marshalled) != `{"[redacted]":"[redacted]"}` || err != nil {
		t.Errorf("marshalled as %s, %v", marshalled, err)
	}
}
