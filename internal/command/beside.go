// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"net"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// This file is for a proxy beside a program that it does not start, such as one in another container.

// addPlace adds the flags that say where the proxy can be found.
func (r *proxyRun) addPlace(set *pflag.FlagSet) {
	set.IntVar(&r.port, "port", 0, "Listen on `PORT` of 127.0.0.1. Default: a port that the system chooses.")
	set.StringVar(&r.urlFile, "url-file", "", "Write the URL to `FILE` once the API proxy is ready, instead of to standard output, and remove the file at the end.")
	set.StringVar(&r.urlMode, "url-file-mode", outputModes[0], "The `MODE` of that file: 0600, 0640 for its group, 0644 for everybody. Default: 0600.")
}

// checkPlace checks the port and the file before anything is sent.
func (r *proxyRun) checkPlace(cmd *cobra.Command) error {
	if r.urlFile == "" && cmd.Flags().Changed("url-file-mode") {
		return usageError(cmd, "--url-file-mode needs --url-file FILE")
	}
	if r.urlFile != "" {
		if _, err := newOutputFile(cmd, "url-file", r.urlFile, r.urlMode); err != nil {
			return err
		}
	}
	if !cmd.Flags().Changed("port") {
		return nil
	}
	if r.port < 1 || r.port > 65535 {
		return usageError(cmd, "--port must be a number from 1 to 65535")
	}
	probe, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)))
	if err != nil {
		return newFailure(statusUsage, sectionPort, "The API proxy cannot listen on the port of --port", "127.0.0.1:"+strconv.Itoa(r.port)+": "+cause(err)+". Nothing was sent. Choose another port, or end the program that uses it.")
	}
	return probe.Close()
}

// publish writes the URL to the file of --url-file, if there is one. remove removes it.
func (r *proxyRun) publish(url string) (remove func(), err error) {
	if r.urlFile == "" {
		return func() {}, nil
	}
	file := &outputFile{flag: "url-file", path: r.urlFile, mode: modeNamed(r.urlMode)}
	if err := file.write(url + "\n"); err != nil {
		return func() {}, file.notWritten(err)
	}
	return func() { _ = file.remove() }, nil // a URL that leads nowhere is no secret any more
}
