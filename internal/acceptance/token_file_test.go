// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package acceptance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The service and the sidecar of the guide keep a file with a token that everybody may read, and end on SIGTERM with status 0.
func TestTheGuideOnTokenFilesRuns(t *testing.T) {
	t.Parallel()
	needCLI(t)
	var unit, pod string
	for _, f := range fences(read(t, "docs/guides/token-file.md")) {
		switch f.language {
		case "ini":
			unit = f.text
		case "kubernetes":
			pod = f.text
		}
	}
	start := regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(unit)
	arguments := regexp.MustCompile(`(?m)^ +args: \[(.*)\]$`).FindStringSubmatch(pod)
	if start == nil || arguments == nil {
		t.Fatalf("the guide has no service or no sidecar: %q, %q", unit, pod)
	}
	if !strings.Contains(unit, "RuntimeDirectory=ixtoken\n") || !strings.Contains(unit, "LoadCredential=secret:") || !strings.Contains(pod, "mountPath: /token}") || !strings.Contains(pod, "mountPath: /secret,") {
		t.Error("the directories of the commands are not those of the service and of the sidecar")
	}
	program, args, _ := strings.Cut(start[1], " ")
	if program != "/usr/bin/ixtoken" {
		t.Errorf("the service starts %s", program)
	}
	t.Run("systemd", func(t *testing.T) { verifyUnit(t, strings.Replace(unit, program, provider(), 1)) })
	t.Run("service", func(t *testing.T) {
		keepsAFile(t, strings.Fields(args), "/run/ixtoken/", "${CREDENTIALS_DIRECTORY}/secret")
	})
	t.Run("sidecar", func(t *testing.T) {
		keepsAFile(t, strings.Split(strings.ReplaceAll(arguments[1], `"`, ""), ", "), "/token/", "/secret/client-secret")
	})
}

// verifyUnit fails the test if systemd would warn of a line of the unit.
func verifyUnit(t *testing.T, unit string) {
	t.Helper()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), "ixtoken.service")
	put(t, path, unit)
	output, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
	if err != nil || strings.Contains(string(output), filepath.Base(path)) {
		t.Errorf("%v: %s", err, output)
	}
}

// keepsAFile runs the command with the file in another directory than dir, and with another file for the secret.
func keepsAFile(t *testing.T, args []string, dir, secret string) {
	t.Helper()
	s, shared, secretFile := newFixture(t), t.TempDir(), filepath.Join(t.TempDir(), "secret")
	put(t, secretFile, s.Equinix.Credentials().ClientSecret+"\n")
	s.setenv("EQUINIX_API_CLIENTSECRET", "")
	for i := range args {
		args[i] = strings.NewReplacer(dir, shared+"/", secret, secretFile).Replace(args[i])
	}
	command := exec.CommandContext(t.Context(), provider(), args...)
	command.Env = append(os.Environ(), s.Env...)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	file := filepath.Join(shared, "token")
	var text []byte
	for deadline := time.Now().Add(30 * time.Second); len(text) == 0; <-time.After(20 * time.Millisecond) {
		if text, _ = os.ReadFile(file); len(text) == 0 && time.Now().After(deadline) {
			_ = command.Process.Kill()
			_ = command.Wait()
			t.Fatalf("%q writes no file: %s", args, said.String())
		}
	}
	if issued := s.Equinix.Issued(); len(issued) != 1 || strings.TrimSpace(string(text)) != issued[0] {
		t.Errorf("%d tokens, and the file has %d bytes", len(issued), len(text))
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil || said.Len() > 0 {
		t.Errorf("%v: %s", err, said.String())
	}
}
