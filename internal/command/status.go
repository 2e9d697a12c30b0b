// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// The exit statuses, on which pipelines rely.
const (
	statusDone        = 0
	statusOther       = 1
	statusUsage       = 2 // usage or settings: nothing was sent
	statusRefused     = 3 // it will not pass by itself: do not repeat
	statusLater       = 4 // it may pass: try later
	statusShort       = 5 // with --strict: the token is valid for less than --min-validity
	statusInterrupted = 130
)

// failure is a command that has failed, with what a person is told of it.
type failure struct {
	status   int
	messages []platforms.Message
}

// Error is the first line of what is told; empty: nothing is.
func (f *failure) Error() string {
	if len(f.messages) == 0 {
		return ""
	}
	return f.messages[0].Summary
}

// The headings of the guide's sections about what only the command line tells.
const (
	aboutUsage   = "The command is not understood"
	aboutSecrets = "Secrets are not taken from arguments"
	aboutFiles   = "A file cannot be read"
	aboutResult  = "The result could not be written"
	aboutStrict  = "The token was not handed out"
	aboutCache   = "The token cache cannot be used"
	aboutStart   = "The program could not be started"
)

// failed is a failure with one message, which leads to a section of the guide.
func failed(status int, section, summary, detail string) error {
	return &failure{status, []platforms.Message{{Summary: summary, Detail: detail + platforms.More(section)}}}
}

// statusOf is the exit status for an error of the engine.
func statusOf(err error) int {
	found := (*clients.Error)(nil)
	switch {
	case !errors.As(err, &found) || found.Kind == clients.Internal:
		return statusOther
	case found.Kind == clients.Cancelled:
		return statusInterrupted
	case found.Kind == clients.InvalidInput || found.Kind == clients.NoIdentityToken && found.Endpoint == "": // nothing was sent
		return statusUsage
	case found.MayPass():
		return statusLater
	default:
		return statusRefused
	}
}

// cause is what an error of the file system says without the path.
func cause(err error) string {
	if number := syscall.Errno(0); errors.As(err, &number) {
		return number.Error()
	}
	for _, known := range []error{fs.ErrNotExist, fs.ErrPermission, os.ErrClosed} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "it failed"
}
