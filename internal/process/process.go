// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package process keeps the secrets in the memory of this process from other processes and from files, as far as the system
// supports it, and handles the signals that end the process. The provider and the command use it.
package process

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// Interrupts returns a context that is cancelled by the first Ctrl-C or SIGTERM. The second one ends the process at once. A
// signal that was ignored at the start stays ignored, here and in the programs that exec and proxy start: nohup and background
// jobs rely on this.
//
// After release, these signals have their default effect again. If one has arrived before, the context is cancelled when
// release returns.
func Interrupts() (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancel(context.Background())
	caught, released, settled := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(caught, slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM}, signal.Ignored)...)
	go func() {
		defer close(settled)
		select {
		case <-caught:
			cancel()
			signal.Stop(caught)
		case <-released:
			if len(caught) > 0 {
				cancel()
			}
		}
	}()
	return ctx, func() {
		signal.Stop(caught) // returns after the last signal is in the channel
		close(released)
		<-settled
	}
}
