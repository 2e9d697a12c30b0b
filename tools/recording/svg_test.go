// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The picture has the lines between two cleared screens, with their styles and times. A pause is shortened.
func TestALineKeepsItsStyleAndTime(t *testing.T) {
	lines, err := read([]piece{
		{0, "before\r\n\x1b[2"},
		{time.Second, "J\x1b[1mbold\x1b[32m green\r\nstill\x1b[0m plain <&>"},
		{time.Minute, "\r\n\r\n\x1b[2Jafter\r\n"},
	})
	want := []line{
		{0, []span{{"b", "bold"}, {"b c2", " green"}}},
		{longest, []span{{"b c2", "still"}, {"", " plain <&>"}}},
		{longest, nil},
	}
	if err != nil || !reflect.DeepEqual(lines, want) {
		t.Errorf("%v: %v", err, lines)
	}
	if svg := string(draw(lines)); !strings.Contains(svg, `<tspan class="b c2">still</tspan> plain &lt;&amp;&gt;</text>`) {
		t.Error(svg)
	}
	if _, err := read([]piece{{0, "\x1b[2Jline\r\n"}}); err == nil {
		t.Error("a session that breaks off is no error")
	}
}

// The picture in the README is small, and shows nothing of the machine that made it.
func TestTheRecordingFitsTheReadme(t *testing.T) {
	picture, err := os.ReadFile("recording.svg")
	if err != nil {
		t.Fatal(err)
	}
	if len(picture) > 100_000 {
		t.Errorf("%d bytes", len(picture))
	}
	decoder := xml.NewDecoder(strings.NewReader(string(picture)))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/tmp", "/home", "/root", "/usr", "127.0.0.1"} {
		if strings.Contains(string(picture), path) {
			t.Errorf("it shows %s", path)
		}
	}
}
