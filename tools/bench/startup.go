// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// startsEach is how many starts one run has, because a single start is short and its time varies a lot.
const startsEach = 5

// startUp compares the time from the start of the process until its schema has arrived, without the CLI.
func (b *bench) startUp(ctx context.Context) (string, error) {
	progress(fmt.Sprintf("start-up, %d rounds", b.runs*startsEach))
	names := []string{"provider", "scaffold"}
	var wall, processor, memory [2]sample
	for round := range b.runs * startsEach {
		for i := range names {
			i = (i + round) % len(names)
			s, err := start(ctx, b.binary(names[i]))
			if err != nil {
				return "", fmt.Errorf("%s: %w", names[i], err)
			}
			wall[i] = append(wall[i], s.wall.Seconds()*1e3)
			processor[i] = append(processor[i], s.processor.Seconds()*1e3)
			memory[i] = append(memory[i], s.megabytes)
		}
	}
	var size [2]sample
	for i, name := range names {
		file, err := os.Stat(b.binary(name))
		if err != nil {
			return "", err
		}
		size[i] = sample{float64(file.Size()) / 1e6}
	}
	t := table{{"start-up, with handshake and schema", "this provider", "scaffold", "to the scaffold"}}
	for _, row := range []struct {
		name   string
		figure [2]sample
	}{{"wall time, ms", wall}, {"processor time, ms", processor}, {"peak memory, MB", memory}, {"release binary, MB", size}} {
		t.add(row.name, row.figure[0].format(1), row.figure[1].format(1), row.figure[0].over(row.figure[1]).spread(3))
	}
	return t.String(), nil
}

// started is the cost of one start.
type started struct {
	wall, processor time.Duration
	megabytes       float64 // peak memory; zero: unknown on this system
}

// start starts a provider as a CLI does, asks for its schema, and stops it.
func start(ctx context.Context, binary string) (started, error) {
	command := exec.Command(binary) // go-plugin stops it
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			MagicCookieKey:   "TF_PLUGIN_MAGIC_COOKIE",
			MagicCookieValue: "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
		},
		VersionedPlugins: map[int]plugin.PluginSet{6: {"provider": connection{}}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		Cmd:              command,
		Logger:           hclog.NewNullLogger(),
	})
	begin := time.Now()
	err := askSchema(ctx, client)
	s := started{wall: time.Since(begin)}
	if err == nil {
		s.megabytes = peakMegabytes(command.Process.Pid)
	}
	client.Kill()
	if command.ProcessState != nil {
		s.processor = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	}
	return s, err
}

func askSchema(ctx context.Context, client *plugin.Client) error {
	protocol, err := client.Client()
	if err != nil {
		return err
	}
	provider, err := protocol.Dispense("provider")
	if err != nil {
		return err
	}
	conn, ok := provider.(*grpc.ClientConn)
	if !ok {
		return errors.New("no gRPC connection")
	}
	// The request has no fields, and the fields of the answer are not needed.
	return conn.Invoke(ctx, "/tfplugin6.Provider/GetProviderSchema", &emptypb.Empty{}, &emptypb.Empty{}, grpc.MaxCallRecvMsgSize(64<<20))
}

// connection is a plugin whose client is the gRPC connection itself.
type connection struct{ plugin.NetRPCUnsupportedPlugin }

func (connection) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is no server")
}

func (connection) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// peakMegabytes returns the peak memory of a process on Linux; elsewhere 0. It does not use wait4, which includes the memory
// of this process at the fork.
func peakMegabytes(pid int) float64 {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	for line := range bytes.Lines(text) {
		if value, found := bytes.CutPrefix(line, []byte("VmHWM:")); found {
			kilobytes, _ := strconv.ParseFloat(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 64)
			return kilobytes * 1024 / 1e6
		}
	}
	return 0
}
