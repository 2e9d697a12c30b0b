// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package processtest lets a test see from outside whether a process has ended: the process listens on loopback. The process is
// the test's own program in another role.
package processtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The environment variables of a process in a role.
const (
	role        = "IXTOKEN_TEST_ROLE"
	addressFile = "ADDRESS_FILE"
)

// Play plays the role that the environment names, and does not return then. Call it from init.
func Play(roles map[string]func()) {
	play := roles[os.Getenv(role)]
	if play == nil {
		return
	}
	time.AfterFunc(time.Minute, func() { os.Exit(1) }) // for a test that has failed
	play()
	os.Exit(0)
}

// As returns the variables of a process that plays a role. Its address will be in the file at path.
func As(name, path string) []string { return []string{role + "=" + name, addressFile + "=" + path} }

// Self returns the path of the test's program.
func Self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// Start starts another process, in the role with the name. Its address will be in the same file as that of this process.
func Start(name string) {
	command := exec.Command(Self())
	command.Stderr = os.Stderr
	command.Env = append(os.Environ(), role+"="+name)
	check(command.Start())
}

// Serve listens, writes its address to the file, and ends with the first byte that it gets.
func Serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	check(os.WriteFile(os.Getenv(addressFile), []byte(listener.Addr().String()+"\n"), 0o600))
	for {
		connection, err := listener.Accept()
		check(err)
		if n, _ := connection.Read(make([]byte, 1)); n > 0 {
			return
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// AwaitServer waits until there is an address in the file of this process.
func AwaitServer() {
	for addressIn(os.Getenv(addressFile)) == "" {
		<-time.After(10 * time.Millisecond)
	}
}

func addressIn(path string) string {
	address, whole := strings.CutSuffix(read(path), "\n")
	if !whole {
		return ""
	}
	return address
}

func read(path string) string {
	text, _ := os.ReadFile(path) // "": there is none yet
	return string(text)
}

// Address waits for the address that a process writes to the file at path.
func Address(t *testing.T, path string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
		if address := addressIn(path); address != "" {
			return address
		}
		if time.Now().After(deadline) {
			t.Fatal("the process has not started")
		}
	}
}

// WantEnd fails the test unless the process at the address ends.
func WantEnd(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; <-time.After(10 * time.Millisecond) {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return
		}
		_ = connection.Close()
		if time.Now().After(deadline) {
			t.Fatal("the process goes on")
		}
	}
}
