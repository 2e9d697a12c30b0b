// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The roles of the processes that the test starts from its own program.
const (
	role     = "IXTOKEN_TEST_ROLE"
	isCLI    = "cli"    // starts a plugin and waits
	isPlugin = "plugin" // writes the address that it listens on to a file, and waits
)

// self returns the path of this program.
func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

func init() {
	switch os.Getenv(role) {
	case isCLI:
		plugin := exec.Command(self())
		plugin.Stderr = os.Stderr
		plugin.Env = append(os.Environ(), role+"="+isPlugin)
		if err := plugin.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		<-time.After(time.Minute)
	case isPlugin:
		EndWithParent()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			err = os.WriteFile(os.Getenv("ADDRESS_FILE"), []byte(listener.Addr().String()+"\n"), 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		<-time.After(time.Minute)
	}
}

// X05: a plugin ends when its CLI is killed.
func TestAPluginEndsWithItsParent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "address")
	cli := exec.CommandContext(t.Context(), self())
	cli.Stderr = os.Stderr
	cli.Env = append(os.Environ(), role+"="+isCLI, "ADDRESS_FILE="+file)
	if err := cli.Start(); err != nil {
		t.Fatal(err)
	}
	address := ""
	for deadline := time.Now().Add(20 * time.Second); address == ""; {
		if text, err := os.ReadFile(file); err == nil && strings.HasSuffix(string(text), "\n") {
			address = strings.TrimSpace(string(text))
		} else if time.Now().After(deadline) {
			t.Fatal("the plugin has not started")
		}
		<-time.After(10 * time.Millisecond)
	}
	if !listens(address) {
		t.Fatal("the plugin does not listen")
	}
	if err := cli.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cli.Wait()
	for deadline := time.Now().Add(5 * time.Second); listens(address); {
		if time.Now().After(deadline) {
			t.Fatal("the plugin has not ended")
		}
		<-time.After(10 * time.Millisecond)
	}
}

// listens reports whether a process accepts connections.
func listens(address string) bool {
	connection, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	return connection.Close() == nil
}
