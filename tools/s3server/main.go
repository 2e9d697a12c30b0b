// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command s3server starts an S3 server that others wrote (versitygw), with an empty bucket called fleet, and runs a command
// with it. Without a command, it prints the environment and runs until it is interrupted. Unlike the server in the tests of
// make test, this one checks signatures.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

const (
	accessKey = "s3server"
	secretKey = "s3server-secret" // of a server on loopback, for as long as it runs
)

func main() {
	if err := run(); err != nil {
		exit := (*exec.ExitError)(nil)
		if errors.As(err, &exit) {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "s3server:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "s3server-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Mkdir(filepath.Join(dir, "fleet"), 0o700); err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	server := exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), "versitygw"), "--port", address, "posix", dir)
	server.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey)
	if err := server.Start(); err != nil {
		return err
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	if err := answers(ctx, address); err != nil {
		return err
	}
	environment := []string{"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_REGION=us-east-1", "IXTOKEN_TEST_S3=http://" + address}
	if len(os.Args) == 1 {
		fmt.Printf("export %s\nexport IXTOKEN_CACHE_URL='s3://fleet/tokens?endpoint=http://%s'\n", strings.Join(environment, " "), address)
		<-ctx.Done()
		return nil
	}
	command := exec.CommandContext(ctx, os.Args[1], os.Args[2:]...)
	command.Env = append(os.Environ(), environment...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	return command.Run()
}

// freeAddress returns an address on loopback that nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// answers waits until the server listens.
func answers(ctx context.Context, address string) error {
	for range 100 {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return errors.New("the server does not listen")
}
